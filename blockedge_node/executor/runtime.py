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

import ctypes
import hashlib
import os
import time
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from blockedge_node.core.ids import ZERO_HASH, Hash, Root
from blockedge_node.core.job import ENGINE, Ending, Outcome, TrapCode, WasmJob, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result
from blockedge_node.executor import hostmemory, interface, preview1, stackmeter, wasi
from blockedge_node.executor.module import MAX_TABLE_ELEMENTS, MAX_TABLES, PAGE, InvalidModule, read_shape

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

_ZERO_PAGE: Final = bytes(PAGE)


class Fault(Exception):
    """The machine spoiled the run; there is no result. `reason` is one word, `detail` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


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
        raise InvalidModule(f"does not validate: {_one_line(error)}{_remedy(str(error))}") from error
    interface.check(wasm)
    return stackmeter.meter(wasm)


def compile(engine: wasmtime.Engine, metered: bytes) -> wasmtime.Module:
    """Native code for what `admit` gave. Raises Fault: a module that was admitted compiles elsewhere."""
    try:
        return wasmtime.Module(engine, metered)
    except wasmtime.WasmtimeError as error:
        raise Fault("compile", _one_line(error)) from error


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
        raise Fault("compile", f"cached code does not load: {_one_line(error)}") from error


def native_code(engine: wasmtime.Engine, job: WasmJob, *, functions: int = 0) -> bytes | str:
    """The job's module as machine code for `load`, or why it is INVALID or has more than `functions` functions (0:
    the engine's limit); runs nothing. Raises Fault."""
    try:
        if functions:
            read_shape(job.wasm, memory_limit=job.memory, max_functions=functions)
        module = prepare(engine, job.wasm, memory_limit=job.memory)
        wasi.System(job, _Guest())
    except InvalidModule as why:
        return str(why)
    return bytes(module.serialize())


def check(engine: wasmtime.Engine, job: WasmJob) -> str | None:
    """Why the job's module is INVALID, or None; compiles it, runs nothing. Raises Fault as `prepare` does."""
    try:
        prepare(engine, job.wasm, memory_limit=job.memory)
        wasi.System(job, _Guest())
    except InvalidModule as why:
        return str(why)
    return None


def run(engine: wasmtime.Engine, job: WasmJob, native: bytes = b"") -> Outcome:
    """Run one shard to its end, with code that is compiled already if there is some.

    Raises Fault for whatever is no property of program, input and limits."""
    with hostmemory.watched() as refusals:
        try:
            return _run(engine, job, native)
        finally:
            if refusals:  # however it ended: the program was told -1 where others are given memory
                raise Fault("memory", refusals[0])


def _run(engine: wasmtime.Engine, job: WasmJob, native: bytes) -> Outcome:
    started = time.thread_time()
    guest = _Guest()
    try:
        if native:
            module = load(engine, native, job.wasm, memory_limit=job.memory)
        else:
            module = prepare(engine, job.wasm, memory_limit=job.memory)
        system = wasi.System(job, guest)
    except InvalidModule as why:
        return _stopped(exit_word(Ending.INVALID), f"invalid program: {why}", b"", started)

    store = wasmtime.Store(engine)
    store.set_fuel(job.fuel)
    store.set_limits(
        memory_size=job.memory,
        table_elements=MAX_TABLE_ELEMENTS,
        instances=1,
        tables=MAX_TABLES,
        memories=1,
    )
    try:
        instance = _link(engine, module, system, guest).instantiate(store, module)
        exports = instance.exports(store)
        guest.memory = exports["memory"]
        start = exports["_start"]
        assert isinstance(start, wasmtime.Func)  # interface.check
        start(store)
        code = 0
    except wasi.Exit as exit:
        code = exit.code
    except wasi.Trapped as trap:
        return _trapped(trap.code, system, started)
    except wasmtime.Trap as trap:
        return _trapped(_trap_code(trap, job.wasm), system, started)
    except (wasmtime.WasmtimeError, MemoryError) as error:
        raise Fault("host", _one_line(error)) from error

    output = bytes(system.stdout)
    return Outcome(
        result=Result(
            exit=exit_word(Ending.FAILED if code else Ending.OK, code),
            output_root=root(output),
            fuel_used=job.fuel - store.get_fuel(),
            memory_hash=guest.memory_hash(store),
        ),
        output=output,
        stderr=bytes(system.stderr),
        cpu_seconds=time.thread_time() - started,
    )


