"""The node's side of execution: children kept warm, one for each run, killed at the deadline.

A fresh Python with wasmtime takes 60–100 ms, a run's own overhead a few; so the pool keeps idle children
that have done their imports and only wait for an order. A child serves one order and ends, which leaves
nothing of one program for the next. Cancelling a run kills its child; the node's death ends all of them
(`runner.main`).

Errors. A run ends in an `Outcome` (traps and invalid modules included: they are results) or raises

    ExecutorFault   the machine spoiled it (deadline, killed, native stack …): retry maybe, never a verdict
    Rejected        NO_ENGINE: the program names another engine than ours
    PowError        the search's data makes no sense
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, Self

import structlog
import trio

from blockedge_node.core.job import ENGINE, Job, Outcome, PowJob, WasmJob
from blockedge_node.errors import Rejected, Transient
from blockedge_node.executor import probe
from blockedge_node.executor.frames import (
    HEADER,
    MAX_REPLY,
    BadFrame,
    Failed,
    Order,
    Reply,
    decode_reply,
    encode_order,
    frame,
)
from blockedge_node.executor.pow import Search

log = structlog.get_logger("executor")

# Isolated (-I): neither the environment nor the working directory choose what the child imports. The one
# path it gets is where this package lives, so it runs the node's own version whether installed or not.
# Without cffi, the library that hashes falls back to ctypes: as fast for us, and 30 ms less to import.
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); sys.modules['cffi'] = None; "
    "from blockedge_node.executor.runner import main; main()"
)
COMMAND: Final = (sys.executable, "-I", "-c", _BOOT, str(Path(__file__).resolve().parents[2]))

CHECK_WALL: Final = 60.0  # s; compiling the largest module that the limits allow
RESPAWN_DELAY: Final = 1.0  # s between attempts to start a spare while the machine refuses
_TAIL: Final = 2048  # bytes of a dead child's last words


class ExecutorFault(Transient):
    """The machine spoiled a run.

    `reason` is one word: timeout, died (killed, out of memory, out of CPU time), stack, compile, host, spawn;
    or engine, order, frame, selftest, which say that this installation is broken and a retry will not help.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the executor gave no result ({reason}): {detail}")
        self.reason = reason
        self.detail = detail


class _Child:
    """One process of runner.py, from its start to its reaping."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._last_words = bytearray()

    @classmethod
    async def start(cls) -> _Child:
        try:
            process = await trio.lowlevel.open_process(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                start_new_session=True,  # Ctrl-C in a terminal is the node's business
            )
        except OSError as error:
            raise ExecutorFault("spawn", f"cannot start a child: {error}") from error
        return cls(process)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    async def ask(self, order: Order) -> Reply:
        """Send the order, wait for the reply. Raises ExecutorFault if the child dies or lies."""
        payload = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, frame(encode_order(order)))
            nursery.start_soon(self._listen)
            payload = await self._receive()
            if not payload:
                await self.process.wait()
            nursery.cancel_scope.cancel()
        if not payload:
            raise ExecutorFault("died", self._obituary())
        try:
            return decode_reply(payload)
        except BadFrame as error:
            raise ExecutorFault("frame", f"the child sent nonsense: {error}") from error

    async def end(self) -> None:
        """Kill and reap; quick, and not to be cancelled: a zombie would be worse."""
        with trio.CancelScope(shield=True):
            self.process.kill()
            await self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream is not None:
                    await stream.aclose()

    async def _send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(trio.BrokenResourceError):  # it died; the missing reply says so
            await self.process.stdin.send_all(data)

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        async for part in self.process.stderr:
            self._last_words = (self._last_words + part)[-_TAIL:]

    async def _receive(self) -> bytes:
        """One frame's payload; empty if the child ended, or promised more than any reply may take."""
        data = bytearray()
        need = HEADER
        assert self.process.stdout is not None
        while len(data) < need:
            part = await self.process.stdout.receive_some(1 << 20)
            if not part:
                return b""
            data += part
            if need == HEADER and len(data) >= HEADER:
                size = int.from_bytes(data[:HEADER], "big")
                if size > MAX_REPLY:
                    self.process.kill()
                    return b""
                need = HEADER + size
        return bytes(data[HEADER:need])

    def _obituary(self) -> str:
        code = self.process.returncode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        words = self._last_words.decode(errors="replace").strip().splitlines()
        return (
            f"the child was {how}" if code < 0 else f"the child {how}" + (f": {words[-1]}" if words else "")
        )


