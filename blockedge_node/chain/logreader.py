"""Blocks and logs of BlockEdge and its Court → UnitBook, AuctionBook and TicketBook, over any reorg.

Near the head, blocks are followed one by one through their parents' hashes and their logs are asked for by
block hash, so that no reorg can mix two branches; far behind, logs come in ranges, each block of them checked
against its header. The last 256 (number, hash) are kept: if a block does not descend from the last one read,
everything above the common ancestor is dropped and read again (docs/protocol.md §4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from blockedge_node.chain.auctions import AuctionBook
from blockedge_node.chain.blocks import Block, Log, block_at, block_if_any, logs_between, logs_of
from blockedge_node.chain.book import HORIZON, UnitBook
from blockedge_node.chain.court_events import TicketRecord
from blockedge_node.chain.events import (
    Announced,
    Awarded,
    BidPosted,
    Defended,
    Demanded,
    ExitRequested,
    Funded,
    Lapsed,
    Outbid,
    Record,
    ReportClosed,
    Reported,
    Settled,
    Source,
    Supplied,
    Withdrawn,
    decode_log,
)
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused
from blockedge_node.chain.tickets import TicketBook
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash, UnitId
from blockedge_node.errors import Transient

log = structlog.get_logger("chain.watcher")

STEP = 32  # blocks followed one by one; beyond that, logs are read in ranges
RANGE = 2_000  # blocks a range at first; halved when the endpoint refuses
ADDRESSES_MAX = 100_000  # remembered for the audit


class LogReader:
    """See the module docstring. `start`: the first block read; what was awarded before stays unknown.

    `contracts`: whose logs are read. Those of the Court must be read from its first block on: every ticket counts
    in every draw.
    """

    def __init__(
        self,
        rpc: Rpc,
        contracts: Mapping[Address, Source],
        *,
        start: int,
        keep: Callable[[], Collection[UnitId]],
        moved: Callable[[Address], None],  # told of every balance that an event changed
    ) -> None:
        self.book = UnitBook()
        self.tickets = TicketBook()
        self.auctions = AuctionBook()
        self.addresses: set[Address] = set()  # all that ever held a balance
        self.last = start - 1  # all logs up to here are in the book
        self.reorgs = 0
        self.changes = 0  # grows whenever a record is folded or blocks are dropped
        self._rpc = rpc
        self._contracts = dict(contracts)
        self._start = start
        self._keep = keep
        self._moved = moved
        self._kept: dict[int, Hash] = {}  # the last HORIZON blocks that were read
        self._range = RANGE

    def has(self, block: Block) -> bool:
        """Whether this very block is among those read."""
        return self._kept.get(block.number) == block.hash

    async def approach(self, target: Block) -> None:
        """Read everything below `target`, which is then the next to be taken, if it was not before.

        Raises Transient.
        """
        if self.has(target):
            return
        if target.number <= self.last or (target.number - self.last > STEP and not await self._still_there()):
            await self._rewind()
        while target.number - self.last > STEP:
            await self._read_range(min(target.number - 1, self.last + self._range))
            self.retire(self.last)
        steps = await self._blocks(range(self.last + 1, target.number))
        parent = self._kept.get(self.last)
        for block in [*steps, target]:
            if parent is not None and block.parent != parent:
                await self._rewind()
                raise Transient("the chain changed while it was read")
            parent = block.hash
        if steps:
            answers = await self._rpc.ask_all([self.question(block) for block in steps])
            for block, logs in zip(steps, answers, strict=True):
                if isinstance(logs, RpcRefused):
                    raise logs
                self.take(block, logs)

    def question(self, block: Block) -> Ask[tuple[Log, ...]]:
        return logs_of(block.hash, *self._contracts)

    def take(self, block: Block, logs: tuple[Log, ...]) -> None:
        """Fold the logs of the block after the last one. Raises Transient if they cannot be that."""
        self._fold(logs, {block.number: block})
        self._remember(block)

    def retire(self, head: int) -> None:
        """Forget what nobody asks for any more, once `head` and all before it are read."""
        self.book.retire(head, self._keep())
        self.auctions.retire(head, self._keep())
        self.tickets.retire(head)

    def drop_above(self, block: int) -> None:
        """Forget what later blocks did; they are read again."""
        self.changes += 1
        self.book.drop_above(block)
        self.tickets.drop_above(block)
        self.auctions.drop_above(block)
        self._kept = {n: h for n, h in self._kept.items() if n <= block}
        self.last = min(self.last, block)

    def start_over(self) -> None:
        """Read everything again, from the first block on."""
        self.drop_above(self._start - 1)
        self._forget_tickets()

    def disbelieve(self, what: str) -> Transient:
        self._rpc.distrust(what)
        return Transient(f"the RPC {what}")

    def _forget_tickets(self) -> None:
        """All is read again, and with it what was thought final."""
        self.tickets = TicketBook(self.tickets.seat)

    # ── reorgs ───────────────────────────────────────────────────────────────────────────────────────────

    async def _still_there(self) -> bool:
        """Whether the last block that was read is still on the chain."""
        if self.last not in self._kept:
            return True
        block = await self._rpc.ask(block_if_any(self.last))
        return block is not None and self.has(block)

    async def _rewind(self) -> None:
        """Drop everything above the newest block read that is still on the chain."""
        kept = sorted(self._kept, reverse=True)
        ancestor = self._start - 1
        for i in range(0, len(kept), STEP):
            blocks = await self._rpc.ask_all([block_if_any(n) for n in kept[i : i + STEP]])
            found = [block.number for block in blocks if isinstance(block, Block) and self.has(block)]
            if found:
                ancestor = found[0]
                break
        if ancestor < self._start:
            self._forget_tickets()
        if self.last > ancestor:
            self.reorgs += 1
            log.warning("reorg", dropped=self.last - ancestor, ancestor=ancestor)
        self.drop_above(ancestor)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────

    async def _read_range(self, last: int) -> None:
        """Logs of (last read, `last`] in one question."""
        first = self.last + 1
        try:
            logs = await self._rpc.ask(logs_between(first, last, *self._contracts))
        except RpcRefused:
            if self._range == 1:
                raise
            self._range = max(1, self._range // 2)  # too many results or blocks for this endpoint
            return
        numbers = sorted({entry.block for entry in logs} | {last})
        if not first <= numbers[0] <= numbers[-1] <= last:
            raise self.disbelieve(f"gave logs outside of blocks {first} to {last}")
        blocks = {block.number: block for block in await self._blocks(numbers)}
        self._fold(logs, blocks)
        self._remember(blocks[last])
        self._range = min(RANGE, self._range * 2)

    async def _blocks(self, numbers: Collection[int]) -> list[Block]:
        answers = await self._rpc.ask_all([block_at(n) for n in numbers]) if numbers else []
        for number, block in zip(numbers, answers, strict=True):
            if isinstance(block, RpcRefused):
                raise block
            if block.number != number:
                raise self.disbelieve(f"gave block {block.number} for {number}")
        return answers

    def _fold(self, logs: tuple[Log, ...], blocks: Mapping[int, Block]) -> None:
        """All of them or none: a block that was half folded would be folded twice."""
        for record, block in self.records(logs, blocks):
            self.changes += 1
            if isinstance(record, TicketRecord):
                self.tickets.apply(record, block.number, block.time)
            else:
                self.auctions.apply(record, block.number, block.time)
                self.book.apply(record, block.number, block.time)
                self._note_addresses(record)

    def records(self, logs: tuple[Log, ...], blocks: Mapping[int, Block]) -> list[tuple[Record, Block]]:
        """What the logs of these blocks, by number, say. Raises Transient if they cannot be that."""
        records: list[tuple[Record, Block]] = []
        for entry in logs:
            block = blocks.get(entry.block)
            source = self._contracts.get(entry.address)
            if block is None or block.hash != entry.block_hash or source is None:
                raise self.disbelieve("gave a log that is not of the block and contracts asked for")
            try:
                record = decode_log(entry.topics, entry.data, source)
            except ValueError as error:
                raise self.disbelieve(f"gave a log that does not decode: {error}") from None
            if record is not None:
                records.append((record, block))
        return records

    def _note_addresses(self, record: Record) -> None:
        for address in self._touched(record):
            self._moved(address)
            if len(self.addresses) < ADDRESSES_MAX:
                self.addresses.add(address)

    def _touched(self, record: Record) -> tuple[Address, ...]:
        """Whose balance the event changed."""
        match record:
            case Funded() | ExitRequested() | Withdrawn():
                return (record.account,)
            case Reported():
                return (record.author,)
            case Announced():
                return (record.requester,)
            case BidPosted() | Outbid():
                return (record.worker,)
            case Lapsed():
                auction = self.auctions.get(record.unit)
                parties = (record.worker, auction.request.requester if auction else ZERO_ADDRESS)
                return tuple(who for who in parties if who != ZERO_ADDRESS)
            case Awarded() | Settled() | ReportClosed() | Demanded() | Supplied() | Defended():
                view = self.book.get(record.unit)
                if view is not None:
                    funders = [r.funder for r in view.case.rounds] if view.case else []
                    authors = [r.author for r in view.reports]
                    everybody = (view.terms.requester, view.terms.worker, *authors, *funders)
                    return tuple(who for who in everybody if who != ZERO_ADDRESS)
        return ()

    def _remember(self, block: Block) -> None:
        self.last = block.number
        self._kept[block.number] = block.hash
        for number in [n for n in self._kept if n <= block.number - HORIZON]:
            del self._kept[number]
