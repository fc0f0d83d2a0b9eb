"""What a task needs is fetched by address and checked before an Ack binds us."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from blockedge_node.content import Caps, ContentStore
from blockedge_node.core import merkle
from blockedge_node.core.events import RequestHeard
from blockedge_node.core.ids import Address, Root
from blockedge_node.core.job import ENGINE, PowJob, WasmJob
from blockedge_node.core.task import Kind, Request
from blockedge_node.daemon import _with_objection
from blockedge_node.errors import NotTaken, PeerError, Transient
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.pow import Search
from blockedge_node.store.blobs import Blobs
from blockedge_node.wire.manifest import Manifest
from tests.core.builders import request, request_heard

EMPTY_WASM = b"\0asm\1\0\0\0"


class Elsewhere:
    """Another node's store, as the network would show it."""

    def __init__(self, mine: Blobs) -> None:
        self.mine = mine
        self.held: dict[Root, bytes] = {}
        self.asked: list[Root] = []

    def put(self, data: bytes) -> Root:
        root = merkle.root(data)
        self.held[root] = data
        return root

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int) -> None:
        self.asked.append(root)
        if root not in self.held:
            raise Transient("nobody serves it")
        if len(self.held[root]) > max_size:
            raise PeerError("too large")
        self.mine.put(self.held[root])


async def runs(job: WasmJob, *, functions: int | None = None) -> str | None:
    return None


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(Blobs(tmp_path))


@pytest.fixture
def content(elsewhere: Elsewhere) -> ContentStore:
    return ContentStore(elsewhere.mine, elsewhere, {ENGINE}, runs)


def wasm_request(elsewhere: Elsewhere, inputs: Sequence[bytes], **changes: Any) -> Request:
    manifest = Manifest(wasm=elsewhere.put(EMPTY_WASM), argv=("it",), fuel=1000)
    manifest = replace(manifest, **changes)
    roots = [elsewhere.put(data) for data in inputs]
    return request(
        kind=Kind.WASM,
        shards=len(inputs),
        fuel=1000,
        program=elsewhere.put(manifest.encode()),
        input_root=elsewhere.put(b"".join(roots)),
    )


async def test_shard_is_fetched_whole_and_nothing_of_the_others(
    elsewhere: Elsewhere, content: ContentStore
) -> None:
    asked = wasm_request(elsewhere, [b"zero", b"one"])
    await content.fetch_task(asked, 1)
    job = content.job(asked, 1)
    assert isinstance(job, WasmJob)
    assert (job.stdin, job.wasm, job.shard, job.shards) == (b"one", EMPTY_WASM, 1, 2)
    assert merkle.root(b"zero") not in elsewhere.asked


async def test_what_is_here_is_not_asked_for_again(elsewhere: Elsewhere, content: ContentStore) -> None:
    asked = wasm_request(elsewhere, [b"zero"])
    await content.fetch_task(asked, 0)
    elsewhere.asked.clear()
    await content.fetch_task(asked, 0)
    assert elsewhere.asked == []


async def test_search_needs_one_blob(elsewhere: Elsewhere, content: ContentStore) -> None:
    data = Search(challenge=bytes(32), target=1, range_size=10).encode()
    asked = request(input_root=elsewhere.put(data))
    await content.fetch_task(asked, 0)
    assert content.job(asked, 0) == PowJob(data=data, shard=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"engine": "other/1"}, "engine other/1"), ({"fuel": 2000}, "grants 2000 fuel")],
)
async def test_program_of_another_engine_or_fuel_is_refused(
    elsewhere: Elsewhere, content: ContentStore, change: dict[str, object], words: str
) -> None:
    with pytest.raises(PeerError, match=words):
        await content.fetch_task(wasm_request(elsewhere, [b"x"], **change), 0)


async def test_input_list_that_does_not_fit_the_shards_is_refused(
    elsewhere: Elsewhere, content: ContentStore
) -> None:
    asked = replace(wasm_request(elsewhere, [b"x"]), shards=2)
    with pytest.raises(PeerError, match="32 bytes for 2 shards"):
        await content.fetch_task(asked, 0)


async def test_search_data_larger_than_a_chunk_is_refused(
    elsewhere: Elsewhere, content: ContentStore
) -> None:
    with pytest.raises(PeerError, match="too large"):
        await content.fetch_task(request(input_root=elsewhere.put(bytes(1025))), 0)


