"""What is said before the Court, and what towers do in another's name."""

from __future__ import annotations

from blockedge_node.core.actions import (
    AnswerWatch,
    Appeal,
    Check,
    CloseRound,
    CommitVote,
    Defend,
    HandWatch,
    Reveal,
    RevealVote,
)
from blockedge_node.core.commitment import Role, commitment, guard
from blockedge_node.core.deadlines import defend_by, jury_shown_by
from blockedge_node.core.deadlines import reveal_by as commitment_shown_by
from blockedge_node.core.juror import my_vote
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import (
    LAST_ROUND,
    appeal_by,
    commit_by,
    latest,
    my_seats,
    parties,
    reveal_by,
    standing,
    vote_at,
)
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.unit import Phase
from blockedge_node.core.watchtower import Tower
from blockedge_node.core.worker import my_commitment

RULES: list[Rule] = []
rule = registrar(RULES)


# ── votes ────────────────────────────────────────────────────────────────────────────────────────────────


@rule("a call with another Case does not match the Court's digest, and reverts (§6.5)")
def case_is_the_view(case: Case) -> bool:
    match case.action:
        case CommitVote() | RevealVote() | Appeal() | CloseRound() as action:
            view = case.view(action.unit)
            return view is None or latest(view) is None or not view.case or view.case.case != action.case
        case _:
            return False


@rule("two salts, or two answers, for one vote would let a juror wait and see which one to show (inv. 18)")
def one_salt_per_vote(case: Case) -> bool:
    match case.action:
        case CommitVote(unit=unit, round=round, seat=seat, hash=hashed):
            mine = case.juror(unit)
            if mine is None or my_vote(mine, round, seat, case.world) != hashed:
                return True
            return case.sent.votes.get((unit, round, seat), hashed) != hashed
        case _:
            return False


@rule("a seat is its ticket owner's alone, and no party's: a vote from anywhere else reverts (inv. 11)")
def seat_is_mine(case: Case) -> bool:
    match case.action:
        case CommitVote(unit=unit, round=round, seat=seat, attempt=attempt):
            view = case.view(unit)
            if view is None or case.world.me in parties(view):
                return True
            seats = dict(my_seats(view, round, case.world))
            return seat not in seats or seats[seat].proof.attempt != attempt
        case _:
            return False


@rule("votes are hidden until commitBy and shown until revealBy; neither before nor after (§6.5)")
def vote_only_in_its_window(case: Case) -> bool:
    match case.action:
        case CommitVote() | RevealVote() as action:
            view = case.view(action.unit)
            round = latest(view) if view else None
            if round is None or round.round != action.round:
                return True
            closes = commit_by(action.case, round, case.world.params)
            if isinstance(action, CommitVote):
                return case.world.now > closes or vote_at(round, action.seat) is not None
            return not closes < case.world.now <= reveal_by(action.case, round, case.world.params)
        case _:
            return False


@rule("only what the chain shows as committed can be opened, by the salt that it was made with")
def reveal_only_what_was_committed(case: Case) -> bool:
    match case.action:
        case RevealVote(unit=unit, round=number, seat=seat, result_hash=voted, salt=salt):
            view = case.view(unit)
            round = latest(view) if view else None
            shown = vote_at(round, seat) if round and round.round == number else None
            if shown is None or shown.result_hash is not None:
                return True
            me, domain = case.world.me, case.world.domain
            return shown.hash != commitment(
                domain, unit, Role.JUROR, me, voted, salt, round=number, seat=seat
            )
        case _:
            return False


@rule("who recomputes as a juror or a tower does so for an open case: at any other time nobody asks")
def recompute_only_for_an_open_case(case: Case) -> bool:
    match case.action:
        case Check(unit=unit, role=Role.JUROR | Role.WORKER):
            view = case.view(unit)
            return view is None or latest(view) is None or view.terms.worker == case.world.me
        case _:
            return False


# ── rounds ───────────────────────────────────────────────────────────────────────────────────────────────


