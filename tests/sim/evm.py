"""The simulator's chain: the contracts' real bytecode in pyrevm (Prague rules), a block each virtual second.

    accept(tx) ─▶ pool ─▶ mine() ─▶ Block ─▶ chain.events.decode_log ─▶ chain.book.UnitBook ─▶ views
                    ▲                 │
                    └── reorg(depth) ─┘   state goes back to before those blocks, their transactions to the pool

Everything but consensus is the node's own code: calldata, logs, views, reverts, skips. Gas is not a figure here:
pyrevm keeps accounts warm between transactions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from random import Random
from typing import Any

import trio
from pyrevm import EVM, BlockEnv, CfgEnv, Env

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.auctions import AuctionBook
from blockedge_node.chain.book import Slot, UnitBook
from blockedge_node.chain.calls import encode, key_of, target_of, value_of
from blockedge_node.chain.court_events import TicketRecord
from blockedge_node.chain.deploy import created_by
from blockedge_node.chain.events import Announced, BidPosted, Lapsed, Outbid, Record, Source, decode_log
from blockedge_node.chain.reverts import explain
from blockedge_node.chain.simulation import skipped_units
from blockedge_node.chain.tickets import TicketBook
from blockedge_node.core.actions import ChainAction
from blockedge_node.core.auction import AuctionView
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, UnitId
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import bonded
from blockedge_node.core.unit import Account, Head, Reputation, Standing, UnitView
from blockedge_node.wire.params import load_params

CHAIN_ID = 31337
START = 1_700_000_000  # block 0's timestamp: that of the virtual clock's beginning
REORG_MAX = 3  # blocks
QUIET = (
    10  # blocks between reorgs, at least: a chain that takes back more can keep any call out of its window
)
GAS = 5_000_000  # a transaction's limit
RICH = 10**24  # wei of ether that everybody begins with
PARAMS = load_params((Path(__file__).parents[2] / "config" / "params.dev.json").read_text())
ABI = contract("BlockEdge")
FOUNDER = Address(b"\xf0" * 20)
Log = tuple[Source, Any, bytes]  # who wrote it, topics, data
FAILED = re.compile(r"output: 0x([0-9a-f]*)")


@dataclass(slots=True, eq=False)
class Tx:
    """One transaction; equal calls of one sender, before and after a restart, have equal keys."""

    sender: Address
    key: str
    data: bytes
    call: ChainAction | None = None
    value: int = 0
    to: Source = "BlockEdge"
    block: int | None = None  # the canonical block that holds it
    done: bool = False  # and it took effect there: neither reverted nor skipped
    hash: Hash = ZERO_HASH
    gas: int = 0


@dataclass(slots=True, eq=False)
class Block:
    head: Head
    before: Any  # pyrevm's checkpoint
    txs: list[Tx] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong on the chain, as chances."""

    reorg: float = 0.0  # a block is followed by a reorg of 1 … REORG_MAX blocks
    lost_in_reorg: float = 0.5  # a transaction of an orphaned block has to be sent again
    slow: float = 0.0  # no block this second
    left_out: float = 0.0  # a transaction waits for the next block


