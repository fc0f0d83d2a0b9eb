"""What goes on the chain for a unit, from its registration to its end, and what is delivered beside it."""

from __future__ import annotations

from blockedge_node.core.actions import (
    AwardCommit,
    CloseReports,
    CommitReport,
    CommitResult,
    DeliverResult,
    FetchOutput,
    RegisterAward,
    Reveal,
    RevealReport,
    SendReceipt,
    Settle,
    TimeOut,
)
from blockedge_node.core.commitment import guard
from blockedge_node.core.deadlines import (
    result_by,
    reveal_by,
    settles,
    timeout_after,
)
from blockedge_node.core.ids import NO_SECRET, Hash
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.unit import Phase
from blockedge_node.core.worker import my_commitment

RULES: list[Rule] = []
rule = registrar(RULES)


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
            mine = next((m for m in case.workers() if m.signed and m.signed.award == r.signed.award), None)
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
            award = mine.signed.award.hash() if mine.signed else Hash(mine.award)
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
        case Reveal(unit=unit) if case.tower(unit) is None:
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
        case Settle(unit=unit, secret=secret):
            view, shown = case.view(unit), secret != NO_SECRET
            return view is None or not settles(view, case.world.params, case.world.now, shown=shown)
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
            return not any(m.unit == unit and m.solved and m.solved.result == result for m in case.workers())
        case FetchOutput(unit=unit, root=root):
            shard = case.shard(unit)
            return shard is None or shard.result is None or shard.result.output_root != root
        case _:
            return False
