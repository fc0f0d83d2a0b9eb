"""The ledger says, apart from contract and daemons, what each account must have gained and lost (§7.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockedge_node.chain.events import ReportClosed, Reported, ReportRevealed, Settled
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.unit import Phase, Terms
from blockedge_node.devnet.ledger import UnitStory, expected_changes, shares
from tests.core.builders import ALICE, BOB, CAROL, DEV, who

DAVE = who("dave")
UNIT = UnitId(bytes(32))
PRICE, DEPOSIT = 10_000, 200_000
TERMS = Terms(
    task=bytes(32),  # type: ignore[arg-type]
    shard=0,
    kind=1,
    mode=0,
    spot_bps=0,
    requester=ALICE,
    worker=BOB,
    price=PRICE,
    deposit=DEPOSIT,
    check_fee=0,
    delay=10,
    vwin=4,
)


def story(
    phase: Phase, *, paid: int = 0, slashed: int = 0, acknowledged: bool = True, shown: bool = True
) -> UnitStory:
    settled = Settled(UNIT, phase, paid, slashed)
    return UnitStory(terms=TERMS, acknowledged=acknowledged, revealed=shown, settled=settled)


def reported(unit: UnitStory, *authors: Address, right: tuple[int, ...]) -> UnitStory:
    bond = DEPOSIT // 20
    for index, author in enumerate(authors, start=1):
        unit.reports[index] = Reported(UNIT, index, author, Hash(bytes(32)))
        unit.returned[index] = bond if index in right else 0
    unit.right = list(right)
    return unit


def changes(unit: UnitStory) -> dict[Address, int]:
    return {who: wei for who, wei in expected_changes({UNIT: unit}, DEV).items() if wei}


def test_paid() -> None:
    assert changes(story(Phase.PAID, paid=PRICE)) == {BOB: PRICE, ALICE: -PRICE - PRICE // 100}


def test_slashed_by_proof_pays_requester_and_first_right_reporter() -> None:
    unit = reported(story(Phase.SLASHED, slashed=DEPOSIT), DAVE, CAROL, right=(2,))
    assert changes(unit) == {
        BOB: -DEPOSIT,
        ALICE: DEPOSIT // 2,
        CAROL: DEPOSIT // 5,
        DAVE: -DEPOSIT // 20,  # its own report was wrong
    }
    assert shares(unit).burned == DEPOSIT * 3 // 10


def test_withheld_reveal_pays_no_reporter() -> None:
    assert changes(story(Phase.SLASHED, slashed=DEPOSIT, shown=False)) == {BOB: -DEPOSIT, ALICE: DEPOSIT // 2}


@pytest.mark.parametrize(("acknowledged", "to_requester"), [(True, 10_000), (False, 0)])
def test_refusal_pays_the_requester_only_after_an_ack(acknowledged: bool, to_requester: int) -> None:
    unit = story(Phase.REFUSED, slashed=20_000, acknowledged=acknowledged, shown=False)
    assert changes(unit) == {BOB: -20_000} | ({ALICE: to_requester} if to_requester else {})


def test_open_unit_changes_nothing() -> None:
    assert expected_changes({UNIT: replace(story(Phase.PAID), settled=None)}, DEV) == {}


def test_shares_of_an_odd_deposit_lose_no_wei() -> None:
    unit = reported(story(Phase.SLASHED, slashed=199_999), CAROL, right=(1,))
    split = shares(unit)
    assert split.requester + split.detector + split.burned == 199_999
    assert split.requester == 99_999


def test_records_fold_into_one_story_a_unit() -> None:
    from blockedge_node.chain.events import Awarded
    from blockedge_node.devnet.ledger import units_of

    unit = TERMS.unit
    records = [
        Awarded(unit, ALICE, BOB, TERMS, 7),
        Reported(unit, 1, CAROL, Hash(bytes(32))),
        ReportRevealed(unit, 1, Hash(bytes(32)), 2, b""),
        Settled(unit, Phase.SLASHED, 0, DEPOSIT),
        ReportClosed(unit, 1, 5),
    ]
    (found,) = units_of(records).values()
    assert found.acknowledged
    assert found.detector == CAROL
    assert found.returned == {1: 5}
