"""Confirmed heads: polls the chain, has its logs folded into views and tickets, and emits HeadSeen.

    latest ──(CONF blocks)──▶ confirmed ──▶ logreader.py: logs → views ──▶ compared with the slots ──▶ HeadSeen

- The confirmed head is `latest` − CONF. Each is read in one batch, its logs and the slots of all open units and
  cases; a second one, if there were logs, reads our own balance and reputation, and what tickets have changed.
- The contracts are the truth. A unit whose slot differs from its view has its logs read again, tickets that differ
  all logs; if they still do not make what the contracts say, the endpoint is not believed and no head is emitted
  until one is.
- Auctions are shown as of the newest block (auctions.py); all else is as of the confirmed one.
- A head that is lower than before on the same branch is an endpoint that lags: it is waited for.

`Head.time` is the block's timestamp, exactly: a call whose window opens by time is due on a head past the
opening (docs/protocol.md §3.3), and notBefore of an Award is the time of a block. "Now" for what peers send
(expiry, freshness) is `now()`: that timestamp plus the wall time since the head arrived. No head, no event:
while the chain stands still nothing on it can become due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from itertools import chain
from typing import Any

import structlog
import trio

from blockedge_node.chain.blocks import Block, block_at
from blockedge_node.chain.book import Slot, UnitBook
from blockedge_node.chain.events import Record, Source
from blockedge_node.chain.logreader import LogReader
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Rpc, RpcRefused
from blockedge_node.core.events import HeadSeen
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.unit import Head, Standing
from blockedge_node.errors import Transient

log = structlog.get_logger("chain.watcher")

RETRY = 0.25  # seconds after a fault, doubled up to RETRY_MAX
RETRY_MAX = 10.0
PATIENCE_MIN, PATIENCE_MAX = 2.0, 30.0  # seconds
TICKETS_PAGE = 500  # tickets compared with the court's at one head: after a start it takes several
STANDING_BLOCKS = 30  # our own figures are read again after as many blocks without any log
Emit = Callable[[HeadSeen], Awaitable[None]]


class Watcher:
    """One contract on one chain, as seen by `me`. Run `run` in a nursery; everything else only reads."""

    def __init__(
        self,
        rpc: Rpc,
        reader: Reader,
        me: Address,
        *,
        court: CourtReader | None = None,
        start: int = 0,  # first block to read: the deployment's, or that of the oldest unit needed
        conf: int = 0,  # blocks on top of a confirmed head
        poll: float = 0.25,  # seconds
        keep: Callable[[], Collection[UnitId]] = frozenset,  # units somebody still waits to see the end of
        moved: Callable[[Address], None] = lambda _: None,  # told of every balance that an event changed
    ) -> None:
        self.conf = conf
        contracts: dict[Address, Source] = {reader.address: "BlockEdge"}
        if court is not None:
            contracts[court.address] = "Court"
        self.logs = LogReader(rpc, contracts, start=start, keep=keep, moved=moved)
        self.latest: Block | None = None  # newest block, not confirmed
        self.head: Head | None = None  # confirmed, as last emitted
        self.seen: HeadSeen | None = None  # the same with all that was seen at it
        self.standing = Standing()
        self.problem = ""  # why no head arrives, in words; empty while they do
        self._rpc = rpc
        self._reader = reader
        self._court = court
        self._me = me
        self._start = start
        self._poll = poll
        self._keep = keep
        self._standing_at = (-1, 0)  # the log's changes and the block at which `standing` was read
        self._suspects: dict[UnitId, int] = {}  # units whose slots differ, and where their logs begin
        self._tickets_differ = False
        self._ahead: dict[Hash, list[tuple[Record, Block]]] = {}  # what unconfirmed blocks say, in order
        self._done: Hash | None = None  # newest block of the last head emitted
        self._arrived = trio.current_time()
        self._interval = poll  # smoothed seconds between blocks
        self._new_block = trio.Event()
        self._new_head = trio.Event()

    # ── what others read ─────────────────────────────────────────────────────────────────────────────────

    @property
    def book(self) -> UnitBook:
        """All units, as of the last block read: at times a little ahead of `head`."""
        return self.logs.book

    @property
    def age(self) -> float:
        """Seconds since the newest block arrived."""
        return trio.current_time() - self._arrived

    def now(self) -> int:
        """The chain's clock between heads (§3.3); 0 before the first."""
        return self.latest.time + int(self.age) if self.latest else 0

    async def next_block(self, after: Hash | None) -> Block:
        """The newest block, as soon as it is not `after`."""
        while self.latest is None or self.latest.hash == after:
            await self._new_block.wait()
        return self.latest

    async def next_head(self) -> None:
        """Returns once another head has been emitted."""
        await self._new_head.wait()

    @property
    def patience(self) -> float:
        """Seconds in which we see what another node, with fewer confirmations and a quicker eye, sees now."""
        return min(PATIENCE_MAX, max(PATIENCE_MIN, (self.conf + 2) * self._interval))

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, emit: Emit, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Emits HeadSeen for ever. Started once the log is read up to the confirmed head and it is emitted."""
        started = False
        retry = RETRY
        while True:
            try:
                seen = await self._look()
            except Transient as error:
                if not self.problem:
                    log.warning("chain cannot be read", reason=str(error))
                self.problem = str(error)
                await trio.sleep(retry)
                retry = min(RETRY_MAX, retry * 2)
                continue
            retry = RETRY
            self.problem = ""
            if seen is not None:
                await emit(seen)
                self._new_head.set()
                self._new_head = trio.Event()
                if not started:
                    started = True
                    task_status.started()
            await trio.sleep(self._pause())

    def _pause(self) -> float:
        """Poll rarely right after a head, often when the next one is near."""
        return min(max(0.9 * self._interval - self.age, self._poll), 4 * self._poll)

    async def _look(self) -> HeadSeen | None:
        latest = await self._rpc.ask(block_at("latest"))
        if latest.hash == self._done:
            return None
        target = latest
        if self.conf:
            target = await self._rpc.ask(block_at(max(0, latest.number - self.conf)))
        if target.number < self.logs.last and self.logs.has(target):
            raise self.logs.disbelieve(f"lags: gave block {target.number} after {self.logs.last}")
        self._note(latest)
        if target.number < self._start:
            raise Transient(f"block {self._start}, where the contract begins, is not confirmed yet")
        await self._read_head(target)
        self.logs.retire(target.number)
        self._done = latest.hash
        self.head = Head(number=target.number, hash=target.hash, time=target.time)
        ahead = await self._read_ahead(target, latest)
        keep = self._keep()
        self.seen = HeadSeen(
            head=self.head,
            standing=self.standing,
            views=self.logs.book.views(target.number, keep),
            tickets=self.logs.tickets.tickets,
            newest=latest.number,
            auctions=self.logs.auctions.views(target.number, keep, ahead),
        )
        return self.seen

    def _note(self, latest: Block) -> None:
        if self.latest is not None:
            if latest.hash == self.latest.hash:
                return
            self._interval += (min(self.age, 60.0) - self._interval) / 4
        self.latest = latest
        self._arrived = trio.current_time()
        self._new_block.set()
        self._new_block = trio.Event()

    async def _read_ahead(self, target: Block, latest: Block) -> list[tuple[Record, int, int]]:
        """What the blocks above the confirmed one say: bids must land in the next, so nobody can wait for CONF.
        Each is read once. If the chain changes meanwhile, what is known so far will do: another head comes at once.
        """
        numbers = range(target.number + 1, latest.number)
        blocks = [*await self._rpc.ask_all([block_at(number) for number in numbers])] if numbers else []
        chain = [
            block for block in [*blocks, latest] if isinstance(block, Block) and block.number > target.number
        ]
        held, self._ahead = self._ahead, {}
        parent = target.hash
        for block in chain:
            if block.parent != parent:
                break
            parent = block.hash
            if block.hash not in held:
                logs = await self._rpc.ask(self.logs.question(block))
                held[block.hash] = self.logs.records(logs, {block.number: block})
            self._ahead[block.hash] = held[block.hash]
        return [
            (record, block.number, block.time) for found in self._ahead.values() for record, block in found
        ]

    # ── one head ─────────────────────────────────────────────────────────────────────────────────────────

    async def _read_head(self, target: Block) -> None:
        """Bring views, tickets and standing to `target`. Raises Transient if a second reading does not help."""
        for _ in range(2):
            await self.logs.approach(target)
            if await self._read_and_compare(target):
                return
            if self._tickets_differ:
                log.warning("tickets differ from the court's", reading_again_from=self._start)
                self.logs.start_over()
                continue
            first = min(self._suspects.values())
            log.warning("views differ from slots", units=len(self._suspects), reading_again_from=first)
            self.logs.drop_above(self.book.whole_cut(min(first, target.number) - 1))
        raise self.logs.disbelieve(
            f"gave events that do not make what the contracts say, or the court is older than block {self._start}"
            if self._tickets_differ
            else "gave events that do not make what the contracts say"
        )

    async def _read_and_compare(self, target: Block) -> bool:
        """Whether all slots are as the views say; units that are not stay suspects until they are."""
        book = self.logs.book
        units = [*self._suspects, *(unit for unit in book.open_units() if unit not in self._suspects)]
        tried = book.open_cases() if self._court else []
        cases: list[Any] = [self._court.case(unit, target.hash) for unit in tried] if self._court else []
        logs, *answers = await self._ask_all(
            [self.logs.question(target), *cases, *self._reader.slots(units, target.hash)]
        )
        if not self.logs.has(target):
            self.logs.take(target, logs)
        cases, slots = answers[: len(tried)], answers[len(tried) :]
        known = set(units)
        fresh = [unit for unit in book.open_units() if unit not in known]  # awarded in this very block
        units += fresh
        slots += await self._read_more(target, fresh)
        wrong = [unit for unit, slot in zip(units, chain(*slots), strict=True) if slot != book.slot(unit)]
        wrong += [unit for unit, case in zip(tried, cases, strict=True) if case != book.case_slot(unit)]
        old = self._suspects
        self._suspects = {unit: old[unit] if unit in old else book.first_block(unit) for unit in wrong}
        return not wrong and not self._tickets_differ

    async def _read_more(self, target: Block, fresh: list[UnitId]) -> list[list[Slot]]:
        """Slots of `fresh`, our own standing, and what tickets have changed: all these change with logs of the
        contracts, and R with the weeks.
        """
        asks: list[Any] = self._reader.slots(fresh, target.hash)
        changes, block = self._standing_at
        recent = changes == self.logs.changes and 0 <= target.number - block < STANDING_BLOCKS
        moved = self.logs.tickets.unproven[:TICKETS_PAGE] if self._court else ()
        if recent and not moved:
            return await self._ask_all(asks)
        asks += [self._reader.account(self._me, target.hash), self._reader.reputation(self._me, target.hash)]
        if self._court is not None:
            asks += [self._court.tickets(target.hash), *(self._court.ticket(i, target.hash) for i in moved)]
        answers = iter(await self._ask_all(asks))
        slots = [next(answers) for _ in self._reader.slots(fresh)]
        self.standing = Standing(account=next(answers), reputation=next(answers))
        if self._court is not None:
            count, said = next(answers), dict(zip(moved, answers, strict=True))
            self._tickets_differ = not self.logs.tickets.prove(count, said)
        self._standing_at = (self.logs.changes, target.number)
        return slots

    async def _ask_all(self, asks: list[Any]) -> list[Any]:
        answers = await self._rpc.ask_all(asks) if asks else []
        for answer in answers:
            if isinstance(answer, RpcRefused):
                raise answer
        return answers
