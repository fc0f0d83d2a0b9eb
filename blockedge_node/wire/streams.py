"""What two nodes say to each other alone: an exchange a stream, framed CBOR (docs/protocol.md §2.3).

    /award    envelope award (Request ‖ Bid ‖ Award, three signatures) → envelope ack, or envelope refused
    /result   envelope result (unit ‖ worker ‖ Result)                 → envelope receipt, or envelope refused
    /watch    envelope watch (Watch ‖ output, its worker's signature)  → envelope kept, or envelope refused
    /blob     {v, root, first, count}                                  → {v, size, leaves}, then bare chunks

An award carries the whole chain of promises, so its reader needs nothing else to check it. A result is
unsigned: its output is checked against its root, and a false one costs the reader a fetch. The leaf hashes of
a blob come joined into one byte string; the `count` chunks from `first` on follow it without frames, for
`size` tells their lengths.

Every `open_…` raises PeerError for bad data and Rejected for a refusal, and checks what can be checked from
the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core import merkle
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain, abi_words
from blockedge_node.core.ids import Address, Digest, Hash, Root, Signature, UnitId
from blockedge_node.core.structs import Struct, solidity_types
from blockedge_node.core.task import Ack, Award, Bid, Receipt, Request, Result
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import PeerError, Rejected
from blockedge_node.wire import codec
from blockedge_node.wire.eip712 import recover
from blockedge_node.wire.messages import SIG_SIZE, VERSION, Envelope, open_envelope, parsed, same, seal

MAX_REASON = 200  # bytes of a refusal's reason
MAX_INLINE = 1024  # bytes of an output that travels with what names it (§10)
WATCH_SIZE = 32 * len(solidity_types(Watch.TYPE))
MAX_BLOB = 256 * 1024 * 1024  # bytes (docs/execution.md: the largest input or file set)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardMessage:
    """An award whose three signatures and links hold; whether to accept it is the worker's to decide."""

    signed: SignedAward
    digest: Digest  # of the Award


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMessage:
    unit: UnitId
    worker: Address
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchMessage:
    """A watch and who signed it. `output` is whole, or empty where it is not inline."""

    client: Address
    watch: Watch
    output: bytes
    digest: Digest  # of the Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobAsk:
    """Which chunks of a blob are wanted; count = 0 asks for the leaf hashes alone."""

    root: Root
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobHead:
    """A blob's size in bytes and all its leaf hashes, already checked against its root."""

    size: int
    leaves: tuple[Hash, ...]


# ── award ────────────────────────────────────────────────────────────────────────────────────────────────


def build_award(domain: Domain, signed: SignedAward, at: int) -> bytes:
    body = signed.request.words() + signed.bid.words() + signed.award.words()
    return seal(domain, "award", body, signed.request_sig + signed.bid_sig + signed.award_sig, at)


def open_award(raw: bytes, domain: Domain) -> AwardMessage:
    envelope = _expected(raw, domain, "award")
    parts = _split(envelope.body, Request, Bid, Award)
    if len(envelope.sig) != 3 * SIG_SIZE:
        raise PeerError("an award comes with three signatures")
    sigs = [Signature(envelope.sig[i : i + SIG_SIZE]) for i in range(0, 3 * SIG_SIZE, SIG_SIZE)]
    request, bid, award = parsed(Request, parts[0]), parsed(Bid, parts[1]), parsed(Award, parts[2])
    task, bid_digest, digest = request.task(domain), bid.digest(domain), award.digest(domain)
    if not task == bid.task == award.task or award.bid != bid_digest or bid.shard != award.shard:
        raise PeerError("the award, its bid and its request do not belong together")
    if bid.shard >= request.shards:
        raise PeerError("the award is for a shard that the task does not have")
    if recover(Digest(task), sigs[0]) != request.requester or recover(digest, sigs[2]) != request.requester:
        raise PeerError("the award is not signed by the requester")
    if recover(bid_digest, sigs[1]) != bid.worker:
        raise PeerError("the bid is not signed by the worker")
    signed = SignedAward(
        request=request, request_sig=sigs[0], bid=bid, bid_sig=sigs[1], award=award, award_sig=sigs[2]
    )
    return AwardMessage(signed=signed, digest=digest)


def build_ack(domain: Domain, ack: Ack, sig: Signature, at: int) -> bytes:
    return seal(domain, "ack", ack.words(), sig, at)


def open_ack(raw: bytes, domain: Domain, award: Award, worker: Address) -> tuple[Ack, Signature]:
    """The answer to our award: `worker`'s Ack of it, within its times. Raises Rejected with the refusal's
    reason.
    """
    envelope = _expected(raw, domain, "ack")
    ack = parsed(Ack, envelope.body)
    if ack.award != award.digest(domain) or recover(ack.digest(domain), envelope.sig) != worker:
        raise PeerError("the Ack is not the worker's, or of another award")
    if not award.not_before <= ack.start_at <= award.register_by:
        raise PeerError("the Ack's startAt is outside of the award's times")
    return ack, Signature(envelope.sig)


def build_refusal(domain: Domain, reason: str, at: int) -> bytes:
    """Says no on a stream of ours; `reason` is short, stable and machine-readable, e.g. "price.risk"."""
    return seal(domain, "refused", reason.encode()[:MAX_REASON], b"", at)


# ── result ───────────────────────────────────────────────────────────────────────────────────────────────


def build_result(domain: Domain, unit: UnitId, worker: Address, result: Result, at: int) -> bytes:
    return seal(domain, "result", abi_words(unit, worker) + result.words(), b"", at)


