"""Guests run as nodes run them, but in this process: on a thread with the stack that the engine asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from blockedge_node import programs
from blockedge_node.core.job import Outcome, WasmJob
from blockedge_node.executor import runtime

Run = Callable[..., Outcome]
Whole = Callable[..., bytes]

PLENTY = 10**11  # of fuel


@pytest.fixture(scope="session")
def execute() -> Iterator[Callable[[WasmJob], Outcome]]:
    before = threading.stack_size(runtime.THREAD_STACK)
    with ThreadPoolExecutor(1) as thread:
        engine = thread.submit(runtime.new_engine).result()
        yield lambda job: thread.submit(runtime.run, engine, job).result()
    threading.stack_size(before)


@pytest.fixture(scope="session")
def run(execute: Callable[[WasmJob], Outcome]) -> Run:
    """run(name, stdin, params, shard=0, shards=1, argv=None) → the outcome of one shard; `argv` instead of
    what the parameters make."""

    def run(
        name: str,
        stdin: bytes = b"",
        params: Mapping[str, str] | None = None,
        *,
        shard: int = 0,
        shards: int = 1,
        argv: Sequence[str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Outcome:
        guest = programs.guest(name)
        manifest = replace(guest.manifest([stdin], params), fuel=PLENTY)
        if argv is not None:
            manifest = replace(manifest, argv=(name, *argv))
        contents = guest.files() if files is None else files
        return execute(
            manifest.job(wasm=guest.wasm(), stdin=stdin, shard=shard, shards=shards, files=contents)
        )

    return run


@pytest.fixture(scope="session")
def split(execute: Callable[[WasmJob], Outcome]) -> Whole:
    """split(name, data, shards, params) → the merged output of so many shards, each within the fuel that was
    estimated for it: with a tenth of it left at least, and not less than a fifth of it used by the dearest."""

    def split(name: str, data: bytes, shards: int, params: Mapping[str, str] | None = None) -> bytes:
        guest = programs.guest(name)
        parts = guest.split(data, shards, params)
        assert len(parts) == shards
        manifest = guest.manifest(parts, params)
        outcomes = [
            execute(
                manifest.job(wasm=guest.wasm(), stdin=part, shard=shard, shards=shards, files=guest.files())
            )
            for shard, part in enumerate(parts)
        ]
        assert [outcome.result.exit for outcome in outcomes] == [0] * shards
        dearest = max(outcome.result.fuel_used for outcome in outcomes)
        assert dearest < 0.9 * manifest.fuel < 5 * dearest
        merged = manifest.merged([outcome.output for outcome in outcomes])
        assert merged is not None
        return merged

    return split
