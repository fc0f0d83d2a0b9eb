"""All ports in memory: a few real engines and performers on one trio clock, with the page-long contract.

    world = MemoryWorld(nursery) ─ one chain that makes a block a second, one network, a blob store each
    world.start(ALICE)           ─ an engine on whatever ALICE's disk holds

A journal may be told to fail at its n-th commit, before or after the rows are down: that ends the engine like a
crash, and `start` begins again from the disk. Signatures are made up: who signed what is wire's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import Action, ChainAction, Note
from blockedge_node.core.events import (
    AwardHeard,
    BidHeard,
    CallMined,
    Event,
    HeadSeen,
    RequestHeard,
    ResultHeard,
    SecretHeard,
    SignedAward,
    WatchHeard,
)
from blockedge_node.core.hashing import hash_words, keccak256
from blockedge_node.core.ids import Address, Digest, Hash, Root, Secret, Signature, UnitId
from blockedge_node.core.job import Outcome, PowJob, WasmJob
from blockedge_node.core.node import MACHINES
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result
from blockedge_node.core.unit import Standing
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.engine import Engine, load
from blockedge_node.errors import Rejected, Transient
from blockedge_node.performer import Performer, Tries
from blockedge_node.wire import records
from tests.core.builders import DEV, DOMAIN, RICH, START, world
from tests.core.coalition import output_of, truth
from tests.core.contract import Contract

LATENCY = 0.02  # seconds of a message


class Crash(BaseException):
    """The power is gone: no handler runs."""


@dataclass
class MemoryJournal:
    """Rows as the real journal writes them. `fails_at`: the commit, counted from 1, at which the power goes."""

    rows: dict[str, bytes] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    commits: int = 0
    fails_at: int | None = None
    after_writing: bool = True
    gate: trio.Event | None = None  # a disk that is slow until somebody opens it

    def load(self) -> Mapping[str, object]:
        return {key: records.load(MACHINES, row) for key, row in sorted(self.rows.items())}

    async def commit(self, machines: Mapping[str, object | None], notes: Sequence[Note]) -> None:
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        self.commits += 1
        failing = self.commits == self.fails_at
        if failing and not self.after_writing:
            raise Crash
        for key, machine in machines.items():
            if machine is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = records.dump(machine)
        self.notes.extend(notes)
        if failing:
            raise Crash

    def codes(self) -> list[str]:
        return [note.code for note in self.notes]


@dataclass
class MemorySigner:
    address: Address

    def sign(self, struct: Struct) -> Signature:
        return Signature(hash_words(self.address, struct.hash()) * 2)


@dataclass
class MemoryChance:
    """Fresh for each life of a node: a second run draws other secrets, as real chance would."""

    seed: bytes
    drawn: int = 0

    def secret(self) -> Secret:
        self.drawn += 1
        return Secret(keccak256(self.seed + self.drawn.to_bytes(8, "big")))

    def monotonic(self) -> float:
        return trio.current_time()


class MemoryWorld:
    """What the nodes share, and the nodes themselves."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.now = START
        self.contract = Contract(DOMAIN, DEV, truth)
        self.block = trio.Event()  # the next one
        self.pending: list[_Pending] = []
        self.blobs: dict[Root, bytes] = {}
        self.nodes: dict[Address, MemoryNode] = {}
        self.awards: dict[Digest, list[_Answer]] = {}
        self.results: dict[UnitId, list[_Answer]] = {}
        self.watches: dict[Digest, list[_Answer]] = {}

    def add(self, me: Address, **changes: Any) -> MemoryNode:
        node = self.nodes[me] = MemoryNode(world=self, me=me, **changes)
        return node

    def vanish(self, me: Address) -> None:
        """Kill a node for good: it neither acts nor hears any more."""
        self.nodes[me].life.cancel()

    async def make_blocks(self) -> None:
        """One a second: mine what has an effect, then show everybody the head."""
        while True:
            await trio.sleep(1)
            self.now += 1
            for call in list(self.pending):
                if self.contract.apply(call.action, call.sender, self.now):
                    call.mined.set()
                    self.pending.remove(call)
            for node in self.nodes.values():
                await node.see_head()
            self.block.set()
            self.block = trio.Event()

    def later(self, to: Address, event: Event) -> None:
        async def arrive() -> None:
            await trio.sleep(LATENCY)
            await self.nodes[to].hear(event)

        self.nursery.start_soon(arrive)


