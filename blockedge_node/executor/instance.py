"""A program that is ready to run, any number of times: each run has a store, a memory and a WASI world of its own.

    Program(engine, module, wasm).run(job) ──▶ Ended

Linking is done once, so that a run over the next item of a list costs its instantiation alone. What the *machine*
does raises `Fault` and is never a result.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from blockedge_node.core.ids import ZERO_HASH, Hash
from blockedge_node.core.job import Ending, TrapCode, WasmJob, exit_word
from blockedge_node.executor import preview1, stackmeter, wasi
from blockedge_node.executor.module import MAX_TABLE_ELEMENTS, MAX_TABLES, PAGE

_ZERO_PAGE: Final = bytes(PAGE)
_HUGE_PAGES, _POPULATE_READ = 14, 22  # MADV_HUGEPAGE, MADV_POPULATE_READ

_libc: Final = ctypes.CDLL(None)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]


class Fault(Exception):
    """The machine spoiled the run; there is no result. `reason` is one word, `detail` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one run ended; after a trap output is empty and fuel, memory hash and pages are 0."""

    exit: int
    output: bytes = b""
    fuel_used: int = 0
    memory_hash: Hash = ZERO_HASH
    pages: int = 0  # of memory, at its end
    stderr: bytes = b""


class Program:
    """Holds one run at a time: the host calls of `linker` reach the world of the run that is under way."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, wasm: bytes) -> None:
        self._engine, self._wasm = engine, wasm
        self._guest = Guest()
        self._calls: dict[str, wasi.Call] = {}
        linker = wasmtime.Linker(engine)
        linker.allow_shadowing = True  # a module may import one name twice
        for item in module.imports:
            assert isinstance(item.type, wasmtime.FuncType)  # interface.check
            name = str(item.name)
            linker.define_func(item.module, name, item.type, self._host_call(name), access_caller=True)
        self._ready = linker.instantiate_pre(module)

    def run(self, job: WasmJob) -> Ended:
        """Run the program over `job.stdin` within the job's limits. Raises Fault, or InvalidModule for arguments
        that no run can have."""
        guest = self._guest = Guest()
        system = wasi.System(job, guest)
        self._calls = system.calls()
        store = wasmtime.Store(self._engine)
        try:
            return self._run(job, store, guest, system)
        finally:
            store.close()  # frees the memory now, whatever still refers to the store

    def _run(self, job: WasmJob, store: wasmtime.Store, guest: Guest, system: wasi.System) -> Ended:
        store.set_fuel(job.fuel)
        store.set_limits(
            memory_size=job.memory,
            table_elements=MAX_TABLE_ELEMENTS,
            instances=1,
            tables=MAX_TABLES,
            memories=1,
        )
        try:
            exports = self._ready.instantiate(store).exports(store)
            guest.memory = exports["memory"]
            start = exports["_start"]
            assert isinstance(start, wasmtime.Func)  # interface.check
            start(store)
            code = 0
        except wasi.Exit as exit:
            code = exit.code
        except wasi.Trapped as trap:
            return _trapped(trap.code, system)
        except wasmtime.Trap as trap:
            return _trapped(_trap_code(trap, self._wasm), system)
        except (wasmtime.WasmtimeError, MemoryError) as error:
            raise Fault("host", one_line(error)) from error
        return Ended(
            exit=exit_word(Ending.FAILED if code else Ending.OK, code),
            output=bytes(system.stdout),
            fuel_used=job.fuel - store.get_fuel(),
            memory_hash=guest.memory_hash(store),
            pages=int(guest.memory.size(store)),
            stderr=bytes(system.stderr),
        )

    def _host_call(self, name: str) -> Any:
        """A WASI call as the engine wants it: charged for, and with the unsigned numbers that the program meant."""
        masks = tuple(
            0xFFFF_FFFF if kind == "i" else 0xFFFF_FFFF_FFFF_FFFF for kind in preview1.SIGNATURES[name]
        )

        def host(caller: Any, *arguments: int) -> int:
            self._guest.enter(caller)
            self._guest.charge(wasi.CALL_COST)
            return self._calls[name](*(value & mask for value, mask in zip(arguments, masks, strict=True)))

        return host


class Guest:
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
        base, pages = _pointer(self.memory, store), self.memory.size(store)
        # Most of a memory was never touched: mapped at once, and where the kernel can as huge pages of zeros, it
        # costs a few page faults instead of thousands. A kernel that refuses (before 5.14) has those.
        for advice in (_HUGE_PAGES, _POPULATE_READ):
            _libc.madvise(base, pages * PAGE, advice)
        for index in range(pages):
            start = base + index * PAGE
            if _libc.memcmp(start, _ZERO_PAGE, PAGE):
                digest.update(index.to_bytes(4, "big"))
                digest.update(ctypes.string_at(start, PAGE))
        return Hash(digest.digest())

    def _address(self, pointer: int, length: int) -> int:
        """Every pointer of a program goes through here."""
        if pointer + length > self.size():
            raise wasi.Trapped(TrapCode.BAD_POINTER)
        return _pointer(self.memory, self._caller) + pointer


def _pointer(memory: Any, store: Any) -> int:
    return ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value or 0


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


def _trapped(code: TrapCode, system: wasi.System) -> Ended:
    """Nothing but the word is part of a trap's result."""
    stderr = said(bytes(system.stderr), f"trapped: {code.name}")
    return Ended(exit=exit_word(Ending.TRAPPED, code), stderr=stderr)


def said(stderr: bytes, words: str) -> bytes:
    """A line of ours behind what the program wrote for people."""
    line = ("\n" if stderr and not stderr.endswith(b"\n") else "") + f"[blockedge] {words}\n"
    return stderr + line.encode()


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
