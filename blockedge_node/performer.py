"""The performer: one method an action, which calls a port and returns the event that it yields.

    action ──▶ Performer(action, tries) ──▶ event, or None where an action ends in silence

Everything here may be cancelled at any await, and be started again after a crash: the engine has put the facts
behind an action on disk before it gets here. Faults, by who has to act (errors.py):

    Transient              tried again with capped, jittered backoff until it works or is no longer due;
                           of the executor once, then WorkFailed or CheckFailed: no verdict on anybody
    PeerError, Rejected    an answer: InputRefused, AwardFailed, CheckFailed, or another try elsewhere
    anything else          our bug: it propagates and ends the process

Secrets are drawn here, and nowhere else: in AwaitBids, Solve and Check, once a run, and they count from the moment
at which the event that carries them is in the journal. Before that nobody has seen anything that depends on them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import TypeVar

import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    AnswerWatch,
    AwaitBids,
    AwaitTurn,
    ChainAction,
    Check,
    CollectItems,
    DeliverResult,
    FetchInput,
    FetchOutput,
    HandWatch,
    PackBundle,
    PublishBids,
    PublishRequest,
    PublishSecret,
    RefuseAward,
    RevealReport,
    SendAck,
    SendAward,
    SendReceipt,
    Solve,
    Supply,
)
from blockedge_node.core.events import (
    AckHeard,
    AckSent,
    AwardFailed,
    BidWindowClosed,
    BundleClosed,
    BundlePacked,
    BundleSpoilt,
    Checked,
    CheckFailed,
    Event,
    InputFetched,
    InputRefused,
    OutputFetched,
    ReceiptHeard,
    ReceiptSent,
    RefusalSent,
    RequestPublished,
    TurnCame,
    WatchAnswered,
    WatchKept,
    WorkFailed,
    WorkSolved,
)
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Root
from blockedge_node.core.items import MAX_ITEMS, Answer, Told
from blockedge_node.core.job import Outcome, PowJob, WasmJob
from blockedge_node.core.task import Kind, Result
from blockedge_node.errors import NotTaken, PeerError, Rejected, Transient
from blockedge_node.ports import Chain, Chance, Content, Executor, Network, Signer

INLINE = 1024  # bytes of output that travel in events and reveals; the blob store has it in any case (§10)
FIRST_WAIT = 0.25  # seconds before the second try …
LAST_WAIT = 15.0  # … doubling up to this, each shortened by up to a half so that nodes do not move in step
NO_OUTPUT = Root(ZERO_HASH)  # a trap's: there is no blob behind it
FLUSH = 0.25  # seconds that the last answers of a bundle get to leave before its result does
RUNS = 2  # of the executor, before a fault is reported

T = TypeVar("T")


@dataclass(slots=True)
class Tries:
    """What a running action has been through; `status` and `task list --stuck` show it."""

    failed: int = 0
    error: str = ""

    def fail(self, error: Exception) -> None:
        self.failed += 1
        self.error = str(error) or type(error).__name__


class Performer:
    """Holds the ports. The devnet's cheats override single methods (devnet/cheats.py)."""

    def __init__(
        self,
        *,
        signer: Signer,
        chance: Chance,
        chain: Chain,
        network: Network,
        content: Content,
        executor: Executor,
        domain: Domain,
    ) -> None:
        self.signer = signer
        self.chance = chance
        self.chain = chain
        self.network = network
        self.content = content
        self.executor = executor
        self.domain = domain

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        """Perform `action` to its end."""
        match action:
            case PublishRequest():
                return await self.publish_request(action, tries)
            case AwaitBids():
                return await self.await_bids(action)
            case AwaitTurn():
                return await self.await_turn(action)
            case CollectItems():
                return await self.collect_items(action)
            case PackBundle():
                return await self.pack_bundle(action, tries)
            case PublishBids():
                return await self.publish_bids(action, tries)
            case SendAward():
                return await self.send_award(action, tries)
            case FetchInput():
                return await self.fetch_input(action, tries)
            case SendAck():
                return await self.send_ack(action, tries)
            case RefuseAward():
                return await self.refuse_award(action, tries)
            case Solve():
                return await self.solve(action, tries)
            case DeliverResult():
                return await self.deliver_result(action, tries)
            case FetchOutput():
                return await self.fetch_output(action, tries)
            case SendReceipt():
                return await self.send_receipt(action, tries)
            case PublishSecret():
                return await self.publish_secret(action, tries)
            case HandWatch():
                return await self.hand_watch(action, tries)
            case AnswerWatch():
                return await self.answer_watch(action, tries)
            case Check():
                return await self.check(action, tries)
            case RevealReport():
                return await self.reveal_report(action, tries)
            case Supply():
                return await self.supply(action, tries)
            case _:
                return await self.call_chain(action, tries)

    # ── network ──────────────────────────────────────────────────────────────────────────────────────────

    async def publish_request(self, action: PublishRequest, tries: Tries) -> Event | None:
        sig = self.signer.sign(action.request)
        await self._persist(tries, lambda: self.network.publish_request(action.request, sig))
        return RequestPublished(task=action.request.task(self.domain), at=self.chance.monotonic())

    async def await_bids(self, action: AwaitBids) -> Event | None:
        """Then the secrets of the award to come: nothing depends on them before they are in the journal."""
        await trio.sleep(action.seconds)
        return BidWindowClosed(
            task=action.task,
            shard=action.shard,
            round=action.round,
            look=action.look,
            draw_secret=self.chance.secret() if action.secrets else NO_SECRET,
            guard_secret=self.chance.secret() if action.secrets else NO_SECRET,
        )

    async def await_turn(self, action: AwaitTurn) -> Event | None:
        await trio.sleep(action.seconds)
        return TurnCame(task=action.task, copy=action.copy)

    async def publish_secret(self, action: PublishSecret, tries: Tries) -> Event | None:
        await self._persist(
            tries, lambda: self.network.publish_secret(action.unit, action.secret, action.guard_r)
        )
        return None

    async def publish_bids(self, action: PublishBids, tries: Tries) -> Event | None:
        sigs = [self.signer.sign(bid) for bid in action.bids]
        await self._persist(tries, lambda: self.network.publish_bids(action.bids, sigs))
        return None

    async def send_award(self, action: SendAward, tries: Tries) -> Event | None:
        """The Ack, or why there is none: the worker's own word, or its silence for `timeout` seconds."""
        signed = replace(
            action.signed,
            request_sig=self.signer.sign(action.signed.request),
            award_sig=self.signer.sign(action.signed.award),
        )
        with trio.move_on_after(action.timeout):
            try:
                ack, sig = await self._persist(tries, lambda: self.network.send_award(signed))
            except Rejected as refusal:
                return AwardFailed(award=action.digest, reason=refusal.reason)
            except PeerError as error:
                tries.fail(error)
                return AwardFailed(award=action.digest, reason="bad_ack")
            return AckHeard(award=action.digest, ack=ack, sig=sig, at=self.chance.monotonic())
        return AwardFailed(award=action.digest, reason="no_answer")

    async def send_ack(self, action: SendAck, tries: Tries) -> Event | None:
        sig = self.signer.sign(action.ack)
        await self._persist(tries, lambda: self.network.answer_award(action.award, action.ack, sig))
        return AckSent(award=action.award)

    async def refuse_award(self, action: RefuseAward, tries: Tries) -> Event | None:
        await self._persist(tries, lambda: self.network.refuse_award(action.award, action.reason))
        return RefusalSent(award=action.award)

    async def deliver_result(self, action: DeliverResult, tries: Tries) -> Event | None:
        """Until there is a Receipt. A requester that answers with something else is asked again."""
        receipt, sig = await self._persist(
            tries,
            lambda: self.network.deliver(action.unit, action.requester, action.result),
            also=(PeerError, Rejected),
        )
        return ReceiptHeard(unit=action.unit, receipt=receipt, sig=sig)

    async def send_receipt(self, action: SendReceipt, tries: Tries) -> Event | None:
        sig = self.signer.sign(action.receipt)
        await self._persist(tries, lambda: self.network.answer_result(action.receipt, sig))
        return ReceiptSent(unit=action.receipt.unit)

    async def hand_watch(self, action: HandWatch, tries: Tries) -> Event | None:
        """Until it is kept. A tower that refuses may yet be told by its operator that we are its client."""
        watch, sig = action.watch, self.signer.sign(action.watch)
        await self._persist(
            tries,
            lambda: self.network.hand_watch(watch, action.output, sig),
            also=(PeerError, Rejected),
        )
        return WatchKept(unit=action.unit, watch=watch.digest(self.domain))

    async def answer_watch(self, action: AnswerWatch, tries: Tries) -> Event | None:
        sig = self.signer.sign(action.kept)
        await self._persist(tries, lambda: self.network.answer_watch(action.kept, sig))
        return WatchAnswered(watch=action.kept.watch)

    # ── bundles ──────────────────────────────────────────────────────────────────────────────────────────

    async def collect_items(self, action: CollectItems) -> Event | None:
        await trio.sleep(action.seconds)
        return BundleClosed(bundle=action.bundle)

    async def pack_bundle(self, action: PackBundle, tries: Tries) -> Event | None:
        """The nonce is chance, like the salts: it counts from when this event is in the journal."""
        try:
            program, listed = self.content.pack(action.program, action.inputs, action.fuel)
        except (PeerError, Transient) as error:  # of our own store: trying again would not bring it back
            tries.fail(error)
            return BundleSpoilt(bundle=action.bundle, reason=str(error))
        nonce = int.from_bytes(self.chance.secret()[:6], "big") << 8  # room for those of further attempts
        return BundlePacked(bundle=action.bundle, program=program, input=listed, nonce=nonce)

    # ── content ──────────────────────────────────────────────────────────────────────────────────────────

    async def fetch_input(self, action: FetchInput, tries: Tries) -> Event | None:
        try:
            await self._persist(
                tries, lambda: self.content.fetch_task(action.request, action.shard, own=True)
            )
        except PeerError as error:
            tries.fail(error)
            code = error.code if isinstance(error, NotTaken) else "input"
            return InputRefused(unit=action.unit, award=action.award, reason=str(error), code=code)
        return InputFetched(unit=action.unit, award=action.award)

    async def fetch_output(self, action: FetchOutput, tries: Tries) -> Event | None:
        """From the chain's own copy if there is one, else from whoever has it; bad chunks are asked again."""
        if action.shown is not None:
            self.content.put(action.shown)
        else:
            await self._persist(
                tries, lambda: self.content.fetch(action.root, (action.worker,)), also=(PeerError,)
            )
        return OutputFetched(unit=action.unit, root=action.root)

    # ── executor ─────────────────────────────────────────────────────────────────────────────────────────

    async def solve(self, action: Solve, tries: Tries) -> Event | None:
        """Run the shard; the output is in the blob store before its result is a fact."""
        began = self.chance.monotonic()
        try:
            await self._persist(tries, lambda: self.content.fetch_task(action.request, action.shard))
            job = self.content.job(action.request, action.shard)
            mapped = isinstance(job, WasmJob) and job.mapped
            outcome = await (self._map if mapped else self._solve)(action, job, tries)
        except (PeerError, Transient) as error:
            return WorkFailed(unit=action.unit, award=action.award, reason=str(error))
        if outcome.result.output_root != NO_OUTPUT:
            self.content.put(outcome.output)
        return WorkSolved(
            unit=action.unit,
            award=action.award,
            result=outcome.result,
            output=outcome.output if len(outcome.output) <= INLINE else b"",
            salt=self.chance.secret(),
            guard_secret=self.chance.secret(),
            seconds=self.chance.monotonic() - began,
        )

    async def _solve(self, action: Solve, job: WasmJob | PowJob, tries: Tries) -> Outcome:
        return await self._run(job, action.wall, tries)

    async def _map(self, action: Solve, job: WasmJob | PowJob, tries: Tries) -> Outcome:
        """The requester hears each answer as soon as we have it. Whether it does changes nothing here."""
        send, answers = trio.open_memory_channel[tuple[int, Answer]](MAX_ITEMS)
        spoilt: list[Transient] = []

        def told(place: int, answer: Answer) -> None:
            with suppress(trio.WouldBlock):  # of a second run, after a fault in the first
                send.send_nowait((place, answer))

        async def tell() -> None:
            with suppress(Transient, PeerError):
                await self.network.tell_answers(action.unit, action.request.requester, answers)

        async with trio.open_nursery() as telling:
            telling.start_soon(tell)
            try:
                outcome = await self._run(job, action.wall, tries, told)
            except Transient as error:
                spoilt.append(error)  # raised below, where no nursery wraps it
            send.close()
            telling.cancel_scope.deadline = trio.current_time() + FLUSH
        if spoilt:
            raise spoilt[0]
        return outcome

    async def check(self, action: Check, tries: Tries) -> Event | None:
        """Judged kinds: look for evidence. Court kinds: run it again, and compare if there is what to."""
        try:
            with trio.move_on_after(inf if action.patience is None else action.patience) as patience:
                await self._persist(
                    tries,
                    lambda: self.content.fetch_task(action.request, action.shard, holders=action.holders),
                )
            if patience.cancelled_caught:
                return self._checked(action, wrong=False)
            return await self._check(action, self.content.job(action.request, action.shard), tries)
        except (PeerError, Transient) as error:
            return CheckFailed(unit=action.unit, reason=str(error), role=action.role)

    async def _check(self, action: Check, job: WasmJob | PowJob, tries: Tries) -> Event:
        claimed = action.result
        if not isinstance(job, PowJob):
            mine = (await self._run(job, action.wall, tries)).result
            return self._checked(action, wrong=claimed not in (None, mine), result=mine)
        if claimed and (claimed.exit or claimed.fuel_used or claimed.memory_hash != ZERO_HASH):
            return self._checked(action, wrong=True)  # kind 1 has none of these: it refutes itself (§6.1)
        found = await self._refute(job, action, tries)
        return self._checked(action, wrong=found is not None, evidence=found or b"")

    def _checked(
        self, action: Check, *, wrong: bool, result: Result | None = None, evidence: bytes = b""
    ) -> Checked:
        return Checked(
            unit=action.unit,
            wrong=wrong,
            result=result,
            evidence=evidence,
            salt=self.chance.secret(),
            role=action.role,
        )

    async def _run(
        self, job: WasmJob | PowJob, wall: float, tries: Tries, told: Told | None = None
    ) -> Outcome:
        return await self._persist(tries, lambda: self.executor.run(job, wall=wall, told=told), limit=RUNS)

    async def _refute(self, job: PowJob, action: Check, tries: Tries) -> bytes | None:
        return await self._persist(
            tries, lambda: self.executor.refute(job, action.output, wall=action.wall), limit=RUNS
        )

    # ── chain ────────────────────────────────────────────────────────────────────────────────────────────

    async def reveal_report(self, action: RevealReport, tries: Tries) -> Event | None:
        """A judge wants to see the data that the evidence is about; the core names it by its root alone.

        A court kind's report is compared by hash, and takes no data: its input may be gone.
        """
        if action.target.terms.kind != Kind.POW:
            return await self.call_chain(action, tries)
        shard = action.target.terms.shard
        await self._persist(tries, lambda: self.content.fetch_task(action.request, shard))
        job = self.content.job(action.request, shard)
        assert isinstance(job, PowJob), "the kind says so"
        return await self.call_chain(replace(action, data=job.data), tries)

    async def supply(self, action: Supply, tries: Tries) -> Event | None:
        """The chunk that was asked for, or the last one if there are fewer, with its path to the root."""
        root = action.revealed.output_root
        await self._persist(tries, lambda: self.content.fetch(root, ()), also=(PeerError,))
        output = self.content.get(root) or b""
        row = merkle.leaves(output)
        index = min(action.chunk, len(row) - 1)
        data = output[merkle.CHUNK * index : merkle.CHUNK * (index + 1)]
        shown = replace(action, count=len(row), data=data, path=merkle.path(row, index))
        return await self.call_chain(shown, tries)

    async def call_chain(self, action: ChainAction, tries: Tries) -> Event | None:
        return await self._persist(tries, lambda: self.chain.send(action))

    # ── trying again ─────────────────────────────────────────────────────────────────────────────────────

    async def _persist(
        self,
        tries: Tries,
        call: Callable[[], Awaitable[T]],
        *,
        also: Sequence[type[Exception]] = (),
        limit: int | None = None,
    ) -> T:
        """`call` until it returns. Raises what it raises but Transient and `also`; these too after `limit`."""
        made = 0
        passing: tuple[type[Exception], ...] = (Transient, *also)
        while True:
            try:
                return await call()
            except passing as error:
                tries.fail(error)
                made += 1
                if limit is not None and made >= limit:
                    raise
                await trio.sleep(self._wait(made))

    def _wait(self, made: int) -> float:
        longest = min(LAST_WAIT, FIRST_WAIT * (1 << min(made - 1, 10)))
        shorter = int.from_bytes(self.chance.secret()[:2], "big") / 0xFFFF / 2
        return longest * (1 - shorter)
