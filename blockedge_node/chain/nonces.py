"""The nonces of one key: each has a transaction that is followed until no reorg can take it back.

    signed ──▶ on disk ──▶ broadcast ──▶ mined ──▶ CONF deep (final) ──256 blocks──▶ forgotten
                              │  ▲           │                  │
                              │  └─ dropped ─┘◀── reorged out ──┘
                              └ 2 blocks: again with the fee raised by 12.5 %, under the same nonce

A nonce is never lost: what was signed belongs to this class alone, whoever stopped waiting for it. After a
restart the rows on disk go out again byte for byte. A hole (a lost disk, another program with this key) is
filled with a transfer of nothing to oneself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
import trio

from blockedge_node.chain.blocks import Block, Receipt, receipt_of
from blockedge_node.chain.book import HORIZON
from blockedge_node.chain.fees import FeePolicy
from blockedge_node.chain.outbox import Outbox
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of, octets, quantity
from blockedge_node.chain.slots import Job, Slot
from blockedge_node.chain.transactions import Fee, Payload, read_transaction, sign_transaction
from blockedge_node.core.ids import Hash
from blockedge_node.errors import ChainError
from blockedge_node.wire.eip712 import address_of

log = structlog.get_logger("chain.sender")

RAISE_AFTER = 2  # blocks (docs/protocol.md §4)
MISSING_BLOCKS = 3  # a nonce used up for so long without a receipt of ours is somebody else's
AGAIN_MAX = 32  # transactions repeated per block, lowest nonce first
KNOWN = ("already known", "already imported", "known transaction", "alreadyknown")


class Nonces:
    """See the module docstring. One caller at a time."""

    def __init__(
        self, rpc: Rpc, outbox: Outbox, key: bytes, chain_id: int, *, conf: int, fees: FeePolicy
    ) -> None:
        self.address = address_of(key)
        self.synced = False  # the chain's own count has been read
        self.tip = 0  # wei per gas, as the endpoint suggests
        self._rpc = rpc
        self._outbox = outbox
        self._key = key
        self._chain_id = chain_id
        self._conf = conf
        self._fees = fees
        self._slots: dict[int, Slot] = {}
        self._next = 0  # the next free nonce
        self._load()

    @property
    def open(self) -> list[Slot]:
        """Transactions that are not yet final, by nonce."""
        return [slot for _, slot in sorted(self._slots.items()) if not slot.final]

    @property
    def owed(self) -> int:
        """The most wei that open transactions may still take."""
        return sum(slot.payload.gas * slot.fee.cap + slot.payload.value for slot in self.open)

    @property
    def problem(self) -> str:
        """What endpoints say against open transactions."""
        problems = [f"nonce {s.nonce} ({s.function}): {s.problem}" for s in self.open if s.problem]
        return "; ".join(problems[:3])

    def join(self, job: Job) -> bool:
        """Whether a transaction makes this very call: after a restart, a reorg or a cancellation."""
        for slot in self._slots.values():
            if job.key not in slot.keys:
                continue
            slot.jobs.append(job)
            if slot.final:
                assert slot.receipt is not None
                if slot.finish(slot.receipt):
                    continue  # it was skipped or reverted then; now it may do better
            return True
        return False

    async def take(self, function: str, payload: Payload, jobs: Sequence[Job], fee: Fee, head: Block) -> None:
        """Give the next nonce to `payload`, which makes the calls of `jobs`; returns once it was broadcast.

        Raises Transient if no endpoint takes it: it is on disk by then and goes out with the next round.
        """
        slot = Slot(
            nonce=self._next,
            function=function,
            payload=payload,
            parts=tuple((job.key, job.gas) for job in jobs) or ((f"{function}:{self._next}", 1),),
            jobs=list(jobs),
            sent_at=head.number,
        )
        self._slots[slot.nonce] = slot
        self._next += 1
        await self._sign(slot, fee)
        await self._broadcast([slot])

    async def look_after(self, head: Block) -> list[Job]:
        """One round over all nonces in use, at the newest block. Returns jobs that were mined without effect.

        Raises Transient.
        """
        tracked = [(slot, tx) for slot in self.open for tx, _, _ in slot.attempts]
        count: Ask[Any] = Ask("eth_getTransactionCount", (hex_of(self.address), "latest"), quantity)
        answers = await self._rpc.ask_all([count, *(receipt_of(tx) for _, tx in tracked)])
        used = answers[0]  # how many nonces the chain has seen: the next one it takes
        if isinstance(used, RpcRefused):
            raise used
        receipts: dict[int, Receipt] = {}
        for (slot, _), receipt in zip(tracked, answers[1:], strict=True):
            if isinstance(receipt, Receipt):
                receipts[slot.nonce] = receipt
        self._reopen(used)
        undone: list[Job] = []
        unmined: list[Slot] = []
        for slot in self.open:
            slot.receipt = receipts.get(slot.nonce)
            if slot.receipt is None:
                unmined.append(slot)
            elif head.number - slot.receipt.block >= self._conf:
                undone += await self._finish(slot, slot.receipt)
        undone += await self._send_again(unmined, used, head)
        await self._fill_holes(used, head)
        for slot in [s for s in self._slots.values() if s.final]:
            assert slot.receipt is not None
            if head.number - slot.receipt.block > HORIZON:
                await self._forget(slot)
        self.synced = True
        return undone

    # ── mined ────────────────────────────────────────────────────────────────────────────────────────────

    def _reopen(self, used: int) -> None:
        """Final transactions whose nonce the chain does not count any more were reorged out."""
        for slot in self._slots.values():
            if slot.final and slot.nonce >= used:
                log.warning("transaction reorged out", nonce=slot.nonce, call=slot.function)
                slot.final = False
                slot.receipt = slot.recorded = None
                slot.sent_at = 0

    async def _finish(self, slot: Slot, receipt: Receipt) -> list[Job]:
        slot.final = True
        slot.problem = ""
        if slot.recorded != receipt.tx:
            await self._record(slot, receipt)
        return slot.finish(receipt)

    async def _record(self, slot: Slot, receipt: Receipt) -> None:
        raw = next(raw for tx, raw, _ in slot.attempts if tx == receipt.tx)
        await self._outbox.outbox_put(slot.nonce, slot.key, slot.function, raw, receipt.tx, "mined")
        log.info(
            "transaction mined",
            nonce=slot.nonce,
            call=slot.function,
            block=receipt.block,
            ok=receipt.ok,
            gas=receipt.gas_used,
        )
        slot.recorded = receipt.tx

    # ── not mined ────────────────────────────────────────────────────────────────────────────────────────

    async def _send_again(self, slots: list[Slot], used: int, head: Block) -> list[Job]:
        """Transactions that are in no block: raise the fee of those that wait too long, repeat the others."""
        again: list[Slot] = []
        homeless: list[Job] = []
        for slot in slots:
            if slot.nonce < used:
                slot.missing += 1
                if slot.missing >= MISSING_BLOCKS:
                    homeless += await self._give_up(slot)
                continue
            slot.missing = 0
            if not slot.sent_at or slot.sent_at > head.number:
                slot.sent_at = head.number
            # A later nonce waits for the first one, whatever it pays, unless it is priced out itself.
            first_in_line = slot.nonce == used or slot.fee.cap < head.base_fee
            if first_in_line and head.number - slot.sent_at >= RAISE_AFTER:
                await self._raise(slot, head)
            again.append(slot)
        if again:
            await self._broadcast(again[:AGAIN_MAX])
        return homeless

    async def _raise(self, slot: Slot, head: Block) -> None:
        fee = self._fees.raised(slot.fee, head.base_fee, self.tip)
        if fee is None:
            slot.problem = "stuck, and a higher fee would be above gas_max"
            return
        log.info("fee raised", nonce=slot.nonce, call=slot.function, cap=fee.cap)
        await self._sign(slot, fee)
        slot.sent_at = head.number

    async def _give_up(self, slot: Slot) -> list[Job]:
        """The nonce is used up by a transaction that is none of ours: its calls start anew."""
        log.warning("nonce used by another transaction of this key", nonce=slot.nonce, call=slot.function)
        await self._forget(slot)
        return [job for job in slot.jobs if job.live]

    async def _fill_holes(self, used: int, head: Block) -> None:
        """Every nonce from the chain's next up to our next must have a transaction, or those above it hang."""
        if not any(nonce >= used for nonce in self._slots):
            self._next = used
            return
        fee = self._fees.first(head.base_fee, self.tip)
        for nonce in range(used, self._next):
            if nonce not in self._slots and fee is not None:
                slot = Slot(
                    nonce, "fill", Payload(to=self.address), ((f"fill:{nonce}", 1),), sent_at=head.number
                )
                self._slots[nonce] = slot
                await self._sign(slot, fee)
                await self._broadcast([slot])

    # ── disk and wire ────────────────────────────────────────────────────────────────────────────────────

    async def _sign(self, slot: Slot, fee: Fee) -> None:
        """Sign, then write down; only what is on disk is ever broadcast."""
        raw, tx = sign_transaction(self._key, self._chain_id, slot.nonce, slot.payload, fee)
        with trio.CancelScope(shield=True):  # a nonce that was chosen and not written would be chosen again
            await self._outbox.outbox_put(slot.nonce, slot.key, slot.function, raw, tx, "sent")
        slot.attempts.append((tx, raw, fee))
        log.info(
            "transaction signed", nonce=slot.nonce, call=slot.function, items=len(slot.parts), tx=tx.hex()
        )

    async def _broadcast(self, slots: Sequence[Slot]) -> None:
        answers = await self._rpc.ask_all(
            [Ask("eth_sendRawTransaction", (hex_of(slot.raw),), octets) for slot in slots]
        )
        for slot, answer in zip(slots, answers, strict=True):
            refused = isinstance(answer, RpcRefused) and not any(
                known in answer.message.lower() for known in KNOWN
            )
            slot.problem = answer.message if refused else ""

    async def _forget(self, slot: Slot) -> None:
        await self._outbox.outbox_drop(slot.nonce)
        del self._slots[slot.nonce]

    def _load(self) -> None:
        """Take up the rows that a former life left; `mined` ones are checked like the others."""
        for nonce, key, function, raw, tx, state in self._outbox.outbox_rows():
            signed = read_transaction(raw)
            if signed.chain_id != self._chain_id:
                raise ChainError(
                    f"the journal holds transactions for chain {signed.chain_id}, not {self._chain_id}: "
                    "this data directory belongs to another coalition"
                )
            slot = self._slots.get(nonce)
            if slot is None:
                parts = tuple((part, 1) for part in key.split(","))
                slot = self._slots[nonce] = Slot(nonce, function, signed.payload, parts)
            slot.attempts.append((Hash(tx), raw, signed.fee))
            slot.recorded = Hash(tx) if state == "mined" else slot.recorded
            self._next = max(self._next, nonce + 1)
