"""Juries: who wins on what votes, and that their money only changes hands (docs/protocol.md §6.5)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import jury
from blockedge_node.core.court import NO_INPUT, Case, RoundView, VoteView
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, UnitId
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase

FEE = 10
STAKE = 1_000
RIGHT, WRONG, OTHER = (keccak256(word) for word in (b"right", b"wrong", b"other"))
HASHES: dict[str, Hash | None] = {"R": RIGHT, "W": WRONG, "X": OTHER, "N": NO_INPUT, "h": None}
ACCUSER, FIRST, SECOND = (Address(bytes([n]) * 20) for n in (1, 2, 3))
CASE = Case(
    unit=UnitId(b"u" * 32),
    seed=Hash(b"s" * 32),
    accused=RIGHT,
    worker=Address(b"w" * 20),
    requester=Address(b"r" * 20),
    accuser=ACCUSER,
    snapshot=0,
    tickets=40,
    vwin=7,
    fee=FEE,
)


@dataclass
class Trial:
    """Rounds in letters: R, W, X, N vote, h hides, . stays away, _ is an empty seat.

    Seat i of round r is ticket 40r + i.
    """

    rounds: tuple[str, ...]
    pot: int = 5 * FEE
    stake: int = STAKE
    case: Case = CASE

    def ruling(self) -> jury.Ruling:
        rounds = [
            RoundView(round=r, since=0, funder=(ACCUSER, FIRST, SECOND)[r], votes=self.votes(r))
            for r in range(len(self.rounds))
        ]
        stakes = dict.fromkeys(range(120), self.stake)
        return jury.ruling(self.case, rounds, pot=self.pot, sitting=self.sitting, stakes=stakes)

    def votes(self, round: int) -> tuple[VoteView, ...]:
        return tuple(
            VoteView(seat=seat, ticket=40 * round + seat, hash=ZERO_HASH, result_hash=HASHES[letter])
            for seat, letter in enumerate(self.rounds[round])
            if letter in HASHES
        )

    def sitting(self, round: int, seat: int) -> int | None:
        return None if self.rounds[round][seat] == "_" else 40 * round + seat

    def moved(self) -> dict[int, int]:
        return {move.ticket: move.amount for move in self.ruling().moves}


@pytest.mark.parametrize(
    ("votes", "phase", "right"),
    [
        ("RRRRR", Phase.PAID, RIGHT),
        ("WWWRR", Phase.SLASHED, WRONG),
        ("WWWWW", Phase.SLASHED, WRONG),
        ("WW...", Phase.UNRESOLVED, WRONG),  # all who came, but not half of the seats
        ("RR...", Phase.PAID, RIGHT),
        ("R....", Phase.UNRESOLVED, RIGHT),  # less than a third
        ("WWRR.", Phase.UNRESOLVED, WRONG),  # of equals the lowest seat's
        ("RRWW.", Phase.UNRESOLVED, RIGHT),
        ("NNRR.", Phase.PAID, RIGHT),
        ("RNNN.", Phase.PAID, NO_INPUT),
        ("WWNNR", Phase.UNRESOLVED, WRONG),
        ("WXRR.", Phase.PAID, RIGHT),  # accusers who disagree accuse with nothing
        ("hhhhh", Phase.UNRESOLVED, ZERO_HASH),
        (".....", Phase.UNRESOLVED, ZERO_HASH),
        ("_____", Phase.UNRESOLVED, ZERO_HASH),
    ],
)
def test_outcome(votes: str, phase: Phase, right: Hash) -> None:
    assert Trial((votes,)).ruling().outcome == jury.Outcome(phase=phase, right=right)


def test_jurors_knocked_offline_do_not_convict_the_innocent() -> None:
    assert Trial(("WWR..",)).ruling().outcome.phase is Phase.UNRESOLVED
    assert Trial(("WW.__",)).ruling().outcome.phase is Phase.UNRESOLVED
    assert Trial(("RR...", "WWWWW......")).ruling().outcome.phase is Phase.UNRESOLVED


def test_each_seat_is_paid_by_what_it_did() -> None:
    trial = Trial(("RRWh_",))
    assert trial.moved() == {0: FEE, 1: FEE, 2: -10 * FEE, 3: -10 * FEE}
    assert (trial.ruling().pool, trial.ruling().fines) == (5 * FEE - 2 * FEE, 20 * FEE)
    assert Trial(("RR...",)).moved() == {0: FEE, 1: FEE, 2: -FEE, 3: -FEE, 4: -FEE}


def test_a_stake_that_does_not_reach_is_taken_whole() -> None:
    assert Trial(("RRRRW",), stake=33).moved()[4] == -33
    assert Trial(("RRRRW",), stake=0).moved().get(4) is None


def test_a_pot_that_does_not_reach_pays_the_first_seats() -> None:
    ruling = Trial(("RRRRR",), pot=25).ruling()
    assert [(m.ticket, m.amount) for m in ruling.moves] == [(0, 10), (1, 10), (2, 5)]
    assert ruling.pool == 0


def test_the_last_round_decides_over_all_rounds() -> None:
    trial = Trial(("WWWRR", "RRRRRRWWWW."))
    moved = trial.moved()
    assert [moved[i] for i in range(5)] == [-10 * FEE] * 3 + [FEE] * 2
    assert moved[50] == -FEE
    ruling = trial.ruling()
    assert ruling.outcome == jury.Outcome(phase=Phase.PAID, right=RIGHT)
    assert ruling.dues == (0, 11 * FEE * 11 // 10, 0), "who turned the outcome is repaid with a tenth"
    assert ruling.funders == (ACCUSER, FIRST, ZERO_ADDRESS)


def test_an_appeal_that_changed_nothing_is_lost() -> None:
    assert Trial(("WWWRR", "WWWWWWRRRRR")).ruling().dues == (5 * FEE, 0, 0)


def test_an_appeal_is_right_if_the_round_before_it_was_wrong() -> None:
    trial = Trial(("RRRRR", "WWWWWWRRRRR", "R" * 23))
    assert trial.ruling().dues == (0, 0, 23 * FEE * 11 // 10)
    trial = Trial(("WWWRR", "WWWWWWRRRRR", "R" * 23))
    assert trial.ruling().dues == (0, 11 * FEE * 11 // 10, 23 * FEE * 11 // 10)


def test_unresolved_owes_no_more_than_there_is() -> None:
    ruling = Trial(("RRR..", "RRRWWWXXX__"), stake=0).ruling()
    assert ruling.outcome.phase is Phase.UNRESOLVED
    assert ruling.pool == 16 * FEE - 6 * FEE
    assert ruling.dues == (5 * FEE, 5 * FEE, 0), "in order, as far as the pool goes"


def test_nobody_is_owed_for_a_silent_checkers_round() -> None:
    case = Case(**{name: getattr(CASE, name) for name in CASE.__slots__} | {"accuser": ZERO_ADDRESS})
    assert Trial(("WWWRR",), case=case, pot=10 * FEE).ruling().dues == (0, 0, 0)


def test_fines_repay_nobody() -> None:
    """Else who seats the jury could have its appeals repaid by the jurors that it outvotes."""
    ruling = Trial(("WWRR.", "WWWWWRRRRR.")).ruling()
    assert ruling.outcome == jury.Outcome(phase=Phase.UNRESOLVED, right=WRONG)
    assert ruling.fines == 2 * FEE + 7 * 10 * FEE
    assert ruling.pool == 16 * FEE - 7 * FEE
    assert ruling.dues == (5 * FEE, 0, 0), "nothing changed, so nobody's appeal was right"
    torn = Trial(("RRRRR", "WWWWWRRRRR.")).ruling()
    assert torn.dues == (5 * FEE, 6 * FEE, 0), "all that sixteen pots leave after five fees"
    assert torn.pool == sum(torn.dues)


def rounds_of(lengths: tuple[int, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(*(st.text("RWXNh._", min_size=n, max_size=n) for n in lengths))


trials = st.builds(
    Trial,
    st.sampled_from([ROUNDS[:1], ROUNDS[:2], ROUNDS]).flatmap(rounds_of),
    pot=st.integers(0, 10 * FEE),
    stake=st.integers(0, 15 * FEE),
)


@given(trials)
def test_money_only_changes_hands(trial: Trial) -> None:
    ruling = trial.ruling()
    pots = trial.pot + sum(jury.appeal_cost(r, FEE) for r in range(1, len(trial.rounds)))
    assert ruling.pool + ruling.fines + sum(move.amount for move in ruling.moves) == pots
    assert 0 <= ruling.pool <= pots
    assert ruling.fines == -sum(move.amount for move in ruling.moves if move.amount < 0)
    assert all(amount >= -trial.stake for amount in trial.moved().values()), "a juror loses at most its stake"
    if ruling.outcome.phase is Phase.UNRESOLVED:
        assert sum(ruling.dues) <= ruling.pool


@given(trials)
def test_a_conviction_needs_more_than_half_of_all_seats(trial: Trial) -> None:
    outcome = trial.ruling().outcome
    votes = trial.votes(len(trial.rounds) - 1)
    seats = ROUNDS[len(trial.rounds) - 1]
    for_it = sum(1 for vote in votes if vote.result_hash == outcome.right)
    if outcome.phase is Phase.SLASHED:
        assert 2 * for_it > seats
        assert outcome.right not in (RIGHT, NO_INPUT)
    if outcome.phase is Phase.PAID:
        assert 3 * for_it >= seats
        assert outcome.right in (RIGHT, NO_INPUT)
