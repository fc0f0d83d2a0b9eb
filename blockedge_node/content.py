"""Content: everything a run needs, by content address; local store first, then peers.

    Request.program ─▶ manifest ─▶ module, files          kind 2
    Request.inputRoot ─▶ list of shard roots ─▶ the shard's input
    Request.inputRoot ─▶ the search's data blob           kind 1

A peer chooses what these addresses hold, so everything is checked here, before an Ack binds us: sizes before
the bytes are fetched where the address tells, the manifest's own rules, the engine, the deployment's fuel.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import trio

from blockedge_node.core.ids import Address, Root
from blockedge_node.core.job import MAX_FILES, MAX_STDIN, MAX_WASM, PowJob, WasmJob
from blockedge_node.core.task import Kind, Request
from blockedge_node.errors import PeerError, Transient
from blockedge_node.wire.manifest import MAX_MANIFEST, Manifest

PROGRAMS_REMEMBERED = 256
MAX_POW_DATA = 1024  # one chunk, so that the contract can hash it (docs/protocol.md §6.1)


class BlobStore(Protocol):
    def get(self, root: Root) -> bytes | None: ...

    def has(self, root: Root) -> bool: ...

    def put(self, data: bytes) -> Root: ...


class Fetcher(Protocol):
    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int) -> None:
        """Have the blob in the store. Raises Transient if no holder serves it, PeerError if it is too large."""


class Checker(Protocol):
    async def __call__(self, job: WasmJob) -> str | None:
        """Why the job's module is none that the engine runs, or None. Raises Transient."""


class ContentStore:
    """The port `Content` over a blob store, the network and the executor's check of modules."""

    def __init__(self, blobs: BlobStore, fetcher: Fetcher, engines: Collection[str], check: Checker) -> None:
        self._blobs = blobs
        self._fetcher = fetcher
        self._engines = engines
        self._check = check
        self._checked: OrderedDict[Root, str] = OrderedDict()  # program → what is wrong with it, or ""

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int = MAX_STDIN) -> None:
        if not self._blobs.has(root):
            await self._fetcher.fetch(root, holders, max_size=max_size)

    async def fetch_task(self, request: Request, shard: int) -> None:
        """Everything that running `shard` takes, checked. Raises PeerError (never ack it) or Transient."""
        holders = (request.requester,)
        if request.kind == Kind.POW:
            await self.fetch(request.input_root, holders, max_size=MAX_POW_DATA)
            return
        await self._fetch_all(
            {request.program: MAX_MANIFEST, request.input_root: 32 * request.shards}, holders
        )
        manifest = self._manifest(request)
        shard_root = self._shard_root(request, shard)
        parts = dict.fromkeys(manifest.roots(), max(MAX_WASM, MAX_FILES))
        await self._fetch_all({shard_root: MAX_STDIN} | parts | {manifest.wasm: MAX_WASM}, holders)
        await self._check_program(request, shard)

    async def _fetch_all(self, sizes: Mapping[Root, int], holders: Sequence[Address]) -> None:
        """Have all of them, at most so many bytes each. Raises what the first that failed raised."""
        faults: list[PeerError | Transient] = []

        async def one(root: Root, max_size: int) -> None:
            try:
                await self.fetch(root, holders, max_size=max_size)
            except (PeerError, Transient) as fault:
                faults.append(fault)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for root, max_size in sizes.items():
                nursery.start_soon(one, root, max_size)
        if faults:
            raise faults[0]

    def job(self, request: Request, shard: int) -> WasmJob | PowJob:
        """The executor's job, after `fetch_task`. Raises PeerError if the parts break a rule together."""
        if request.kind == Kind.POW:
            return PowJob(data=self._need(request.input_root), shard=shard)
        manifest = self._manifest(request)
        return manifest.job(
            wasm=self._need(manifest.wasm),
            stdin=self._need(self._shard_root(request, shard)),
            shard=shard,
            shards=request.shards,
            files={path: self._need(root) for path, root in manifest.files.items()},
        )

    async def _check_program(self, request: Request, shard: int) -> None:
        """Compile it once. Raises PeerError for a module that could only ever end as invalid."""
        if request.program not in self._checked:
            job = self.job(request, shard)
            assert isinstance(job, WasmJob)
            self._checked[request.program] = await self._check(job) or ""
            if len(self._checked) > PROGRAMS_REMEMBERED:
                self._checked.popitem(last=False)
        wrong = self._checked[request.program]
        if wrong:
            raise PeerError(f"the program would not run here: {wrong}")

    def put(self, data: bytes) -> Root:
        return self._blobs.put(data)

    def get(self, root: Root) -> bytes | None:
        return self._blobs.get(root)

    def _need(self, root: Root) -> bytes:
        data = self._blobs.get(root)
        if data is None:
            raise Transient(f"blob {root.hex()} is not in the store any more; it will be fetched again")
        return data

    def _manifest(self, request: Request) -> Manifest:
        manifest = Manifest.decode(self._need(request.program))
        if manifest.engine not in self._engines:
            raise PeerError(f"engine {manifest.engine} is not one this node runs")
        if manifest.fuel != request.fuel:
            raise PeerError(f"the manifest grants {manifest.fuel} fuel, the request {request.fuel}")
        return manifest

    def _shard_root(self, request: Request, shard: int) -> Root:
        listing = self._need(request.input_root)
        if len(listing) != 32 * request.shards:
            raise PeerError(f"the input list has {len(listing)} bytes for {request.shards} shards")
        return Root(listing[32 * shard : 32 * shard + 32])
