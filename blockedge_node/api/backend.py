"""What the API needs of the node behind it: one Protocol, declared here by its consumer.

The daemon implements it over engine, chain, p2p and store (see daemon.py); tests implement it in memory.
Values are the models of api/models.py, built from bytes and integers.

Errors: raise BlockEdgeErrors and the API turns them into problem documents. Rejected for what the node will
not do, ChainError for balances and reverts, Transient while a part is not ready, PeerError for bad data of
others. Methods that name a job, task, unit or address get one that `find` has returned, or that the client
wrote in full; they raise NotFound if there is none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from blockedge_node.api import court_models, models
from blockedge_node.errors import BlockEdgeError


class NotFound(BlockEdgeError):
    """Nothing of that name here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A result on its way out, in chunks; `size` in bytes if it is known before the last one."""

    chunks: AsyncIterator[bytes]
    size: int | None = None


class Backend(Protocol):
    # ── node
    async def status(self) -> models.NodeStatus: ...

    async def pause(self) -> None:
        """No new bids until resume; what is awarded runs on."""

    async def resume(self) -> None: ...

    def settings(self) -> Sequence[models.Setting]:
        """In the order of node.toml."""

    def logs(self, since: int) -> Sequence[models.LogLine]:
        """Lines numbered above `since` that are still in memory, oldest first. Must not block."""

    # ── peers
    async def peers(self) -> Sequence[models.Peer]: ...

    async def add_peer(self, multiaddr: str) -> models.Peer:
        """Dial and keep. Raises Transient if it does not answer."""

    # ── content and jobs
    async def put_blob(self, chunks: AsyncIterator[bytes]) -> models.Stored:
        """Store what `chunks` yields; if they raise, nothing is kept."""

    async def put_program(self, spec: models.ProgramSpec) -> models.Program:
        """Make and store a manifest. Raises NotFound (name, blob) or PeerError (it breaks a rule)."""

    def programs(self) -> Sequence[models.BuiltIn]: ...

    async def submit_job(self, job_id: bytes, spec: models.JobSpec) -> tuple[models.Job, bool]:
        """Hand in a job under the id of 32 bytes; (job, True), or (job, False) if this id is known already.

        Raises NotFound for an input or program that is not stored, ChainError if the balance does not cover
        shards x (price + fee), Rejected if this node is no requester.
        """

    async def jobs(self, *, stuck: bool) -> Sequence[models.Job]:
        """Newest first, without their tasks; with `stuck`, only those past a deadline that nothing moves."""

    async def job(self, job_id: bytes) -> models.Job:
        """With tasks and units."""

    async def cancel_job(self, job_id: bytes) -> models.Job: ...

    async def result(self, job_id: bytes, shard: int | None) -> Output:
        """The merged output, or one shard's. Raises Rejected("not-ready", …) while it is not complete."""

    def events(
        self, since: int | None, job: bytes | None
    ) -> AsyncGenerator[Sequence[models.Event | models.ItemEvent]]:
        """What happens to jobs, or to one, after the event `since`, or from now on: nothing first, and whenever
        there was nothing to tell for a while. Endless. Raises Rejected if too many follow already."""

    async def tasks(self) -> Sequence[models.Task]:
        """Tasks this node has a part in, newest first, without their units."""

    async def task(self, task_id: bytes) -> models.Task: ...

    async def explain(self, found: models.Found) -> models.Story: ...

    async def find(self, prefix: str) -> Sequence[models.Found]:
        """Jobs, tasks and units whose id begins with these hex digits (no 0x), 20 at most."""

    async def bids(self) -> Sequence[models.Bid]:
        """Own bids, made and not made, newest first; bounded."""

    async def reports(self) -> Sequence[models.Report]: ...

    # ── money: each call returns once its transaction is mined at CONF depth
    async def reputation(self, address: bytes) -> models.Reputation: ...

    async def wallet(self) -> models.Wallet: ...

    async def fund(self, amount: int) -> models.Transaction: ...

    async def exit(self, amount: int) -> models.Transaction: ...

    async def withdraw(self) -> models.Transaction: ...

    async def audit(self) -> models.Audit: ...

    # ── the Court
    async def tickets(self, *, everybody: bool) -> court_models.Tickets: ...

    async def stake(self, count: int) -> Sequence[models.Transaction]: ...

    async def unstake(self, ticket: int) -> models.Transaction:
        """Raises NotFound for no such ticket; here and below ChainError if it is not ours, or not now."""

    async def withdraw_ticket(self, ticket: int) -> models.Transaction: ...

    async def collect(self, ticket: int) -> models.Transaction: ...

    async def disputes(self) -> Sequence[court_models.Dispute]:
        """Open and lately ended, newest first; bounded."""

    async def dispute(self, unit: bytes) -> court_models.Dispute: ...

    async def order_check(self, prefix: str) -> court_models.Ordered:
        """Recompute the revealed unit whose id begins with these hex digits, and report it if it is wrong.

        Raises NotFound, Ambiguous; ChainError if no report of ours could count.
        """

    async def appeal(self, unit: bytes) -> models.Transaction:
        """Raises ChainError if the dispute cannot be appealed now."""
