"""A unit's events become its story, and its story the wei that everybody must have gained: all of it, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from blockedge_node.chain.book import UnitBook
from blockedge_node.chain.court_events import Appealed, CaseClosed, CaseOpened, Voted, VoteRevealed
from blockedge_node.chain.events import (
    Awarded,
    CheckCommitted,
    Committed,
    Defended,
    Disputed,
    Drawn,
    JuryShown,
    Record,
    ReportRevealed,
    Requested,
    Revealed,
    Ruled,
    Settled,
)
from blockedge_node.core.court import Case, Ticket, seat_of
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, TaskId
from blockedge_node.core.sortition import draw_seed
from blockedge_node.core.unit import Head, Phase, Terms
from blockedge_node.core.world import Policy, World
from blockedge_node.devnet import trials
from blockedge_node.devnet.trials import Trial, expected_changes, owner_numbers
from blockedge_node.experiments.economics.payoffs import BURNED, Ending
from tests.adapters.chain.conftest import PARAMS
from tests.adapters.chain.test_book import REQUEST, RESULT, S_R, S_W, SECRET

WHO = [Address(bytes([0x10 + i]) * 20) for i in range(7)]  # n1 asks, n2 works, n3 … hold tickets
NAMES = owner_numbers(WHO)
PRICE, DEPOSIT, PHI = 10_000, 500_000, 20_000
TERMS = Terms(
    task=TaskId(keccak256(b"task")),
    shard=0,
    kind=2,
    mode=0,
    spot_bps=10_000,
    requester=WHO[0],
    worker=WHO[1],
    price=PRICE,
    deposit=DEPOSIT,
    check_fee=PHI,
    delay=9,
    vwin=5,
)
UNIT = TERMS.unit
COMMITMENT, RIGHT = keccak256(b"commitment"), keccak256(b"right")
TICKETS = tuple(Ticket(id=i, owner=WHO[2 + i % 5], staked_at=1, stake=PARAMS.seat) for i in range(10))
BEGIN: list[Record] = [
    Requested(TERMS.task, replace(REQUEST, kind=2, requester=WHO[0])),
    Awarded(UNIT, WHO[0], WHO[1], TERMS, 7),
]
ACCEPTED = Committed(UNIT, COMMITMENT)
DRAWN: list[Record] = [*BEGIN, ACCEPTED, Drawn(UNIT, SECRET, keccak256(S_R))]
CASE = Case(
    unit=UNIT,
    seed=keccak256(b"seed"),
    accused=RESULT.hash(),
    worker=WHO[1],
    requester=WHO[0],
    accuser=WHO[2],
    snapshot=1_100,
    tickets=len(TICKETS),
    vwin=5,
    fee=PHI,
)


def revealed(flags: int) -> Revealed:
    return Revealed(UNIT, RESULT.hash(), keccak256(S_W), flags, RESULT, b"")


def settled(phase: Phase) -> Settled:
    return Settled(UNIT, phase, PRICE if phase is Phase.PAID else 0, 0)


# n3 finds another result; a jury of n4 … n7, one of them twice, is of one mind.
CONVICTED: list[Record] = [
    *DRAWN,
    CheckCommitted(UNIT, 0, WHO[2], keccak256(b"check")),
    revealed(3),
    ReportRevealed(UNIT, 0, RIGHT, 0, b""),
    Disputed(UNIT, 1_100, 3),
    JuryShown(UNIT, S_R),
    Defended(UNIT, S_W),
    CaseOpened(UNIT, CASE),
    *(Voted(UNIT, 0, seat, ticket, keccak256(b"vote")) for seat, ticket in enumerate((1, 2, 3, 4, 6))),
    *(VoteRevealed(UNIT, 0, seat, RIGHT) for seat in range(5)),
    CaseClosed(UNIT, Phase.SLASHED, RIGHT),
    Ruled(UNIT, RIGHT),
    settled(Phase.SLASHED),
]


def told(records: Sequence[Record], *, seconds: int = 1) -> Trial:
    """These records, one every so many seconds from 1000 on, as one ended unit."""
    book = UnitBook()
    revealed_at = 0
    for block, record in enumerate(records, 1):
        book.apply(record, block, 1_000 + block * seconds)
        if isinstance(record, Revealed):
            revealed_at = 1_000 + block * seconds
    here = World(
        me=ZERO_ADDRESS,
        domain=Domain(31_337, ZERO_ADDRESS),
        params=PARAMS,
        policy=Policy(),
        head=Head(number=len(records), hash=ZERO_HASH, time=1_000 + len(records) * seconds),
        tickets=TICKETS,
    )
    whole = trials.Record(
        world=here,
        wealth={},
        held=0,
        burned=0,
        views={view.unit: view for view in book.all_views()},
        revealed_at={UNIT: revealed_at},
    )
    return whole.trials(NAMES)[UNIT]


ENDINGS: dict[str, tuple[list[Record], Ending]] = {
    "refused": ([*BEGIN, settled(Phase.REFUSED)], Ending.REFUSED),
    "withheld": ([*DRAWN, settled(Phase.SLASHED)], Ending.WITHHELD),
    "output withheld": ([*DRAWN, revealed(3), settled(Phase.REFUSED)], Ending.OVERDUE),
    "undefended": (
        [*DRAWN, revealed(3), Disputed(UNIT, 1_100, 3), settled(Phase.SLASHED)],
        Ending.DEFAULT,
    ),
    "paid": ([*BEGIN, ACCEPTED, revealed(2), settled(Phase.PAID)], Ending.SETTLED),
    "convicted": (CONVICTED, Ending.RULED),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_each_ending_is_told_from_its_events_and_makes_no_wei(name: str) -> None:
    records, ending = ENDINGS[name]
    trial = told(records)
    assert trial.story.ending is ending
    assert sum(trial.moves.values()) == 0
    assert (trial.requester, trial.worker) == (1, 2)


def test_a_unit_under_way_is_no_trial_yet() -> None:
    with pytest.raises(KeyError):
        told(DRAWN)


def test_an_honest_unit_costs_the_requester_price_and_fee() -> None:
    trial = told(ENDINGS["paid"][0])
    assert dict(trial.moves) == {"n1": -PRICE - PRICE // 100, "n2": PRICE, BURNED: PRICE // 100}
    assert (trial.rounds, trial.checker, trial.missed) == (0, None, None)


def test_who_withholds_loses_all_and_half_of_it_burns() -> None:
    trial = told(ENDINGS["withheld"][0])
    assert trial.moved(2) == -DEPOSIT == -trial.deposit
    assert trial.moved_to(BURNED) >= DEPOSIT // 2


def test_a_convicted_worker_pays_requester_checker_and_jury() -> None:
    trial = told(CONVICTED)
    assert (trial.rounds, trial.checker) == (1, 3)
    assert trial.moved(2) == -DEPOSIT
    assert [trial.moved(node) for node in (4, 5, 6, 7)] == [2 * PHI, PHI, PHI, PHI]
    assert trial.moved(1) > 0
    assert abs(5 * trial.moved(3) - 2 * trial.moved(1)) <= 5
    assert trial.moved(None) == 0


def test_a_seat_without_a_vote_is_charged_to_whoever_sat_there() -> None:
    silent = [record for record in CONVICTED if getattr(record, "seat", None) != 4]
    seat = seat_of(TICKETS, CASE.seed, 4, CASE.snapshot, PARAMS.ticket_age, (*WHO[:2], WHO[2]))
    assert seat is not None
    node = NAMES[seat.ticket.owner]
    voted = {3: 0, 4: 1, 5: 1, 6: 1, 7: 1}[node] * PHI  # n4 … n7 have a seat each that did vote
    assert told(silent).moved(node) == voted - PHI


def test_a_missed_check_is_charged_to_the_drawn_ticket() -> None:
    trial = told([*DRAWN, revealed(7), settled(Phase.PAID)])
    committed_at = trial.view.committed_at
    seed = draw_seed(SECRET, COMMITMENT)
    seat = seat_of(TICKETS, seed, 0, committed_at, PARAMS.ticket_age, (WHO[1], WHO[0]))
    assert seat is not None
    assert trial.missed == NAMES[seat.ticket.owner]
    assert trial.moved(trial.missed) == -trial.missed_fine == -min(PHI, PARAMS.seat // 20)


def test_a_secret_counts_as_shown_if_the_unit_was_settled_before_grace_ended() -> None:
    records: list[Record] = [*BEGIN, ACCEPTED, revealed(0), settled(Phase.PAID)]
    window = TERMS.vwin + PARAMS.challenge + PARAMS.grace
    assert told(records, seconds=window).secret_shown
    late = told(records, seconds=window + 1)
    assert not late.secret_shown
    assert late.moved(1) == -PRICE - PRICE // 100 - PHI


def test_what_all_trials_and_appeals_moved_adds_up_by_node() -> None:
    """n4 appeals a conviction in vain: what it paid in came from outside of both contracts."""
    appealed = [
        *CONVICTED[:-3],
        Appealed(UNIT, 1, WHO[3]),
        *(Voted(UNIT, 1, seat, 1 + seat % 4, keccak256(b"vote")) for seat in range(11)),
        *(VoteRevealed(UNIT, 1, seat, RIGHT) for seat in range(11)),
        *CONVICTED[-3:],
    ]
    convicted, paid = told(appealed), told(ENDINGS["paid"][0])
    changes = expected_changes([convicted, paid])
    assert convicted.rounds == 2
    assert changes[2] == PRICE - DEPOSIT
    assert changes[4] == convicted.moved(4) + 11 * PHI
    burned = convicted.moved_to(BURNED) + paid.moved_to(BURNED)
    assert sum(changes.values()) == 11 * PHI - burned
