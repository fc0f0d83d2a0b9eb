"""How a jury counts, and what its jurors win and lose (docs/protocol.md §6.5): contracts/src/Jury.sol and Court.sol.

    a round  ──▶ outcome: SLASHED  one accusing hash has more than half of all seats
                          PAID     the worker's hash, or NO_INPUT, beats every accusing hash and has a third
                          UNRESOLVED  neither
    the case ──▶ the last round's outcome and hash; by them every seat of every round is paid

Silent and empty seats count among "all seats": with a bare plurality, jurors knocked offline would convict the
innocent. Money is in wei and nothing here fails for want of it: a stake that does not reach is taken whole, and a
fee is paid as far as the pots go. Fines burn, or a dispute for show would live on its outside jurors
(docs/economics.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from blockedge_node.core.court import NO_INPUT, Case, RoundView, VoteView
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase

ALPHA = 10  # fees that a wrong or hidden answer costs a ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one round, or of a case: its last round's."""

    phase: Phase  # PAID, SLASHED or UNRESOLVED
    right: Hash  # the hash that counts as right; ZERO_HASH if nobody voted


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a seat did to its ticket's stake: a fee won (> 0) or a fine (< 0), in wei."""

    ticket: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What `closeRound` does to tickets, and what it tells BlockEdge."""

    outcome: Outcome
    moves: tuple[Move, ...]  # in the order of the contract's events: fines, then fees
    pool: int  # what is left of the pots, sent along
    funders: tuple[Address, Address, Address]  # [0]: the accuser
    dues: tuple[int, int, int]  # owed to them, out of the pool first
    fines: int  # sent along too, to burn


# ── who is right ─────────────────────────────────────────────────────────────────────────────────────────


def outcome_of(votes: Iterable[VoteView], round: int, accused: Hash) -> Outcome:
    """The outcome of a round. `votes`: those committed in it; `accused`: the worker's resultHash.

    `right` is the hash of the majority that convicts; the greater of the worker's and NO_INPUT where they
    acquit (the worker's if equal); else the plurality's, of equals that of the lowest seat.
    """
    seats = ROUNDS[round]
    shown = [vote.result_hash for vote in sorted(votes, key=lambda v: v.seat) if vote.result_hash is not None]
    counts = Counter(shown)  # keeps the order of first seen, so `max` finds the lowest seat's of equals
    plurality = max(counts, key=counts.__getitem__, default=ZERO_HASH)
    against = max((n for h, n in counts.items() if h not in (accused, NO_INPUT)), default=0)
    if 2 * against > seats:
        return Outcome(phase=Phase.SLASHED, right=plurality)
    innocent, unseen = counts[accused], counts[NO_INPUT]
    acquitting = max(innocent, unseen)
    if acquitting > against and 3 * acquitting >= seats:
        return Outcome(phase=Phase.PAID, right=NO_INPUT if innocent < unseen else accused)
    return Outcome(phase=Phase.UNRESOLVED, right=plurality)


def case_outcome(case: Case, rounds: Sequence[RoundView]) -> Outcome:
    """The last round's outcome is the case's; its `right` is the `finalHash` that `closeRound` asks for."""
    last = rounds[-1]
    return outcome_of(last.votes, last.round, case.accused)


# ── who pays whom ────────────────────────────────────────────────────────────────────────────────────────


def appeal_cost(round: int, fee: int) -> int:
    """What opening `round` (1 or 2) costs: the fees of all its seats, at `fee` wei a seat."""
    return ROUNDS[round] * fee


def ruling(
    case: Case,
    rounds: Sequence[RoundView],
    *,
    pot: int,
    sitting: Callable[[int, int], int | None],
    stakes: Mapping[int, int],
) -> Ruling:
    """Ends a case after `rounds` (round 0 first).

    `pot`: wei that paid for round 0. `sitting(round, seat)`: the ticket drawn for it, None: an empty seat.
    `stakes`: wei behind every ticket that sits, before.
    """
    outcomes = [outcome_of(r.votes, r.round, case.accused) for r in rounds]
    final = outcomes[-1]
    pots = [pot, *(appeal_cost(r.round, case.fee) for r in rounds[1:])]
    moves, pool, fines = _jurors(case.fee, rounds, final.right, sum(pots), sitting, dict(stakes))

    dues = [0, 0, 0]
    funders = [case.accuser, ZERO_ADDRESS, ZERO_ADDRESS]
    if final.phase is not Phase.PAID and case.accuser != ZERO_ADDRESS:
        dues[0] = pot  # of a conviction, BlockEdge pays it only if the accuser's own hash is the final one
    for r, (before, opened) in enumerate(zip(outcomes, rounds[1:], strict=False), 1):
        funders[r] = opened.funder
        if before.phase is not final.phase:
            dues[r] = pots[r] * 11 // 10
    if final.phase is Phase.UNRESOLVED:  # no loser to ask for more
        dues = _limited(dues, pool)
    return Ruling(
        outcome=final,
        moves=tuple(moves),
        pool=pool,
        funders=(funders[0], funders[1], funders[2]),
        dues=(dues[0], dues[1], dues[2]),
        fines=fines,
    )


def _jurors(
    fee: int,
    rounds: Sequence[RoundView],
    right: Hash,
    pool: int,
    sitting: Callable[[int, int], int | None],
    stakes: dict[int, int],
) -> tuple[list[Move], int, int]:
    """Fines first, so that a ticket in two seats loses what it had, not what it wins. Also the pool that the fees
    leave, and the sum of the fines.
    """
    moves: list[Move] = []
    fines = 0
    winners: list[int] = []
    for opened in rounds:
        votes = {vote.seat: vote for vote in opened.votes}
        for seat in range(ROUNDS[opened.round]):
            vote = votes.get(seat)
            if vote is not None and vote.result_hash == right:
                winners.append(vote.ticket)
                continue
            ticket = sitting(opened.round, seat) if vote is None else vote.ticket
            if ticket is None:
                continue
            fine = min(fee if vote is None else ALPHA * fee, stakes[ticket])
            stakes[ticket] -= fine
            fines += fine
            if fine:
                moves.append(Move(ticket=ticket, amount=-fine))
    for ticket in winners:
        paid = min(fee, pool)
        pool -= paid
        if paid:
            moves.append(Move(ticket=ticket, amount=paid))
    return moves, pool, fines


def _limited(dues: Sequence[int], pool: int) -> list[int]:
    """The dues, in order, as far as the pool goes."""
    paid = []
    for due in dues:
        paid.append(min(due, pool))
        pool -= paid[-1]
    return paid
