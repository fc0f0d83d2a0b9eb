"""What nodes tell each other: bytes in, a checked message with its signer out (docs/protocol.md §2.3).

An envelope is deterministic CBOR `{v, t, chain, to, body, sig, at}`. `body` is the ABI encoding of what `t`
names and `sig` the 64-byte signatures over it, joined; `chain` and `to` name the deployment, as the
signatures do; `at` is the sender's unix ms, unsigned and only a hint. `open_gossip` accepts what may stand on
a topic:

    t         body                                   signed by            becomes
    request   Request                                its requester        RequestMessage
    bids      Bid[] of one worker, 1 … 50            that worker, each    BidsMessage
    commit    Commit                                 whoever              CommitMessage
    receipt   Receipt                                whoever              ReceiptMessage
    secret    unit ‖ secret ‖ guardR                 nobody: it opens     SecretMessage
              the drawCommit of its unit
    report    Report                                 its author           ReportMessage
    keycard   KeyCard                                its owner            KeyCardMessage

Anything else raises PeerError. Time, balances and rates are for the caller to judge: nothing here knows a
clock. Messages between two nodes alone travel on streams: wire/streams.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, TypeVar

from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import Address, Digest, Hash, Secret, Signature, TaskId, UnitId
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Bid, Commit, KeyCard, Receipt, Request
from blockedge_node.errors import PeerError
from blockedge_node.wire import codec
from blockedge_node.wire.eip712 import recover

VERSION = 1
MAX_BIDS = 50  # of one worker in a message: 320 bytes each, within codec.GOSSIP_LIMIT
MAX_PEER_ID = 64  # bytes; an Ed25519 peer id has 38

S = TypeVar("S", bound=Struct)

KEYS = frozenset({"v", "t", "chain", "to", "body", "sig", "at"})
BID_SIZE = 8 * 32
SIG_SIZE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message, its deployment already checked."""

    t: str
    body: bytes
    sig: bytes
    at: int  # sender's unix ms: a hint

    @property
    def id(self) -> Hash:
        """keccak256(body ‖ sig): the same for every copy, whoever passes it on."""
        return keccak256(self.body + self.sig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Struct):
    """A contradiction that anybody may point out, off the chain: `author` got `resultHash` for `unit`.

    Never on the chain, and worth nothing there: a report that counts is bonded (§6.4).
    """

    TYPE: ClassVar[str] = "Report(bytes32 unit,address author,bytes32 resultHash,uint40 expiry)"
    unit: UnitId
    author: Address
    result_hash: Hash
    expiry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    id: Hash
    at: int = field(compare=False)  # sender's unix ms: a hint


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage(Message):
    request: Request
    task: TaskId
    sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class BidsMessage(Message):
    """Bids of one worker, in the order sent, with their digests and signatures."""

    worker: Address
    bids: tuple[Bid, ...]
    digests: tuple[Digest, ...]
    sigs: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMessage(Message):
    commit: Commit
    signer: Address
    sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptMessage(Message):
    receipt: Receipt
    signer: Address
    sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMessage(Message):
    """A requester shows a unit's draw secret. Check it against the drawCommit of the unit's terms."""

    unit: UnitId
    secret: Secret
    guard_r: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMessage(Message):
    report: Report
    sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCardMessage(Message):
    card: KeyCard
    sig: Signature


GossipMessage = (
    RequestMessage
    | BidsMessage
    | CommitMessage
    | ReceiptMessage
    | SecretMessage
    | ReportMessage
    | KeyCardMessage
)


# ── envelopes ────────────────────────────────────────────────────────────────────────────────────────────


def seal(domain: Domain, t: str, body: bytes, sig: bytes, at: int) -> bytes:
    """The envelope's bytes."""
    return codec.encode(
        {
            "v": VERSION,
            "t": t,
            "chain": domain.chain_id,
            "to": domain.contract,
            "body": body,
            "sig": sig,
            "at": at,
        }
    )


