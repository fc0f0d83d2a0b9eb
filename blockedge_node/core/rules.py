"""What every emitted action must obey, each rule with its reason. Tests and the simulator check all actions.

    rulebook = Rulebook()
    broken = rulebook.check(action, node, world)      → the rules that this action breaks; () if all is well

The machines are written to obey these rules; the rules are written without looking at how. A rule sees the action,
the node whose facts are on disk at that moment, the world, and what the node has already sent in its whole life,
restarts included (`Sent`): two salts, or two awards, are told apart only by memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blockedge_node.core.actions import (
    Action,
    AwardCommit,
    Check,
    CloseReports,
    CommitReport,
    CommitResult,
    DeliverResult,
    FetchOutput,
    PublishBids,
    PublishRequest,
    RefuseAward,
    RegisterAward,
    Reveal,
    RevealReport,
    SendAck,
    SendAward,
    SendReceipt,
    Settle,
    Solve,
    TimeOut,
)
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.commitment import guard
from blockedge_node.core.deadlines import (
    challenge_by,
    report_by,
    result_by,
    reveal_by,
    settle_after,
    timeout_after,
)
from blockedge_node.core.ids import Digest, Hash, UnitId
from blockedge_node.core.node import Machine, Node, bidder_key, requester_key, verifier_key, worker_key
from blockedge_node.core.requester import Requester, Shard
from blockedge_node.core.selection import why_ineligible
from blockedge_node.core.task import Award, unit_id
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.verifier import Verifier, my_report
from blockedge_node.core.worker import REPORTS_A_CALL, Worker, my_commitment
from blockedge_node.core.world import World


@dataclass(slots=True)
class Sent:
    """What has left the node, ever."""

    commitments: dict[Hash, Hash] = field(default_factory=dict)  # by hash of the Award
    reports: dict[UnitId, Hash] = field(default_factory=dict)
    awards: dict[UnitId, dict[Hash, Award]] = field(default_factory=dict)  # by hash of the Award


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
        mine = (m for m in self.node.machines.values() if isinstance(m, Worker) and m.unit == unit)
        return next((m for m in mine if m.is_mine), None)

    def shard(self, unit: UnitId) -> Shard | None:
        asked = (m for m in self.node.machines.values() if isinstance(m, Requester))
        return next((s for m in asked for s in m.shards if s.unit == unit), None)

    def verifier(self, unit: UnitId) -> Verifier | None:
        found = self.machine(verifier_key(unit))
        return found if isinstance(found, Verifier) else None

    def view(self, unit: UnitId) -> UnitView | None:
        """The newest view of the unit that any machine holds."""
        views = (
            machine.view
            for machine in (self.worker_of(unit), self.shard(unit), self.verifier(unit))
            if machine and machine.view
        )
        return next(views, None)


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    reason: str
    broken: Callable[[Case], bool]


RULES: list[Rule] = []


def rule(reason: str) -> Callable[[Callable[[Case], bool]], Callable[[Case], bool]]:
    """Registers a check that is True where an action breaks the rule; its name is the rule's."""

    def register(broken: Callable[[Case], bool]) -> Callable[[Case], bool]:
        RULES.append(Rule(broken.__name__, reason, broken))
        return broken

    return register


class Rulebook:
    """All rules over one node's life. `sent` survives its restarts; the node's memory need not."""

    def __init__(self) -> None:
        self.sent = Sent()

    def check(self, action: Action, node: Node, world: World) -> tuple[Rule, ...]:
        """Rules that starting `action` now would break; then it counts as sent."""
        case = Case(action, node, world, self.sent)
        broken = tuple(rule for rule in RULES if rule.broken(case))
        self._record(action)
        return broken

    def _record(self, action: Action) -> None:
        match action:
            case AwardCommit():
                self.sent.commitments.setdefault(action.registration.signed.award.hash(), action.commitment)
            case CommitReport():
                self.sent.reports.setdefault(action.unit, action.hash)
            case SendAward():
                award = action.signed.award
                self.sent.awards.setdefault(unit_id(award.task, award.shard), {})[award.hash()] = award
            case _:
                pass


