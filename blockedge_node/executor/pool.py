"""The node's side of execution: a queue, a compile cache, and one child for each order, killed at the deadline.

    run ─▶ admission (slot, memory, turn) ─▶ cache ─miss─▶ a child that compiles ─▶ cache
                                                └─hit──▶ a child that runs ─▶ Outcome

Children are forked by a zygote (zygote.py) that has done their imports, behind the walls that hold on this
machine (sandbox.py). A child serves one order and ends, which leaves nothing of one program for the next. A
child that compiles never runs anything, so that its machine code may be kept; one that runs keeps nothing.
Cancelling a run kills its child; the node's death ends all of them, the zygote too. If the zygote dies, its
runs are faults and the next one has a new zygote.

Errors. A run ends in an `Outcome` (traps and invalid modules included: they are results) or raises

    ExecutorFault   the machine spoiled it (deadline, killed, memory …): retry maybe, never a verdict
    Rejected        NO_ENGINE: the program names another engine than ours
    PowError        the search's data makes no sense
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn, Self

import structlog
import trio

from blockedge_node.core.items import Told, to_nobody
from blockedge_node.core.job import ENGINE, MIB, Job, Outcome, PowJob, WasmJob
from blockedge_node.errors import Rejected
from blockedge_node.executor import admission, probe
from blockedge_node.executor.admission import Admission
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.children import Walls, Zygote
from blockedge_node.executor.faults import ExecutorFault as ExecutorFault  # raised here: imported from here
from blockedge_node.executor.frames import Failed, Order, Reply
from blockedge_node.executor.pow import Search
from blockedge_node.executor.sandbox import Layers

log = structlog.get_logger("executor")

CHECK_WALL: Final = 240.0  # s; compiling may take COMPILE_CPU, of which a busy machine gives a part
COMPILE_CPU: Final = 60.0  # s; CPython, the largest program tried, takes 15
COMPILE_MEMORY: Final = 2 << 30  # bytes of private memory
LEEWAY: Final = (
    1 << 30
)  # bytes a child may hold beyond twice what admission promised it: its stack, copies of its order
RESPAWN_DELAY: Final = 1.0  # s between attempts to start a zygote while the machine refuses


class Pool:
    """Runs jobs in children, at most `slots` at a time; further ones wait their turn.

    `async with Pool(slots=2) as pool`, or `await nursery.start(pool.serve)`. Without either it works too,
    with a zygote started for the orders that are there and ended after them. `memory` bytes bound what the
    running programs may need together (None: half of the machine's); `hide` are directories that even a child
    that broke out of the engine must not see, where bubblewrap is. `compile_cpu` seconds bound one compilation.
    """

    def __init__(
        self,
        *,
        slots: int = 1,
        memory: int | None = None,
        cache: Cache | None = None,
        layers: Layers | None = None,
        hide: Sequence[Path] = (),
        compile_cpu: float = COMPILE_CPU,
    ) -> None:
        if slots < 1:
            raise ValueError("an executor needs at least one slot")
        self.slots = slots
        whole = admission.total()
        if memory is None and whole is not None:
            memory = int(whole * admission.SHARE)
        self.admission = Admission(slots=slots, budget=memory)
        self.walls: Walls | None = None
        self._cache = cache
        self._layers = layers or Layers()
        self._hide = tuple(hide)
        self._compile_cpu = compile_cpu
        self._compiling: dict[int, trio.Lock] = {}
        self._zygote: Zygote | None = None
        self._starting = trio.Lock()
        self._reaping: trio.Nursery | None = None
        self._users = 0  # orders under way, and serve
        self._stack = AsyncExitStack()

    @property
    def busy(self) -> int:
        """How many slots are in use."""
        return self.admission.running

    async def run(self, job: Job, *, wall: float, told: Told | None = None) -> Outcome:
        """Run a job; `wall` seconds count from when it gets its slot. A mapped one's answers are `told` as they
        come, before the outcome that counts. See the module's list of errors."""
        self._refuse_impossible(job)
        order = Order(do="run", job=job, wall=wall, answers=told is not None)
        reply = await self._order(order, told or to_nobody)
        if not isinstance(reply, Outcome):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    async def check(
        self, job: WasmJob, *, functions: int | None = None, wall: float = CHECK_WALL
    ) -> str | None:
        """Before bidding: why the job's module would end as INVALID or not fit here, or None. Compiles it (for
        the cache too), runs nothing.

        `functions` is how many the node's operator allows. A module that the compiler cannot manage within its
        limits is refused, since every attempt would end alike.
        """
        self._refuse_impossible(job)
        if why := self.room(job):
            return why
        try:
            reply = await self._order(Order(do="compile", job=job, wall=wall, functions=functions or 0))
        except ExecutorFault as fault:
            if fault.reason not in ("cpu", "aborted", "seccomp"):
                raise
            return (
                f"compiling it takes more than this node gives to a program ({self._compile_cpu:g} s of CPU time, "
                f"{COMPILE_MEMORY // MIB} MiB of memory): build it smaller, for instance with -Os or fewer libraries"
            )
        if isinstance(reply, bytes | None):
            return None
        if not isinstance(reply, str):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    def room(self, job: WasmJob) -> str | None:
        """Why the job, with its input, could never be admitted here, or None."""
        return self.admission.too_large(admission.need(job, do="run"))

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        """Evidence against a proof-of-work output: b"" if it is wrong by itself, 8 bytes of a smaller
        winning nonce, None if it is right."""
        self._refuse_impossible(job)
        reply = await self._order(Order(do="refute", job=job, wall=wall, output=output))
        if not isinstance(reply, bytes | None):
            raise ExecutorFault("frame", "the child replied to another order")
        return reply

    async def self_test(self) -> None:
        """At the node's start: run the probe programs. Raises ExecutorFault unless all give the known results."""
        for job, result in probe.CASES:
            outcome = await self.run(job, wall=CHECK_WALL)
            if outcome.result != result:
                raise ExecutorFault(
                    "selftest", "this machine computes another result than all others: do not bid with it"
                )

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a zygote ready until cancelled, then end it."""
        self._users += 1
        try:
            async with trio.open_nursery() as self._reaping:
                task_status.started()
                await self._keep_zygote()
        finally:
            self._reaping = None
            await self._let_go()

    async def _keep_zygote(self) -> NoReturn:
        while True:
            try:
                zygote = await self.zygote()
            except ExecutorFault as fault:
                log.warning("executor does not start", why=fault.detail, code="BE-EXEC-02")
                await trio.sleep(RESPAWN_DELAY)
            else:
                await zygote.process.wait()
                log.warning("executor ended and is started again", code="BE-EXEC-03")

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

    async def _order(self, order: Order, told: Told = to_nobody) -> Reply:
        need = admission.need(order.job, do=order.do)
        async with self.admission.admitted(admission.line_of(order.job), need):
            self._users += 1
            try:
                with trio.move_on_after(order.wall):
                    return await self._obeyed(order, told)
            finally:
                await self._let_go()
        raise ExecutorFault("timeout", f"not done after {order.wall:g} s")

    async def _obeyed(self, order: Order, told: Told) -> Reply:
        """The reply, with the cache asked before and told after. Raises ExecutorFault."""
        if not isinstance(order.job, WasmJob) or self._cache is None:
            return await self._ask(order, told)
        if order.do == "compile":  # asked anew: limits and arguments belong to the job, code to the module
            return await self._made(order, self._cache)
        native = await self._native(order, self._cache)
        # An invalid module, or code too large to keep: what a run without the cache gives.
        return await self._ask(replace(order, native=native) if isinstance(native, bytes) else order, told)

    async def _native(self, order: Order, cache: Cache) -> Reply:
        """Machine code for the order's module: kept, or made now, by one child at a time for each module."""
        assert isinstance(order.job, WasmJob)
        wasm = order.job.wasm
        lock = self._compiling.setdefault(hash(wasm), trio.Lock())
        try:
            async with lock:
                kept = await trio.to_thread.run_sync(cache.get, wasm)
                if kept is not None:
                    return kept
                return await self._made(replace(order, do="compile"), cache)
        finally:
            if not lock.statistics().tasks_waiting:
                self._compiling.pop(hash(wasm), None)

    async def _made(self, order: Order, cache: Cache) -> Reply:
        assert isinstance(order.job, WasmJob)
        made = await self._ask(order)
        if isinstance(made, bytes):
            await trio.to_thread.run_sync(cache.put, order.job.wasm, made)
        return made

    async def _ask(self, order: Order, told: Told = to_nobody) -> Reply:
        if order.do == "compile":
            order = replace(order, wall=min(order.wall, self._compile_cpu), memory=COMPILE_MEMORY)
        else:
            order = replace(order, memory=2 * admission.need(order.job, do=order.do) + LEEWAY)
        child = await (await self.zygote()).fork()
        try:
            reply = await child.ask(order, told)
        except BaseException:
            await child.end()
            raise
        child.kill()
        if self._reaping is None:
            await child.end()
        else:
            # It has said all that it will ever say; taking its memory apart takes longer than a small run.
            self._reaping.start_soon(child.end)
        if isinstance(reply, Failed):
            raise ExecutorFault(reply.reason, reply.detail)
        return reply

    async def zygote(self) -> Zygote:
        """The zygote; a new one if there is none or it died. Raises ExecutorFault."""
        async with self._starting:
            if self._zygote is not None and not self._zygote.alive:
                await self._zygote.end()
                self._zygote = None
            if self._zygote is None:
                self._zygote = await Zygote.start(self._layers, self._hide)
                self.walls = self._zygote.walls
            return self._zygote

    async def _let_go(self) -> None:
        self._users -= 1
        if not self._users and self._zygote is not None:
            zygote, self._zygote = self._zygote, None
            await zygote.end()


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