class Pool:
    """Runs jobs in children, at most `slots` at a time; further ones wait their turn.

    `async with Pool(slots=2) as pool`, or `await nursery.start(pool.serve)`. Without either it works too,
    with a cold start for every run. `warm` idle children are kept (default: one a slot; about 30 MB each).
    """

    def __init__(self, *, slots: int = 1, warm: int | None = None) -> None:
        if slots < 1:
            raise ValueError("an executor needs at least one slot")
        self.slots = slots
        self._free = trio.Semaphore(slots)
        self._warm = slots if warm is None else warm
        self._idle: deque[_Child] = deque()
        self._taken = trio.Event()
        self._stack = AsyncExitStack()

    @property
    def busy(self) -> int:
        """How many slots are in use."""
        return self.slots - self._free.value

    async def run(self, job: Job, *, wall: float) -> Outcome:
        """Run a job; `wall` seconds count from when it gets its slot. See the module's list of errors."""
        self._refuse_impossible(job)
        reply = await self._order(Order(do="run", job=job, wall=wall))
        if not isinstance(reply, Outcome):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    async def check(self, job: WasmJob, *, wall: float = CHECK_WALL) -> str | None:
        """Before bidding: why the job's module would end as INVALID, or None. Compiles it, runs nothing."""
        self._refuse_impossible(job)
        reply = await self._order(Order(do="check", job=job, wall=wall))
        if not isinstance(reply, str | None):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        """Evidence against a proof-of-work output: b"" if it is wrong by itself, 8 bytes of a smaller
        winning nonce, None if it is right."""
        self._refuse_impossible(job)
        reply = await self._order(Order(do="refute", job=job, wall=wall, output=output))
        if not isinstance(reply, bytes | None):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    async def self_test(self) -> None:
        """At the node's start: run the probe programs. Raises ExecutorFault unless their results are the known
        ones."""
        for job, result in probe.CASES:
            outcome = await self.run(job, wall=CHECK_WALL)
            if outcome.result != result:
                raise ExecutorFault(
                    "selftest", "this machine computes another result than all others: do not bid with it"
                )

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep spares ready until cancelled, then end them."""
        try:
            task_status.started()
            while True:
                self._taken = trio.Event()
                if len(self._idle) < self._warm:
                    try:
                        self._idle.append(await _Child.start())
                    except ExecutorFault as fault:
                        log.warning("no spare child", why=fault.detail)
                        await trio.sleep(RESPAWN_DELAY)
                else:
                    await self._taken.wait()
        finally:
            while self._idle:
                await self._idle.popleft().end()

    async def __aenter__(self) -> Self:
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.callback(nursery.cancel_scope.cancel)
        await nursery.start(self.serve)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        # The body's exception is not passed on to the nursery, which would wrap it in a group.
        await self._stack.aclose()

    @staticmethod
    def _refuse_impossible(job: Job) -> None:
        if isinstance(job, PowJob):
            Search.decode(job.data).span(job.shard)
        elif job.engine != ENGINE:
            raise Rejected("NO_ENGINE", f"the program runs on {job.engine}; this node has {ENGINE}")

    async def _order(self, order: Order) -> Reply:
        async with self._free:
            child = await self._take()
            try:
                with trio.move_on_after(order.wall):
                    reply = await child.ask(order)
                    if isinstance(reply, Failed):
                        raise ExecutorFault(reply.reason, reply.detail)
                    return reply
            finally:
                await child.end()
        raise ExecutorFault("timeout", f"not done after {order.wall:g} s")

    async def _take(self) -> _Child:
        """A warm child, or else a cold one."""
        while self._idle:
            child = self._idle.popleft()
            self._taken.set()
            if child.alive:
                return child
            await child.end()
        return await _Child.start()


def memory_warning() -> str | None:
    """Why this machine may fail a program's memory.grow where others do not, or None. Read before bidding."""
    try:
        mode = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
    except OSError:
        return None
    if mode != "2":
        return None
    return (
        "vm.overcommit_memory is 2: the kernel may refuse memory that the manifest allows; set it to 0 or 1"
    )