class _Guest:
    """The running program as host calls see it: its memory and its fuel (`wasi.Machine`)."""

    def __init__(self) -> None:
        self.memory: Any = None  # wasmtime.Memory, known from the first host call or the end of instantiating
        self._caller: Any = None  # wasmtime.Caller, valid during one host call

    def enter(self, caller: Any) -> None:
        self._caller = caller
        if self.memory is None:
            self.memory = caller["memory"]

    def size(self) -> int:
        return int(self.memory.data_len(self._caller))

    def read(self, pointer: int, length: int) -> bytes:
        return ctypes.string_at(self._address(pointer, length), length)

    def write(self, pointer: int, data: bytes | memoryview) -> None:
        ctypes.memmove(self._address(pointer, len(data)), bytes(data), len(data))

    def charge(self, fuel: int) -> None:
        context = self._caller._context()
        left = ctypes.c_uint64()
        ffi.wasmtime_context_get_fuel(context, ctypes.byref(left))
        if left.value < fuel:
            raise wasi.Trapped(TrapCode.OUT_OF_FUEL)
        ffi.wasmtime_context_set_fuel(context, left.value - fuel)

    def memory_hash(self, store: wasmtime.Store) -> Hash:
        """SHA-256 over (page index as u32 big-endian ‖ page) of every 64 KiB page that is not all zero."""
        digest = hashlib.sha256()
        base = _pointer(self.memory, store)
        for index in range(self.memory.size(store)):
            page = ctypes.string_at(base + index * PAGE, PAGE)
            if page != _ZERO_PAGE:
                digest.update(index.to_bytes(4, "big"))
                digest.update(page)
        return Hash(digest.digest())

    def _address(self, pointer: int, length: int) -> int:
        """Every pointer of a program goes through here."""
        if pointer + length > self.size():
            raise wasi.Trapped(TrapCode.BAD_POINTER)
        return _pointer(self.memory, self._caller) + pointer


def _pointer(memory: Any, store: Any) -> int:
    return ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value or 0


def _link(
    engine: wasmtime.Engine, module: wasmtime.Module, system: wasi.System, guest: _Guest
) -> wasmtime.Linker:
    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True  # a module may import one name twice
    calls = system.calls()
    for item in module.imports:
        assert isinstance(item.type, wasmtime.FuncType)  # interface.check
        name = str(item.name)
        call = _host_call(calls[name], preview1.SIGNATURES[name], guest)
        linker.define_func(item.module, name, item.type, call, access_caller=True)
    return linker


def _host_call(call: wasi.Call, signature: str, guest: _Guest) -> Any:
    """`call` as the engine wants it: charged for, and with the unsigned numbers that the program meant."""
    masks = tuple(0xFFFF_FFFF if kind == "i" else 0xFFFF_FFFF_FFFF_FFFF for kind in signature)

    def host(caller: Any, *arguments: int) -> int:
        guest.enter(caller)
        guest.charge(wasi.CALL_COST)
        return call(*(value & mask for value, mask in zip(arguments, masks, strict=True)))

    return host


def _trap_code(trap: wasmtime.Trap, wasm: bytes) -> TrapCode:
    """The protocol's number for an engine's trap; Fault for those that depend on the machine."""
    try:
        name = trap.trap_code.name if trap.trap_code else "unnamed"
    except ValueError:
        name = "unknown"
    if name not in TrapCode.__members__:
        raise Fault(
            "stack" if name == "STACK_OVERFLOW" else "host", f"the engine stopped with {name}"
        ) from trap
    code = TrapCode[name]
    if code is TrapCode.UNREACHABLE and trap.frames[0].func_index in stackmeter.wrappers(wasm):
        return TrapCode.STACK_TOO_DEEP  # the one instruction of a wrapper that can trap
    return code


def _trapped(code: TrapCode, system: wasi.System, started: float) -> Outcome:
    word = exit_word(Ending.TRAPPED, code)
    return _stopped(word, f"trapped: {code.name}", bytes(system.stderr), started)


def _stopped(word: int, why: str, stderr: bytes, started: float) -> Outcome:
    """A program that did not end by itself: nothing but the word is part of the result."""
    line = ("\n" if stderr and not stderr.endswith(b"\n") else "") + f"[blockedge] {why}\n"
    return Outcome(
        result=Result(exit=word, output_root=Root(ZERO_HASH)),
        output=b"",
        stderr=stderr + line.encode(),
        cpu_seconds=time.thread_time() - started,
    )


def _remedy(error: str) -> str:
    """What to change about a module that uses what is off here; empty if there is no short answer."""
    for word, remedy in _REMEDIES.items():
        if word in error:
            return f": {remedy}"
    return ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
