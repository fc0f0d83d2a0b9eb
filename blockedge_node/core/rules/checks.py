"""What surrounds a spot check: the requester's secrets, the draw, the hidden check, and demands for an output."""

from __future__ import annotations

from blockedge_node.core.actions import (
    Check,
    CommitCheck,
    Demand,
    Draw,
    FineChecker,
    PublishSecret,
    Reveal,
    SendAward,
    Settle,
    ShowJury,
    Supply,
)
from blockedge_node.core.checker import drawn_seat, my_check
from blockedge_node.core.commitment import Role, draw_commit, guard
from blockedge_node.core.deadlines import (
    challenge_by,
    check_by,
    jury_shown_by,
    open_demands,
    secret_by,
)
from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Hash, Secret
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import CHECK_MISSED, RULED, SECRET_SHOWN, Phase, UnitView

RULES: list[Rule] = []
rule = registrar(RULES)

MOST_DEMANDS = 3


def _opens(view: UnitView, secret: Secret, guard_r: Hash) -> bool:
    return draw_commit(secret, guard_r) == view.terms.draw_commit


def _is_drawn(view: UnitView, secret: Secret) -> bool:
    if view.commitment is None:
        return False
    return drawn(draw_seed(secret, view.commitment), view.terms.spot_bps)


# ── the requester's secrets ──────────────────────────────────────────────────────────────────────────────


@rule("a secret used twice is known before the second worker has committed: it could choose its draw (§2.2)")
def fresh_secrets_for_every_award(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed):
            new = signed.award
            if (new.draw_commit == ZERO_HASH) != (signed.request.spot_bps == 0):
                return True
            sent = (old for awards in case.sent.awards.values() for old in awards.values())
            return new.draw_commit != ZERO_HASH and any(
                old.draw_commit == new.draw_commit and old != new for old in sent
            )
        case _:
            return False


@rule("whoever knows the secret before the commitment is on the chain knows whether to cheat (§4, §6.2)")
def secret_only_after_the_commitment(case: Case) -> bool:
    match case.action:
        case PublishSecret(unit=unit, secret=secret, guard_r=guard_r):
            view = case.view(unit)
            if view is None or view.phase not in (Phase.COMMITTED, Phase.REVEALED):
                return True
            return view.commitment is None or not _opens(view, secret, guard_r)
        case _:
            return False


@rule("s_R shown before all reports are would let a reporter choose the jury; later it counts as 0 (§6.2)")
def jury_secret_only_in_a_dispute(case: Case) -> bool:
    match case.action:
        case ShowJury(unit=unit, target=target, secret=secret, guard_secret=guard_secret):
            view = case.view(unit)
            if view is None or view.phase is not Phase.DISPUTED or view.jury_secret is not None:
                return True
            late = case.world.now > jury_shown_by(view, case.world.params)
            return late or view.on_chain != target or not _opens(view, secret, guard(guard_secret))
        case _:
            return False


# ── the draw and the check ───────────────────────────────────────────────────────────────────────────────


@rule("`draw` of what is not drawn, or too late, reverts; a second one is for nothing (§3.3)")
def draw_only_what_is_drawn(case: Case) -> bool:
    match case.action:
        case Draw(unit=unit, target=target, secret=secret, guard_r=guard_r):
            view = case.view(unit)
            if view is None or view.phase is not Phase.COMMITTED or view.draw is not None:
                return True
            late = case.world.now > secret_by(view, case.world.params)
            fits = _opens(view, secret, guard_r) and _is_drawn(view, secret)
            return late or view.on_chain != target or not fits
        case _:
            return False