def open_result(raw: bytes, domain: Domain) -> ResultMessage:
    envelope = _expected(raw, domain, "result")
    if len(envelope.body) < 64 or any(envelope.body[32:44]) or envelope.sig:
        raise PeerError("a result's body is malformed")
    return ResultMessage(
        unit=UnitId(envelope.body[:32]),
        worker=Address(envelope.body[44:64]),
        result=parsed(Result, envelope.body[64:]),
    )


def open_receipt(
    raw: bytes, domain: Domain, unit: UnitId, result: Result
) -> tuple[Receipt, Address, Signature]:
    """The answer to our result, and who signed it: its UE or requester should have. Raises Rejected."""
    envelope = _expected(raw, domain, "receipt")
    receipt = parsed(Receipt, envelope.body)
    if receipt.unit != unit or receipt.result_hash != result.hash():
        raise PeerError("the receipt is for another result")
    return receipt, recover(receipt.digest(domain), envelope.sig), Signature(envelope.sig)


# ── watch ────────────────────────────────────────────────────────────────────────────────────────────────


def build_watch(domain: Domain, watch: Watch, output: bytes, sig: Signature, at: int) -> bytes:
    return seal(domain, "watch", watch.words() + output, sig, at)


def open_watch(raw: bytes, domain: Domain) -> WatchMessage:
    envelope = _expected(raw, domain, "watch")
    watch, output = parsed(Watch, envelope.body[:WATCH_SIZE]), envelope.body[WATCH_SIZE:]
    if output and (len(output) > MAX_INLINE or merkle.root(output) != watch.output_root):
        raise PeerError("a watch's output is too large, or not the one it names")
    digest = watch.digest(domain)
    return WatchMessage(client=recover(digest, envelope.sig), watch=watch, output=output, digest=digest)


def build_kept(domain: Domain, kept: Kept, sig: Signature, at: int) -> bytes:
    return seal(domain, "kept", kept.words(), sig, at)


def open_kept(raw: bytes, domain: Domain, watch: Watch) -> Kept:
    """The answer to our watch, signed by the tower it is for. Raises Rejected with the refusal's reason."""
    envelope = _expected(raw, domain, "kept")
    kept = parsed(Kept, envelope.body)
    if kept.watch != watch.digest(domain) or recover(kept.digest(domain), envelope.sig) != watch.tower:
        raise PeerError("the answer is not the tower's, or to another watch")
    return kept


# ── blob ─────────────────────────────────────────────────────────────────────────────────────────────────


def build_blob_ask(ask: BlobAsk) -> bytes:
    return codec.encode({"v": VERSION, "root": ask.root, "first": ask.first, "count": ask.count})


def open_blob_ask(raw: bytes) -> BlobAsk:
    value = codec.decode(raw, codec.EXCHANGE_LIMIT)
    if not isinstance(value, dict) or value.keys() != {"v", "root", "first", "count"}:
        raise PeerError("not a question for a blob")
    root, first, count = value["root"], value["first"], value["count"]
    most = merkle.chunk_count(MAX_BLOB)
    if not same(value["v"], VERSION) or not isinstance(root, bytes) or len(root) != 32:
        raise PeerError("not a question for a blob")
    if type(first) is not int or type(count) is not int or not (0 <= first < most and 0 <= count <= most):
        raise PeerError("the question is for chunks that no blob has")
    return BlobAsk(root=Root(root), first=first, count=count)


def build_blob_head(head: BlobHead | None) -> bytes:
    """The answer's first message; None where the blob is not held (its leaves are then empty)."""
    size, leaves = (head.size, b"".join(head.leaves)) if head else (0, b"")
    return codec.encode({"v": VERSION, "size": size, "leaves": leaves})


def open_blob_head(raw: bytes, root: Root) -> BlobHead | None:
    """What is known of the blob `root`; None if the peer does not hold it. Read with codec.LEAVES_LIMIT."""
    value = codec.decode(raw, codec.LEAVES_LIMIT)
    if not isinstance(value, dict) or value.keys() != {"v", "size", "leaves"}:
        raise PeerError("not the head of a blob")
    size, joined = value["size"], value["leaves"]
    if not same(value["v"], VERSION) or type(size) is not int or not isinstance(joined, bytes):
        raise PeerError("not the head of a blob")
    if not joined and size == 0:
        return None
    if not 0 <= size <= MAX_BLOB or len(joined) != 32 * merkle.chunk_count(size):
        raise PeerError("a blob's leaf hashes do not match its size")
    leaves = tuple(Hash(joined[i : i + 32]) for i in range(0, len(joined), 32))
    if not merkle.fits(leaves, root, size):
        raise PeerError("a blob's leaf hashes do not match its root")
    return BlobHead(size=size, leaves=leaves)


# ── small parts ──────────────────────────────────────────────────────────────────────────────────────────


def _expected(raw: bytes, domain: Domain, t: str) -> Envelope:
    envelope = open_envelope(raw, domain, codec.EXCHANGE_LIMIT)
    if envelope.t == "refused" and t in ("ack", "receipt", "kept"):
        raise Rejected(envelope.body[:MAX_REASON].decode("utf-8", errors="replace"))
    if envelope.t != t:
        raise PeerError(f"expected {t} on this stream, got {envelope.t[:20]!r}")
    return envelope


def _split(body: bytes, *classes: type[Struct]) -> list[bytes]:
    """The parts of joined static structs. Raises PeerError if the lengths do not add up."""
    parts, at = [], 0
    for cls in classes:
        size = 32 * len(solidity_types(cls.TYPE))
        parts.append(body[at : at + size])
        at += size
    if at != len(body):
        raise PeerError("a message's body has the wrong length")
    return parts