class SimChain:
    """See the module docstring. One for all nodes; each has a Wallet (wallet.py) on it. `court`: deploy one."""

    def __init__(self, chance: Random, weather: Weather, *, court: bool = False) -> None:
        self.chance = chance
        self.weather = weather
        self.calm = False  # True: no more reorgs
        self.book = UnitBook()
        self.tickets = TicketBook(PARAMS.seat)
        self.auctions = AuctionBook()
        self.pool: list[Tx] = []
        self.reorgs = 0
        self.orphans = 0  # transactions that a reorg took out of their block
        self.mined: Callable[[], None] = lambda: None  # after every block and reorg: the audit
        self._evm = EVM(env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)), gas_limit=1 << 63, spec_id="PRAGUE")
        self._began = trio.current_time()
        self._new = trio.Event()
        genesis = Head(number=0, hash=keccak256(b"genesis"), time=START)
        self._enter(genesis)
        self._evm.set_balance(_hex(FOUNDER), RICH)
        judge = self._create("PowJudge")
        self.params = PARAMS
        if court:
            nonce = self._evm.basic(_hex(FOUNDER)).nonce
            block_edge = created_by(FOUNDER, nonce + 4)  # after the Court and three that share its calls
            self.params = replace(PARAMS, court=self._create("Court", astuple(PARAMS), block_edge))
        constants = astuple(self.params)
        parts = [self._create("Reports", constants, judge)]
        parts += [self._create(name, constants) for name in ("Disputes", "Auctions")]
        self._at = _hex(self._create("BlockEdge", constants, judge, *parts))
        self.domain = Domain(CHAIN_ID, Address(bytes.fromhex(self._at[2:])))
        self.blocks = [Block(genesis, None)]
        self._quiet_until = chance.randint(0, QUIET)  # a block's number
        self._checkpoints = 0  # that pyrevm holds for us
        self._standings: dict[Address, Standing] = {}  # at the head

    def _create(self, name: str, *args: Any) -> Address:
        return Address(bytes.fromhex(self._evm.deploy(_hex(FOUNDER), contract(name).creation(*args))[2:]))

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def head(self) -> Head:
        return self.blocks[-1].head

    def now(self) -> int:
        """The chain's clock between heads."""
        return START + int(trio.current_time() - self._began + 1e-6)  # virtual time is a sum of floats

    async def run(self) -> None:
        while True:
            await trio.sleep(1)
            if self.chance.random() < self.weather.slow:
                continue
            restless = not self.calm and self.head.number >= self._quiet_until
            if restless and self.chance.random() < self.weather.reorg:
                self.reorg(self.chance.randint(1, REORG_MAX))
            self.mine()

    async def next_block(self, after: Hash) -> Head:
        """The newest head, as soon as it is not `after`."""
        while self.head.hash == after:
            await self._new.wait()
        return self.head

    def mine(self) -> None:
        waits = [tx for tx in self.pool if self.chance.random() < self.weather.left_out]
        txs = [tx for tx in self.pool if tx not in waits]
        self.pool = waits
        self._seal(self.now(), txs)
        self._new.set()
        self._new = trio.Event()

    def reorg(self, depth: int) -> None:
        """Another branch wins: `depth` blocks are replaced by as many with none of their transactions."""
        depth = min(depth, len(self.blocks) - 1)
        if not depth:
            return
        orphans = self.blocks[-depth:]
        del self.blocks[-depth:]
        self._evm.revert(orphans[0].before)
        self._checkpoints -= depth
        for _ in orphans[1:]:
            self._evm.commit()  # pyrevm counts its checkpoints, and has gone back over all of these at once
        self.book.drop_above(self.head.number)
        self.tickets.drop_above(self.head.number)
        self.auctions.drop_above(self.head.number)
        self._standings.clear()
        self.reorgs += 1
        self._quiet_until = self.head.number + depth + self.chance.randint(QUIET, 2 * QUIET)
        for tx in (tx for orphan in orphans for tx in orphan.txs):
            tx.block, tx.done = None, False
            self.orphans += 1
            if self.chance.random() >= self.weather.lost_in_reorg:
                self.pool.append(tx)
        for orphan in orphans:
            self._seal(orphan.head.time, ())

    def _seal(self, time: int, txs: Iterable[Tx]) -> None:
        """One more block. Nothing here awaits, so nobody sees half of it."""
        number = self.head.number + 1
        fork = self.reorgs.to_bytes(4, "big")
        head = Head(number=number, hash=keccak256(self.head.hash + fork + bytes([number % 256])), time=time)
        self._enter(head)
        block = Block(head, self._evm.snapshot())
        self._checkpoints += 1
        if self._checkpoints > REORG_MAX:
            self._evm.commit()  # the oldest is needed no more
            self._checkpoints -= 1
        self.blocks.append(block)
        for tx in txs:
            self._execute(tx, block)
        if block.txs:  # else nothing moved; points decay by the week, and the next one is a day away
            self._standings.clear()
        self.mined()

    def _enter(self, head: Head) -> None:
        self._evm.set_block_env(BlockEnv(number=head.number, timestamp=head.time))

    def _execute(self, tx: Tx, block: Block) -> None:
        tx.block = block.head.number
        tx.hash = keccak256(tx.sender + tx.key.encode() + block.head.hash)
        block.txs.append(tx)
        refused, logs = self._call(tx.sender, tx.data, tx.value, tx.to)
        assert self._evm.result is not None
        tx.gas = self._evm.result.gas_used
        if refused is not None:
            return
        tx.done = tx.call is None or tx.call.unit not in skipped_units(_bare(logs))
        for source, topics, data in logs:
            record = decode_log(topics, data, source)
            if record is None:
                continue
            block.records.append(record)
            if isinstance(record, TicketRecord):
                self.tickets.apply(record, block.head.number, block.head.time)
            else:
                self.auctions.apply(record, block.head.number, block.head.time)
                self.book.apply(record, block.head.number, block.head.time)

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────

    def accept(self, tx: Tx) -> None:
        """A broadcast transaction; the same one twice is one."""
        if tx not in self.pool and tx.block is None:
            self.pool.append(tx)

    def fund(self, who: Address, amount: int) -> None:
        """Set-up: ether for everybody, and `amount` wei of it in the contract."""
        self._evm.set_balance(_hex(who), RICH)
        self._execute(Tx(who, "fund", ABI.call("fund"), value=amount), self.blocks[-1])

    def stake(self, who: Address, tickets: int) -> None:
        """Set-up: `tickets` of the Court."""
        for i in range(tickets):
            data = contract("Court").call("stake")
            tx = Tx(who, f"stake {i}", data, value=PARAMS.seat, to="Court")
            self._execute(tx, self.blocks[-1])
            assert tx.done, "a ticket was not staked"

    def forecast(self, tx: Tx) -> str:
        """Why a call would fail in the earliest next block, in the contract's names; "" if it would not."""
        assert tx.call is not None
        checkpoint = self._evm.snapshot()
        self._evm.set_block_env(BlockEnv(number=self.head.number + 1, timestamp=self.head.time + 1))
        try:
            refused, logs = self._call(tx.sender, tx.data, tx.value, tx.to)
        finally:
            self._evm.revert(checkpoint)
            self._enter(self.head)
        if refused is not None:
            return str(explain(refused, tx.to))
        return skipped_units(_bare(logs)).get(tx.call.unit, "")

    def _call(self, sender: Address, data: bytes, value: int, to: Source) -> tuple[bytes | None, list[Log]]:
        """(revert data, logs): the first is None if the call went through."""
        at = self._at if to == "BlockEdge" else _hex(self.params.court)
        try:
            self._evm.message_call(_hex(sender), at, data, value=value, gas=GAS)
        except RuntimeError as error:  # how pyrevm says that the EVM reverted or halted
            found = FAILED.search(str(error))
            return bytes.fromhex(found[1]) if found else b"", []
        assert self._evm.result is not None
        return None, [(self._source(log.address), *log.data) for log in self._evm.result.logs]

    def _source(self, address: str) -> Source:
        return "BlockEdge" if address.lower() == self._at.lower() else "Court"

    # ── views of the head ────────────────────────────────────────────────────────────────────────────────

    def view(self, function: str, *args: Any) -> Any:
        raw = self._evm.message_call(_hex(FOUNDER), self._at, ABI.call(function, *args), is_static=True)
        return ABI.returned(function, raw)

    def standing(self, who: Address) -> Standing:
        if who not in self._standings:
            (account,) = self.view("accountOf", who)
            reputation = self.view("repOf", who)
            self._standings[who] = Standing(
                account=Account(**_named(Account, account)),
                reputation=Reputation(**_named(Reputation, reputation)),
            )
        return self._standings[who]

    def moved(self, since: int) -> set[Address]:
        """Whose balance may have changed in blocks after `since`."""
        records = [r for block in self.blocks[since + 1 :] for r in block.records]
        units = {record.unit for record in records if hasattr(record, "unit")}
        found = {record.worker for record in records if isinstance(record, BidPosted | Outbid | Lapsed)}
        found |= {record.requester for record in records if isinstance(record, Announced)}
        found |= {view.request.requester for view in filter(None, map(self.auctions.get, units))}
        for view in filter(None, map(self.book.get, units)):
            found |= {view.terms.requester, view.terms.worker, *(report.author for report in view.reports)}
        return found

    def slots(self, units: Collection[UnitId]) -> dict[UnitId, Slot]:
        if not units:
            return {}
        (states,) = self.view("phaseOf", list(units))
        return {unit: Slot(state[0], state[2], state[3]) for unit, state in zip(units, states, strict=True)}

    def views(self, keep: Collection[UnitId] = ()) -> tuple[UnitView, ...]:
        return self.book.views(self.head.number, keep)

    def opened(self, keep: Collection[UnitId] = ()) -> tuple[AuctionView, ...]:
        """Auctions at the head, as the watcher shows them."""
        return self.auctions.views(self.head.number, keep)

    @property
    def burned(self) -> int:
        return int(self.view("burned")[0])

    @property
    def held(self) -> int:
        return int(self._evm.get_balance(self._at))

    @property
    def court_held(self) -> int:
        return int(self._evm.get_balance(_hex(self.params.court)))

    @property
    def pots(self) -> int:
        """Wei that rounds of open cases hold."""
        views = [v for v in self.book.all_views() if v.case is not None and not v.case.closed]
        return sum(self._pot(view, round.round) for view in views if view.case for round in view.case.rounds)

    def _pot(self, view: UnitView, round: int) -> int:
        if round == 0 and bonded(view):
            return appeal_cost(0, view.terms.check_fee)
        data = contract("Court").call("fundingOf", view.unit, round)
        raw = self._evm.message_call(_hex(FOUNDER), _hex(self.params.court), data, is_static=True)
        ((_, pot),) = contract("Court").returned("fundingOf", raw)
        return int(pot)


def tx_of(sender: Address, call: ChainAction) -> Tx:
    """The transaction that makes one call."""
    return Tx(sender, key_of(call), encode([call]), call, value=value_of(call), to=target_of(call))


def _bare(logs: Iterable[Log]) -> list[tuple[Any, bytes]]:
    return [(topics, data) for _, topics, data in logs]


def _hex(address: bytes) -> str:
    return "0x" + address.hex()


def _named(cls: Any, values: Iterable[Any]) -> dict[str, Any]:
    return dict(zip((f.name for f in fields(cls)), values, strict=True))
