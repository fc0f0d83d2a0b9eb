"""The engine: wasmtime, configured so that a run is a pure function of program, input and limits.

What makes it deterministic (docs/protocol.md §2.2), each point a switch below or a rule of `run`:

- NaNs are canonical; threads, relaxed SIMD, 64-bit memories and whatever else is young or racy are off, and a
  module that uses them is INVALID on every node;
- fuel bounds the work, and equals on every machine for one engine id; memory that is initialised by
  copy-on-write would change it, so that is off;
- the stack ends at the same call everywhere, because the module is rewritten to count it (`stackmeter.py`);
- memory and tables grow up to fixed limits, checked before instantiating where the module declares them; memory that
  the machine does not have spoils the run (`hostmemory.py`);
- the only imports are those of `wasi.py`, with exactly their signatures;
- the final memory enters the result, so an answer cannot be guessed without running the program.

What the *machine* does (out of memory, native stack overflow, a bug of ours) raises `Fault` and is never a
result. Call `run` on a thread with at least THREAD_STACK bytes of stack, in a process that may be lost: the
binding aborts it on a configuration it does not like, and hostile code runs here.

    job.wasm ──admit──▶ metered module ──compile──▶ native code ──run──▶ Outcome
             (InvalidModule: the same on every node)            (Fault: this machine)
"""

from __future__ import annotations

import os
import time
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi

from blockedge_node.core.ids import ZERO_HASH, Root
from blockedge_node.core.items import Told, to_nobody
from blockedge_node.core.job import ENGINE, Ending, Outcome, WasmJob, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result
from blockedge_node.executor import hostmemory, interface, mapping, stackmeter, wasi
from blockedge_node.executor.instance import Ended, Guest, Program, one_line, said
from blockedge_node.executor.instance import Fault as Fault
from blockedge_node.executor.module import InvalidModule, read_shape

WASM_STACK: Final = 192 << 20  # bytes of native stack that a program may use
THREAD_STACK: Final = 256 << 20  # the rest is for host calls made at the bottom of it

_OFF: Final = (
    "memory_init_cow wasm_relaxed_simd wasm_threads shared_memory wasm_memory64 wasm_multi_memory wasm_gc "
    "wasm_exceptions wasm_tail_call wasm_function_references wasm_component_model wasm_stack_switching "
    "wasm_custom_page_sizes wasm_wide_arithmetic wasm_multi_value parallel_compilation epoch_interruption"
).split()
_ON: Final = "consume_fuel cranelift_nan_canonicalization wasm_relaxed_simd_deterministic".split()

# In the engine's words → what the author can do. For people: no result depends on it.
_REMEDIES: Final = {
    "threads": "build without threads",
    "relaxed SIMD": "build without relaxed SIMD (-mno-relaxed-simd); plain SIMD is fine",
    "exceptions": "build without exceptions (-fno-exceptions)",
    "tail calls": "build without tail calls (-mno-tail-call)",
    "memory64": "build for wasm32",
    "multi-value": "build without multi-value results (-mno-multivalue)",
    "multiple memories": "build with one memory",
    "gc feature": "languages that need garbage-collected references are not supported",
}


def new_engine(*, stack: int = WASM_STACK, interpreter: bool = False) -> wasmtime.Engine:
    """The engine named ENGINE. Raises Fault if another version of the library is installed.

    `stack` in bytes. `interpreter` gives the referee: the same results without native code, some 40 times
    slower, for the question whether a difference is the compiler's fault.
    """
    # The library carries no version, and importlib.metadata would add 30 ms to each start of a child.
    release = ENGINE.split("/")[1] + ".dist-info"
    if not os.path.isdir(os.path.join(os.path.dirname(wasmtime.__file__), os.pardir, release)):
        raise Fault("engine", f"this node promises {ENGINE}, but another version of wasmtime is installed")
    config = wasmtime.Config()
    config.strategy = "cranelift"
    config.cranelift_opt_level = "speed"
    for switch in _OFF:
        setattr(config, switch, False)
    for switch in _ON:
        setattr(config, switch, True)
    # The process aborts if the (unused) stack of async calls is smaller than the stack of wasm, and the
    # binding has no property for it.
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), stack + (1 << 20))
    config.max_wasm_stack = stack
    if interpreter:
        config.target = (
            "pulley64"  # wasmtime's own bytecode; another name that it does not know aborts the process
        )
    ffi.wasmtime_config_wasm_compact_imports_set(config.ptr(), False)  # no property either
    hostmemory.install(config)
    return wasmtime.Engine(config)