# ── asking and bidding ───────────────────────────────────────────────────────────────────────────────────


@rule("a request names its payer: nobody spends another's escrow, and a retry must find its facts again")
def request_is_mine_and_on_disk(case: Case) -> bool:
    match case.action:
        case PublishRequest(request=request):
            found = case.machine(requester_key(request.task(case.world.domain)))
            known = isinstance(found, Requester) and found.request == request
            return not known or request.requester != case.world.me
        case _:
            return False


@rule("a bid is a promise with a deposit: it must be on disk, in my name, and one the contract would accept")
def bids_are_mine_and_eligible(case: Case) -> bool:
    match case.action:
        case PublishBids(bids=bids):
            found = case.machine(bidder_key(bids[0].task))
            if not isinstance(found, Bidder):
                return True
            known = {mine.bid for mine in found.bids}
            request, params, at = found.request, case.world.params, found.heard_at
            return any(
                bid not in known or bid.worker != case.world.me or why_ineligible(request, bid, params, at=at)
                for bid in bids
            )
        case _:
            return False


# ── awards and acknowledgements ──────────────────────────────────────────────────────────────────────────


@rule("an award that is not on disk could be followed by another for the same shard")
def award_is_on_disk(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed, digest=digest):
            shard = case.shard(unit_id(signed.award.task, signed.award.shard))
            return not (
                shard and shard.placed and (shard.placed.digest, shard.placed.signed) == (digest, signed)
            )
        case _:
            return False


@rule("two awards of one shard with overlapping [notBefore, registerBy] are proof of equivocation (§2.1)")
def awards_of_a_shard_never_overlap(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed):
            new = signed.award
            others = case.sent.awards.get(unit_id(new.task, new.shard), {}).values()
            return any(
                old != new and old.not_before <= new.register_by and new.not_before <= old.register_by
                for old in others
            )
        case _:
            return False


@rule("an award outside these times reverts at registration, so its worker would work for nothing (§2.1)")
def award_times_are_registrable(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed):
            award, request, bid = signed.award, signed.request, signed.bid
            last = min(award.not_before + case.world.params.max_award, request.expiry, bid.expiry)
            return not award.not_before < award.register_by <= last or case.world.now > award.register_by
        case _:
            return False


@rule("an Ack promises a result: only who holds the input can keep it, and only while it counts (§2.1)")
def ack_only_with_input_and_in_time(case: Case) -> bool:
    match case.action:
        case SendAck(award=digest, ack=ack):
            mine = case.worker(digest)
            if mine is None or not mine.input or mine.refusal or ack.award != digest:
                return True
            award = mine.signed.award
            late = case.world.now > award.register_by
            return late or not award.not_before <= ack.start_at <= award.register_by
        case _:
            return False


@rule("a refusal after a commitment would talk a requester out of work that it must pay for")
def refuse_only_what_is_not_done(case: Case) -> bool:
    match case.action:
        case RefuseAward(award=digest):
            mine = case.worker(digest)
            return mine is not None and (mine.solved is not None or not mine.refusal)
        case _:
            return False


@rule("work on a dead award, or without input, earns nothing")
def solve_only_what_can_be_committed(case: Case) -> bool:
    match case.action:
        case Solve(award=digest):
            mine = case.worker(digest)
            if mine is None or not mine.input or mine.solved is not None:
                return True
            if mine.phase is Phase.NONE:
                return mine.registers_first or case.world.now > mine.signed.award.register_by
            return mine.phase is not Phase.ASSIGNED or not mine.is_mine
        case _:
            return False


# ── registration and commitment ──────────────────────────────────────────────────────────────────────────


@rule("after registerBy an award is dead, and a unit that has a slot is registered already (§2.1)")
def register_only_in_time(case: Case) -> bool:
    match case.action:
        case RegisterAward(unit=unit, registration=r) | AwardCommit(unit=unit, registration=r):
            view = case.view(unit)
            taken = view is not None and view.phase is not Phase.NONE
            return taken or case.world.now > r.signed.award.register_by
        case _:
            return False


