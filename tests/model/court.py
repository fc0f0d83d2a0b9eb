"""A case before the Court: commitVote, revealVote, appeal, closeRound (§6.5).

    round 0: 5 seats ──appeal──▶ round 1: 11 ──appeal──▶ round 2: 23, final
    of each:  commitVote ≤ commitBy < revealVote ≤ revealBy < appeal ≤ appealBy < closeRound

Nothing is paid before the end. Then the last round's hash is the right one for the seats of all rounds.
"""

from __future__ import annotations

from collections import Counter

from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import NO_INPUT, Case
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.sortition import ROUNDS, round_seed
from blockedge_node.core.unit import Phase
from tests.model import calls, tickets
from tests.model.disputing import Ruling, rule
from tests.model.objections import Refused, broken, require
from tests.model.reporting import ALPHA
from tests.model.world import Dispute, Round, Vote, World

LAST = len(ROUNDS) - 1


# ── votes ────────────────────────────────────────────────────────────────────────────────────────────────


def commit_vote(
    world: World, sender: Address, case: Case, round: int, seat: int, attempt: int, hash: Hash
) -> None:
    dispute = _running(world, case)
    _require_seat(dispute, round, seat)
    place = seat_of(world, dispute, round, seat)
    require(
        (world.now > commit_by(world, dispute), "TooLate"),
        (seat in dispute.rounds[-1].votes, "BadPhase"),
        (place is None or place[0] != attempt or place[2] != sender, "NotSeat"),
    )
    assert place is not None
    dispute.rounds[-1].votes[seat] = Vote(ticket=place[1], commitment=hash)
    world.emit("Voted", unit=case.unit, round=round, seat=seat, ticket=place[1], commitment=hash)


def reveal_vote(
    world: World, sender: Address, case: Case, round: int, seat: int, result_hash: Hash, salt: bytes
) -> None:
    dispute = _running(world, case)
    _require_seat(dispute, round, seat)
    vote = dispute.rounds[-1].votes.get(seat)
    reasons = broken(
        (world.now <= commit_by(world, dispute), "TooEarly"),
        (world.now > reveal_by(world, dispute), "TooLate"),
        (vote is None or vote.result_hash is not None, "BadPhase"),
    )
    if vote is not None and vote.result_hash is None:
        author = world.tickets[vote.ticket].owner
        hidden = commitment(
            world.domain,
            case.unit,
            Role.JUROR,
            author,
            result_hash,
            salt,  # type: ignore[arg-type]
            round=round,
            seat=seat,
        )
        opens = hidden[-26:] == vote.commitment[-26:] and result_hash != ZERO_HASH  # 208 bits are kept
        reasons |= broken((not opens, "BadOpening(vote)"))
    if reasons:
        raise Refused(reasons)
    assert vote is not None
    vote.result_hash = result_hash
    world.emit("VoteRevealed", unit=case.unit, round=round, seat=seat, resultHash=result_hash)


def appeal(world: World, sender: Address, value: int, case: Case) -> None:
    """Anybody may pay for the next round, which begins at once."""
    dispute = _running(world, case)
    number = len(dispute.rounds)
    require((number > LAST, "NoAppeal"))
    require(
        (world.now <= reveal_by(world, dispute), "TooEarly"),
        (world.now > close_by(world, dispute), "TooLate"),
        (value != ROUNDS[number] * case.fee, "BadValue"),
    )
    dispute.rounds.append(Round(world.now, sender, value))
    world.court_ether += value
    world.emit("Appealed", unit=case.unit, round=number, funder=sender)


def commit_by(world: World, dispute: Dispute) -> int:
    return dispute.rounds[-1].since + world.params.jcommit + dispute.case.vwin


def reveal_by(world: World, dispute: Dispute) -> int:
    return commit_by(world, dispute) + world.params.jreveal


def close_by(world: World, dispute: Dispute) -> int:
    """The last time to appeal; then the case may be closed."""
    last = len(dispute.rounds) == len(ROUNDS)
    return reveal_by(world, dispute) + (0 if last else world.params.appeal)


def seat_of(world: World, dispute: Dispute, round: int, seat: int) -> tickets.Seat | None:
    case, unit = dispute.case, world.units[dispute.case.unit]
    parties = {case.worker, case.requester, *unit.reporters}
    return tickets.sitting(world, round_seed(case.seed, round), seat, case.snapshot, parties)