@dataclass
class MemoryNode:
    """One node. `solves` makes an output of the right one; it may raise Transient."""

    world: MemoryWorld
    me: Address
    policy: Mapping[str, Any] = field(default_factory=dict)
    solves: Callable[[bytes], bytes] = lambda output: output
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    rules: Rulebook = field(default_factory=Rulebook)
    performed: list[Action] = field(default_factory=list)
    engine: Engine | None = None
    lives: int = 0
    life: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self) -> None:
        """One life: until cancelled, or until the journal loses power."""
        self.lives += 1
        performer = Performer(
            signer=MemorySigner(self.me),
            chance=MemoryChance(self.me + bytes([self.lives])),
            chain=_Chain(self),
            network=_Network(self),
            content=_Content(self),
            executor=_Executor(self),
            domain=DOMAIN,
        )

        async def perform(action: Action, tries: Tries) -> Event | None:
            assert self.engine is not None
            assert self.engine.world is not None
            broken = self.rules.check(action, self.engine.node, self.engine.world)
            assert not broken, f"{[rule.name for rule in broken]}: {action}"
            self.performed.append(action)
            return await performer(action, tries)

        policy = world(self.me, START, **self.policy).policy
        self.engine = Engine(
            node=load(self.journal),
            journal=self.journal,
            performer=perform,
            policy=policy,
            domain=DOMAIN,
            params=DEV,
            me=self.me,
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.engine.run)
                await self.see_head()
        finally:
            self.engine = None

    async def run_through_crashes(self) -> None:
        """Restarts at once whenever the power goes."""
        with self.life:
            while True:
                try:
                    await self.run()
                except* Crash:
                    pass

    async def see_head(self) -> None:
        shown = world(self.me, self.world.now).head
        views = tuple(self.world.contract.units.values())
        await self.hear(HeadSeen(head=shown, standing=RICH, views=views))

    async def hear(self, event: Event) -> None:
        if self.engine:
            await self.engine.tell(event)


@dataclass
class _Pending:
    action: ChainAction
    sender: Address
    mined: trio.Event = field(default_factory=trio.Event)


@dataclass
class _Answer:
    """A stream: somebody waits, and gets a value or a refusal."""

    ready: trio.Event = field(default_factory=trio.Event)
    value: Any = None
    refusal: str = ""


@dataclass
class _Chain:
    node: MemoryNode

    async def send(self, call: ChainAction) -> CallMined:
        world = self.node.world
        pending = _Pending(call, self.node.me)
        world.pending.append(pending)
        try:
            await pending.mined.wait()
        finally:
            if pending in world.pending:
                world.pending.remove(pending)
        return CallMined(
            unit=call.unit,
            call=type(call).__name__,
            tx=keccak256(repr(call).encode()),
            block=world.now - START,
            gas=50_000,
            fee=50_000 * 10**9,
        )

    async def standing(self, who: Address) -> Standing | None:
        return RICH


