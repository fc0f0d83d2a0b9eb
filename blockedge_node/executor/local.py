"""A whole task on this machine: what the network's result is compared with, and a dry run before paying for
one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from blockedge_node.core.job import Outcome, WasmJob
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.children import Walls
from blockedge_node.executor.faults import ExecutorFault
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.sandbox import Layers
from blockedge_node.wire.manifest import Manifest

WALL = 600.0  # s a shard: a person waits, no window does


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """Every shard's outcome in shard order, and the merged output: None if a shard or the merging failed."""

    outcomes: tuple[Outcome, ...]
    output: bytes | None
    merging: Outcome | None = None


async def run_local(
    manifest: Manifest,
    wasm: bytes,
    shards: Sequence[bytes],
    *,
    files: Mapping[str, bytes] | None = None,
    slots: int = 2,
    wall: float = WALL,
) -> LocalRun:
    """Run a program over its shards' inputs, `slots` at a time, and merge.

    `wall` in seconds bounds each run. Raises ManifestError for what cannot be run, ExecutorFault when the
    machine spoils a run.
    """
    jobs = [
        manifest.job(wasm=wasm, stdin=stdin, shard=shard, shards=len(shards), files=files)
        for shard, stdin in enumerate(shards)
    ]
    with TemporaryDirectory(prefix="blockedge-") as place:
        pool = Pool(slots=min(slots, max(1, len(jobs))), cache=Cache(Path(place)))
        async with pool:
            return await _run_and_merge(pool, manifest, wasm, jobs, files=files, wall=wall)


async def _run_and_merge(
    pool: Pool,
    manifest: Manifest,
    wasm: bytes,
    jobs: Sequence[WasmJob],
    *,
    files: Mapping[str, bytes] | None,
    wall: float,
) -> LocalRun:
    outcomes: dict[int, Outcome] = {}
    failures: list[Exception] = []

    async def run(shard: int) -> None:
        try:
            outcomes[shard] = await pool.run(jobs[shard], wall=wall)
        except BlockEdgeError as failure:
            failures.append(failure)  # raised below, outside of the nursery, which would wrap it in a group
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for shard in range(len(jobs)):
            nursery.start_soon(run, shard)
    if failures:
        raise failures[0]
    ordered = tuple(outcomes[shard] for shard in range(len(jobs)))
    if any(outcome.result.exit for outcome in ordered):
        return LocalRun(outcomes=ordered, output=None)
    outputs = [outcome.output for outcome in ordered]
    merged = manifest.merged(outputs)
    if merged is not None:
        return LocalRun(outcomes=ordered, output=merged)
    merging = await pool.run(manifest.merge_job(outputs, wasm=wasm, files=files), wall=wall)
    return LocalRun(outcomes=ordered, output=None if merging.result.exit else merging.output, merging=merging)


def local_run(
    manifest: Manifest,
    wasm: bytes,
    shards: Sequence[bytes],
    *,
    files: Mapping[str, bytes] | None = None,
    slots: int = 2,
) -> LocalRun:
    """`run_local` for callers without an event loop, such as the CLI."""

    async def main() -> LocalRun:
        return await run_local(manifest, wasm, shards, files=files, slots=slots)

    return trio.run(main)


def check(manifest: Manifest, wasm: bytes) -> str | None:
    """Why no node would run this module under this manifest, or None; compiles it here, runs nothing."""
    job = manifest.job(wasm=wasm, stdin=b"", shard=0, shards=1, files=dict.fromkeys(manifest.files, b""))

    async def main() -> str | None:
        return await Pool().check(job)

    return trio.run(main)


def self_test(layers: Layers) -> tuple[Walls | None, str]:
    """Start the executor as a daemon would and run the probe: the walls that stand (None if it did not start),
    and "" or why this machine is not fit."""
    pool = Pool(layers=layers)
    try:
        trio.run(pool.self_test)
    except ExecutorFault as fault:
        return pool.walls, fault.detail
    return pool.walls, ""
