"""One action as a rule looks at it, and the book that all actions are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from blockedge_node.core import watchtower
from blockedge_node.core.actions import (
    Action,
    Appeal,
    AwardCommit,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
    SendAward,
)
from blockedge_node.core.checker import Checker
from blockedge_node.core.finer import Finer
from blockedge_node.core.ids import Digest, Hash, UnitId
from blockedge_node.core.juror import Juror
from blockedge_node.core.node import (
    Machine,
    Node,
    checker_key,
    finer_key,
    juror_key,
    verifier_key,
    worker_key,
)
from blockedge_node.core.requester import Requester
from blockedge_node.core.shard import Shard
from blockedge_node.core.task import Award, Mode, unit_id
from blockedge_node.core.unit import UnitView
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.watchtower import Tower
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World


@dataclass(slots=True)
class Sent:
    """What has left the node, ever."""

    commitments: dict[Hash, Hash] = field(
        default_factory=dict
    )  # by hash of the Award, or of an auction's Terms
    reports: dict[UnitId, Hash] = field(default_factory=dict)
    checks: dict[UnitId, Hash] = field(default_factory=dict)
    awards: dict[UnitId, dict[Hash, Award]] = field(default_factory=dict)  # by hash of the Award
    votes: dict[tuple[UnitId, int, int], Hash] = field(default_factory=dict)  # by unit, round and seat
    appeals: dict[tuple[UnitId, int], int] = field(default_factory=dict)  # wei, by unit and round


@dataclass(frozen=True, slots=True)
class Case:
    """One action as a rule looks at it."""

    action: Action
    node: Node
    world: World
    sent: Sent

    def machine(self, key: str) -> Machine | None:
        return self.node.machines.get(key)

    def worker(self, award: Digest) -> Worker | None:
        found = self.machine(worker_key(award))
        return found if isinstance(found, Worker) else None

    def worker_of(self, unit: UnitId) -> Worker | None:
        """The worker machine whose Terms the unit's slot holds."""
        return next((m for m in self.workers() if m.unit == unit and m.is_mine), None)

    def shard(self, unit: UnitId) -> Shard | None:
        asked = (m for m in self.node.machines.values() if isinstance(m, Requester))
        return next((s for m in asked for s in m.shards if s.unit == unit), None)

    def verifier(self, unit: UnitId) -> Verifier | None:
        found = self.machine(verifier_key(unit))
        return found if isinstance(found, Verifier) else None

    def checker(self, unit: UnitId) -> Checker | None:
        found = self.machine(checker_key(unit))
        return found if isinstance(found, Checker) else None

    def finer(self, unit: UnitId) -> Finer | None:
        found = self.machine(finer_key(unit))
        return found if isinstance(found, Finer) else None

    def juror(self, unit: UnitId) -> Juror | None:
        found = self.machine(juror_key(unit))
        return found if isinstance(found, Juror) else None

    def tower(self, unit: UnitId) -> Tower | None:
        """A client's unit that I watch, under the commitment that the chain shows."""
        mine = (m for m in self.node.machines.values() if isinstance(m, Tower) and m.unit == unit)
        return next((m for m in mine if watchtower.is_clients(m, self.world)), None)

    def workers(self) -> list[Worker]:
        return [machine for machine in self.node.machines.values() if isinstance(machine, Worker)]

    def view(self, unit: UnitId) -> UnitView | None:
        """The newest view of the unit that any machine holds."""
        views = (
            machine.view
            for machine in (
                self.worker_of(unit),
                self.shard(unit),
                self.verifier(unit),
                self.checker(unit),
                self.finer(unit),
                self.juror(unit),
                self.tower(unit),
            )
            if machine and machine.view
        )
        return next(views, None)


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    reason: str
    broken: Callable[[Case], bool]


IsBroken = Callable[[Case], bool]


def registrar(rules: list[Rule]) -> Callable[[str], Callable[[IsBroken], IsBroken]]:
    """A decorator that adds a check to `rules`: True where an action breaks the rule, whose name is the function's.

    Its argument is the rule's reason.
    """

    def because(reason: str) -> Callable[[IsBroken], IsBroken]:
        def register(broken: IsBroken) -> IsBroken:
            rules.append(Rule(broken.__name__, reason, broken))
            return broken

        return register

    return because


class Rulebook:
    """Some rules over one node's life. `sent` survives its restarts; the node's memory need not."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.sent = Sent()

    def check(self, action: Action, node: Node, world: World) -> tuple[Rule, ...]:
        """Rules that starting `action` now would break; then it counts as sent."""
        case = Case(action, node, world, self.sent)
        broken = tuple(rule for rule in self._rules if rule.broken(case))
        self._record(action)
        return broken

    def _record(self, action: Action) -> None:
        match action:
            case AwardCommit():
                self.sent.commitments.setdefault(action.registration.signed.award.hash(), action.commitment)
            case CommitResult() if action.target.terms.mode & Mode.ONCHAIN:
                self.sent.commitments.setdefault(action.target.terms.terms_hash(), action.commitment)
            case CommitReport():
                self.sent.reports.setdefault(action.unit, action.hash)
            case CommitCheck():
                self.sent.checks.setdefault(action.unit, action.hash)
            case CommitVote():
                self.sent.votes.setdefault((action.unit, action.round, action.seat), action.hash)
            case Appeal():
                self.sent.appeals[action.unit, action.round] = action.value
            case SendAward():
                award = action.signed.award
                self.sent.awards.setdefault(unit_id(award.task, award.shard), {})[award.hash()] = award
            case _:
                pass