def admit(engine: wasmtime.Engine, wasm: bytes, *, memory_limit: int) -> bytes:
    """Check `wasm` against every rule that needs no run, in the order of what checking costs; the metered
    module that is compiled in its place. Raises InvalidModule, the same on every node."""
    read_shape(wasm, memory_limit=memory_limit)
    try:
        # Before rewriting: what names a function or global of the meter is invalid only as it came.
        wasmtime.Module.validate(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise InvalidModule(f"does not validate: {one_line(error)}{_remedy(str(error))}") from error
    interface.check(wasm)
    return stackmeter.meter(wasm)


def compile(engine: wasmtime.Engine, metered: bytes) -> wasmtime.Module:
    """Native code for what `admit` gave. Raises Fault: a module that was admitted compiles elsewhere."""
    try:
        return wasmtime.Module(engine, metered)
    except wasmtime.WasmtimeError as error:
        raise Fault("compile", one_line(error)) from error


def prepare(engine: wasmtime.Engine, wasm: bytes, *, memory_limit: int) -> wasmtime.Module:
    """`admit` and `compile`. Raises what they raise."""
    return compile(engine, admit(engine, wasm, memory_limit=memory_limit))


def load(engine: wasmtime.Engine, native: bytes, wasm: bytes, *, memory_limit: int) -> wasmtime.Module:
    """What `prepare` gives, from the code that `native_code` made of the same module. Only the memory limit
    can make an admitted module invalid."""
    read_shape(wasm, memory_limit=memory_limit)
    try:
        return wasmtime.Module.deserialize(engine, native)
    except wasmtime.WasmtimeError as error:
        raise Fault("compile", f"cached code does not load: {one_line(error)}") from error


def native_code(engine: wasmtime.Engine, job: WasmJob, *, functions: int = 0) -> bytes | str:
    """The job's module as machine code for `load`, or why it is INVALID or has more than `functions` functions (0:
    the engine's limit); runs nothing. Raises Fault."""
    try:
        if functions:
            read_shape(job.wasm, memory_limit=job.memory, max_functions=functions)
        module = prepare(engine, job.wasm, memory_limit=job.memory)
        wasi.System(job, Guest())
    except InvalidModule as why:
        return str(why)
    return bytes(module.serialize())


def check(engine: wasmtime.Engine, job: WasmJob) -> str | None:
    """Why the job's module is INVALID, or None; compiles it, runs nothing. Raises Fault as `prepare` does."""
    try:
        prepare(engine, job.wasm, memory_limit=job.memory)
        wasi.System(job, Guest())
    except InvalidModule as why:
        return str(why)
    return None


def run(engine: wasmtime.Engine, job: WasmJob, native: bytes = b"", told: Told = to_nobody) -> Outcome:
    """Run one shard to its end, with code that is compiled already if there is some. A mapped one's answers are
    `told` as they come.

    Raises Fault for whatever is no property of program, input and limits."""
    with hostmemory.watched() as refusals:
        try:
            return _run(engine, job, native, told)
        finally:
            if refusals:  # however it ended: the program was told -1 where others are given memory
                raise Fault("memory", refusals[0])


def _run(engine: wasmtime.Engine, job: WasmJob, native: bytes, told: Told) -> Outcome:
    started = time.thread_time()
    try:
        if native:
            module = load(engine, native, job.wasm, memory_limit=job.memory)
        else:
            module = prepare(engine, job.wasm, memory_limit=job.memory)
        program = Program(engine, module, job.wasm)
        ended = mapping.run(program.run, job, told) if job.mapped else program.run(job)
    except InvalidModule as why:
        ended = Ended(exit=exit_word(Ending.INVALID), stderr=said(b"", f"invalid program: {why}"))
    kept = ended.exit >> 16 <= Ending.FAILED
    return Outcome(
        result=Result(
            exit=ended.exit,
            output_root=root(ended.output) if kept else Root(ZERO_HASH),
            fuel_used=ended.fuel_used,
            memory_hash=ended.memory_hash,
        ),
        output=ended.output,
        stderr=ended.stderr,
        cpu_seconds=time.thread_time() - started,
    )


def _remedy(error: str) -> str:
    """What to change about a module that uses what is off here; empty if there is no short answer."""
    for word, remedy in _REMEDIES.items():
        if word in error:
            return f": {remedy}"
    return ""
