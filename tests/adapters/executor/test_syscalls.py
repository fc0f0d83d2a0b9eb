"""The inner walls' tables for both architectures, against the kernel's own headers.

`syscalls.json` holds all numbers of the headers that it names: a second source for seccomp.CALLS, and what the filter
is tried with, run here by the few instructions of the kernel's BPF machine that it uses. On a machine with the
headers of its own architecture, these are looked at as well.
"""

from __future__ import annotations

import json
import platform
import re
import struct
from pathlib import Path

import pytest

from blockedge_node.executor import sandbox, seccomp

HERE = Path(__file__).parent
KERNEL: dict[str, dict[str, int]] = json.loads((HERE / "syscalls.json").read_text())
MACHINES = {
    "x86_64": 0xC000003E,
    "aarch64": 0xC00000B7,
}  # AUDIT_ARCH_*: EM_X86_64, EM_AARCH64; 64 bit, little-endian
ALLOW, KILL = 0x7FFF0000, 0x80000000

machines = pytest.mark.parametrize("machine", MACHINES)


def verdict(machine: str, number: int, arch: int | None = None) -> int:
    """What the kernel would do with a call: struct seccomp_data in, load, jump if equal, return."""
    code = seccomp.instructions(machine)
    steps = [struct.unpack("=HBBI", code[at : at + 8]) for at in range(0, len(code), 8)]
    data = struct.pack("=iI", number, MACHINES[machine] if arch is None else arch)
    at, accumulator = 0, 0
    while True:
        code_, yes, no, value = steps[at]
        at += 1
        if code_ == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code_ == 0x15:
            at += yes if accumulator == value else no
        else:
            assert code_ == 0x06
            return int(value)


@machines
def test_numbers_are_the_kernels(machine: str) -> None:
    column = list(MACHINES).index(machine)
    assert {name: numbers[column] for name, numbers in seccomp.CALLS.items()} == {
        name: KERNEL[machine][name] for name in seccomp.CALLS
    }
    assert seccomp._SECCOMP[machine] == KERNEL[machine]["seccomp"]
    assert seccomp._AUDIT == MACHINES
    assert (
        KERNEL[machine]["landlock_create_ruleset"],
        KERNEL[machine]["landlock_restrict_self"],
    ) == (sandbox._LANDLOCK_CREATE, sandbox._LANDLOCK_RESTRICT)


@machines
def test_the_filter_lets_through_what_is_listed_and_nothing_else(machine: str) -> None:
    allowed = {name for name, number in KERNEL[machine].items() if verdict(machine, number) == ALLOW}
    assert allowed == set(seccomp.CALLS)
    numbers = {number for number in range(2048) if verdict(machine, number) == ALLOW}
    assert numbers == {KERNEL[machine][name] for name in seccomp.CALLS}


@machines
@pytest.mark.parametrize(
    "call",
    "openat openat2 socket connect sendmsg recvmsg execve execveat clone clone3 kill tgkill pidfd_send_signal ptrace "
    "process_vm_writev bpf io_uring_setup memfd_create prctl seccomp setuid setrlimit prlimit64 unshare setns mount "
    "dup dup3 fcntl ioctl pidfd_getfd userfaultfd keyctl perf_event_open".split(),
)
def test_what_would_be_a_way_out_is_death(machine: str, call: str) -> None:
    assert verdict(machine, KERNEL[machine][call]) == KILL


@machines
def test_calls_of_another_architecture_are_death(machine: str) -> None:
    """Else a 32-bit call, whose numbers mean other things, would go through."""
    for other in (0x40000003, 0x40000028, *(arch for arch in MACHINES.values() if arch != MACHINES[machine])):
        assert {verdict(machine, number, other) for number in range(512)} == {KILL}
    assert verdict(machine, 0x40000000 | KERNEL[machine]["read"]) == KILL  # x32
    assert verdict(machine, -1) == KILL


def test_this_machine_has_a_filter_with_the_numbers_of_its_headers() -> None:
    machine = platform.machine()
    assert seccomp.instructions(machine)
    places = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "aarch64-linux-gnu/asm/unistd_64.h"}
    header = Path("/usr/include") / places[machine]
    text = header.read_text() if header.exists() else ""
    here = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}
    assert {name: number for name, number in here.items() if name in KERNEL[machine]} == {
        name: KERNEL[machine][name] for name in here if name in KERNEL[machine]
    }


@pytest.mark.parametrize(
    ("version", "files", "words"),
    # linux/landlock.h: EXECUTE … MAKE_SYM are bits 0 to 12; REFER 13 since ABI 2, TRUNCATE 14 since 3, IOCTL_DEV 15
    # since 5; network (TCP bind, connect) since 4; scopes (abstract sockets, signals) since 6
    [
        (1, 0x1FFF, 1),
        (2, 0x3FFF, 1),
        (3, 0x7FFF, 1),
        (4, 0x7FFF, 2),
        (5, 0xFFFF, 2),
        (6, 0xFFFF, 3),
        (7, 0xFFFF, 3),
    ],
)
def test_landlock_forbids_all_that_its_version_knows(version: int, files: int, words: int) -> None:
    rules = sandbox.landlock_rules(version)
    assert len(rules) == 8 * words
    assert struct.unpack(f"={words}Q", rules) == (files, 0b11, 0b11)[:words]
