"""What every emitted action must obey, each rule with its reason. Tests and the simulator check all actions.

    rulebook = Rulebook()
    broken = rulebook.check(action, node, world)      → the rules that this action breaks; () if all is well

The machines are written to obey these rules; the rules are written without looking at how. A rule sees the action,
the node whose facts are on disk at that moment, the world, and what the node has already sent in its whole life,
restarts included (book.Sent): two salts, or two awards, are told apart only by memory.
"""

from __future__ import annotations

from blockedge_node.core.rules import auctions, book, checks, court, negotiation, record, reports
from blockedge_node.core.rules.book import Case, Rule, Sent

RULES: tuple[Rule, ...] = (
    *negotiation.RULES,
    *auctions.RULES,
    *record.RULES,
    *checks.RULES,
    *reports.RULES,
    *court.RULES,
)


class Rulebook(book.Rulebook):
    """All rules over one node's life."""

    def __init__(self) -> None:
        super().__init__(RULES)


__all__ = ["RULES", "Case", "Rule", "Rulebook", "Sent"]
