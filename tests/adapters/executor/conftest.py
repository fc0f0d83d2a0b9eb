"""Programs as WAT text, run by the real engine: in this process on a big stack, or by a pool's children."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import wasmtime

from blockedge_node.core.job import ENGINE, Outcome, WasmJob
from blockedge_node.executor import runtime
from blockedge_node.executor.pool import Pool

Make = Callable[..., WasmJob]
Execute = Callable[[WasmJob], Outcome]

WASI = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "clock_time_get": "(param i32 i64 i32) (result i32)",
    "random_get": "(param i32 i32) (result i32)",
    "args_get": "(param i32 i32) (result i32)",
    "sched_yield": "(result i32)",
    "proc_exit": "(param i32)",
}


def _wat(body: str, *, imports: str = "", extra: str = "", memory: str = "1") -> str:
    """A command whose `_start` is `body`; `imports` are names of WASI, called as $name."""
    lines = [f'(import "wasi_snapshot_preview1" "{n}" (func ${n} {WASI[n]}))' for n in imports.split()]
    return f'(module {" ".join(lines)} (memory (export "memory") {memory}) {extra} (func (export "_start") {body}))'


@pytest.fixture(scope="session")
def make() -> Make:
    """make(body, imports=…, extra=…, memory=…, **fields of WasmJob) → a job; `wasm=` or `module=` for a whole one."""

    def make(
        body: str = "", *, module: str | None = None, wasm: bytes | None = None, **options: Any
    ) -> WasmJob:
        shape = {key: options.pop(key) for key in ("imports", "extra", "memory") if key in options}
        if "memory_limit" in options:
            options["memory"] = options.pop("memory_limit")
        binary = wasm if wasm is not None else bytes(wasmtime.wat2wasm(module or _wat(body, **shape)))
        defaults: dict[str, Any] = {
            "engine": ENGINE,
            "argv": ("test",),
            "stdin": b"",
            "fuel": 100_000_000,
            "memory": 16 << 20,
            "stdout_max": 1 << 20,
        }
        return WasmJob(wasm=binary, **(defaults | options))

    return make


@pytest.fixture(scope="session")
def engine() -> wasmtime.Engine:
    return runtime.new_engine()


@pytest.fixture(scope="session")
def big_stack() -> Iterator[ThreadPoolExecutor]:
    before = threading.stack_size(runtime.THREAD_STACK)
    executor = ThreadPoolExecutor(max_workers=1)
    executor.submit(int).result()  # the thread starts now, with the size set now
    threading.stack_size(before)
    yield executor
    executor.shutdown()


@pytest.fixture
def execute(engine: wasmtime.Engine, big_stack: ThreadPoolExecutor) -> Execute:
    """Run a job in this process; the same code that a child runs."""
    return lambda job: big_stack.submit(runtime.run, engine, job).result()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with Pool(slots=1) as pool:
        yield pool
