"""What two nodes say to each other alone: every answer fits its question, or is refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import merkle
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, Root, UnitId
from blockedge_node.core.task import Ack, Award, Bid, Receipt, Request, Result
from blockedge_node.errors import PeerError, Rejected
from blockedge_node.wire import codec, streams
from blockedge_node.wire.eip712 import LocalSigner
from blockedge_node.wire.messages import build_receipt
from blockedge_node.wire.streams import BlobAsk, BlobHead

DOMAIN = Domain(31337, Address(b"\x0b" * 20))
ALICE = LocalSigner(b"\x01" * 32, DOMAIN)
BOB = LocalSigner(b"\x02" * 32, DOMAIN)
EVE = LocalSigner(b"\x03" * 32, DOMAIN)
AT = 1_790_000_000_000

REQUEST = Request(
    requester=ALICE.address,
    nonce=7,
    kind=1,
    shards=4,
    input_root=Root(b"\x03" * 32),
    fuel=10**9,
    max_price=10**15,
    min_deposit=2 * 10**16,
    max_delay=60,
    w_price=5_000,
    w_delay=2_500,
    w_rep=2_500,
    expiry=1_000,
)
BID = Bid(
    task=REQUEST.task(DOMAIN),
    shard=1,
    worker=BOB.address,
    price=10**14,
    deposit=2 * 10**16,
    delay=20,
    rep=140_000,
    expiry=900,
)
AWARD = Award(task=BID.task, shard=1, bid=BID.digest(DOMAIN), not_before=100, register_by=200)
ACK = Ack(award=AWARD.digest(DOMAIN), start_at=101)
UNIT = UnitId(b"\x04" * 32)
RESULT = Result(exit=0, output_root=merkle.root(b"42"), fuel_used=7)
RECEIPT = Receipt(unit=UNIT, result_hash=RESULT.hash())


def signed(**changes: Any) -> SignedAward:
    """The award, each part signed by whom it names unless a signature is given."""
    request, bid = changes.pop("request", REQUEST), changes.pop("bid", BID)
    award = changes.pop("award", AWARD)
    sigs = {"request_sig": ALICE.sign(request), "bid_sig": BOB.sign(bid), "award_sig": ALICE.sign(award)}
    return SignedAward(request=request, bid=bid, award=award, **sigs | changes)


def test_award_travels_whole() -> None:
    message = streams.open_award(streams.build_award(DOMAIN, signed(), AT), DOMAIN)
    assert message.signed == signed()
    assert message.digest == AWARD.digest(DOMAIN)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_sig": EVE.sign(REQUEST)},
        {"bid_sig": EVE.sign(BID)},
        {"award_sig": EVE.sign(AWARD)},
        {"award_sig": BOB.sign(AWARD)},
        {"request": replace(REQUEST, nonce=8)},
        {"bid": replace(BID, price=1)},
        {"award": replace(AWARD, shard=2)},
        {"award": replace(AWARD, task=b"\x09" * 32)},
        {"award": replace(AWARD, bid=b"\x09" * 32)},
    ],
)
def test_award_that_does_not_hang_together_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        streams.open_award(streams.build_award(DOMAIN, signed(**changes), AT), DOMAIN)


def test_award_for_a_shard_beyond_the_task_is_refused() -> None:
    bid = replace(BID, shard=4)
    award = replace(AWARD, shard=4, bid=bid.digest(DOMAIN))
    with pytest.raises(PeerError, match="does not have"):
        streams.open_award(streams.build_award(DOMAIN, signed(bid=bid, award=award), AT), DOMAIN)


def test_ack_is_the_workers_own() -> None:
    raw = streams.build_ack(DOMAIN, ACK, BOB.sign(ACK), AT)
    assert streams.open_ack(raw, DOMAIN, AWARD, BOB.address) == (ACK, BOB.sign(ACK))
    with pytest.raises(PeerError):
        streams.open_ack(raw, DOMAIN, replace(AWARD, shard=2), BOB.address)
    with pytest.raises(PeerError):
        streams.open_ack(raw, DOMAIN, AWARD, EVE.address)


@pytest.mark.parametrize("start_at", [99, 201])
def test_ack_outside_of_the_awards_times_could_never_be_registered(start_at: int) -> None:
    ack = replace(ACK, start_at=start_at)
    with pytest.raises(PeerError, match="startAt"):
        streams.open_ack(streams.build_ack(DOMAIN, ack, BOB.sign(ack), AT), DOMAIN, AWARD, BOB.address)


def test_refusal_carries_its_reason() -> None:
    raw = streams.build_refusal(DOMAIN, "price.risk", AT)
    with pytest.raises(Rejected) as refused:
        streams.open_ack(raw, DOMAIN, AWARD, BOB.address)
    assert refused.value.reason == "price.risk"
    with pytest.raises(Rejected):
        streams.open_receipt(raw, DOMAIN, UNIT, RESULT)
    with pytest.raises(PeerError):
        streams.open_award(raw, DOMAIN)


def test_refusal_is_short_whatever_it_says() -> None:
    with pytest.raises(Rejected) as refused:
        streams.open_ack(streams.build_refusal(DOMAIN, "é" * 999, AT), DOMAIN, AWARD, BOB.address)
    assert len(refused.value.reason) <= streams.MAX_REASON


def test_result_and_receipt_travel() -> None:
    message = streams.open_result(streams.build_result(DOMAIN, UNIT, BOB.address, RESULT, AT), DOMAIN)
    assert (message.unit, message.worker, message.result) == (UNIT, BOB.address, RESULT)
    raw = receipt_message()
    assert streams.open_receipt(raw, DOMAIN, UNIT, RESULT) == (RECEIPT, ALICE.address, ALICE.sign(RECEIPT))


def receipt_message() -> bytes:
    return build_receipt(DOMAIN, RECEIPT, ALICE.sign(RECEIPT), AT)


def test_receipt_of_another_result_is_none() -> None:
    for unit, result in ((UnitId(b"\x05" * 32), RESULT), (UNIT, replace(RESULT, fuel_used=8))):
        with pytest.raises(PeerError, match="another result"):
            streams.open_receipt(receipt_message(), DOMAIN, unit, result)


def test_blob_ask_comes_back() -> None:
    ask = BlobAsk(root=Root(b"\x06" * 32), first=3, count=64)
    assert streams.open_blob_ask(streams.build_blob_ask(ask)) == ask


@pytest.mark.parametrize(
    "changes", [{"v": 2}, {"root": b"short"}, {"first": -1}, {"count": 1 << 40}, {"first": True}, {"x": 1}]
)
def test_malformed_blob_ask_is_refused(changes: dict[str, Any]) -> None:
    ask = {"v": 1, "root": bytes(32), "first": 0, "count": 1}
    with pytest.raises(PeerError):
        streams.open_blob_ask(codec.encode(ask | changes))


@given(st.integers(0, 5_000).map(lambda n: bytes(n % 251 for n in range(n))))
def test_blob_head_proves_itself(data: bytes) -> None:
    head = BlobHead(size=len(data), leaves=merkle.leaves(data))
    raw = streams.build_blob_head(head)
    assert streams.open_blob_head(raw, merkle.root(data)) == head
    with pytest.raises(PeerError):
        streams.open_blob_head(raw, Root(bytes(32)))


def test_blob_that_is_not_held_has_no_head() -> None:
    assert streams.open_blob_head(streams.build_blob_head(None), Root(bytes(32))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 1025},
        {"size": -1},
        {"size": 1 << 40},
        {"leaves": b"x"},
        {"leaves": bytes(64)},
        {"size": True},
    ],
)
def test_head_that_lies_is_refused(changes: dict[str, Any]) -> None:
    data = b"some content"
    value = codec.decode(streams.build_blob_head(BlobHead(size=len(data), leaves=merkle.leaves(data))))
    with pytest.raises(PeerError):
        streams.open_blob_head(codec.encode(value | changes), merkle.root(data))


@settings(max_examples=200)
@given(st.binary(max_size=300), st.data())
def test_hostile_bytes_raise_only_peer_errors(raw: bytes, data: st.DataObject) -> None:
    damaged = bytearray(streams.build_award(DOMAIN, signed(), AT))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for given_bytes in (raw, bytes(damaged)):
        for opening in (
            lambda b: streams.open_ack(b, DOMAIN, AWARD, BOB.address),
            lambda b: streams.open_result(b, DOMAIN),
            lambda b: streams.open_receipt(b, DOMAIN, UNIT, RESULT),
            streams.open_blob_ask,
            lambda b: streams.open_blob_head(b, UNIT),
        ):
            with pytest.raises(PeerError):
                opening(given_bytes)
    with contextlib.suppress(PeerError):
        assert streams.open_award(bytes(damaged), DOMAIN).signed == signed()  # only `at` was hit
