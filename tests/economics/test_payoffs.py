"""The model counts votes as the node does, and loses no wei whatever the story."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core.court import NO_INPUT as NO_INPUT_HASH
from blockedge_node.core.court import VoteView
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Hash
from blockedge_node.core.jury import outcome_of as counted
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.experiments.economics import payoffs
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    BEFORE,
    SHIPPED,
    Claim,
    Ending,
    Round,
    Seats,
    Stakes,
    Story,
    Vote,
    moves,
    outcome_of,
)

LABELS = (ACCUSED, payoffs.NO_INPUT, "the truth", "forged")
HASHES = {label: keccak256(label.encode()) for label in LABELS} | {payoffs.NO_INPUT: NO_INPUT_HASH}
VOTES = st.sampled_from((*LABELS, Vote.ABSENT, Vote.HIDDEN))
NAMES = st.sampled_from(("a", "b", "c"))


def rounds(last: int) -> st.SearchStrategy[tuple[Round, ...]]:
    groups = [
        st.lists(st.builds(Seats, NAMES, VOTES), min_size=size, max_size=size).map(tuple)
        for size in ROUNDS[: last + 1]
    ]
    built = (st.builds(Round, seats, NAMES if number else st.just("")) for number, seats in enumerate(groups))
    return st.tuples(*built)


ALL_ROUNDS = st.integers(0, 2).flatmap(rounds)
AMOUNTS = st.integers(1, 10**15)
CLAIMS = st.builds(Claim, NAMES, st.sampled_from((ACCUSED, "the truth", "forged", None)))


@given(ALL_ROUNDS)
def test_rounds_end_as_the_node_says(played: tuple[Round, ...]) -> None:
    for number, round in enumerate(played):
        votes = [
            VoteView(seat=seat, ticket=0, hash=Hash(ZERO_HASH), result_hash=HASHES.get(group.vote))
            for seat, group in enumerate(round.seats)
            if group.vote is not Vote.ABSENT
        ]
        found = counted(votes, number, HASHES[ACCUSED])
        phase, right = outcome_of(round, number)
        assert (phase, HASHES.get(right, ZERO_HASH)) == (found.phase, found.right)


@given(
    rounds=ALL_ROUNDS,
    fee=AMOUNTS,
    price=AMOUNTS,
    extra=AMOUNTS,
    check=st.none() | CLAIMS,
    reports=st.lists(CLAIMS, max_size=3).map(tuple),
    ending=st.sampled_from(Ending),
    rules=st.sampled_from((SHIPPED, BEFORE)),
)
def test_no_story_makes_or_loses_money(
    rounds: tuple[Round, ...],
    fee: int,
    price: int,
    extra: int,
    check: Claim | None,
    reports: tuple[Claim, ...],
    ending: Ending,
    rules: payoffs.Rules,
) -> None:
    disputed = any(c.result != ACCUSED and c.result is not None for c in (check, *reports) if c)
    if ending is Ending.RULED and not disputed and (check is None or check.result is not None):
        ending = Ending.SETTLED
    stakes = Stakes(
        price=price, deposit=20 * max(price, fee) + extra, fee=fee, fee_bps=100, seat=10 * fee + extra
    )
    story = Story(stakes=stakes, ending=ending, check=check, reports=reports, rounds=rounds, rules=rules)
    moved = moves(story)
    assert sum(moved.values()) == 0
    assert moved.get(payoffs.BURNED, 0) >= 0
    assert moved.get("worker", 0) >= -stakes.deposit
    assert moved.get("requester", 0) >= -(stakes.price + stakes.protocol_fee + stakes.fee)