@rule("the contract takes an empty signature for the sender's own and refuses all others (§2.1)")
def only_the_senders_signature_is_left_out(case: Case) -> bool:
    match case.action:
        case RegisterAward(registration=r) | AwardCommit(registration=r):
            signed = r.signed
            if signed.request.requester == case.world.me:
                return bool(signed.award_sig) or not signed.bid_sig or (r.ack is None) == bool(r.ack_sig)
            return signed.bid.worker != case.world.me or bool(signed.bid_sig) or not signed.award_sig
        case _:
            return False


@rule("unacknowledged, a registered award locks my price and fines nobody: let it die instead (§4)")
def requester_registers_only_with_ack(case: Case) -> bool:
    match case.action:
        case RegisterAward(registration=r) if r.signed.request.requester == case.world.me:
            return r.ack is None
        case _:
            return False


@rule("a worker that registers has acknowledged: without the input it could not keep that (§2.1)")
def worker_registers_only_with_input(case: Case) -> bool:
    match case.action:
        case RegisterAward(registration=r) | AwardCommit(registration=r) if (
            r.signed.bid.worker == case.world.me
        ):
            mine = next((m for m in _workers(case) if m.signed.award == r.signed.award), None)
            return mine is None or not mine.input
        case _:
            return False


@rule("only what is on disk can be revealed after a crash; a lost salt costs the whole deposit (inv. 18)")
def commitment_follows_from_facts(case: Case) -> bool:
    match case.action:
        case AwardCommit(unit=unit, commitment=c) | CommitResult(unit=unit, commitment=c):
            mine = case.worker_of(unit)
            return mine is None or my_commitment(mine, case.world.domain) != c
        case _:
            return False


@rule(
    "two salts for one award would let a worker choose its draw; one commitment belongs to one award (§2.2)"
)
def one_salt_per_award(case: Case) -> bool:
    match case.action:
        case AwardCommit(registration=r, commitment=c):
            award = r.signed.award.hash()
        case CommitResult(unit=unit, commitment=c) if mine := case.worker_of(unit):
            award = mine.signed.award.hash()
        case _:
            return False
    known = case.sent.commitments
    return known.get(award, c) != c or any(other == c for a, other in known.items() if a != award)


@rule("`commit` is for an ASSIGNED unit of the acknowledged Terms, until resultBy (§3.3)")
def commit_only_when_assigned(case: Case) -> bool:
    match case.action:
        case CommitResult(unit=unit):
            view, mine = case.view(unit), case.worker_of(unit)
            if view is None or mine is None or view.terms != mine.terms:
                return True
            return view.phase is not Phase.ASSIGNED or case.world.now > result_by(view, case.world.params)
        case _:
            return False


# ── reveal and endings ───────────────────────────────────────────────────────────────────────────────────


@rule("a result shown before its commitment is on the chain can be copied; one of another salt never opens")
def reveal_only_my_shown_commitment(case: Case) -> bool:
    match case.action:
        case Reveal(unit=unit):
            view, mine = case.view(unit), case.worker_of(unit)
            if view is None or mine is None or mine.solved is None or view.phase is not Phase.COMMITTED:
                return True
            solved, opened = mine.solved, case.action
            return (
                view.commitment != my_commitment(mine, case.world.domain)
                or (opened.result, opened.salt) != (solved.result, solved.salt)
                or opened.guard != guard(solved.guard_secret)
                or case.world.now > reveal_by(view, case.world.params)
            )
        case _:
            return False


@rule("a call with old data does not match the slot's digest and is skipped (§3.2)")
def target_is_the_view(case: Case) -> bool:
    match case.action:
        case (
            CommitResult(unit=unit, target=target)
            | Reveal(unit=unit, target=target)
            | Settle(unit=unit, target=target)
            | TimeOut(unit=unit, target=target)
            | CommitReport(unit=unit, target=target)
            | RevealReport(unit=unit, target=target)
            | CloseReports(unit=unit, target=target)
        ):
            view = case.view(unit)
            return view is None or view.on_chain != target
        case _:
            return False


