"""What the sender keeps in its head: jobs (calls that somebody waits for) and slots (nonces in use)."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from blockedge_node.chain.blocks import Receipt
from blockedge_node.chain.simulation import skipped_units
from blockedge_node.chain.transactions import Fee, Payload
from blockedge_node.core.actions import ChainAction
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import Hash
from blockedge_node.errors import ChainError, Rejected


@dataclass(slots=True, eq=False)
class Job:
    """One call and whoever waits for it. Ends with `receipt` and, for a unit's call, `mined`, or with
    `refused`."""

    key: str
    function: str
    payload: Payload
    call: ChainAction | None = None  # None: a plain transaction (fund, exit, withdraw)
    gas: int = 0  # as forecast
    done: trio.Event = field(default_factory=trio.Event)
    receipt: Receipt | None = None
    mined: CallMined | None = None
    refused: Rejected | ChainError | None = None
    cancelled: bool = False
    waits_for: str = ""  # why it is not sent yet, in words
    not_before: int = 0  # block number before which it is not tried again
    skips: int = 0  # times that it was mined without effect

    @property
    def live(self) -> bool:
        return not self.cancelled and not self.done.is_set()

    def end(self, refused: Rejected | ChainError) -> None:
        """Whoever waits gets this error."""
        self.refused = refused
        self.done.set()


@dataclass(slots=True, eq=False)
class Slot:
    """One nonce: what goes under it, all transactions signed for it, and whose calls they make."""

    nonce: int
    function: str
    payload: Payload
    parts: tuple[tuple[str, int], ...]  # (key of a call, its forecast gas)
    attempts: list[tuple[Hash, bytes, Fee]] = field(default_factory=list)  # oldest first
    jobs: list[Job] = field(default_factory=list)
    sent_at: int = 0  # block number when the newest attempt was first sent
    receipt: Receipt | None = None
    recorded: Hash | None = None  # which attempt the row on disk calls mined
    final: bool = False  # its receipt is CONF blocks deep
    missing: int = 0  # blocks for which the nonce was used up with no receipt of ours
    problem: str = ""

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for key, _ in self.parts)

    @property
    def key(self) -> str:
        return ",".join(key for key, _ in self.parts)

    @property
    def raw(self) -> bytes:
        return self.attempts[-1][1]

    @property
    def fee(self) -> Fee:
        return self.attempts[-1][2]

    def finish(self, receipt: Receipt) -> list[Job]:
        """End the jobs that `receipt` did; returns those that it did not: reverted or skipped."""
        skipped = skipped_units([(log.topics, log.data) for log in receipt.logs]) if receipt.ok else {}
        shares = self._shares(receipt)
        undone = []
        for job in self.jobs:
            if not job.live:
                continue
            if job.call is None:
                job.receipt = receipt
                job.refused = None if receipt.ok else Rejected("Reverted", f"{job.function} in a block")
                job.done.set()
            elif not receipt.ok or job.call.unit in skipped:
                job.waits_for = skipped.get(job.call.unit, "Reverted")
                job.skips += 1
                undone.append(job)
            else:
                gas = shares[job.key]
                job.receipt = receipt
                job.mined = CallMined(
                    unit=job.call.unit,
                    call=job.function,
                    tx=receipt.tx,
                    block=receipt.block,
                    gas=gas,
                    fee=gas * receipt.gas_price,
                )
                job.done.set()
        self.jobs = []
        return undone

    def _shares(self, receipt: Receipt) -> dict[str, int]:
        """Gas by key, in proportion to the forecasts; what rounding leaves goes to the first."""
        total = sum(gas for _, gas in self.parts) or 1
        shares = {key: receipt.gas_used * gas // total for key, gas in self.parts}
        first = self.parts[0][0]
        shares[first] += receipt.gas_used - sum(shares.values())
        return shares
