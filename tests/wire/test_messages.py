"""The door: what is opened was signed by whom it says, and nothing else gets in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import Address, Hash, Root, Secret, UnitId
from blockedge_node.core.task import Bid, Commit, KeyCard, Receipt, Request
from blockedge_node.errors import PeerError
from blockedge_node.wire import codec, messages
from blockedge_node.wire.eip712 import LocalSigner
from blockedge_node.wire.messages import open_gossip

DOMAIN = Domain(31337, Address(b"\x0b" * 20))
ALICE = LocalSigner(b"\x01" * 32, DOMAIN)
BOB = LocalSigner(b"\x02" * 32, DOMAIN)
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
    expiry=1_790_000_300,
)
TASK = REQUEST.task(DOMAIN)
UNIT = UnitId(b"\x04" * 32)
CARD = KeyCard(owner=BOB.address, peer_id=b"\x00\x24" + bytes(36), seq=3, expiry=1_790_000_300)
REPORT = messages.Report(unit=UNIT, author=BOB.address, result_hash=Hash(b"\x05" * 32), expiry=1_790_000_300)
COMMIT = Commit(unit=UNIT, terms_hash=Hash(b"\x06" * 32), commitment=Hash(b"\x07" * 32))
RECEIPT = Receipt(unit=UNIT, result_hash=Hash(b"\x08" * 32))


def bids(count: int, worker: LocalSigner = BOB) -> list[Bid]:
    return [
        Bid(
            task=TASK,
            shard=shard,
            worker=worker.address,
            price=10**14,
            deposit=2 * 10**16,
            delay=20,
            rep=140_000,
            expiry=1_790_000_200,
        )
        for shard in range(count)
    ]


def bids_message(items: list[Bid], signer: LocalSigner = BOB) -> bytes:
    return messages.build_bids(DOMAIN, items, [signer.sign(bid) for bid in items], AT)


SAMPLES: dict[str, Callable[[], bytes]] = {
    "request": lambda: messages.build_request(DOMAIN, REQUEST, ALICE.sign(REQUEST), AT),
    "bids": lambda: bids_message(bids(3)),
    "commit": lambda: messages.build_commit(DOMAIN, COMMIT, BOB.sign(COMMIT), AT),
    "receipt": lambda: messages.build_receipt(DOMAIN, RECEIPT, ALICE.sign(RECEIPT), AT),
    "secret": lambda: messages.build_secret(DOMAIN, UNIT, Secret(b"\x09" * 32), Hash(b"\x0a" * 32), AT),
    "report": lambda: messages.build_report(DOMAIN, REPORT, BOB.sign(REPORT), AT),
    "keycard": lambda: messages.build_keycard(DOMAIN, CARD, BOB.sign(CARD), AT),
}


def test_request_names_its_task_and_signature() -> None:
    message = open_gossip(SAMPLES["request"](), DOMAIN)
    assert isinstance(message, messages.RequestMessage)
    assert (message.request, message.task, message.sig) == (REQUEST, TASK, ALICE.sign(REQUEST))
    assert message.at == AT


def test_bids_keep_their_order_digests_and_signatures() -> None:
    items = bids(3)
    message = open_gossip(bids_message(items), DOMAIN)
    assert isinstance(message, messages.BidsMessage)
    assert message.worker == BOB.address
    assert list(message.bids) == items
    assert list(message.digests) == [bid.digest(DOMAIN) for bid in items]
    assert list(message.sigs) == [BOB.sign(bid) for bid in items]


def test_others_open_to_what_was_built() -> None:
    opened: dict[str, Any] = {t: open_gossip(build(), DOMAIN) for t, build in SAMPLES.items()}
    assert (opened["commit"].commit, opened["commit"].signer) == (COMMIT, BOB.address)
    assert (opened["receipt"].receipt, opened["receipt"].signer) == (RECEIPT, ALICE.address)
    secret = opened["secret"]
    assert (secret.unit, secret.secret, secret.guard_r) == (UNIT, b"\x09" * 32, b"\x0a" * 32)
    assert opened["report"].report == REPORT
    assert opened["keycard"].card == CARD


def test_fifty_bids_fit_and_more_are_no_message() -> None:
    raw = bids_message(bids(50))
    assert len(raw) <= codec.GOSSIP_LIMIT
    message = open_gossip(raw, DOMAIN)
    assert isinstance(message, messages.BidsMessage)
    assert len(message.bids) == 50
    for count in (0, 51):
        with pytest.raises(ValueError, match="1 … 50"):
            bids_message(bids(count))


def test_id_is_the_same_for_every_copy() -> None:
    later = messages.build_request(DOMAIN, REQUEST, ALICE.sign(REQUEST), AT + 5)
    message = open_gossip(SAMPLES["request"](), DOMAIN)
    assert open_gossip(later, DOMAIN).id == message.id == keccak256(REQUEST.words() + ALICE.sign(REQUEST))


def test_bodies_are_abi_encodings() -> None:
    """Any ABI library reads them: eth-abi is asked for a second opinion."""
    items = bids(2)
    body = codec.decode(bids_message(items))["body"]
    rows = [tuple(bid.values()) for bid in items]
    kinds = "bytes32,uint16,address,uint96,uint96,uint32,uint32,uint40"
    spelled = [(r[0], r[1], "0x" + bytes(r[2]).hex(), *r[3:]) for r in rows]  # type: ignore[arg-type]
    assert body == abi_encode([f"({kinds})[]"], [spelled])
    card = (
        "0x" + CARD.owner.hex(),
        CARD.peer_id,
        CARD.hpke_key,
        CARD.seq,
        CARD.expiry,
    )
    assert messages.keycard_words(CARD) == abi_encode(["(address,bytes,bytes32,uint64,uint40)"], [card])


@pytest.mark.parametrize("t", SAMPLES)
def test_signature_of_somebody_else_is_refused(t: str) -> None:
    envelope = codec.decode(SAMPLES[t]())
    forged = codec.encode(envelope | {"sig": LocalSigner(b"\x05" * 32, DOMAIN).sign(REQUEST)})
    if t in ("commit", "receipt"):  # signed by whoever: the signer is part of what is opened
        assert open_gossip(forged, DOMAIN) != open_gossip(SAMPLES[t](), DOMAIN)
    else:
        with pytest.raises(PeerError):
            open_gossip(forged, DOMAIN)


def test_bids_are_of_one_worker() -> None:
    mixed = [*bids(1), *bids(1, ALICE)]
    raw = messages.build_bids(DOMAIN, mixed, [BOB.sign(mixed[0]), ALICE.sign(mixed[1])], AT)
    with pytest.raises(PeerError, match="one worker"):
        open_gossip(raw, DOMAIN)


def test_one_forged_bid_spoils_the_message() -> None:
    items = bids(3)
    sigs = [BOB.sign(bid) for bid in items]
    sigs[1] = sigs[0]
    with pytest.raises(PeerError, match="not of the message's author"):
        open_gossip(messages.build_bids(DOMAIN, items, sigs, AT), DOMAIN)


@pytest.mark.parametrize("other", [Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, Address(bytes(20)))])
def test_message_counts_in_one_deployment_only(other: Domain) -> None:
    with pytest.raises(PeerError, match="another deployment"):
        open_gossip(SAMPLES["request"](), other)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"t": "award"},
        {"t": "nonsense"},
        {"t": 1},
        {"chain": True},
        {"chain": "31337"},
        {"to": "0x"},
        {"body": b""},
        {"body": "text"},
        {"body": REQUEST.words() + bytes(32)},
        {"body": REQUEST.words()[:-1]},
        {"sig": b""},
        {"sig": None},
        {"at": -1},
        {"at": 1 << 63},
        {"at": True},
        {"more": 1},
    ],
)
def test_malformed_envelope_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        open_gossip(codec.encode(codec.decode(SAMPLES["request"]()) | changes), DOMAIN)


@pytest.mark.parametrize("missing", sorted(messages.KEYS))
def test_missing_field_is_refused(missing: str) -> None:
    envelope = codec.decode(SAMPLES["request"]())
    del envelope[missing]
    with pytest.raises(PeerError, match="not an envelope"):
        open_gossip(codec.encode(envelope), DOMAIN)


def test_dirty_high_bits_are_refused() -> None:
    """A second spelling of the same values would have a second hash."""
    body = bytearray(REQUEST.words())
    body[0] = 1  # above the 20 bytes of the requester
    dirty = codec.encode(codec.decode(SAMPLES["request"]()) | {"body": bytes(body)})
    with pytest.raises(PeerError, match="does not fit"):
        open_gossip(dirty, DOMAIN)


@dataclass(frozen=True)
class Card:
    """Ways to misspell a key card's body."""

    why: str
    body: bytes