@rule("settling before the windows are over is skipped, and gas is spent (§3.3)")
def settle_only_after_its_windows(case: Case) -> bool:
    match case.action:
        case Settle(unit=unit):
            view = case.view(unit)
            if view is None or view.phase is not Phase.REVEALED:
                return True
            return case.world.now <= settle_after(view, case.world.params)
        case _:
            return False


@rule("a timeout ends another's chance: not a second before the deadline is missed (§3.3)")
def timeout_only_after_the_deadline(case: Case) -> bool:
    match case.action:
        case TimeOut(unit=unit):
            view = case.view(unit)
            last = timeout_after(view, case.world.params) if view else None
            return last is None or case.world.now <= last
        case _:
            return False


@rule("a Receipt says that the output is here: it stops the worker's deliveries")
def receipt_only_for_a_stored_output(case: Case) -> bool:
    match case.action:
        case SendReceipt(receipt=receipt):
            shard = case.shard(receipt.unit)
            if shard is None or shard.result is None or not shard.has_output:
                return True
            return shard.result.hash() != receipt.result_hash
        case _:
            return False


@rule("what is delivered is what is committed: anything else is a report against oneself")
def deliver_what_was_solved(case: Case) -> bool:
    match case.action:
        case DeliverResult(unit=unit, result=result):
            return not any(m.unit == unit and m.solved and m.solved.result == result for m in _workers(case))
        case FetchOutput(unit=unit, root=root):
            shard = case.shard(unit)
            return shard is None or shard.result is None or shard.result.output_root != root
        case _:
            return False


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────


@rule("nobody judges their own work: a report on it is refused, a check of it worthless (§6.4)")
def never_check_or_report_own_work(case: Case) -> bool:
    match case.action:
        case Check(unit=unit) | CommitReport(unit=unit) | RevealReport(unit=unit):
            view = case.view(unit)
            return view is None or view.terms.worker == case.world.me
        case _:
            return False


@rule("stage I hides what stage II shows; out of its window either reverts (§3.3)")
def report_only_in_its_window(case: Case) -> bool:
    params, now = case.world.params, case.world.now
    match case.action:
        case Check(unit=unit) | CommitReport(unit=unit):
            view = case.view(unit)
            return view is None or view.phase is not Phase.REVEALED or now > challenge_by(view, params)
        case RevealReport(unit=unit):
            view = case.view(unit)
            if view is None or view.phase is not Phase.REVEALED:
                return True
            return not challenge_by(view, params) < now <= report_by(view, params)
        case _:
            return False


@rule("two salts for one report would be two bonds for one fault (inv. 18)")
def one_salt_per_report(case: Case) -> bool:
    match case.action:
        case CommitReport(unit=unit, hash=hashed):
            mine = case.verifier(unit)
            if mine is None or my_report(mine, case.world) != hashed:
                return True
            return case.sent.reports.get(unit, hashed) != hashed
        case RevealReport(unit=unit, index=index, salt=salt):
            view, mine = case.view(unit), case.verifier(unit)
            if view is None or mine is None or mine.report is None or mine.report.salt != salt:
                return True
            shown = (index, case.world.me, my_report(mine, case.world))
            return shown not in {(r.index, r.author, r.hash) for r in view.reports}
        case _:
            return False


@rule("only a terminal unit's bonds leave, each once (§3.3)")
def close_only_open_reports_of_an_ended_unit(case: Case) -> bool:
    match case.action:
        case CloseReports(unit=unit, indexes=indexes):
            view = case.view(unit)
            if view is None or not view.phase.terminal or not 0 < len(indexes) <= REPORTS_A_CALL:
                return True
            return not set(indexes) <= {report.index for report in view.reports if not report.closed}
        case _:
            return False


def _workers(case: Case) -> list[Worker]:
    return [machine for machine in case.node.machines.values() if isinstance(machine, Worker)]