@rule("a check by anybody but the drawn ticket's owner reverts; a party's would be worthless (inv. 11)")
def check_only_from_my_seat(case: Case) -> bool:
    match case.action:
        case CommitCheck(unit=unit):
            view = case.view(unit)
            if view is None or view.phase is not Phase.COMMITTED or view.check is not None:
                return True
            seat, me = drawn_seat(view, case.world), case.world.me
            if seat is None or me in (view.terms.worker, view.terms.requester):
                return True
            mine = seat.ticket.owner == me and seat.proof == case.action.proof
            late = case.world.now > check_by(view, case.world.params)
            return not mine or late or view.on_chain != case.action.target
        case Check(unit=unit, role=Role.CHECKER, result=result):
            view = case.view(unit)
            return view is None or view.phase is not Phase.COMMITTED or result is not None
        case _:
            return False


@rule("two salts for one check would let its author wait and see which one to show (inv. 18)")
def one_salt_per_check(case: Case) -> bool:
    match case.action:
        case CommitCheck(unit=unit, hash=hashed):
            mine = case.checker(unit)
            if mine is None or my_check(mine, case.world) != hashed:
                return True
            return case.sent.checks.get(unit, hashed) != hashed
        case _:
            return False


@rule("a result shown before its check is committed is copied, not checked; else the call is skipped (§3.3)")
def reveal_only_undisturbed(case: Case) -> bool:
    match case.action:
        case Reveal(unit=unit, secret=secret, guard_r=guard_r):
            view, params, now = case.view(unit), case.world.params, case.world.now
            if view is None or view.terms.spot_bps == 0:
                return secret != NO_SECRET
            if secret != NO_SECRET:
                return not _opens(view, secret, guard_r) or _is_drawn(view, secret)
            if view.draw is not None:
                return view.check is None and now <= check_by(view, params)
            return now <= secret_by(view, params)
        case _:
            return False


@rule("a secret that does not open the Award's commitment reverts the batch; one that draws shows nothing")
def settle_with_the_right_secret(case: Case) -> bool:
    match case.action:
        case Settle(unit=unit, secret=secret, guard_r=guard_r) if secret != NO_SECRET:
            view = case.view(unit)
            if view is None or view.flags & SECRET_SHOWN:
                return True
            return not _opens(view, secret, guard_r) or _is_drawn(view, secret)
        case _:
            return False


@rule("only who was drawn and committed nothing is fined, once; a jury's unit names nobody any more (§6.3)")
def fine_only_who_missed_a_check(case: Case) -> bool:
    match case.action:
        case FineChecker(unit=unit, target=target, draw_seed=seed, committed_at=at, proof=proof):
            view = case.view(unit)
            if view is None or view.draw is None or not view.flags & CHECK_MISSED or view.check_fined:
                return True
            seat = drawn_seat(view, case.world)
            named = (seed, at) == (view.draw.seed, view.committed_at)
            jury = view.phase is Phase.DISPUTED or view.flags & RULED
            right = seat is not None and seat.proof == proof and named and view.on_chain == target
            return bool(jury) or view.phase < Phase.REVEALED or not right
        case _:
            return False


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────


@rule("a demand is the requester's, bonded, and for what was neither delivered nor given away (§10)")
def demand_only_what_is_withheld(case: Case) -> bool:
    match case.action:
        case Demand(unit=unit, target=target, revealed=revealed):
            view, shard = case.view(unit), case.shard(unit)
            if view is None or shard is None or view.phase is not Phase.REVEALED or shard.has_output:
                return True
            late = case.world.now > challenge_by(view, case.world.params)
            many = len(view.demands) >= MOST_DEMANDS
            waived = bool(view.terms.mode & Mode.NO_DEMAND)
            same = view.result == revealed and view.on_chain == target
            return late or many or waived or not same or view.terms.requester != case.world.me
        case _:
            return False


@rule("what nobody asked for, or too late, is no answer (§10)")
def supply_only_what_is_demanded(case: Case) -> bool:
    match case.action:
        case Supply(unit=unit, target=target, revealed=revealed, chunk=chunk):
            view = case.view(unit)
            if view is None or view.phase is not Phase.REVEALED or view.result != revealed:
                return True
            asked = (d for d in open_demands(view) if d.chunk == chunk and case.world.now <= d.by)
            return view.on_chain != target or next(asked, None) is None
        case _:
            return False
