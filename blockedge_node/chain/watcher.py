"""Confirmed heads: polls the chain, folds its logs into unit views and emits HeadSeen.

    latest ──(CONF blocks)──▶ confirmed ──▶ logs by block hash ──▶ UnitBook ──▶ slots compared ──▶ HeadSeen

- The confirmed head is `latest` − CONF. Near it, blocks are followed one by one through their parents' hashes
and
  their logs are asked for by block hash, so no reorg can mix two branches; far behind, logs come in ranges.
- The last 256 (number, hash) are kept. If a block does not descend from the last one, everything above the
common
  ancestor is dropped and read again (docs/protocol.md §4).
- The contract's slot is the truth: each head compares the slots of all open units with the views in one call,
and
  reads a unit's logs again if they differ. If they still differ, the endpoint is not believed.
- A head that is lower than before on the same branch is an endpoint that lags: it is waited for.

`Head.time` is the block's timestamp, exactly: a call whose window opens by time is due on a head past the
opening (§3.3), and notBefore of an Award is the time of a block. "Now" for what peers send (expiry,
freshness) is `now()`: that timestamp plus the wall time since the head arrived.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
import trio

from blockedge_node.chain.blocks import Block, Log, block_at, block_if_any, logs_between, logs_of
from blockedge_node.chain.book import HORIZON, UnitBook
from blockedge_node.chain.events import Awarded, ExitRequested, Funded, Reported, Withdrawn, decode_log
from blockedge_node.chain.reader import Reader
from blockedge_node.chain.rpc import Rpc, RpcRefused
from blockedge_node.core.events import HeadSeen
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.unit import Account, Head, Reputation, Standing
from blockedge_node.errors import Transient

log = structlog.get_logger("chain.watcher")

STEP = 32  # blocks followed one by one; beyond that, logs are read in ranges
RANGE = 2_000  # blocks a range at first; halved when the endpoint refuses, never below 1
RETRY = 0.5  # seconds after a fault, doubled up to RETRY_MAX
RETRY_MAX = 10.0
ADDRESSES_MAX = 100_000  # remembered for the audit
Emit = Callable[[HeadSeen], Awaitable[None]]


class Watcher:
    """One contract on one chain, as seen by `me`. Run `run` in a nursery; everything else only reads."""

    def __init__(
        self,
        rpc: Rpc,
        reader: Reader,
        me: Address,
        *,
        start: int = 0,  # first block to read: the deployment's, or that of the oldest unit needed
        conf: int = 0,  # blocks on top of a confirmed head
        poll: float = 0.25,  # seconds
        keep: Callable[[], Collection[UnitId]] = frozenset,  # units somebody still waits to see the end of
    ) -> None:
        self.rpc = rpc
        self.reader = reader
        self.me = me
        self.conf = conf
        self.poll = poll
        self.keep = keep
        self.book = UnitBook()
        self.addresses: set[Address] = set()  # all that ever held a balance, for the audit
        self.latest: Block | None = None  # newest block, not confirmed
        self.head: Head | None = None  # confirmed, as last emitted
        self.standing = Standing()
        self.problem = ""  # why no head arrives, in words; empty while they do
        self.reorgs = 0
        self._start = start
        self._kept: dict[int, Hash] = {}  # the last HORIZON confirmed blocks that were read
        self._last = start - 1  # all logs up to here are in the book
        self._range = RANGE
        self._suspects: dict[UnitId, int] = {}  # units whose slots differ, and where their logs begin
        self._done: Hash | None = None  # newest block of the last head emitted
        self._arrived = trio.current_time()
        self._interval = poll  # smoothed seconds between heads
        self._new_block = trio.Event()

    # ── what others read ─────────────────────────────────────────────────────────────────────────────────

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
                if not started:
                    started = True
                    task_status.started()
            await trio.sleep(self._pause())

    def _pause(self) -> float:
        """Poll rarely right after a head, often when the next one is near."""
        until_due = 0.8 * self._interval - self.age
        return min(max(until_due, self.poll), 4 * self.poll)

    async def _look(self) -> HeadSeen | None:
        latest = await self.rpc.ask(block_at("latest"))
        if latest.hash == self._done:
            return None
        target = latest
        if self.conf:
            target = await self.rpc.ask(block_at(max(0, latest.number - self.conf)))
        if target.number < self._last and self._kept.get(target.number) == target.hash:
            raise self._disbelieve(f"lags: gave block {target.number} after {self._last}")
        self._note(latest)
        if target.number < self._start:
            raise Transient(f"block {self._start}, where the contract begins, is not confirmed yet")
        await self._follow(target)
        await self._read_head(target)
        keep = self.keep()
        self.book.retire(target.number, keep)
        self._done = latest.hash
        self.head = Head(number=target.number, hash=target.hash, time=target.time)
        return HeadSeen(head=self.head, standing=self.standing, views=self.book.views(target.number, keep))

    def _note(self, latest: Block) -> None:
        if self.latest is not None:
            if latest.hash == self.latest.hash:
                return
            self._interval += (min(self.age, 60.0) - self._interval) / 4
        self.latest = latest
        self._arrived = trio.current_time()
        self._new_block.set()
        self._new_block = trio.Event()

    # ── logs ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _follow(self, target: Block) -> None:
        """Bring the book to `target`, over any reorg."""
        if self._kept.get(target.number) == target.hash:
            return
        if target.number <= self._last or not await self._still_there():
            await self._rewind()
        while target.number - self._last > STEP:
            await self._read_range(min(target.number - 1, self._last + self._range))
            self.book.retire(self._last, self.keep())
        await self._read_steps(target)

    async def _still_there(self) -> bool:
        """Whether the last block that was read is still on the chain."""
        if self._last not in self._kept:
            return True
        block = await self.rpc.ask(block_if_any(self._last))
        return block is not None and block.hash == self._kept[self._last]

    async def _rewind(self) -> None:
        """Drop everything above the newest kept block that is still on the chain."""
        kept = sorted(self._kept, reverse=True)
        ancestor = self._start - 1
        for i in range(0, len(kept), STEP):
            numbers = kept[i : i + STEP]
            blocks = await self.rpc.ask_all([block_if_any(n) for n in numbers])
            found = [
                n
                for n, block in zip(numbers, blocks, strict=True)
                if isinstance(block, Block) and block.hash == self._kept[n]
            ]
            if found:
                ancestor = found[0]
                break
        if self._last > ancestor:
            self.reorgs += 1
            log.warning("reorg", dropped=self._last - ancestor, ancestor=ancestor)
        self._drop_above(ancestor)

    def _drop_above(self, block: int) -> None:
        self.book.drop_above(block)
        self._kept = {n: h for n, h in self._kept.items() if n <= block}
        self._last = min(self._last, block)

    async def _read_range(self, last: int) -> None:
        """Logs of (last read, last] in one question; each of their blocks is checked against its header."""
        first = self._last + 1
        try:
            logs = await self.rpc.ask(logs_between(first, last, self.reader.address))
        except RpcRefused:
            if self._range == 1:
                raise
            self._range = max(1, self._range // 2)  # too many results or blocks for this endpoint
            return
        numbers = sorted({entry.block for entry in logs} | {last})
        if any(not first <= number <= last for number in numbers):
            raise self._disbelieve(f"gave logs outside of blocks {first} to {last}")
        blocks = {b.number: b for b in await self._blocks(numbers)}
        self._fold(logs, blocks)
        self._keep_block(blocks[last])
        self._range = min(RANGE, self._range * 2)

    async def _read_steps(self, target: Block) -> None:
        """Blocks after the last one up to `target`, each a child of the one before; logs by block hash."""
        numbers = range(self._last + 1, target.number)
        blocks = [*await self._blocks(numbers), target]
        parent = self._kept.get(self._last)
        for block in blocks:
            if parent is not None and block.parent != parent:
                raise Transient("the chain changed while it was read")  # the next look rewinds
            parent = block.hash
        answers = await self.rpc.ask_all([logs_of(b.hash, self.reader.address) for b in blocks])
        for block, logs in zip(blocks, answers, strict=True):
            if isinstance(logs, RpcRefused):
                raise logs
            self._fold(logs, {block.number: block})
            self._keep_block(block)

    async def _blocks(self, numbers: Collection[int]) -> list[Block]:
        answers = await self.rpc.ask_all([block_at(n) for n in numbers])
        for number, block in zip(numbers, answers, strict=True):
            if isinstance(block, RpcRefused):
                raise block
            if block.number != number:
                raise self._disbelieve(f"gave block {block.number} for {number}")
        return answers

    def _fold(self, logs: tuple[Log, ...], blocks: dict[int, Block]) -> None:
        for entry in logs:
            block = blocks.get(entry.block)
            if block is None or block.hash != entry.block_hash or entry.address != self.reader.address:
                raise self._disbelieve("gave a log that is not of the block and contract asked for")
        for entry in logs:
            try:
                record = decode_log(entry.topics, entry.data)
            except ValueError as error:
                raise self._disbelieve(f"gave a log that does not decode: {error}") from None
            if record is None:
                continue
            self.book.apply(record, entry.block, blocks[entry.block].time)
            self._remember(record)

    def _remember(self, record: Any) -> None:
        match record:
            case Funded() | ExitRequested() | Withdrawn():
                new: tuple[Address, ...] = (record.account,)
            case Awarded():
                new = (record.requester, record.worker)
            case Reported():
                new = (record.author,)
            case _:
                return
        if len(self.addresses) < ADDRESSES_MAX:
            self.addresses.update(new)

    def _keep_block(self, block: Block) -> None:
        self._last = block.number
        self._kept[block.number] = block.hash
        for number in [n for n in self._kept if n <= block.number - HORIZON]:
            del self._kept[number]

    def _disbelieve(self, what: str) -> Transient:
        self.rpc.distrust(what)
        return Transient(f"the RPC {what}")

    # ── figures of a head ────────────────────────────────────────────────────────────────────────────────

    async def _read_head(self, target: Block) -> None:
        """Own standing, and the slots of all open units. Raises Transient if a second reading does not help."""
        if not await self._compare(target):
            first = min(self._suspects.values())
            log.warning(
                "views differ from the contract's slots", units=len(self._suspects), reading_again_from=first
            )
            self._drop_above(min(first, target.number) - 1)
            await self._follow(target)
            if not await self._compare(target):
                raise self._disbelieve("gave events that do not make the contract's slots")

    async def _compare(self, target: Block) -> bool:
        """Whether all slots are as the views say; those that are not stay suspects until they are."""
        expected = self.book.unsettled()
        for unit in self._suspects:
            expected[unit] = self.book.slot(unit)
        units = list(expected)
        asks: list[Any] = [
            self.reader.account(self.me, target.hash),
            self.reader.reputation(self.me, target.hash),
            *self.reader.slots(units, target.hash),
        ]
        answers = await self.rpc.ask_all(asks)
        for answer in answers:
            if isinstance(answer, RpcRefused):
                raise answer
        account, reputation, *parts = answers
        assert isinstance(account, Account)
        assert isinstance(reputation, Reputation)
        self.standing = Standing(account=account, reputation=reputation)
        slots = [slot for part in parts for slot in part]
        wrong = [unit for unit, slot in zip(units, slots, strict=True) if slot != expected[unit]]
        self._suspects = {unit: self._suspects.get(unit) or self.book.first_block(unit) for unit in wrong}
        return not wrong
