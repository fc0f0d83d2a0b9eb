"""One transaction manager per key: calls in, mined calls out.

    send(call) ──▶ waiting ──forecast good──▶ a nonce (nonces.py) ──▶ mined CONF deep ──▶ CallMined
                     ▲   would revert or skip │                             │
                     └─────── next head ──────┴──── mined without effect ───┘

A call waits, however long, until a forecast on the newest block says that it would take effect. Calls of one
function that are good at the same moment share a transaction, and its gas in proportion to their forecasts.
Whoever waits may be cancelled at any point: a call that is not signed yet goes away, one that is signed is
followed to its end, and an equal call that is sent later, or after a restart, finds it again by its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
import trio

from blockedge_node.chain.batching import batches, gas_limit_of
from blockedge_node.chain.blocks import Block, Receipt
from blockedge_node.chain.calls import encode, function_of, key_of, target_of, value_of
from blockedge_node.chain.events import Source
from blockedge_node.chain.fees import FeePolicy
from blockedge_node.chain.nonces import Nonces
from blockedge_node.chain.outbox import Outbox
from blockedge_node.chain.rpc import Ask, Rpc, hex_of, quantity
from blockedge_node.chain.simulation import Forecast, Simulator
from blockedge_node.chain.slots import Job
from blockedge_node.chain.transactions import Fee, Payload
from blockedge_node.chain.watcher import Watcher
from blockedge_node.core.actions import ChainAction
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import Address
from blockedge_node.errors import ChainError, Transient

log = structlog.get_logger("chain.sender")

BATCH_WINDOW = 0.05  # seconds in which calls of one function gather
RECHECK = 2.0  # seconds: open transactions are looked after even if no block comes
GWEI = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderStatus:
    waiting: tuple[tuple[str, str], ...]  # (function:unit:…, what it waits for)
    in_flight: int  # transactions signed and not yet CONF deep
    balance: int  # wei for gas, at the last look
    problem: str  # what the operator must know; empty if nothing
    gas_short: bool  # the account cannot pay for a call that is due: stop bidding


class Sender:
    """See the module docstring. Run `run` in a nursery; `send` and `transact` may be called at any time."""

    def __init__(
        self,
        rpc: Rpc,
        watcher: Watcher,
        outbox: Outbox,
        key: bytes,
        chain_id: int,
        *,
        contract: Address,
        court: Address | None = None,
        fees: FeePolicy | None = None,
    ) -> None:
        self._rpc = rpc
        self._watcher = watcher
        self._addresses: dict[Source, Address | None] = {"BlockEdge": contract, "Court": court}
        self._fees = fees or FeePolicy()
        self._nonces = Nonces(rpc, outbox, key, chain_id, conf=watcher.conf, fees=self._fees)
        self.address = self._nonces.address
        self._simulator = Simulator(rpc, self.address, court)
        self._waiting: list[Job] = []
        self._balance = 0
        self._trouble = ""
        self._gas_short = False
        self._plain = 0  # numbers plain transactions, so that their keys differ
        self._reorgs = 0  # the watcher's count at the last look
        self._wake = trio.Event()
        self._busy = trio.Lock()  # one of the two loops at a time decides about nonces

    # ── for callers ──────────────────────────────────────────────────────────────────────────────────────

    async def send(self, call: ChainAction) -> CallMined:
        """Returns once `call` has taken effect CONF blocks deep; waits for that as long as it takes."""
        payload = Payload(to=self._address(target_of(call)), data=encode([call]), value=value_of(call))
        job = Job(key=key_of(call), function=function_of(call), payload=payload, call=call)
        await self._wait_for(job)
        assert job.mined is not None
        return job.mined

    async def transact(
        self, function: str, data: bytes, value: int = 0, *, target: Source = "BlockEdge"
    ) -> Receipt:
        """A plain call of a contract (fund, exit, withdraw, stake …): its receipt, CONF blocks deep.

        Raises Rejected with the contract's reason, ChainError if the account cannot pay `value` and gas.
        """
        self._plain += 1
        payload = Payload(to=self._address(target), data=data, value=value)
        job = Job(key=f"{function}:{self._plain}", function=function, payload=payload)
        await self._wait_for(job)
        if job.refused is not None:
            raise job.refused
        assert job.receipt is not None
        return job.receipt

    def status(self) -> SenderStatus:
        return SenderStatus(
            waiting=tuple((job.key, job.waits_for) for job in self._waiting if job.live),
            in_flight=len(self._nonces.open),
            balance=self._balance,
            problem=self._trouble or self._nonces.problem,
            gas_short=self._gas_short,
        )

    def _address(self, target: Source) -> Address:
        """Raises ChainError if this deployment has no such contract."""
        address = self._addresses[target]
        if address is None:
            raise ChainError("this coalition has no court: its BlockEdge was deployed without one")
        return address

    async def _wait_for(self, job: Job) -> None:
        self._waiting.append(job)
        self._wake.set()
        try:
            await job.done.wait()
        finally:
            job.cancelled = not job.done.is_set()
            self._leave(job)

    def _leave(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)

    # ── the two loops ────────────────────────────────────────────────────────────────────────────────────

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sends for ever. Started at once: the rows on disk go out at the first block."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._on_blocks)
            nursery.start_soon(self._on_calls)
            task_status.started()

    async def _on_blocks(self) -> None:
        """Every block: look after the open transactions, then try the calls that wait."""
        last: Block | None = None
        while True:
            with trio.move_on_after(RECHECK):
                last = await self._watcher.next_block(last.hash if last else None)
            if last is not None:
                await self._round(last)

    async def _round(self, head: Block) -> None:
        async with self._busy:
            reorged = self._reorgs != self._watcher.logs.reorgs
            if self._nonces.synced and not (self._nonces.open or self._waiting or reorged):
                self._trouble, self._gas_short = "", False
                return  # an idle node asks nothing
            try:
                for job in await self._nonces.look_after(head):
                    self._retry(job, head)
                self._reorgs = self._watcher.logs.reorgs
                due = [job for job in self._waiting if job.not_before <= head.number]
                self._trouble = ""
                await self._dispatch(head, due)
            except Transient as error:
                self._note(str(error))

    async def _on_calls(self) -> None:
        """New calls: gather for a moment, then send without waiting for a block."""
        while True:
            await self._wake.wait()
            await trio.sleep(BATCH_WINDOW)
            self._wake = trio.Event()
            async with self._busy:
                new = [job for job in self._waiting if not job.waits_for]
                if not new or self._watcher.latest is None or not self._nonces.synced:
                    continue  # the first round will take them
                try:
                    await self._dispatch(self._watcher.latest, new)
                except Transient as error:
                    self._note(str(error))

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("transactions are delayed", reason=trouble)
        self._trouble = trouble

    def _retry(self, job: Job, head: Block) -> None:
        """A call that was mined without effect waits again."""
        if not self._simulator.sees_skips:  # its forecast cannot show why: do not pay for that at every block
            job.not_before = head.number + 2 ** min(job.skips, 6)
        self._waiting.append(job)

    # ── from waiting to a nonce ──────────────────────────────────────────────────────────────────────────

    async def _dispatch(self, head: Block, jobs: Iterable[Job]) -> None:
        """Send those calls that would take effect now; the others learn what they wait for."""
        rest: dict[str, Job] = {}  # of equal calls the first; the others join it at the next block
        for job in jobs:
            if job.live and self._nonces.join(job):
                self._leave(job)
            elif job.live:
                rest.setdefault(job.key, job)
        if not rest:
            return
        await self._read_prices()
        affordable = [job for job in rest.values() if self._pays(job, job.payload.value)]
        units = [job.call.unit if job.call else None for job in affordable]
        payloads = [job.payload for job in affordable]
        forecasts = await self._simulator.forecast(head, list(zip(payloads, units, strict=True)))
        good = [job for job, f in zip(affordable, forecasts, strict=True) if self._accepts(job, f)]
        fee = self._fees.first(head.base_fee, self._nonces.tip)
        if fee is None and good:
            self._hold(good, f"the base fee of {head.base_fee} wei is above gas_max")
        if fee is not None:
            self._gas_short = False
            for batch in batches(good, head.gas_limit):
                await self._sign_and_send(batch, fee, head)

    async def _read_prices(self) -> None:
        asks: list[Ask[Any]] = [
            Ask("eth_maxPriorityFeePerGas", (), quantity),
            Ask("eth_getBalance", (hex_of(self.address), "latest"), quantity),
        ]
        tip, balance = await self._rpc.ask_all(asks)
        self._nonces.tip = tip if isinstance(tip, int) else GWEI  # not every endpoint has an opinion
        self._balance = balance if isinstance(balance, int) else self._balance

    def _accepts(self, job: Job, forecast: Forecast) -> bool:
        if forecast.unknown:
            job.waits_for = forecast.unknown
            return False
        if forecast.refused is None:
            job.gas = forecast.gas
            return job.live
        if job.call is None:  # nobody wants a plain call later than now
            job.end(forecast.refused)
        else:
            job.waits_for = str(forecast.refused)
        return False

    async def _sign_and_send(self, batch: Sequence[Job], fee: Fee, head: Block) -> None:
        batch = [job for job in batch if job.live]
        if not batch:
            return
        first = batch[0]
        calls = [job.call for job in batch if job.call is not None]
        payload = Payload(
            to=first.payload.to,
            data=encode(calls) if calls else first.payload.data,
            value=first.payload.value,
            gas=min(sum(map(gas_limit_of, batch)), head.gas_limit),
        )
        need = self._nonces.owed + payload.gas * fee.cap + payload.value
        if self._balance < need and len(batch) > 1:  # then as many of them as there is money for
            for job in batch:
                await self._sign_and_send([job], fee, head)
            return
        if not self._pays(first, need):
            return
        for job in batch:
            job.waits_for = ""
            self._leave(job)
        await self._nonces.take(first.function, payload, batch, fee, head)

    def _pays(self, job: Job, need: int) -> bool:
        if self._balance >= need:
            return True
        self._gas_short = True
        short = (
            f"0x{self.address.hex()} holds {self._balance} wei and needs {need}: send ether to this address "
            "(the balance in the contract does not pay gas)"
        )
        if job.call is None:
            job.end(ChainError(short))
        else:
            self._hold([job], short)
        return False

    def _hold(self, jobs: Iterable[Job], reason: str) -> None:
        self._note(reason)
        for job in jobs:
            job.waits_for = reason
