"""The system calls that a child may make while it computes; any other kills it with SIGSYS.

What remains after the imports is memory, the clock, the two streams that it was given, and its end: nothing
that opens, connects, starts or signals. The filter is classic BPF, built here, so that no library is needed.

Numbers: asm/unistd_64.h for x86-64, asm-generic/unistd.h for aarch64. Filter: seccomp(2), linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

# name: (x86-64, aarch64)
CALLS: Final = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),  # wasmtime turns the processor's faults into traps
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "membarrier": (324, 283),  # aarch64: freshly written code becomes visible to the instruction fetch
    "rseq": (334, 293),
}

_COLUMN: Final = {"x86_64": 0, "aarch64": 1}
_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def instructions(machine: str) -> bytes:
    """The filter for a machine as `platform.machine()` names it. Raises KeyError for one that has none."""
    numbers = [call[_COLUMN[machine]] for call in CALLS.values()]
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),  # numbers of a foreign architecture mean other calls
        (_LOAD, 0, 0, _NUMBER),
    ]
    for at, number in enumerate(numbers):
        steps.append((_EQUAL, len(numbers) - at, 0, number))
    steps += [(_RETURN, 0, 0, _KILL_PROCESS), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def install() -> None:
    """Filter all threads of this process, for good; no_new_privs must be set. Raises OSError if it cannot."""
    machine = platform.machine()
    if machine not in _COLUMN:
        raise OSError(f"no list of system calls for {machine}")
    code = instructions(machine)
    program = _Program(len=len(code) // 8, filter=code)
    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.syscall
    if call(_SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) != 0:
        failed = ctypes.get_errno()
        raise OSError(failed, f"seccomp: {os.strerror(failed)}")
