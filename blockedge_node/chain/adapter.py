"""ports.Chain on a real chain: one object that holds endpoint, watcher and sender together.

chain = ChainAdapter(config, key, outbox)
await chain.open()                                # ChainError if chain or contracts are not the coalition's
await nursery.start(chain.run, engine.post)       # started once the first HeadSeen is handled
await chain.send(Settle(…))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.audit import Audit, answers, audit
from blockedge_node.chain.blocks import Receipt
from blockedge_node.chain.events import Source
from blockedge_node.chain.fees import FeePolicy
from blockedge_node.chain.outbox import Outbox
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Ask, Rpc
from blockedge_node.chain.sender import Sender, SenderStatus
from blockedge_node.chain.standings import Standings
from blockedge_node.chain.watcher import Emit, Watcher
from blockedge_node.core.actions import Appeal, ChainAction
from blockedge_node.core.court import Ticket
from blockedge_node.core.events import CallMined
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.unit import Account, Head, Phase, Reputation, Standing
from blockedge_node.errors import ChainError
from blockedge_node.wire.eip712 import address_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainConfig:
    """A coalition as one member reaches it. A code hash of None: the code is not compared, only its presence."""

    urls: tuple[str, ...]
    chain_id: int
    contract: Address
    code_hash: Hash | None = None
    court: Address | None = None
    others: Mapping[Address, Hash | None] = field(default_factory=dict)  # code hashes of Court and judges
    start: int = 0  # the deployment's first block
    conf: int = 2  # blocks
    poll: float = 0.25  # seconds
    timeout: float = 10.0  # seconds
    gas_max: int = 500 * 10**9  # wei per gas


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStatus:
    head: Head | None  # confirmed; None until the log is read
    latest: int  # newest block's number
    age: float  # seconds since it arrived
    problem: str  # why no head arrives; empty while they do
    endpoints: tuple[tuple[str, str], ...]  # (host:port, what is wrong with it or "")
    reorgs: int
    open_units: int
    sender: SenderStatus


class ChainAdapter:
    """See the module docstring."""

    def __init__(
        self,
        config: ChainConfig,
        key: bytes,
        outbox: Outbox,
        *,
        keep: Callable[[], Collection[UnitId]] = frozenset,
    ) -> None:
        self.config = config
        self.domain = Domain(config.chain_id, config.contract)
        self.rpc = Rpc(
            config.urls,
            chain_id=config.chain_id,
            code_hashes={
                config.contract: config.code_hash,
                **({config.court: None} if config.court else {}),
                **config.others,
            },
            timeout=config.timeout,
        )
        self.reader = Reader(config.contract)
        self.court = CourtReader(config.court) if config.court else None
        self._standings = Standings(self._read_standing)
        self.watcher = Watcher(
            self.rpc,
            self.reader,
            address_of(key),
            court=self.court,
            start=config.start,
            conf=config.conf,
            poll=config.poll,
            keep=keep,
            moved=self._standings.moved,
        )
        self.sender = Sender(
            self.rpc,
            self.watcher,
            outbox,
            key,
            config.chain_id,
            contract=config.contract,
            court=config.court,
            fees=FeePolicy(gas_max=config.gas_max),
        )
        self.address = self.sender.address
        self._seat = 0  # wei a ticket, read by `open`

    async def open(self) -> Params:
        """Check chain and contracts, and read the constants. Raises ChainError, Transient."""
        await self.rpc.verify()
        params = await self.params()
        named = self.config.court or ZERO_ADDRESS
        if params.court != named:
            raise ChainError(
                f"the coalition file names the court 0x{named.hex()}, and its BlockEdge 0x{params.court.hex()}: "
                "get the right file from whoever runs the coalition"
            )
        if self.court is not None:
            theirs = await self.rpc.ask(self.court.block_edge())
            if theirs != self.config.contract:
                raise ChainError(f"the court 0x{named.hex()} belongs to another BlockEdge, 0x{theirs.hex()}")
        self.watcher.logs.tickets.seat = self._seat = params.seat
        return params

    async def run(self, emit: Emit, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch and send for ever. Started once the first HeadSeen has been handled by `emit`."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.sender.run)
                await nursery.start(self.watcher.run, emit)
                task_status.started()
        finally:
            await self.rpc.aclose()

    # ── ports.Chain ──────────────────────────────────────────────────────────────────────────────────────

    async def send(self, call: ChainAction) -> CallMined:
        return await self.sender.send(call)

    async def standing(self, who: Address) -> Standing | None:
        """Raises Transient if the chain cannot be read."""
        if who == self.address and self.watcher.head is not None:
            return self.watcher.standing
        return await self._standings.get(who)

    async def draw_commit(self, unit: UnitId, wait: bool) -> Hash | None:
        """What the draw secret of a COMMITTED unit must open; None if it has none, or is not COMMITTED.

        With `wait`, a unit that others see committed already is waited for, as long as another node may be ahead
        of us. It counts once the head that shows it has been emitted: whoever is told of the secret has been told
        of the unit.
        """
        book, watcher = self.watcher.book, self.watcher
        with trio.move_on_after(watcher.patience if wait else 0):
            while True:
                view, head = book.get(unit), watcher.head
                if view is not None and head is not None and book.changed(unit) <= head.number:
                    if view.phase > Phase.COMMITTED or view.terms.draw_commit == ZERO_HASH:
                        return None
                    if view.phase is Phase.COMMITTED:
                        return view.terms.draw_commit
                await watcher.next_head()
        return None

    # ── the wallet ───────────────────────────────────────────────────────────────────────────────────────

    async def fund(self, amount: int) -> Receipt:
        """Move `amount` wei from the account to its balance in the contract."""
        return await self._call("fund", value=amount)

    async def exit(self, amount: int) -> Receipt:
        """Make `amount` wei of the balance withdrawable after UNBOND; 0 cancels."""
        return await self._call("exit", amount)

    async def withdraw(self) -> Receipt:
        """Raises Rejected(NotExiting | TooEarly)."""
        return await self._call("withdraw")

    async def flush_burn(self) -> Receipt:
        return await self._call("flushBurn")

    async def _call(self, function: str, *args: Any, value: int = 0, target: Source = "BlockEdge") -> Receipt:
        return await self.sender.transact(
            function, contract(target).call(function, *args), value, target=target
        )

    # ── tickets: each raises ChainError where there is no court, Rejected with the Court's reason ─────────

    async def stake(self) -> Receipt:
        """Stake a ticket: SEAT wei of the account itself."""
        return await self._call("stake", value=self._seat, target="Court")

    async def unstake(self, ticket: int) -> Receipt:
        """No later draw takes it; its duties go on."""
        return await self._call("unstake", ticket, target="Court")

    async def withdraw_ticket(self, ticket: int) -> Receipt:
        """Take what is left of the stake, UNBOND after it left."""
        return await self._call("withdrawTicket", ticket, target="Court")

    async def collect(self, ticket: int) -> Receipt:
        """Take what the ticket has earned beyond SEAT."""
        return await self._call("collect", ticket, target="Court")

    async def appeal(self, call: Appeal) -> Receipt:
        """Fund the next round of a case now, or learn why not."""
        return await self._call("appeal", call.case.values(), value=call.value, target="Court")

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────

    async def account(self, who: Address) -> Account:
        return await self.rpc.ask(self.reader.account(who))

    async def reputation(self, who: Address) -> Reputation:
        return await self.rpc.ask(self.reader.reputation(who))

    async def gas_money(self, who: Address | None = None) -> int:
        """Native balance in wei, of ourselves if nobody is named."""
        return await self.rpc.ask(self.reader.ether(who or self.address))

    async def params(self) -> Params:
        return await self.rpc.ask(self.reader.params())

    async def audit(self) -> Audit:
        """Every bucket of the contracts, over all accounts and tickets that their events ever named."""
        return await audit(self.rpc, self.reader, self.court, self.watcher)

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets ever staked, by id, as of the last confirmed head."""
        return self.watcher.seen.tickets if self.watcher.seen else ()

    def now(self) -> int:
        """The chain's clock: head timestamp plus wall time since it arrived (docs/protocol.md §3.3)."""
        return self.watcher.now()

    def status(self) -> ChainStatus:
        watcher = self.watcher
        return ChainStatus(
            head=watcher.head,
            latest=watcher.latest.number if watcher.latest else 0,
            age=watcher.age,
            problem=watcher.problem,
            endpoints=tuple((e.name, e.problem) for e in self.rpc.endpoints),
            reorgs=watcher.logs.reorgs,
            open_units=len(watcher.logs.book.open_units()),
            sender=self.sender.status(),
        )

    async def _read_standing(self, who: Address) -> Standing:
        asks: list[Ask[Any]] = [self.reader.account(who), self.reader.reputation(who)]
        account, reputation = answers(await self.rpc.ask_all(asks))
        return Standing(account=account, reputation=reputation)
