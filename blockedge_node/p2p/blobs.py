"""Content by its root, from whoever holds it (docs/protocol.md §2.3).

The client learns size and leaf hashes first, checks them against the root, then checks every chunk on arrival and
writes it through to the store. What is there stays there: another peer, a new connection or the next start of the
node continues at the first chunk that is missing. A blob that fits into one exchange is taken or dropped whole.
Several who want one root share one transfer.

The server hands out only what is in the store, to each peer at most `blob_rate` and `streams_per_peer` at a time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakValueDictionary

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.peer.id import ID

from blockedge_node.core import merkle
from blockedge_node.core.ids import Address, Hash, Root, short
from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.directory import Directory
from blockedge_node.p2p.host import Link
from blockedge_node.p2p.limits import Buckets
from blockedge_node.p2p.peers import Peers
from blockedge_node.p2p.serving import Server
from blockedge_node.p2p.settings import Settings
from blockedge_node.wire import codec, streams
from blockedge_node.wire.streams import BlobAsk, BlobHead

log = structlog.get_logger(__name__)

BLOB: Final = "/blockedge/1/blob"
BAD_CONTENT_POINTS: Final = 50.0
BATCH: Final = 64  # chunks read, checked and written at a time: 64 KiB
SMALL: Final = 1024  # chunks whose leaf hashes are checked in this thread; more would stall the node
ALL: Final = merkle.chunk_count(streams.MAX_BLOB)  # asked for: a server sends what there is
STRANGERS: Final = 8  # connected peers asked after the named holders


class Partial(Protocol):
    """A download in progress: chunks come in order, each is checked, what came stays."""

    next: int  # the first chunk that is missing

    @property
    def complete(self) -> bool: ...

    def add(self, chunk: bytes) -> None:
        """Take chunk `next`. Raises PeerError if it is not that chunk."""

    def finish(self) -> None:
        """All chunks are there: put the blob in its place, on disk."""

    def close(self) -> None:
        """End this attempt."""


class Blobs(Protocol):
    """What the store must offer; `put`, `partial` and `finish` may be slow and run in a thread."""

    def has(self, root: Root) -> bool: ...

    def put(self, data: bytes) -> Root: ...

    def size(self, root: Root) -> int | None: ...

    def leaves(self, root: Root) -> Sequence[Hash] | None: ...

    def chunks(self, root: Root, first: int, count: int) -> bytes:
        """Chunks [first, first + count) joined, fewer where the blob ends; b"" if it is not here."""

    def partial(self, root: Root, size: int, leaves: Sequence[Hash]) -> Partial:
        """A download, resumed where an earlier one ended. Raises Transient if there is no room."""


@dataclass(slots=True)
class Transfer:
    """What one `fetch` is about, kept over all the peers it takes."""

    root: Root
    max_size: int  # bytes we take
    partial: Partial | None = None

    @property
    def came(self) -> int:
        return self.partial.next if self.partial is not None else 0


class TooLarge(PeerError):
    """Whoever made this blob is at fault, not whoever serves it."""


class Contents:
    """Both ends of the blob protocol."""

    def __init__(
        self,
        *,
        blobs: Blobs,
        settings: Settings,
        peers: Peers,
        directory: Directory,
        link: Callable[[], Link],
    ) -> None:
        self._blobs, self._settings, self._peers = blobs, settings, peers
        self._directory, self._link = directory, link
        self._rates = Buckets(settings.blob_rate, trio.current_time)
        self._fetching: dict[Root, trio.Event] = {}
        self._asking: WeakValueDictionary[ID, trio.Semaphore] = WeakValueDictionary()

    def prepare(self, link: Link, server: Server) -> None:
        server.serve(link, BLOB, self._serve, self._settings.streams_per_peer)

    # ── serving ──────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, stream: INetStream, peer: ID) -> None:
        step = self._settings.step_timeout
        ask = streams.open_blob_ask(await frames.read_frame(stream, step))
        size, leaves = self._blobs.size(ask.root), self._blobs.leaves(ask.root)
        if size is None or leaves is None or size > self._settings.blob_limit:
            await frames.write_frame(stream, streams.build_blob_head(None), step)
            return
        head = streams.build_blob_head(BlobHead(size=size, leaves=tuple(leaves)))
        last = min(len(leaves), ask.first + ask.count)
        total = len(head) + merkle.CHUNK * max(0, last - ask.first)
        with _give_up_after(step + total / self._settings.blob_floor):
            await self._pay(peer, len(head))
            await frames.write_frame(stream, head, step, codec.LEAVES_LIMIT)
            for first in range(ask.first, last, BATCH):
                data = self._blobs.chunks(ask.root, first, min(BATCH, last - first))
                if not data:
                    raise Transient("the blob was pruned while it was served")
                await self._pay(peer, len(data))
                await frames.write_all(stream, data, step)

    async def _pay(self, peer: ID, size: int) -> None:
        await trio.sleep(self._rates.owe(peer, size))

    # ── fetching ─────────────────────────────────────────────────────────────────────────────────────────

    async def fetch_ahead(self, root: Root, holder: Address, max_size: int) -> None:
        """`fetch` for somebody who is about to ask for it, and will hear then what is wrong."""
        with suppress(Transient, PeerError):
            await self.fetch(root, (holder,), max_size)

    async def fetch(self, root: Root, holders: Sequence[Address], max_size: int | None = None) -> None:
        """Have `root` in the store, whole.

        Args: holders: addresses to ask first; other connected peers after them. max_size: in bytes.
        Raises: Transient while nobody serves it; PeerError if it is larger than we take.
        """
        limit = self._settings.blob_limit
        while not self._blobs.has(root):
            running = self._fetching.get(root)
            if running is not None:
                await running.wait()  # it may fail for reasons of its holders: then it is our turn
                continue
            self._fetching[root] = done = trio.Event()
            try:
                await self._fetch(root, holders, min(max_size or limit, limit))
            finally:
                del self._fetching[root]
                done.set()

    async def _fetch(self, root: Root, holders: Sequence[Address], max_size: int) -> None:
        transfer, progress = Transfer(root, max_size), True
        try:
            while progress:  # a pass that brought something is worth another
                progress = False
                for peer in self._candidates(holders):
                    before = transfer.came
                    try:
                        await self._from_peer(peer, transfer)
                        return
                    except TooLarge:
                        raise
                    except PeerError as error:
                        self._peers.fault(peer, BAD_CONTENT_POINTS, f"{BLOB}: {error}")
                    except Transient as error:
                        log.debug("blob not served", root=short(root), peer=str(peer), error=str(error))
                    progress |= transfer.came > before
        finally:
            if transfer.partial is not None:
                transfer.partial.close()
        raise Transient(f"nobody serves blob {short(root)}")

    def _candidates(self, holders: Sequence[Address]) -> list[ID]:
        named = [peer for who in holders for peer in self._directory.peers_of(who)]
        others = self._peers.connected()
        random.shuffle(others)
        found = list(dict.fromkeys(named + [p for p in others if p not in named][:STRANGERS]))
        return [p for p in found if p != self._peers.me and not self._peers.is_banned(p)]

    async def _from_peer(self, peer: ID, transfer: Transfer) -> None:
        """The rest of the blob from one peer. Raises Transient, PeerError if what it sent is false, TooLarge."""
        await self._peers.reach(peer)
        if transfer.partial is None:  # enough for most blobs, and we learn where an earlier download ended
            await self._ask(peer, transfer, 0, BATCH)
        if transfer.partial is None:
            return
        if not transfer.partial.complete:
            await self._ask(peer, transfer, transfer.partial.next, ALL)
        await trio.to_thread.run_sync(transfer.partial.finish)

    async def _ask(self, peer: ID, transfer: Transfer, first: int, count: int) -> None:
        """Chunks from `first` on, in one exchange; a blob that has no more is stored without a `partial`."""
        step = self._settings.step_timeout
        ask = streams.build_blob_ask(BlobAsk(root=transfer.root, first=first, count=count))
        # A peer resets what is beyond its limit; half of ours leaves room for streams that it is still closing.
        some = trio.Semaphore(max(1, self._settings.streams_per_peer // 2))
        async with (
            self._asking.setdefault(peer, some),
            frames.asked(self._link().host, peer, BLOB, ask, step) as stream,
        ):
            head = await _open_head(await frames.read_frame(stream, step, codec.LEAVES_LIMIT), transfer.root)
            if head is None:
                raise Transient("the peer does not hold it")
            if head.size > transfer.max_size:
                raise TooLarge(
                    f"blob {short(transfer.root)} has {head.size} bytes; at most {transfer.max_size} are taken"
                )
            if transfer.partial is None and len(head.leaves) <= count:
                await self._take_whole(transfer.root, await frames.read_exactly(stream, head.size, step))
                return
            if transfer.partial is None:
                transfer.partial = await trio.to_thread.run_sync(
                    self._blobs.partial, transfer.root, head.size, head.leaves
                )
            last = min(len(head.leaves), first + count)
            with _give_up_after(step + merkle.CHUNK * (last - first) / self._settings.blob_floor):
                for index in range(first, last, BATCH):
                    size = min(head.size, merkle.CHUNK * min(last, index + BATCH)) - merkle.CHUNK * index
                    _take(transfer.partial, index, await frames.read_exactly(stream, size, step))

    async def _take_whole(self, root: Root, data: bytes) -> None:
        if merkle.root(data) != root:
            raise PeerError(f"the bytes of blob {short(root)} are false")
        await trio.to_thread.run_sync(self._blobs.put, data)


def _take(partial: Partial, first: int, data: bytes) -> None:
    """Add the chunks in `data`, which begins with chunk `first`. Raises PeerError at the first false one."""
    for chunk in merkle.chunks(data):
        if first >= partial.next:
            partial.add(chunk)
        first += 1


async def _open_head(raw: bytes, root: Root) -> BlobHead | None:
    if len(raw) < 32 * SMALL:
        return streams.open_blob_head(raw, root)
    return await trio.to_thread.run_sync(streams.open_blob_head, raw, root)


@contextmanager
def _give_up_after(seconds: float) -> Iterator[None]:
    """A peer may be slow, but not for ever: it holds a stream."""
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise Transient(f"the transfer took longer than {seconds:.0f} s") from None