def open_envelope(raw: bytes, domain: Domain, limit: int = codec.GOSSIP_LIMIT) -> Envelope:
    """The envelope in `raw`. Raises PeerError if it is malformed, or meant for another deployment."""
    value = codec.decode(raw, limit)
    if not isinstance(value, dict) or value.keys() != KEYS:
        raise PeerError("not an envelope")
    if not same(value["v"], VERSION):
        raise PeerError(f"envelope version {value['v']!r}; this node speaks {VERSION}")
    if not same(value["chain"], domain.chain_id) or value["to"] != domain.contract:
        raise PeerError("the message is for another deployment")
    t, body, sig, at = value["t"], value["body"], value["sig"], value["at"]
    if not isinstance(t, str) or not isinstance(body, bytes) or not isinstance(sig, bytes):
        raise PeerError("a field of the envelope has the wrong type")
    if type(at) is not int or not 0 <= at < 1 << 63:
        raise PeerError("the envelope's time is not one")
    return Envelope(t=t, body=body, sig=sig, at=at)


def same(value: object, number: int) -> bool:
    """Whether a decoded value is this number: True is not 1 here."""
    return type(value) is int and value == number


def parsed(cls: type[S], body: bytes) -> S:
    """Struct.parse at the door. Raises PeerError."""
    try:
        return cls.parse(body)
    except ValueError as error:
        raise PeerError(f"a message's body is malformed: {error}") from error


# ── building ─────────────────────────────────────────────────────────────────────────────────────────────


def build_request(domain: Domain, request: Request, sig: Signature, at: int) -> bytes:
    return seal(domain, "request", request.words(), sig, at)


def build_bids(domain: Domain, bids: Sequence[Bid], sigs: Sequence[Signature], at: int) -> bytes:
    """One message for up to MAX_BIDS bids of one worker. Raises ValueError for any other number."""
    if not 0 < len(bids) <= MAX_BIDS or len(bids) != len(sigs):
        raise ValueError(f"a message holds 1 … {MAX_BIDS} bids with a signature each, not {len(bids)}")
    body = abi_words(32, len(bids)) + b"".join(bid.words() for bid in bids)
    return seal(domain, "bids", body, b"".join(sigs), at)


def build_commit(domain: Domain, commit: Commit, sig: Signature, at: int) -> bytes:
    return seal(domain, "commit", commit.words(), sig, at)


def build_receipt(domain: Domain, receipt: Receipt, sig: Signature, at: int) -> bytes:
    return seal(domain, "receipt", receipt.words(), sig, at)


def build_secret(domain: Domain, unit: UnitId, secret: Secret, guard_r: Hash, at: int) -> bytes:
    return seal(domain, "secret", abi_words(unit, secret, guard_r), b"", at)


def build_report(domain: Domain, report: Report, sig: Signature, at: int) -> bytes:
    return seal(domain, "report", report.words(), sig, at)


def build_keycard(domain: Domain, card: KeyCard, sig: Signature, at: int) -> bytes:
    return seal(domain, "keycard", keycard_words(card), sig, at)


def keycard_words(card: KeyCard) -> bytes:
    """abi.encode(KeyCard): the offset of the tuple, its five words, then the peer id, padded."""
    length = len(card.peer_id)
    head = abi_words(32, card.owner, 160, card.hpke_key, card.seq, card.expiry, length)
    return head + card.peer_id + bytes(-length % 32)


def parse_keycard(body: bytes) -> KeyCard:
    """The strict inverse of keycard_words. Raises PeerError."""
    words = [int.from_bytes(body[i : i + 32], "big") for i in range(0, 224, 32)]
    if len(body) < 224 or words[0] != 32 or words[2] != 160:
        raise PeerError("a key card's body is malformed")
    _, owner, _, _, seq, expiry, length = words
    if owner >> 160 or seq >> 64 or expiry >> 40 or not 0 < length <= MAX_PEER_ID:
        raise PeerError("a field of a key card is out of range")
    card = KeyCard(
        owner=Address(body[44:64]),
        peer_id=body[224 : 224 + length],
        hpke_key=Hash(body[96:128]),
        seq=seq,
        expiry=expiry,
    )
    if keycard_words(card) != body:
        raise PeerError("a key card's body is malformed")
    return card


# ── opening: one function for each `t` ───────────────────────────────────────────────────────────────────