async def test_program_that_is_no_module_is_refused_by_the_real_executor(elsewhere: Elsewhere) -> None:
    """It would be committed, checked and paid as an invalid program: nobody wants that."""
    async with Pool(slots=1) as pool:
        content = ContentStore(elsewhere.mine, elsewhere, {ENGINE}, pool.check)
        asked = wasm_request(elsewhere, [b"x"], wasm=elsewhere.put(b"not a module"))
        for _ in range(2):  # the second time from memory
            with pytest.raises(PeerError, match="would not run here"):
                await content.fetch_task(asked, 0)


async def test_missing_blob_is_no_verdict(elsewhere: Elsewhere, content: ContentStore) -> None:
    asked = wasm_request(elsewhere, [b"x"])
    del elsewhere.held[merkle.root(b"x")]
    with pytest.raises(Transient):
        await content.fetch_task(asked, 0)


# -- what this node takes on


@pytest.fixture
def modest(elsewhere: Elsewhere) -> ContentStore:
    """A node whose operator allows little."""
    caps = Caps(wasm=1 << 16, functions=2, memory=1 << 20, stdin=100, files=100, stdout=1000, fuel=5000)
    return ContentStore(elsewhere.mine, elsewhere, {ENGINE}, Pool(slots=1).check, caps)


def program(functions: int = 1) -> bytes:
    """A command that does nothing, in so many functions."""
    return bytes(
        wasmtime.wat2wasm(
            f'(module (memory (export "memory") 1) (func (export "_start")) {"(func)" * (functions - 1)})'
        )
    )


SMALL = {"memory": 1 << 20, "stdout_max": 1000}


def modest_request(
    elsewhere: Elsewhere, *, wasm: bytes = b"", stdin: bytes = b"x", **changes: Any
) -> Request:
    return wasm_request(elsewhere, [stdin], **{"wasm": elsewhere.put(wasm or program()), **SMALL, **changes})


async def test_a_program_within_the_caps_is_taken_on(elsewhere: Elsewhere, modest: ContentStore) -> None:
    asked = modest_request(elsewhere)
    assert modest.objection(asked) is None  # nothing is known: bid, and find out with the award
    await modest.fetch_task(asked, 0, own=True)
    assert modest.objection(asked) is None


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        ({"memory": 2 << 20}, r"programs\.memory is 1048576", "program_memory"),
        ({"stdout_max": 1001}, r"programs\.stdout is 1000", "program_stdout"),
        ({"wasm": program(3)}, "3 functions; the limit is 2", "program_unfit"),
        ({"wasm": b"\0asm" + bytes(1 << 16)}, "too large", "program_wasm"),
        ({"wasm": b"not a module"}, "not a WebAssembly module", "program_unfit"),
        ({"files": [101]}, "too large", "program_files"),
        ({"files": [60, 50]}, r"110 .* programs\.files is 100", "program_files"),
    ],
)
async def test_a_program_over_a_cap_is_refused_at_its_award_and_gets_no_bid_from_then_on(
    elsewhere: Elsewhere, modest: ContentStore, change: dict[str, Any], words: str, code: str
) -> None:
    if "files" in change:
        change = {"files": {f"f{size}": elsewhere.put(bytes(size)) for size in change["files"]}}
    asked = modest_request(elsewhere, **change)
    assert modest.objection(asked) is None
    with pytest.raises(PeerError, match=words):
        await modest.fetch_task(asked, 0, own=True)
    objection = modest.objection(asked)
    assert objection is not None
    assert re.search(words, objection.why)
    assert objection.code == code
    elsewhere.asked.clear()
    with pytest.raises(PeerError, match=words):
        await modest.fetch_task(asked, 0, own=True)
    assert elsewhere.asked == []  # nothing is fetched for it again
    assert modest.objection(modest_request(elsewhere)) is None


async def test_the_core_hears_a_request_together_with_the_objection(
    elsewhere: Elsewhere, modest: ContentStore
) -> None:
    greedy = modest_request(elsewhere, memory=2 << 20)
    event = _with_objection(request_heard(greedy), modest)
    assert isinstance(event, RequestHeard)
    assert event.objection == ""
    with pytest.raises(NotTaken):
        await modest.fetch_task(greedy, 0, own=True)
    event = _with_objection(request_heard(greedy), modest)
    assert isinstance(event, RequestHeard)
    assert "programs.memory" in event.objection