WORDS = messages.keycard_words(CARD)


@pytest.mark.parametrize(
    "bad",
    [
        Card("empty", b""),
        Card("cut off", WORDS[:-32]),
        Card("longer", WORDS + bytes(32)),
        Card("other offset", abi_words(64) + WORDS[32:]),
        Card("other inner offset", WORDS[:64] + abi_words(192) + WORDS[96:]),
        Card("dirty padding", WORDS[:-1] + b"\x01"),
        Card("no peer", messages.keycard_words(replace(CARD, peer_id=b""))),
        Card("long peer", messages.keycard_words(replace(CARD, peer_id=bytes(65)))),
        Card("dirty owner", WORDS[:32] + b"\x01" + WORDS[33:]),
    ],
    ids=lambda bad: bad.why,
)
def test_misspelled_key_card_is_refused(bad: Card) -> None:
    with pytest.raises(PeerError):
        messages.parse_keycard(bad.body)


@given(st.binary(min_size=1, max_size=messages.MAX_PEER_ID), st.integers(0, (1 << 64) - 1))
def test_key_card_comes_back(peer_id: bytes, seq: int) -> None:
    card = replace(CARD, peer_id=peer_id, seq=seq)
    assert messages.parse_keycard(messages.keycard_words(card)) == card


@settings(max_examples=300)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_damaged_message_raises_only_peer_errors(t: str, data: st.DataObject) -> None:
    raw = bytearray(SAMPLES[t]())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = open_gossip(bytes(raw), DOMAIN)
    except PeerError:
        return
    # Only what nobody signs may have changed: the time, a draw secret, or who signed an open message.
    original = open_gossip(SAMPLES[t](), DOMAIN)
    assert t in ("secret", "commit", "receipt") or message == original


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_only_peer_errors(raw: bytes) -> None:
    with pytest.raises(PeerError):
        open_gossip(raw, DOMAIN)
