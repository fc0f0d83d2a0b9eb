"""Where a program's memory lives, so that it is never short of it for the machine's sake.

wasmtime answers memory.grow with -1 both when the program's own limit is reached, which is the same everywhere, and
when the host has nothing left (an rlimit that somebody set, strict overcommit, a full machine), which is not: the
program would go another way here than on its neighbours, and its worker would pay for that. A program cannot tell
the two apart, so we must: the memory is ours, and a page that the kernel refuses is written down. `watched` tells
it to whoever runs the program, and there is no result.

    reserved:  guard │ pages in use, readable and writable │ pages to come, no access │ guard
                     └ base                                └ size                     └ capacity

The layout, the reservation and the guards are those that wasmtime asks for, the same as without this file: compiled
code relies on them. Callbacks come on the thread that runs the program. One that fails half-way must not return,
because that would mean success: it ends the process.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar

import wasmtime
from wasmtime import _ffi as ffi

_READ_WRITE, _NO_ACCESS = 0x1 | 0x2, 0x0
_PRIVATE_ANONYMOUS, _NO_RESERVE = 0x02 | 0x20, 0x4000
_FAILED: Final = ctypes.c_void_p(-1).value
_OK: Final = 0  # no error object

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


@dataclass(slots=True)
class _Memory:
    """One program's memory; addresses and sizes in bytes."""

    start: int  # of the mapping, with both guards
    length: int
    base: int
    capacity: int
    size: int = 0

    def grow(self, size: int) -> None:
        """Raises OSError if the kernel does not give it."""
        if size > self.capacity:
            raise OSError("more than was reserved")
        if size > self.size and _libc.mprotect(self.base + self.size, size - self.size, _READ_WRITE) != 0:
            raise OSError(os.strerror(ctypes.get_errno()))
        self.size = size


_memories: Final[dict[int, _Memory]] = {}  # by `base`, which is what wasmtime hands back to us
_watching = threading.local()


def install(config: wasmtime.Config) -> None:
    """Have engines of this configuration keep their programs' memories here."""
    ffi.wasmtime_config_host_memory_creator_set(config.ptr(), ctypes.byref(_CREATOR))


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the kernel refused to programs on this thread meanwhile: any entry spoils the run."""
    refusals: list[str] = []
    _watching.refusals = refusals
    try:
        yield refusals
    finally:
        _watching.refusals = []


def _refuse(size: int, error: OSError) -> int:
    """An error object for wasmtime, which tells the program -1, and a line for `watched`."""
    why = f"this machine did not give a program {size} bytes that its manifest allows: {error}"
    getattr(_watching, "refusals", []).append(why)
    made = ffi.wasmtime_error_new(ctypes.create_string_buffer(why.encode()))
    address = ctypes.cast(made, ctypes.c_void_p).value
    if not address:
        raise MemoryError  # no error object would mean success
    return address


F = TypeVar("F", bound=Callable[..., Any])


def _never_half(callback: F) -> F:
    @wraps(callback)
    def called(*arguments: Any) -> Any:
        try:
            return callback(*arguments)
        except BaseException:  # noqa: BLE001 (ctypes would print it and return 0, which is success)
            os.abort()

    return called  # type: ignore[return-value]


@_never_half
def _create(_env: Any, _type: Any, minimum: int, maximum: int, reserve: int, guard: int, created: Any) -> int:
    capacity = max(reserve, minimum, 0 if reserve else maximum)
    length = guard + capacity + guard
    start = _libc.mmap(None, length, _NO_ACCESS, _PRIVATE_ANONYMOUS | _NO_RESERVE, -1, 0)
    if start == _FAILED:
        return _refuse(length, OSError(os.strerror(ctypes.get_errno())))
    memory = _Memory(start=start, length=length, base=start + guard, capacity=capacity)
    try:
        memory.grow(minimum)
    except OSError as error:
        _libc.munmap(start, length)
        return _refuse(minimum, error)
    _memories[memory.base] = memory
    created[0] = ffi.wasmtime_linear_memory(
        env=memory.base, get_memory=_GET, grow_memory=_GROW, finalizer=_FREE
    )
    return _OK


@_never_half
def _get(env: int, size: Any, capacity: Any) -> int:
    memory = _memories[env]
    size[0], capacity[0] = memory.size, memory.capacity
    return memory.base


@_never_half
def _grow(env: int, size: int) -> int:
    try:
        _memories[env].grow(size)
    except OSError as error:
        return _refuse(size, error)
    return _OK


@_never_half
def _free(env: int) -> None:
    memory = _memories.pop(env)
    _libc.munmap(memory.start, memory.length)


_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_GET: Final = ffi.wasmtime_memory_get_callback_t(_get)
_GROW: Final = ffi.wasmtime_memory_grow_callback_t(_grow)
_FREE: Final = _FINALIZER(_free)
_CREATOR: Final = ffi.wasmtime_memory_creator(
    env=None, new_memory=ffi.wasmtime_new_memory_callback_t(_create), finalizer=_FINALIZER()
)
