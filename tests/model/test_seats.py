"""Who sits decides who is right: the figures of docs/protocol.md §6.5 and §7.3, drawn with the real seat function.

A hundred equal tickets, of which a share f belongs to one adversary whose jurors vote for one wrong hash; all others
vote for the right one. Seeds are fixed, so each test either always passes or never. Bounds are four standard
deviations of the exact distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, sqrt

import pytest

from blockedge_node.chain.abi_codec import contract
from blockedge_node.core.court import Case, Ticket, seat_of
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, Secret
from blockedge_node.core.sortition import ROUNDS, draw_seed, drawn, round_seed, seat_ticket
from blockedge_node.core.unit import Phase
from tests.model.calls import Call
from tests.model.chain import Chain
from tests.model.court import tally
from tests.model.play import PARAMS, START
from tests.model.world import Round, Vote

TICKETS = 100
JURIES = 2_000
SHARES = (10, 20, 30, 40)  # per cent of the tickets
TABLE = {  # P(wrong) in per cent, as §6.5 prints it
    10: ("0.86", "0.030", "< 0.0001"),
    20: ("5.8", "1.2", "0.06"),
    30: ("16.3", "7.8", "2.1"),
    40: ("31.7", "24.7", "16.4"),
}
RIGHT, WRONG = Hash(keccak256(b"right")), Hash(keccak256(b"wrong"))
HONEST, ADVERSARY = Address(b"\x01" * 20), Address(b"\x02" * 20)
JUROR = Address(b"\x03" * 20)
SNAPSHOT = START + PARAMS.ticket_age


def seed_of(number: int) -> Hash:
    return Hash(keccak256(b"jury %d" % number))


def seats(number: int, round: int) -> list[int]:
    """The tickets of one jury."""
    seed = round_seed(seed_of(number), round)
    found = [seat_ticket(seed, seat, TICKETS, lambda _: True) for seat in range(ROUNDS[round])]
    return [ticket for ticket in found if ticket is not None]


@pytest.fixture(scope="module")
def juries() -> list[list[list[int]]]:
    """By round and number: all tests look at the same ones."""
    return [[seats(number, round) for number in range(JURIES)] for round in range(len(ROUNDS))]


def chance_of_majority(size: int, share: int) -> float:
    """That more than half of `size` draws fall on `share` per cent of the tickets."""
    f = share / 100
    return sum(comb(size, k) * f**k * (1 - f) ** (size - k) for k in range(size // 2 + 1, size + 1))


def assert_likely(count: int, tries: int, chance: float) -> None:
    deviation = sqrt(tries * chance * (1 - chance))
    assert abs(count - tries * chance) <= 4 * deviation + 1


def outcome(tickets: list[int], round: int, share: int, *, online: int = 1) -> Phase:
    """Of the accusation of an innocent worker. `online`: one honest juror of so many votes."""
    votes = {}
    for seat, ticket in enumerate(tickets):
        if ticket < share:
            votes[seat] = Vote(ticket, ZERO_HASH, WRONG)
        elif seat % online == 0:
            votes[seat] = Vote(ticket, ZERO_HASH, RIGHT)
    return tally(Round(0, JUROR, 0, votes), round, RIGHT)[0]


# ── the table of §6.5 ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", SHARES)
def test_the_printed_table_is_the_exact_one(share: int) -> None:
    for printed, size in zip(TABLE[share], ROUNDS, strict=True):
        exact = 100 * chance_of_majority(size, share)
        if printed.startswith("<"):
            assert exact < float(printed[2:])
        else:
            assert f"{exact:.{len(printed.partition('.')[2])}f}" == printed


@pytest.mark.parametrize("round", range(len(ROUNDS)))
@pytest.mark.parametrize("share", SHARES)
def test_juries_convict_the_innocent_as_seldom_as_the_table_says(
    juries: list[list[list[int]]], share: int, round: int
) -> None:
    wrong = sum(outcome(jury, round, share) == Phase.SLASHED for jury in juries[round])
    assert_likely(wrong, JURIES, chance_of_majority(ROUNDS[round], share))


def test_knocking_honest_jurors_offline_convicts_nobody_more(juries: list[list[list[int]]]) -> None:
    for jury in juries[2]:
        silenced = outcome(jury, 2, 30, online=2)
        assert (silenced == Phase.SLASHED) == (outcome(jury, 2, 30) == Phase.SLASHED)


# ── the contract's own seat function ─────────────────────────────────────────────────────────────────────


def staked(owners: list[Address]) -> Chain:
    chain = Chain(PARAMS, START, court=True)
    for owner in owners:
        chain.give(owner, 10**24)
        assert not chain.call(Call(sender=owner, name="stake", value=PARAMS.seat, to="Court")).refused
    return chain


def case_with(seed: Hash, tickets: int, snapshot: int, worker: Address, requester: Address) -> Case:
    return Case(
        unit=keccak256(b"unit"),  # type: ignore[arg-type]
        seed=seed,
        accused=RIGHT,
        worker=worker,
        requester=requester,
        accuser=ZERO_ADDRESS,
        snapshot=snapshot,
        tickets=tickets,
        vwin=0,
        fee=1,
    )


def seats_of_contract(chain: Chain, case: Case, round: int) -> Iterator[tuple[int, int, Address]]:
    for seat in range(ROUNDS[round]):
        raw = chain.view("seatOf", *case.values(), round, seat, to="Court")
        attempt, ticket, owner = contract("Court").returned("seatOf", raw)
        yield attempt, ticket, owner


def test_the_contract_seats_the_same_jurors(juries: list[list[list[int]]]) -> None:
    chain = staked([HONEST] * TICKETS)
    for number in range(120):
        case = case_with(seed_of(number), TICKETS, SNAPSHOT, ZERO_ADDRESS, ZERO_ADDRESS)
        for round in range(len(ROUNDS)):
            drawn_by_contract = [ticket for _, ticket, _ in seats_of_contract(chain, case, round)]
            assert drawn_by_contract == juries[round][number]


def test_the_contract_passes_over_parties_and_tickets_that_left() -> None:
    owners = [[HONEST, ADVERSARY, ADVERSARY, JUROR][i % 4] for i in range(24)]
    chain = staked(owners)
    chain.enter(START + 5, 1)
    left = {i for i in range(24) if i % 5 == 0}
    for id in left:
        assert not chain.call(Call(sender=owners[id], name="unstake", args=(id,), to="Court")).refused
    tickets = [
        Ticket(id=i, owner=o, staked_at=START, left_at=START + 5 if i in left else 0)
        for i, o in enumerate(owners)
    ]
    empty = 0
    for number in range(60):
        case = case_with(seed_of(number), len(tickets), SNAPSHOT, ADVERSARY, HONEST)
        for seat, (attempt, ticket, owner) in enumerate(seats_of_contract(chain, case, 1)):
            seed = round_seed(case.seed, 1)
            found = seat_of(tickets, seed, seat, SNAPSHOT, PARAMS.ticket_age, {ADVERSARY, HONEST})
            if found is None:
                assert (attempt, ticket, owner) == (8, 0, ZERO_ADDRESS)
                empty += 1
            else:
                assert (attempt, ticket, owner) == (found.proof.attempt, found.ticket.id, JUROR)
    assert_likely(empty, 60 * ROUNDS[1], (1 - 5 / 24) ** 8)  # 5 of 24 tickets may sit


# ── the spot check of §7.3 ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", [0, 20])
def test_a_spot_check_of_a_tenth_detects_as_often_as_it_should(share: int) -> None:
    """A wrong result is found if its unit is drawn and the checker is no accomplice: q = ρ(1 − f)."""
    units, found, checkers = 10_000, 0, []
    for number in range(units):
        secret, commitment = Secret(keccak256(b"secret %d" % number)), Hash(keccak256(b"result %d" % number))
        seed = draw_seed(secret, commitment)
        if drawn(seed, 1_000):
            checker = seat_ticket(seed, 0, TICKETS, lambda _: True)
            assert checker is not None
            checkers.append((seed, checker))
            found += checker >= share
    assert_likely(found, units, 0.1 * (1 - share / 100))
    chain = staked([HONEST] * TICKETS)
    for seed, checker in checkers[:200]:
        raw = chain.view("drawnTicket", seed, 0, TICKETS, SNAPSHOT, ZERO_ADDRESS, ZERO_ADDRESS, to="Court")
        assert contract("Court").returned("drawnTicket", raw) == (checker, HONEST)
