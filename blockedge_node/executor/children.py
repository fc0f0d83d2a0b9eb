"""The node's side of the zygote: start it behind the walls that hold, have it fork, talk with what it forked."""

from __future__ import annotations

import array
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from blockedge_node.core.items import MAX_ITEMS, Told, to_nobody
from blockedge_node.executor import sandbox
from blockedge_node.executor.faults import ExecutorFault
from blockedge_node.executor.frames import (
    HEADER,
    BadFrame,
    Order,
    Reply,
    decode_answer,
    decode_reply,
    encode_order,
    frame,
)
from blockedge_node.executor.sandbox import Layers
from blockedge_node.executor.zygote import FORK

log = structlog.get_logger("executor")

# Isolated (-I): neither the environment nor the working directory choose what the child imports. The one
# path it gets is where this package lives, so it runs the node's own version whether installed or not.
# Without cffi, the library that hashes falls back to ctypes: as fast for us, and 30 ms less to import.
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); sys.modules['cffi'] = None; "
    "from blockedge_node.executor.zygote import main; main()"
)
COMMAND: Final = (sys.executable, "-I", "-c", _BOOT, sandbox.PACKAGES)

# With a heap for each thread, glibc would open a file of /proc when one shrinks: behind seccomp that is the end.
ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1"}

