"""Content: everything a run needs, by content address; local store first, then peers.

    Request.program ─▶ manifest ─▶ module, files          kind 2
    Request.inputRoot ─▶ list of shard roots ─▶ the shard's input
    Request.inputRoot ─▶ the search's data blob           kind 1

A peer chooses what these addresses hold, so everything is checked here, before an Ack binds us: sizes before
the bytes are fetched where the address tells, the manifest's own rules, the engine, the deployment's fuel.

Two limits apply. The engine's own are the same everywhere: a program beyond them ends as invalid. `Caps` are what
this node's operator takes on, and bind its own bids only: what others run must still be recomputed here. Verdicts
follow from a program's bytes, so they are remembered, and the next request for a refused program gets no bid.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import trio

from blockedge_node.core import items
from blockedge_node.core.ids import Address, Root
from blockedge_node.core.job import (
    MAX_FILES,
    MAX_FUEL,
    MAX_MEMORY,
    MAX_STDIN,
    MAX_STDOUT,
    MAX_WASM,
    MIB,
    PowJob,
    WasmJob,
)
from blockedge_node.core.task import Kind, Request
from blockedge_node.errors import NotTaken, PeerError, Transient
from blockedge_node.wire.manifest import MAX_MANIFEST, Manifest

BUNDLE_STDOUT = 16 * MIB  # of all answers together: what every node takes on by default
VERDICTS_REMEMBERED = 256
MAX_POW_DATA = 1024  # one chunk, so that the contract can hash it (docs/protocol.md §6.1)


class Objection(NamedTuple):
    """Why a program is not taken on: a code that its requester reads, a sentence for people here."""

    code: str
    why: str

    def refusal(self) -> NotTaken:
        return NotTaken(self.code, self.why)


K = TypeVar("K", bound=Hashable)
Verdict = Objection | Literal[False]  # False: looked at, and nothing against it


def _over(what: str, found: int, cap: int) -> Objection | None:
    if found <= cap:
        return None
    why = f"{what} of {found} is more than this node takes on: programs.{what} is {cap}"
    return Objection(f"program_{what}", why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The largest program that a node takes on (config/node.toml, [programs]): sizes in bytes, fuel a unit. By
    default whatever the engine can run."""

    wasm: int = MAX_WASM
    functions: int | None = None
    memory: int = MAX_MEMORY
    stdin: int = MAX_STDIN
    files: int = MAX_FILES
    stdout: int = MAX_STDOUT
    fuel: int = MAX_FUEL

    def manifest(self, manifest: Manifest) -> Objection | None:
        """Why such a program is not taken on, or None."""
        memory = _over("memory", manifest.memory, self.memory)
        return memory or _over("stdout", manifest.stdout_max, self.stdout)


ALL = Caps()


class _TooLarge(PeerError):
    """A blob that is larger than what is taken; its leaf hashes were there to prove it."""

    def __init__(self, root: Root, why: str) -> None:
        super().__init__(why)
        self.root = root


class BlobStore(Protocol):
    def get(self, root: Root) -> bytes | None: ...

    def size(self, root: Root) -> int | None: ...

    def has(self, root: Root) -> bool: ...

    def put(self, data: bytes) -> Root: ...


class Fetcher(Protocol):
    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int) -> None:
        """Have the blob in the store. Raises Transient if no holder serves it, PeerError if it is too large."""


class Checker(Protocol):
    async def __call__(self, job: WasmJob, *, functions: int | None = None) -> str | None:
        """Why the job's module is none that the engine runs here, with so many functions at most, or None. Raises
        Transient."""