def open_gossip(raw: bytes, domain: Domain) -> GossipMessage:
    """The message in `raw`, with its signatures recovered and matched. Raises PeerError."""
    envelope = open_envelope(raw, domain)
    opener = OPENERS.get(envelope.t)
    if opener is None:
        raise PeerError(f"a message of type {envelope.t[:20]!r} has no place on a topic")
    return opener(envelope, domain)


def _request(envelope: Envelope, domain: Domain) -> RequestMessage:
    request = parsed(Request, envelope.body)
    task = request.task(domain)
    _signed_by(request.requester, Digest(task), envelope.sig)
    return RequestMessage(
        id=envelope.id, at=envelope.at, request=request, task=task, sig=Signature(envelope.sig)
    )


def _bids(envelope: Envelope, domain: Domain) -> BidsMessage:
    body = envelope.body
    count = (len(body) - 64) // BID_SIZE
    if not 0 < count <= MAX_BIDS or body[:64] != abi_words(32, count) or len(body) != 64 + count * BID_SIZE:
        raise PeerError(f"the body is not of 1 … {MAX_BIDS} bids")
    if len(envelope.sig) != count * SIG_SIZE:
        raise PeerError(f"{count} bids come with {count} signatures")
    bids = tuple(parsed(Bid, body[64 + i * BID_SIZE : 64 + (i + 1) * BID_SIZE]) for i in range(count))
    sigs = tuple(Signature(envelope.sig[i * SIG_SIZE : (i + 1) * SIG_SIZE]) for i in range(count))
    worker = bids[0].worker
    if any(bid.worker != worker for bid in bids):
        raise PeerError("a message holds bids of one worker")
    digests = tuple(bid.digest(domain) for bid in bids)
    for digest, sig in zip(digests, sigs, strict=True):
        _signed_by(worker, digest, sig)
    return BidsMessage(id=envelope.id, at=envelope.at, worker=worker, bids=bids, digests=digests, sigs=sigs)


def _commit(envelope: Envelope, domain: Domain) -> CommitMessage:
    commit = parsed(Commit, envelope.body)
    signer = recover(commit.digest(domain), envelope.sig)
    return CommitMessage(
        id=envelope.id, at=envelope.at, commit=commit, signer=signer, sig=Signature(envelope.sig)
    )


def _receipt(envelope: Envelope, domain: Domain) -> ReceiptMessage:
    receipt = parsed(Receipt, envelope.body)
    signer = recover(receipt.digest(domain), envelope.sig)
    return ReceiptMessage(
        id=envelope.id, at=envelope.at, receipt=receipt, signer=signer, sig=Signature(envelope.sig)
    )


def _secret(envelope: Envelope, _: Domain) -> SecretMessage:
    if len(envelope.body) != 96 or envelope.sig:
        raise PeerError("a draw secret is three words and unsigned")
    unit, secret, guard_r = envelope.body[:32], envelope.body[32:64], envelope.body[64:]
    return SecretMessage(
        id=envelope.id, at=envelope.at, unit=UnitId(unit), secret=Secret(secret), guard_r=Hash(guard_r)
    )


def _report(envelope: Envelope, domain: Domain) -> ReportMessage:
    report = parsed(Report, envelope.body)
    _signed_by(report.author, report.digest(domain), envelope.sig)
    return ReportMessage(id=envelope.id, at=envelope.at, report=report, sig=Signature(envelope.sig))


def _keycard(envelope: Envelope, domain: Domain) -> KeyCardMessage:
    card = parse_keycard(envelope.body)
    _signed_by(card.owner, card.digest(domain), envelope.sig)
    return KeyCardMessage(id=envelope.id, at=envelope.at, card=card, sig=Signature(envelope.sig))


def _signed_by(signer: Address, digest: Digest, sig: bytes) -> None:
    if recover(digest, sig) != signer:
        raise PeerError("a signature is not of the message's author")


OPENERS: Mapping[str, Callable[[Envelope, Domain], GossipMessage]] = MappingProxyType(
    {
        "request": _request,
        "bids": _bids,
        "commit": _commit,
        "receipt": _receipt,
        "secret": _secret,
        "report": _report,
        "keycard": _keycard,
    }
)