READY: Final = 30.0  # s from starting the zygote to its first word; 0.2 on an idle machine
_TAIL: Final = 2048  # bytes of a dead process's last words
_LISTEN: Final = 1 << 16
_REASONS: Final[dict[int | None, str]] = {  # why a child died, where the signal tells
    -signal.SIGXCPU: "cpu",
    -signal.SIGABRT: "aborted",
    -signal.SIGSYS: "seccomp",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """What stands around the children: the layers in force, and why others are not."""

    layers: tuple[str, ...]
    missing: Mapping[str, str]


class Process:
    """A process that this very thread starts.

    trio would let one of its worker threads start it, which ends after ten idle seconds; for the kernel that is
    the death of the parent, and bubblewrap's --die-with-parent would end the zygote amid a run.
    """

    def __init__(self, command: Sequence[str], *, stdin: socket.socket, stderr: int) -> None:
        self._popen = subprocess.Popen(
            command,
            stdin=stdin.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal is the node's business
        )
        self.pid = self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def kill(self) -> None:
        self._popen.kill()

    async def wait(self) -> int:
        """Its exit status, once it has ended; any number of tasks may wait."""
        while self._popen.poll() is None:
            handle = os.pidfd_open(self.pid)
            try:
                await trio.lowlevel.wait_readable(handle)
            finally:
                os.close(handle)
        return self._popen.returncode


class Zygote:
    """One process of zygote.py, from its start to its end, and the walls around it."""

    def __init__(self, process: Process, control: trio.socket.SocketType, walls: Walls) -> None:
        self.process = process
        self.walls = walls
        self._control = control

    @classmethod
    async def start(cls, layers: Layers, hide: Sequence[Path] = ()) -> Zygote:
        """Inside bubblewrap if that is wanted and works. Raises ExecutorFault ("spawn" or "sandbox")."""
        command = [*COMMAND, layers.inner()]
        why = "switched off"
        if layers.bubblewrap != "off":
            inside = sandbox.wrapped(command, hide=hide)
            why = "bwrap is not installed"
            if inside is not None:
                try:
                    return await cls._start(inside, ("bubblewrap",), {})
                except ExecutorFault as fault:
                    why = fault.detail
            if layers.bubblewrap == "on":
                raise ExecutorFault("sandbox", f"executor.bubblewrap is on, but it does not work here: {why}")
        return await cls._start(command, (), {"bubblewrap": why})

    @classmethod
    async def _start(cls, command: list[str], around: tuple[str, ...], missing: dict[str, str]) -> Zygote:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = _Words()
        try:
            with theirs:
                process = Process(command, stdin=theirs, stderr=words.writer)
        except OSError as error:
            ours.close()
            words.close()
            raise ExecutorFault("spawn", f"cannot start the executor: {error}") from error
        control = trio.socket.from_stdlib_socket(ours)
        zygote = cls(process, control, Walls(layers=around, missing=missing))
        try:
            hello = b""
            with trio.move_on_after(READY), suppress(OSError):
                hello = await control.recv(1 << 16)
            said: dict[str, Any] = (
                json.loads(hello) if hello else {"fault": words.last() or "it ended without a word"}
            )
        except BaseException:
            await zygote.end()
            raise
        finally:
            words.close()
        if "fault" in said:
            await zygote.end()
            raise ExecutorFault("spawn", f"the executor does not start: {said['fault']}")
        zygote.walls = Walls(layers=(*around, *said["layers"]), missing=missing | said["missing"])
        return zygote

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    async def fork(self) -> Child:
        """A child that waits for its order. Raises ExecutorFault."""
        child = Child()
        try:
            theirs = child.handed_over()
            await self._control.sendmsg(
                [FORK], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", theirs))]
            )
            child.close_theirs()
            await child.born()
        except OSError as error:
            await child.end()
            raise ExecutorFault("died", f"the executor is gone: {error}") from error
        except BaseException:
            await child.end()
            raise
        return child

    async def end(self) -> None:
        """Close the control socket, kill and reap; quick, and not to be cancelled: a zombie would be worse."""
        with trio.CancelScope(shield=True):
            self._control.close()
            self.process.kill()
            await self.process.wait()


class Child:
    """One fork: three streams to it and its zygote, and the handle that kills it."""

    def __init__(self) -> None:
        self.pid = 0  # in the zygote's name space: for people
        self._handle = -1  # pidfd
        self._ended: int | None = None
        self._last_words = bytearray()
        self._received = bytearray()
        job, self._job_there = socket.socketpair()
        words, self._words_there = socket.socketpair()
        status, self._status_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._job = trio.SocketStream(trio.socket.from_stdlib_socket(job))
        self._words = trio.socket.from_stdlib_socket(words)
        self._status = trio.socket.from_stdlib_socket(status)

    def handed_over(self) -> list[int]:
        return [self._job_there.fileno(), self._words_there.fileno(), self._status_there.fileno()]

    def close_theirs(self) -> None:
        for end in (self._job_there, self._words_there, self._status_there):
            end.close()

    async def born(self) -> None:
        message, given, _, _ = await self._status.recvmsg(
            1 << 10, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
        )
        word, _, rest = message.decode(errors="replace").partition(" ")
        if word != "born" or not given:
            raise ExecutorFault("spawn", f"no child: {rest or 'the executor ended'}")
        self.pid = int(rest)
        self._handle = int.from_bytes(given[0][2][:4], sys.byteorder)

    async def ask(self, order: Order, told: Told = to_nobody) -> Reply:
        """Send the order, wait for the reply; a mapped program's answers are `told` before. Raises ExecutorFault if
        the child dies or lies."""
        payload = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, frame(encode_order(order)))
            nursery.start_soon(self._listen)
            payload = await self._receive_reply(order, told)
            if not payload:
                await self._end_status()
            nursery.cancel_scope.cancel()
        if not payload:
            raise ExecutorFault(_REASONS.get(self._ended, "died"), self._obituary())
        try:
            return decode_reply(payload)
        except BadFrame as error:
            raise ExecutorFault("frame", f"the child sent nonsense: {error}") from error

    def kill(self) -> None:
        if self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and see it gone; quick, and not to be cancelled."""
        with trio.CancelScope(shield=True):
            self.close_theirs()
            self.kill()
            if self._handle >= 0:
                await trio.lowlevel.wait_readable(self._handle)  # it is dead; its zygote reaps it
                trio.lowlevel.notify_closing(self._handle)
                os.close(self._handle)
                self._handle = -1
            await self._job.aclose()
            self._words.close()
            self._status.close()

    async def _send(self, data: bytes) -> None:
        with suppress(trio.BrokenResourceError):  # it died; the missing reply says so
            await self._job.send_all(data)

    async def _listen(self) -> None:
        with suppress(OSError):
            while part := await self._words.recv(_LISTEN):
                self._last_words = (self._last_words + part)[-_TAIL:]

    async def _receive_reply(self, order: Order, told: Told) -> bytes:
        """The reply's payload, after the answers that come before it; empty if the child ended or said too much."""
        for _ in range(MAX_ITEMS + 1 if order.answers else 1):
            payload = await self._receive(order.max_reply)
            try:
                answer = decode_answer(payload) if payload and order.answers else None
            except BadFrame:
                return payload  # decode_reply says what is wrong with it
            if answer is None:
                return payload
            told(*answer)
        self.kill()
        return b""

    async def _receive(self, limit: int) -> bytes:
        """One frame's payload; empty if the child ended, or promised more than its reply may take."""
        if not await self._fill(HEADER):
            return b""
        size = int.from_bytes(self._received[:HEADER], "big")
        if size > limit:
            self.kill()
            return b""
        if not await self._fill(HEADER + size):
            return b""
        payload = bytes(self._received[HEADER : HEADER + size])
        del self._received[: HEADER + size]
        return payload

    async def _fill(self, need: int) -> bool:
        """Whether so many bytes have come, now or before."""
        while len(self._received) < need:
            try:
                part = await self._job.receive_some(1 << 20)
            except trio.BrokenResourceError:
                return False
            if not part:
                return False
            self._received += part
        return True

    async def _end_status(self) -> None:
        try:
            message = await self._status.recv(1 << 10)
        except OSError as error:
            if error.errno != errno.ECONNRESET:
                raise
            message = b""
        if message.startswith(b"ended "):
            self._ended = int(message.split()[1])

    def _obituary(self) -> str:
        if self._ended is None:
            return "the process that forks children ended, and the child with it"
        code = self._ended
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        words = self._last_words.decode(errors="replace").strip().splitlines()
        return (
            f"the child was {how}" if code < 0 else f"the child {how}" + (f": {words[-1]}" if words else "")
        )


class _Words:
    """What a process says on stderr before it is ready: a file without a name, read when it has failed."""

    def __init__(self) -> None:
        self.writer = os.memfd_create("executor-stderr", os.MFD_CLOEXEC)

    def last(self) -> str:
        size = os.fstat(self.writer).st_size
        text = os.pread(self.writer, _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()
        return text.splitlines()[-1] if text else ""

    def close(self) -> None:
        os.close(self.writer)
