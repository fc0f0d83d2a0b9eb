"""What the tests tell stories with: one unit from its Request to its end, signed for real.

A unit of kind 1, unless a test says otherwise; one of kind 2 is checked and judged (court_scene.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import trio

from blockedge_node.chain.adapter import ChainAdapter, ChainConfig
from blockedge_node.chain.deploy import Deployment
from blockedge_node.chain.outbox import MemoryOutbox, Outbox
from blockedge_node.core.actions import (
    AwardCommit,
    CommitReport,
    CommitResult,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    Settle,
    TimeOut,
)
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.events import HeadSeen, SignedAward
from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Hash, Secret, Signature, UnitId
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Ack, Award, Bid, Kind, Request, Result, unit_id
from blockedge_node.core.unit import UnitView
from blockedge_node.wire.eip712 import LocalSigner

from .conftest import ETHER, Anvil, Key

T = TypeVar("T")
EASY = (1 << 256) - 1  # every nonce solves it: the right answer is the smallest, 0
DATA = abi_words(keccak256(b"challenge"), EASY, 1_000)


@dataclass(kw_only=True)
class Story:
    """One unit: its signed messages, and each call about it in turn."""

    domain: Domain
    requester: Key
    worker: Key
    now: int  # the head's time when it begins
    nonce: int = 0
    shard: int = 0
    answer: int = 0  # 0 is right
    kind: int = Kind.POW
    spot_bps: int = 0  # kind 2: above 0
    check_fee: int = 0
    draw_secret: Secret = Secret(keccak256(b"draw"))
    jury_secret: Secret = Secret(keccak256(b"s_R"))
    salt: Secret = Secret(keccak256(b"salt"))
    guard_secret: Secret = Secret(keccak256(b"guard"))  # s_W
    signed: SignedAward = field(init=False)
    unit: UnitId = field(init=False)

    def __post_init__(self) -> None:
        request = Request(
            requester=self.requester.address,
            nonce=self.nonce,
            kind=self.kind,
            shards=4,
            spot_bps=self.spot_bps,
            check_fee=self.check_fee,
            input_root=root(DATA),
            fuel=1_000_000,
            max_price=ETHER,
            min_deposit=20 * ETHER,
            max_delay=60,
            w_price=5_000,
            w_delay=2_500,
            w_rep=2_500,
            expiry=self.now + 3_000,
        )
        task = request.task(self.domain)
        bid = Bid(
            task=task,
            shard=self.shard,
            worker=self.worker.address,
            price=ETHER,
            deposit=20 * ETHER,
            delay=10,
            rep=140_000,
            expiry=self.now + 2_000,
        )
        award = Award(
            task=task,
            shard=self.shard,
            bid=bid.digest(self.domain),
            draw_commit=draw_commit(self.draw_secret, self.guard_r) if self.spot_bps else ZERO_HASH,
            not_before=self.now,
            register_by=self.now + 600,
        )
        sign = LocalSigner(self.requester.private, self.domain).sign
        self.signed = SignedAward(
            request=request,
            request_sig=sign(request),
            bid=bid,
            bid_sig=LocalSigner(self.worker.private, self.domain).sign(bid),
            award=award,
            award_sig=sign(award),
        )
        self.unit = unit_id(task, self.shard)

    @property
    def result(self) -> Result:
        return Result(exit=0, output_root=root(self.output), fuel_used=0, memory_hash=ZERO_HASH)

    @property
    def output(self) -> bytes:
        return self.answer.to_bytes(8, "big")

    @property
    def guard(self) -> Hash:
        return guard(self.guard_secret)

    @property
    def guard_r(self) -> Hash:
        return guard(self.jury_secret)

    @property
    def commitment(self) -> Hash:
        worker = self.worker.address
        return commitment(
            self.domain, self.unit, Role.WORKER, worker, self.result.hash(), self.salt, guard=self.guard
        )

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────

    def register(self, *, acked: bool = True) -> RegisterAward:
        ack = Ack(award=self.signed.award.digest(self.domain), start_at=self.now + 1)
        sig = LocalSigner(self.worker.private, self.domain).sign(ack) if acked else Signature(b"")
        registration = Registration(signed=self.signed, ack=ack if acked else None, ack_sig=sig)
        return RegisterAward(unit=self.unit, registration=registration)

    def award_commit(self) -> AwardCommit:
        registration = Registration(signed=self.signed)
        return AwardCommit(unit=self.unit, registration=registration, commitment=self.commitment)

    def commit(self, view: UnitView) -> CommitResult:
        return CommitResult(unit=self.unit, target=view.on_chain, commitment=self.commitment)

    def reveal(self, view: UnitView) -> Reveal:
        return Reveal(
            unit=self.unit,
            target=view.on_chain,
            result=self.result,
            salt=self.salt,
            guard=self.guard,
            output=self.output,
        )

    def settle(self, view: UnitView) -> Settle:
        return Settle(unit=self.unit, target=view.on_chain)

    def time_out(self, view: UnitView) -> TimeOut:
        return TimeOut(unit=self.unit, target=view.on_chain)

    def commit_report(self, view: UnitView, author: Key, evidence: bytes = b"") -> CommitReport:
        return CommitReport(unit=self.unit, target=view.on_chain, hash=self._report(author, evidence))

    def reveal_report(self, view: UnitView, author: Key, index: int, evidence: bytes = b"") -> RevealReport:
        return RevealReport(
            unit=self.unit,
            target=view.on_chain,
            index=index,
            author=author.address,
            result_hash=keccak256(evidence),
            salt=self.salt,
            request=self.signed.request,
            revealed=self.result,
            output=self.output,
            evidence=evidence,
            data=DATA,
        )

    def _report(self, author: Key, evidence: bytes) -> Hash:
        return commitment(
            self.domain, self.unit, Role.REPORTER, author.address, keccak256(evidence), self.salt
        )


@dataclass
class Node:
    """A running adapter of one key, and the heads that it has emitted."""

    chain: ChainAdapter
    heads: list[HeadSeen] = field(default_factory=list)
    changed: trio.Event = field(default_factory=trio.Event)

    async def emit(self, seen: HeadSeen) -> None:
        self.heads.append(seen)
        self.changed.set()
        self.changed = trio.Event()

    async def until(self, good: Callable[[HeadSeen], bool]) -> HeadSeen:
        """The first head from now on that is `good`."""
        with trio.fail_after(30):
            while not (self.heads and good(self.heads[-1])):
                await self.changed.wait()
        return self.heads[-1]

    async def caught_up(self, anvil: Anvil) -> HeadSeen:
        """The head that belongs to anvil's newest block."""
        confirmed = int(anvil.rpc("eth_blockNumber"), 16) - self.chain.config.conf
        return await self.until(lambda seen: seen.head.number == confirmed)

    def view(self, unit: UnitId) -> UnitView | None:
        return next((v for v in self.heads[-1].views if v.unit == unit), None)

    async def sees(self, unit: UnitId, good: Callable[[UnitView | None], bool]) -> UnitView:
        """The unit's view once it is `good`."""
        await self.until(lambda seen: good(next((v for v in seen.views if v.unit == unit), None)))
        view = self.view(unit)
        assert view is not None
        return view


