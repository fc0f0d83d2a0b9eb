"""What a task needs is fetched by address and checked before an Ack binds us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from blockedge_node.content import ContentStore
from blockedge_node.core import merkle
from blockedge_node.core.ids import Address, Root
from blockedge_node.core.job import ENGINE, PowJob, WasmJob
from blockedge_node.core.task import Kind, Request
from blockedge_node.errors import PeerError, Transient
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.pow import Search
from blockedge_node.store.blobs import Blobs
from blockedge_node.wire.manifest import Manifest
from tests.core.builders import request

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


async def runs(job: WasmJob) -> str | None:
    return None


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(Blobs(tmp_path))


@pytest.fixture
def content(elsewhere: Elsewhere) -> ContentStore:
    return ContentStore(elsewhere.mine, elsewhere, {ENGINE}, runs)


def wasm_request(elsewhere: Elsewhere, inputs: Sequence[bytes], **changes: object) -> Request:
    manifest = Manifest(wasm=elsewhere.put(EMPTY_WASM), argv=("it",), fuel=1000)
    manifest = replace(manifest, **changes)  # type: ignore[arg-type]
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