@rule("an appeal costs every seat's fee, to the wei, and comes between revealBy and appealBy (§6.5)")
def appeal_only_in_its_window(case: Case) -> bool:
    match case.action:
        case Appeal(unit=unit, case=opened, round=number, value=value):
            view = case.view(unit)
            round = latest(view) if view else None
            if round is None or round.round >= LAST_ROUND or number != round.round + 1:
                return True
            params = case.world.params
            opens, closes = reveal_by(opened, round, params), appeal_by(opened, round, params)
            return value != appeal_cost(number, opened.fee) or not opens < case.world.now <= closes
        case _:
            return False


@rule("who appeals an outcome in their own favour pays for a jury that can only take it away")
def appeal_only_what_errs(case: Case) -> bool:
    match case.action:
        case Appeal(unit=unit):
            view = case.view(unit)
            if view is None or view.case is None or not view.case.rounds:
                return True
            acquits = standing(view.case).phase is Phase.PAID
            for_worker = view.terms.worker == case.world.me or case.tower(unit) is not None
            return acquits if for_worker else not acquits
        case _:
            return False


@rule("a case ends when nobody can appeal any more, with the hash that its last round holds right (§6.5)")
def close_only_after_the_last_window(case: Case) -> bool:
    match case.action:
        case CloseRound(unit=unit, case=opened, final_hash=final):
            view = case.view(unit)
            round = latest(view) if view else None
            if view is None or view.case is None or round is None:
                return True
            early = case.world.now <= appeal_by(opened, round, case.world.params)
            return early or final != standing(view.case).right
        case _:
            return False


# ── towers ───────────────────────────────────────────────────────────────────────────────────────────────


@rule("before the commitment is on the chain nobody is bound: what a tower knew then could be used (§4)")
def hand_over_only_what_is_committed(case: Case) -> bool:
    match case.action:
        case HandWatch(unit=unit, watch=watch):
            mine, view = case.worker_of(unit), case.view(unit)
            if mine is None or mine.solved is None or view is None or watch.tower == case.world.me:
                return True
            solved, shown = mine.solved, my_commitment(mine, case.world.domain)
            same = (watch.result, watch.salt, watch.guard_secret) == (
                solved.result,
                solved.salt,
                solved.guard_secret,
            )
            return not same or view.commitment != shown
        case _:
            return False


@rule("a tower's word says that the watch is on its disk: its client relies on that and goes away (§4)")
def answer_only_what_is_kept(case: Case) -> bool:
    match case.action:
        case AnswerWatch(kept=kept):
            towers = (m for m in case.node.machines.values() if isinstance(m, Tower))
            return not any(kept.watch in tower.kept for tower in towers)
        case _:
            return False


@rule("a tower shows what its client has committed to, and only while the chain waits for it (§4)")
def tower_reveals_what_it_was_given(case: Case) -> bool:
    match case.action:
        case Reveal(unit=unit, result=result, salt=salt, guard=sworn) if tower := case.tower(unit):
            view = case.view(unit)
            if view is None or view.phase is not Phase.COMMITTED:
                return True
            held = tower.solved
            same = (result, salt, sworn) == (held.result, held.salt, guard(held.guard_secret))
            return not same or case.world.now > commitment_shown_by(view, case.world.params)
        case _:
            return False


@rule("a tower pays only for a result that it found itself, and no more than its operator said")
def tower_appeals_within_its_budget(case: Case) -> bool:
    match case.action:
        case Appeal(unit=unit, round=round, value=value) if tower := case.tower(unit):
            before = sum(
                paid for key, paid in case.sent.appeals.items() if key[0] == unit and key[1] != round
            )
            return (
                tower.found != tower.solved.result.hash() or before + value > case.world.policy.appeal_budget
            )
        case _:
            return False


@rule("s_W comes after s_R, or after the requester had its time: else it could choose the jury (§6.2)")
def defend_only_after_the_requester(case: Case) -> bool:
    match case.action:
        case Defend(unit=unit, target=target, guard_secret=secret):
            view = case.view(unit)
            if view is None or view.phase is not Phase.DISPUTED or view.defended is not None:
                return True
            mine, tower, params = case.worker_of(unit), case.tower(unit), case.world.params
            held = {mine.solved.guard_secret} if mine and mine.solved else set()
            held |= {tower.solved.guard_secret} if tower else set()
            early = view.jury_secret is None and case.world.now <= jury_shown_by(view, params)
            late = case.world.now > defend_by(view, params)
            return secret not in held or view.on_chain != target or early or late
        case _:
            return False