def adapter(
    anvil: Anvil,
    deployed: Deployment,
    key: Key,
    *,
    outbox: Outbox | None = None,
    urls: tuple[str, ...] = (),
    keep: Callable[[], frozenset[UnitId]] = frozenset,
    **settings: Any,
) -> ChainAdapter:
    """The adapter of one key, not running yet."""
    config = ChainConfig(
        urls=urls or (anvil.url,),
        chain_id=deployed.chain_id,
        contract=deployed.block_edge,
        code_hash=deployed.code_hash,
        court=deployed.court,
        others=deployed.others,
        start=deployed.block,
        conf=0,
        poll=0.02,
    )
    return ChainAdapter(replace(config, **settings), key.private, outbox or MemoryOutbox(), keep=keep)


@asynccontextmanager
async def running(anvil: Anvil, deployed: Deployment, key: Key, **options: Any) -> AsyncIterator[Node]:
    """An adapter that has emitted its first head; `options` as `adapter` takes them."""
    node = Node(adapter(anvil, deployed, key, **options))
    async with aclosing(node.chain.rpc):
        await node.chain.open()
        async with trio.open_nursery() as nursery:
            with trio.fail_after(30):
                await nursery.start(node.chain.run, node.emit)
            yield node
            nursery.cancel_scope.cancel()


async def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of `condition`; looked at every 10 ms."""
    with trio.fail_after(seconds):
        while not (value := condition()):  # noqa: ASYNC110 - the world outside has no trio.Event
            await trio.sleep(0.01)
    return value


def in_pool(anvil: Anvil) -> int:
    """Transactions that wait for a block."""
    return int(anvil.rpc("txpool_status")["pending"], 16)


async def mined(anvil: Anvil, *sends: Awaitable[T]) -> list[T]:
    """Run `sends` at once and mine a block whenever transactions wait, until all have ended."""
    results: dict[int, T] = {}

    async def run(i: int, send: Awaitable[T]) -> None:
        results[i] = await send

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for i, send in enumerate(sends):
                nursery.start_soon(run, i, send)
            while len(results) < len(sends):
                await trio.sleep(0.01)
                if in_pool(anvil):
                    anvil.mine()
    return [results[i] for i in range(len(sends))]
