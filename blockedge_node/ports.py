"""What the performer needs of the world: five small Protocols, declared here by their consumer.

The adapters (p2p, chain, executor, store) implement them for real, the simulator (tests/sim) in memory.
Failures: an adapter raises Transient for what may pass, PeerError or Rejected for what somebody else did wrong;
waiting forever is allowed, since the engine cancels whatever is no longer due.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Protocol

from blockedge_node.core.actions import ChainAction, Note
from blockedge_node.core.events import CallMined, SignedAward
from blockedge_node.core.ids import Address, Digest, Hash, Root, Secret, Signature, UnitId
from blockedge_node.core.items import Answer, Told
from blockedge_node.core.job import Outcome, PowJob, WasmJob
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result
from blockedge_node.core.unit import Standing
from blockedge_node.core.watch import Kept, Watch


class Signer(Protocol):
    address: Address

    def sign(self, struct: Struct) -> Signature:
        """64-byte EIP-2098, deterministic: the same struct always gives the same bytes."""


class Chance(Protocol):
    def secret(self) -> Secret:
        """32 fresh random bytes."""

    def monotonic(self) -> float:
        """Seconds of the clock that trio runs by."""


class Chain(Protocol):
    async def send(self, call: ChainAction) -> CallMined:
        """Have `call` mined at CONF depth. Simulates first, waits for its window, replaces and resends; never
        gives up by itself: a call that would revert or be skipped waits for the next head."""

    async def standing(self, who: Address) -> Standing | None:
        """Balances and reputation, at most 30 s old; None if the signer is unknown and the budget is spent."""


class Network(Protocol):
    async def publish_request(self, request: Request, sig: Signature) -> None: ...

    async def publish_bids(self, bids: Sequence[Bid], sigs: Sequence[Signature]) -> None: ...

    async def publish_secret(self, unit: UnitId, secret: Secret, guard_r: Hash) -> None: ...

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        """Award → Ack on one stream. Raises Rejected(reason) if the worker refuses, Transient if unreachable."""

    async def answer_award(self, award: Digest, ack: Ack, sig: Signature) -> None:
        """Answers every stream that waits for this award; nothing if none does."""

    async def refuse_award(self, award: Digest, reason: str) -> None: ...

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        """Result → Receipt on one stream. Raises Transient if unreachable."""

    async def answer_result(self, receipt: Receipt, sig: Signature) -> None: ...

    async def tell_answers(
        self, unit: UnitId, requester: Address, answers: AsyncIterable[tuple[int, Answer]]
    ) -> None:
        """Tell a bundle's requester what `answers` yields, as it comes; binds nobody. Raises Transient."""

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        """Watch → Kept on one stream. Raises Rejected if the tower refuses, Transient if unreachable."""

    async def answer_watch(self, kept: Kept, sig: Signature) -> None: ...


class Content(Protocol):
    """Blobs by content address, local first, then from peers, every chunk checked on arrival."""

    async def fetch(self, root: Root, holders: Sequence[Address]) -> None:
        """Have `root` in the store. Raises Transient while nobody serves it."""

    async def fetch_task(
        self, request: Request, shard: int, *, own: bool = False, holders: Sequence[Address] = ()
    ) -> None:
        """Have all that running the shard takes. Raises PeerError if it is not runnable here (`own`: or more than
        this node takes on, while it may still refuse), Transient. `holders` are asked after the requester."""

    def job(self, request: Request, shard: int) -> WasmJob | PowJob:
        """The executor's job from the store; after fetch_task."""

    def pack(self, program: Root, inputs: Sequence[Root], fuel: int) -> tuple[Root, Root]:
        """The mapped program and the list of these inputs, stored; with `fuel` for all of them. Raises PeerError or
        Transient if a part is not there any more."""

    def put(self, data: bytes) -> Root: ...

    def get(self, root: Root) -> bytes | None: ...


class Executor(Protocol):
    async def run(self, job: WasmJob | PowJob, *, wall: float, told: Told | None = None) -> Outcome:
        """A mapped job's answers are `told` as they come. Raises Transient for an infrastructure fault; never a
        result then."""

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        """Evidence against a proof-of-work output; b"" if it refutes itself, None if it is right."""


class Journal(Protocol):
    """Facts on disk before anything is done about them; one owner a journal."""

    def load(self) -> Mapping[str, object]:
        """All machines by key, as they were last committed."""

    async def commit(self, machines: Mapping[str, object | None], notes: Sequence[Note]) -> None:
        """One durable transaction; None retires a machine."""