async def test_an_input_over_its_cap_says_nothing_about_the_program(
    elsewhere: Elsewhere, modest: ContentStore
) -> None:
    with pytest.raises(PeerError, match="too large"):
        await modest.fetch_task(modest_request(elsewhere, stdin=bytes(101)), 0, own=True)
    elsewhere.mine.put(bytes(102))
    with pytest.raises(PeerError, match=r"programs\.stdin"):
        await modest.fetch_task(modest_request(elsewhere, stdin=bytes(102)), 0, own=True)
    await modest.fetch_task(modest_request(elsewhere), 0, own=True)


async def test_what_is_here_already_is_known_before_a_bid(elsewhere: Elsewhere, modest: ContentStore) -> None:
    """From an earlier task, or because this node verified somebody else's unit."""
    greedy = modest_request(elsewhere, memory=2 << 20)
    elsewhere.mine.put(elsewhere.held[greedy.program])
    assert "programs.memory" in str(modest.objection(greedy))
    large = modest_request(elsewhere, wasm=b"\0asm" + bytes(1 << 16))
    elsewhere.mine.put(elsewhere.held[large.program])
    elsewhere.mine.put(b"\0asm" + bytes(1 << 16))
    assert "programs.wasm" in str(modest.objection(large))
    alien = modest_request(elsewhere, engine="other/1")
    elsewhere.mine.put(elsewhere.held[alien.program])
    assert "engine other/1" in str(modest.objection(alien))
    assert "programs.fuel" in str(modest.objection(replace(modest_request(elsewhere), fuel=5001)))


async def test_the_work_of_others_is_checked_up_to_the_engines_own_limits(
    elsewhere: Elsewhere, modest: ContentStore
) -> None:
    asked = modest_request(elsewhere, wasm=program(3), stdin=bytes(101), memory=2 << 20)
    await modest.fetch_task(asked, 0)
    assert modest.job(asked, 0).memory == 2 << 20  # type: ignore[union-attr]
    with pytest.raises(PeerError):
        await modest.fetch_task(asked, 0, own=True)
    await modest.fetch_task(asked, 0)


# -- a job of our own


async def test_a_program_that_nobody_can_run_is_refused_before_its_request_is_published(
    elsewhere: Elsewhere, modest: ContentStore
) -> None:
    async def examine(fuel: int = 1000, shards: int = 1, **changes: Any) -> None:
        asked = modest_request(elsewhere, **changes)
        for data in elsewhere.held.values():
            elsewhere.mine.put(data)
        await modest.examine(asked.program, fuel=fuel, shards=shards)

    await examine()
    await examine(wasm=program(3), memory=2 << 20)  # more than we take on ourselves; others may
    for _ in range(2):
        with pytest.raises(PeerError, match="would not run here: not a WebAssembly module"):
            await examine(wasm=b"junk")
    with pytest.raises(PeerError, match="grants 1000 fuel a unit, the job 2000"):
        await examine(fuel=2000)
    with pytest.raises(PeerError, match="its engine is other/1"):
        await examine(engine="other/1")
    with pytest.raises(PeerError, match="still holds the parameter"):
        await examine(argv=("it", "{param:width}"))


async def test_a_module_is_compiled_once_for_all_programs_that_are_made_of_it(elsewhere: Elsewhere) -> None:
    """Fuel and arguments make another program; what the compiler thinks of the module stays true."""
    compiled = []

    async def check(job: WasmJob, *, functions: int | None = None) -> str | None:
        compiled.append((job.memory, functions))
        return None

    content = ContentStore(elsewhere.mine, elsewhere, {ENGINE}, check, Caps(functions=9))
    for argv in (("a",), ("b",)):
        asked = modest_request(elsewhere, argv=argv)
        for _ in range(2):
            await content.fetch_task(asked, 0, own=True)
            await content.fetch_task(asked, 0)
            await content.examine(asked.program, fuel=1000, shards=1)
    await content.fetch_task(modest_request(elsewhere, memory=1 << 16), 0)
    assert compiled == [(1 << 20, 9), (1 << 20, None), (1 << 16, None)]


async def test_an_input_that_finds_no_room_with_its_program_is_refused(elsewhere: Elsewhere) -> None:
    pool = Pool(slots=1, memory=67 << 20)
    content = ContentStore(elsewhere.mine, elsewhere, {ENGINE}, pool.check, room=pool.room)
    with pytest.raises(NotTaken, match=r"executor\.memory") as refused:
        await content.fetch_task(modest_request(elsewhere, stdin=bytes(3 << 20)), 0, own=True)
    assert refused.value.code == "program_memory"
    await content.fetch_task(modest_request(elsewhere), 0, own=True)  # with a smaller one it does
