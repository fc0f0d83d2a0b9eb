"""Why a call does not go through.

A call may have several faults at once, and which of them a contract names depends on the order of its checks. That
order is nobody's promise, so the model collects all of them, and a contract is right if it names any one.

    with objections to the call …              the contract …
    flaw      seen in the calldata alone       reverts, also in a batch
    obstacle  state or time                    skips this item of a batch; a single call reverts

A *gate* is an objection behind which nothing else can be asked: a unit that does not exist has no deadline.
"""

from __future__ import annotations

from collections.abc import Iterable

Rule = tuple[bool, str]  # whether it is broken, and the name of the error


class Refused(Exception):
    """The call reverts and nothing has changed; the contract names one of `reasons`."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = frozenset(reasons)
        super().__init__(", ".join(sorted(self.reasons)))


def broken(*rules: Rule) -> frozenset[str]:
    return frozenset(name for wrong, name in rules if wrong)


def require(*rules: Rule) -> None:
    """For single calls, and for gates: raises Refused with everything that is wrong."""
    if reasons := broken(*rules):
        raise Refused(reasons)


def word(reason: str) -> str:
    """An error's name without its detail: `BadTerms(fuel)` → `BadTerms`. A skip tells no more than that."""
    return reason.partition("(")[0]