def _running(world: World, case: Case) -> Dispute:
    dispute = world.disputes.get(case.unit)
    require((dispute is None or not dispute.open, "BadPhase"))
    assert dispute is not None
    require((case != dispute.case, "BadCase"))
    return dispute


def _require_seat(dispute: Dispute, round: int, seat: int) -> None:
    current = len(dispute.rounds) - 1
    require((round != current, "BadPhase"), (round <= LAST and seat >= ROUNDS[min(round, LAST)], "NotSeat"))


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────


def close_round(world: World, sender: Address, target: calls.Unit, case: Case, final_hash: Hash) -> None:
    dispute = _running(world, case)
    unit = world.units[case.unit]
    outcomes = [tally(opened, r, case.accused) for r, opened in enumerate(dispute.rounds)]
    outcome, right = outcomes[-1]
    require(
        (target.terms.unit != case.unit, "BadCase"),
        (world.now <= close_by(world, dispute), "TooEarly"),
        (final_hash != right, "BadOpening(finalHash)"),
        (target.terms.unit == case.unit and target != unit.shown_as(), "BadUnit"),
    )
    dispute.open = False
    pots = sum(opened.pot for opened in dispute.rounds)
    pool, fines = _pay_jurors(world, dispute, right, pots)
    world.court_ether -= pool + fines

    first, *appeals = dispute.rounds
    dues = [(first.funder, first.pot if outcome != Phase.PAID and first.funder != ZERO_ADDRESS else 0)]
    for before, opened in zip(outcomes, appeals, strict=False):
        dues.append((opened.funder, opened.pot * 11 // 10 if before[0] != outcome else 0))
    if outcome == Phase.UNRESOLVED:  # nobody has lost, so nobody can be asked for more
        rest = pool
        for i, (who, due) in enumerate(dues):
            dues[i] = (who, min(due, rest))
            rest -= dues[i][1]
    world.emit("CaseClosed", unit=case.unit, outcome=outcome, finalHash=right)
    rule(world, unit, Ruling(outcome, right, dues, pool, fines, ROUNDS[len(dispute.rounds) - 1]))


def tally(opened: Round, round: int, accused: Hash) -> tuple[Phase, Hash]:
    """A round's outcome, and the hash that it holds right.

    A conviction takes more than half of all seats, silent and empty ones included; an acquittal more votes than any
    accusation, and a third of all seats.
    """
    seats = ROUNDS[round]
    shown = [v.result_hash for _, v in sorted(opened.votes.items()) if v.result_hash is not None]
    votes = Counter(shown)
    accusing = {hash: n for hash, n in votes.items() if hash not in (accused, NO_INPUT)}
    most = max(accusing.values(), default=0)
    if 2 * most > seats:
        return Phase.SLASHED, max(accusing, key=accusing.__getitem__)
    acquitting = max(votes[accused], votes[NO_INPUT])
    if acquitting > most and 3 * acquitting >= seats:
        return Phase.PAID, NO_INPUT if votes[NO_INPUT] > votes[accused] else accused
    leading = [hash for hash in shown if votes[hash] == max(votes.values())]
    return Phase.UNRESOLVED, leading[0] if leading else ZERO_HASH  # of equals, the lowest seat's


def _pay_jurors(world: World, dispute: Dispute, right: Hash, pool: int) -> tuple[int, int]:
    """Fines first, then the fees of those who were right, as far as the pots go. What is left of these, and the
    fines.
    """
    fee, fines = dispute.case.fee, 0
    right_ones: list[int] = []
    for r, opened in enumerate(dispute.rounds):
        for seat in range(ROUNDS[r]):
            vote = opened.votes.get(seat)
            if vote is None:
                place = seat_of(world, dispute, r, seat)
                if place is not None:
                    fines += tickets.charge(world, place[1], fee)
            elif vote.result_hash != right:
                fines += tickets.charge(world, vote.ticket, ALPHA * fee)
            else:
                right_ones.append(vote.ticket)
    for ticket in right_ones:
        paid = min(fee, pool)
        tickets.pay(world, ticket, paid)
        pool -= paid
    return pool, fines