class ContentStore:
    """The port `Content` over a blob store, the network and the executor's check of modules.

    `room` says why a job could never be run here for want of memory, or None.
    """

    def __init__(
        self,
        blobs: BlobStore,
        fetcher: Fetcher,
        engines: Collection[str],
        check: Checker,
        caps: Caps = ALL,
        room: Callable[[WasmJob], str | None] = lambda job: None,
    ) -> None:
        self.blobs = blobs
        self._fetcher = fetcher
        self._engines = engines
        self._check = check
        self._caps = caps
        self._room = room
        self._own: _Verdicts[Root] = _Verdicts()  # programs that this node does not take on
        self._modules: _Verdicts[tuple[Root, int, int | None]] = _Verdicts()  # as the executor checks them

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int = MAX_STDIN) -> None:
        if not self.blobs.has(root):
            await self._fetcher.fetch(root, holders, max_size=max_size)

    def objection(self, request: Request) -> Objection | None:
        """Why an award of this request would be refused, as far as is known without asking anybody, or None."""
        if request.kind != Kind.WASM:
            return None
        if over := _over("fuel", request.fuel, self._caps.fuel):
            return over
        known = self._own.get(request.program)
        if known is not None or not self.blobs.has(request.program):
            return known or None
        try:
            manifest = self._manifest(request)
        except PeerError as error:
            return Objection("program", str(error))
        compiled = self._modules.get((manifest.wasm, manifest.memory, self._caps.functions))
        return self._caps.manifest(manifest) or self._oversize(manifest) or compiled or None

    async def fetch_task(
        self, request: Request, shard: int, *, own: bool = False, holders: Sequence[Address] = ()
    ) -> None:
        """Everything that running `shard` takes, checked; `own` if this node may still refuse to work on it.
        `holders` are asked after the requester.

        Raises PeerError (never ack it) or Transient."""
        holders = (request.requester, *holders)
        if request.kind == Kind.POW:
            await self.fetch(request.input_root, holders, max_size=MAX_POW_DATA)
            return
        if own and (known := self.objection(request)):
            raise known.refusal()
        await self._fetch_all(
            {request.program: MAX_MANIFEST, request.input_root: 32 * request.shards}, holders
        )
        manifest = self._manifest(request)
        caps = self._caps if own else ALL
        if over := caps.manifest(manifest):
            raise self._refusal(request, over, own=own)
        shard_root = self._shard_root(request, shard)
        parts = dict.fromkeys(manifest.roots(), caps.files) | {manifest.wasm: caps.wasm}
        try:
            await self._fetch_all({shard_root: caps.stdin} | parts, holders)
        except _TooLarge as error:
            if error.root not in parts:
                raise NotTaken("program_stdin", str(error)) from error
            part = "wasm" if error.root == manifest.wasm else "files"
            raise self._refusal(request, Objection(f"program_{part}", str(error)), own=own) from error
        if over := _over("stdin", self.blobs.size(shard_root) or 0, caps.stdin):
            raise over.refusal()
        if own and (over := self._oversize(manifest)):
            raise self._refusal(request, over, own=own)
        if own and (why := self._room(self._wasm_job(request, manifest, shard))):
            raise NotTaken("program_memory", why)  # with this input: perhaps not with another
        if found := await self._compiled(manifest, request.shards, caps):
            raise self._refusal(request, found, own=own)

    def _refusal(self, request: Request, objection: Objection, *, own: bool) -> NotTaken:
        """What to raise; of our own work remembered, for the next request's sake."""
        if own:
            self._own.add(request.program, objection)
        return objection.refusal()

    def _oversize(self, manifest: Manifest) -> Objection | None:
        """What fetching does not see: parts that were here already, and the files together."""
        files = sum(self.blobs.size(root) or 0 for root in manifest.files.values())
        wasm = self.blobs.size(manifest.wasm) or 0
        return _over("wasm", wasm, self._caps.wasm) or _over("files", files, self._caps.files)

    async def _compiled(self, manifest: Manifest, shards: int, caps: Caps) -> Verdict:
        """A module that could only ever end as invalid, or has too many functions, is compiled once to know it;
        raises PeerError for arguments that no run can have."""
        manifest.arguments(shards - 1, shards)
        key = (manifest.wasm, manifest.memory, caps.functions)
        known = self._modules.get(key)
        if known is None:
            bare = replace(manifest, files={})
            job = bare.job(wasm=self._need(manifest.wasm), stdin=b"", shard=shards - 1, shards=shards)
            wrong = await self._check(job, functions=caps.functions)
            why = f"the program would not run here: {wrong}"
            known = Objection("program_unfit", why) if wrong else False
            self._modules.add(key, known)
        return known

    async def examine(self, program: Root, *, fuel: int, shards: int) -> None:
        """Before a request of our own is published: raises PeerError if no node would run the stored program for
        it, Transient if this cannot be found out now."""
        manifest = Manifest.decode(self._need(program))
        if manifest.engine not in self._engines:
            engines = ", ".join(sorted(self._engines))
            raise PeerError(f"its engine is {manifest.engine}; this node has {engines}")
        if manifest.fuel != fuel:
            raise PeerError(f"the program's manifest grants {manifest.fuel} fuel a unit, the job {fuel}")
        if wrong := await self._compiled(manifest, shards, ALL):
            raise wrong.refusal()

    async def _fetch_all(self, sizes: Mapping[Root, int], holders: Sequence[Address]) -> None:
        """Have all of them, at most so many bytes each. Raises _TooLarge or Transient for the first that failed."""
        faults: list[PeerError | Transient] = []

        async def one(root: Root, max_size: int) -> None:
            try:
                await self.fetch(root, holders, max_size=max_size)
            except (PeerError, Transient) as fault:
                faults.append(_TooLarge(root, str(fault)) if isinstance(fault, PeerError) else fault)
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
        return self._wasm_job(request, self._manifest(request), shard)

    def _wasm_job(self, request: Request, manifest: Manifest, shard: int) -> WasmJob:
        return manifest.job(
            wasm=self._need(manifest.wasm),
            stdin=self._need(self._shard_root(request, shard)),
            shard=shard,
            shards=request.shards,
            files={path: self._need(root) for path, root in manifest.files.items()},
        )

    def pack(self, program: Root, inputs: Sequence[Root], fuel: int) -> tuple[Root, Root]:
        manifest = Manifest.decode(self._need(program))
        room = min(BUNDLE_STDOUT, len(inputs) * (manifest.stdout_max + items.ANSWER))
        mapped = replace(manifest, fuel=fuel, stdout_max=room, merge="concat", mapped=True)
        listed = self.blobs.put(items.join(self._need(root) for root in inputs))
        self.blobs.put(listed)  # the list of shards' roots, of which there is one
        return self.blobs.put(mapped.encode()), listed

    def put(self, data: bytes) -> Root:
        return self.blobs.put(data)

    def get(self, root: Root) -> bytes | None:
        return self.blobs.get(root)

    def _need(self, root: Root) -> bytes:
        data = self.blobs.get(root)
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


class _Verdicts(Generic[K]):
    """The last VERDICTS_REMEMBERED that were asked for."""

    def __init__(self) -> None:
        self._known: OrderedDict[K, Verdict] = OrderedDict()

    def get(self, key: K) -> Verdict | None:
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def add(self, key: K, verdict: Verdict) -> None:
        self._known[key] = verdict
        if len(self._known) > VERDICTS_REMEMBERED:
            self._known.popitem(last=False)