@dataclass
class _Network:
    node: MemoryNode

    async def publish_request(self, request: Request, sig: Signature) -> None:
        heard = RequestHeard(request=request, task=request.task(DOMAIN), sig=sig, standing=RICH)
        self._gossip(heard)

    async def publish_bids(self, bids: Sequence[Bid], sigs: Sequence[Signature]) -> None:
        for bid, sig in zip(bids, sigs, strict=True):
            self._gossip(BidHeard(bid=bid, digest=bid.digest(DOMAIN), sig=sig, standing=RICH))

    async def publish_secret(self, unit: UnitId, secret: Secret, guard_r: Hash) -> None:
        self._gossip(SecretHeard(unit=unit, secret=secret, guard_r=guard_r))

    def _gossip(self, event: Event) -> None:
        for to in self.node.world.nodes:
            if to != self.node.me:
                self.node.world.later(to, event)

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        digest = signed.award.digest(DOMAIN)
        answer = _Answer()
        streams = self.node.world.awards.setdefault(digest, [])
        streams.append(answer)
        self.node.world.later(signed.bid.worker, AwardHeard(signed=signed, digest=digest, standing=RICH))
        try:
            with trio.fail_after(2):
                await answer.ready.wait()
        except trio.TooSlowError as silence:
            raise Transient("no answer yet") from silence
        finally:
            streams.remove(answer)
        if answer.refusal:
            raise Rejected(answer.refusal)
        return answer.value  # type: ignore[no-any-return]

    async def answer_award(self, award: Digest, ack: Ack, sig: Signature) -> None:
        for answer in self.node.world.awards.get(award, []):
            answer.value = (ack, sig)
            answer.ready.set()

    async def refuse_award(self, award: Digest, reason: str) -> None:
        for answer in self.node.world.awards.get(award, []):
            answer.refusal = reason
            answer.ready.set()

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        answer = _Answer()
        streams = self.node.world.results.setdefault(unit, [])
        streams.append(answer)
        heard = ResultHeard(unit=unit, worker=self.node.me, result=result)
        self.node.world.later(requester, heard)
        try:
            with trio.fail_after(2):
                await answer.ready.wait()
        except trio.TooSlowError as silence:
            raise Transient("no receipt yet") from silence
        finally:
            streams.remove(answer)
        return answer.value  # type: ignore[no-any-return]

    async def answer_result(self, receipt: Receipt, sig: Signature) -> None:
        for answer in self.node.world.results.get(receipt.unit, []):
            answer.value = (receipt, sig)
            answer.ready.set()

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        digest, answer = watch.digest(DOMAIN), _Answer()
        streams = self.node.world.watches.setdefault(digest, [])
        streams.append(answer)
        heard = WatchHeard(client=self.node.me, watch=watch, output=output, digest=digest)
        self.node.world.later(watch.tower, heard)
        try:
            with trio.fail_after(2):
                await answer.ready.wait()
        except trio.TooSlowError as silence:
            raise Transient("not kept yet") from silence
        finally:
            streams.remove(answer)

    async def answer_watch(self, kept: Kept, sig: Signature) -> None:
        for answer in self.node.world.watches.get(kept.watch, []):
            answer.ready.set()


@dataclass
class _Content:
    node: MemoryNode

    async def fetch(self, root: Root, holders: Sequence[Address]) -> None:
        await trio.sleep(LATENCY)
        if root not in self.node.world.blobs:
            raise Transient("nobody has it")

    async def fetch_task(
        self, request: Request, shard: int, *, own: bool = False, holders: Sequence[Address] = ()
    ) -> None:
        await trio.sleep(LATENCY)

    def job(self, request: Request, shard: int) -> WasmJob | PowJob:
        return PowJob(data=output_of(request, shard), shard=shard)

    def put(self, data: bytes) -> Root:
        root = merkle.root(data)
        self.node.world.blobs[root] = data
        return root

    def get(self, root: Root) -> bytes | None:
        return self.node.world.blobs.get(root)


@dataclass
class _Executor:
    """A job's data is its right output: nothing is searched for here."""

    node: MemoryNode

    async def run(self, job: WasmJob | PowJob, *, wall: float, told: Any = None) -> Outcome:
        assert isinstance(job, PowJob)
        await trio.sleep(0.5)
        output = self.node.solves(job.data)
        return Outcome(result=Result(exit=0, output_root=merkle.root(output)), output=output)

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        await trio.sleep(0.5)
        return None if output == job.data else b"proof"
