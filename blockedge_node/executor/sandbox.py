"""The walls around a child, from the outside in; each holds when those around it are gone.

| layer     | what it takes away                                                             | who sets it   |
|-----------|--------------------------------------------------------------------------------|---------------|
| bubblewrap| network, other processes, IPC; the file system read-only, private places empty  | around zygote |
| uid       | root: the child becomes a user that owns nothing                                | the child     |
| landlock  | every path, TCP, signals to others                                              | the child     |
| seccomp   | every system call but `seccomp.CALLS`                                           | the child     |
| limits    | new file descriptors (hence open and socket), processes, core files; bounds on  | the child     |
|           | CPU time and memory                                                            |               |

`limits` is always on, and with it: no capabilities, no new privileges, not to be traced, dead with the zygote.
The others are each `auto` (used where the machine has them), `on` (no work without them) or `off`.

Memory has one too, far above what the order may need: it stops a child that broke out, not a program, whose memory
ends at its own limit. Should a limit of the machine come first all the same, there is no result (`hostmemory.py`).
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal

from blockedge_node.executor import seccomp

Choice = Literal["auto", "on", "off"]

NICE: Final = 5  # a node that computes must still meet its deadlines
MAX_WALL: Final = 10_000_000.0  # s; no deadline at all means this one
NOBODY: Final = (
    2_000_000_536  # owns no file and is no account: above what useradd, systemd or containers give
)

PACKAGES: Final = str(Path(__file__).resolve().parents[2])

_PRIVATE: Final = ("/etc/blockedge", "/home", "/root", "/run", "/tmp", "/var/lib", "/var/tmp")
_CAP_KEEP: Final = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL")  # what the zygote needs to drop root, and to kill

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITIES_V3: Final = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION = 444, 446, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The operator's choice for each optional layer."""

    bubblewrap: Choice = "auto"
    uid: Choice = "auto"
    landlock: Choice = "auto"
    seccomp: Choice = "auto"

    def inner(self) -> str:
        """The choices of what the child sets itself, for the zygote's command line: auto,on,off …"""
        return ",".join(f"{name}={getattr(self, name)}" for name in INNER)


INNER: Final = ("uid", "landlock", "seccomp")  # in the order in which a child sets them
NAMES: Final = tuple(item.name for item in fields(Layers))


# ── around the zygote ────────────────────────────────────────────────────────────────────────────────────


def wrapped(command: Iterable[str], *, hide: Iterable[Path] = ()) -> list[str] | None:
    """`command` inside bubblewrap, or None where that is not installed. `hide` are further private places."""
    bwrap = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if bwrap is None:
        return None
    spaces = (
        "--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --cap-drop ALL".split()
    )
    if os.geteuid() == 0:
        # Root stays root of the real user space, with just enough to become nobody in each child.
        for capability in _CAP_KEEP:
            spaces += ["--cap-add", capability]
    else:
        spaces.append("--unshare-user")
    line = [bwrap, "--die-with-parent", "--new-session", *spaces, "--ro-bind", "/", "/"]
    line += ["--dev", "/dev", "--proc", "/proc"]
    for place in hidden(hide):
        line += ["--tmpfs", place]
    return [*line, "--chdir", "/", "--", *command]


def hidden(further: Iterable[Path] = ()) -> list[str]:
    """Private places that exist and hold nothing that the zygote imports."""
    paths: list[str] = [sys.prefix, sys.base_prefix, sys.executable, PACKAGES, *sys.path]
    needed = [Path(path).resolve() for path in paths if path]
    needed += [Path(sys.executable).absolute(), Path(sys.prefix).absolute()]
    places = dict.fromkeys([*map(Path, _PRIVATE), *(place.absolute() for place in further)])
    return [
        str(place)
        for place in places
        if place.is_dir()
        and not place.is_symlink()
        and not any(path.is_relative_to(place) for path in needed)
    ]


# ── in the child ─────────────────────────────────────────────────────────────────────────────────────────


def enter(layers: Iterable[str]) -> None:
    """Before the second thread exists, which inherits all this. Raises OSError if a layer cannot be set."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # not Linux, or /proc is hidden
        file.write("1000")  # when memory is short the kernel takes us, not the node
    if "uid" in layers:
        become_nobody()
    drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if "landlock" in layers:
        leave_the_files()
    _prctl(_PR_SET_DUMPABLE, 0)
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would clear it
    if os.getppid() != parent:
        os._exit(3)  # the zygote died in between


def seal(layers: Iterable[str], *, cpu: float, memory: int) -> None:
    """Once all threads exist: the limits, and the filter over all threads. `cpu` in seconds, `memory` in bytes of
    private memory, 0 for no bound."""
    os.nice(NICE)
    limits = {
        resource.RLIMIT_CPU: math.ceil(time.process_time() + min(cpu, MAX_WALL)) + 1,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,  # pipes and sockets are exempt
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,  # what is open stays open; nothing can be opened, no socket made
    }
    if memory:
        limits[resource.RLIMIT_DATA] = memory
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # One second more until SIGKILL: the signal tells that it was this limit.
        most = lowest + (limit == resource.RLIMIT_CPU and lowest != hard)
        resource.setrlimit(limit, (lowest, most))
    if "seccomp" in layers:
        seccomp.install()


def become_nobody() -> None:
    """Raises OSError unless we are root."""
    if os.geteuid() != 0:
        raise PermissionError("the executor does not run as root: there is nothing to drop")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def drop_capabilities() -> None:
    """Raises OSError if some are left. A service manager may forbid the call where there is nothing to drop."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits each
        _checked(_libc.capget(header, held), "capget")
        if any(held):
            raise PermissionError("the child cannot give up its capabilities")


def landlock_rules(version: int) -> bytes:
    """struct landlock_ruleset_attr with all that the kernel's version of landlock can forbid; the same on every
    architecture. Its three words: files, TCP since 4, signals and abstract sockets since 6."""
    rights = 13 + sum(version >= since for since in (2, 3, 5))  # REFER, TRUNCATE and IOCTL_DEV came later
    words = ((1 << rights) - 1, 0b11, 0b11)
    return struct.pack("=3Q", *words)[: 8 * (1 + (version >= 4) + (version >= 6))]


def leave_the_files() -> None:
    """Landlock with no rule that allows anything: no path, no TCP port, no signal to anybody else."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_LANDLOCK_VERSION))
    _checked(version, "landlock")
    attribute = landlock_rules(version)
    size = ctypes.c_size_t(len(attribute))
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attribute, size, ctypes.c_uint32(0))
    _checked(ruleset, "landlock")
    try:
        _checked(_libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "landlock")
    finally:
        os.close(ruleset)


def holds(layer: str) -> str:
    """Try one inner layer in a process of its own: "" if it holds here, else why not. For single-threaded callers."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _try(layer)
        except OSError as error:
            os.write(writer, str(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as words:
        why = words.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return why or ("" if status == 0 else f"the attempt ended with status {status}")


def _try(layer: str) -> None:
    setters: dict[str, Callable[[], None]] = {
        "uid": become_nobody,
        "landlock": leave_the_files,
        "seccomp": seccomp.install,
    }
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    setters[layer]()


def describe_host() -> str:
    """What machine code compiled here may rely on: the architecture and the processor's features."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    features = {line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features"))}
    return f"{platform.machine()} {sorted(features)}"


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), "prctl")


def _checked(outcome: int, what: str) -> None:
    if outcome < 0:
        failed = ctypes.get_errno()
        raise OSError(failed, f"{what}: {os.strerror(failed)}")
