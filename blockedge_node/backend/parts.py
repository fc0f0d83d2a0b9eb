"""What all answers are made of: the adapters, the machines, and what the journal knows of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from blockedge_node import summaries
from blockedge_node.api import models
from blockedge_node.api.backend import NotFound
from blockedge_node.backend.bell import Bell
from blockedge_node.chain.adapter import ChainAdapter
from blockedge_node.chain.blocks import Receipt
from blockedge_node.config import Coalition, Config
from blockedge_node.content import ContentStore
from blockedge_node.core.ids import Root, UnitId
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.node import Machine, job_key, load_of, requester_key
from blockedge_node.core.params import Params
from blockedge_node.core.requester import Requester
from blockedge_node.core.unit import Standing
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World
from blockedge_node.engine import Engine
from blockedge_node.errors import Transient
from blockedge_node.executor.pool import Pool
from blockedge_node.logs import LogRing
from blockedge_node.p2p.network import P2P
from blockedge_node.store.blobs import Blobs
from blockedge_node.store.journal import Journal
from blockedge_node.summaries import Record

SHOWN: Final = 200  # rows of a list at most, the newest first

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """`began` is trio's clock at the daemon's start."""

    config: Config
    coalition: Coalition
    engine: Engine
    chain: ChainAdapter
    p2p: P2P
    pool: Pool
    content: ContentStore
    journal: Journal
    blobs: Blobs
    ring: LogRing
    bell: Bell
    began: float

    def ready(self) -> World:
        world = self.engine.world
        if world is None:
            raise Transient("the chain has not been read yet; try again in a moment")
        return world

    def clock(self) -> int:
        return self.chain.now() or int(time.time())

    def params(self) -> Params:
        return self.ready().params

    def exposure(self, world: World | None) -> int:
        if world is None:
            return 0
        return sum(load_of(machine, world).exposure for machine in self.engine.node.machines.values())

    def stuck_units(self, world: World | None) -> list[str]:
        if world is None:
            return []
        views = [m.view for m in self.engine.node.machines.values() if isinstance(m, Worker)]
        for machine in self.engine.node.machines.values():
            if isinstance(machine, Requester):
                views += [shard.view for shard in machine.shards]
        return [summaries.why_stuck(view, world.params, world.now) for view in views]

    async def keep(self, data: bytes) -> Root:
        return await trio.to_thread.run_sync(self.blobs.put, data)

    async def machine(self, key: str) -> Machine | None:
        living = self.engine.node.machines.get(key)
        return living if living is not None else await self.journal.machine(key)

    async def all_of(self, prefix: str, kind: type[T]) -> list[T]:
        """Living machines, then retired ones, newest first."""
        living = [m for m in self.engine.node.machines.values() if isinstance(m, kind)]
        retired = [row.machine for row in await self.journal.archived(prefix, SHOWN)]
        return [*living, *retired]

    async def job_run(self, job_id: bytes) -> JobRun:
        run = await self.machine(job_key(job_id))
        if not isinstance(run, JobRun):
            raise NotFound(f"this node has no job 0x{job_id.hex()}")
        return run

    async def job_model(self, run: JobRun) -> models.Job:
        tasks = []
        for attempt in run.attempts:
            machine = await self.machine(requester_key(attempt.task))
            if isinstance(machine, Requester):
                tasks.append(await self.task_model(machine))
        record = await self.record([run.job.id])
        return summaries.job_model(run, tasks, record, self.clock())

    async def task_model(self, machine: Requester) -> models.Task:
        record = await self.record([machine.task, *machine.units()])
        params, now = self.params(), self.clock()
        units = []
        for shard in machine.shards:
            unit = summaries.requested_unit(machine, shard, record, params, now)
            size = self.blobs.size(shard.stored) if shard.stored else None
            units.append(unit.model_copy(update={"output_size": size}))
        return summaries.task_model(
            machine.task, machine.request, role="requester", job=machine.job, units=units
        )

    async def record(self, subjects: Sequence[bytes]) -> Record:
        notes = await self.journal.notes(subjects) if subjects else ()
        spending = [call for s in subjects for call in await self.journal.spending(UnitId(s))]
        return Record(notes=notes, spending=spending)


def account_model(standing: Standing) -> models.Account:
    account = standing.account
    return models.Account(
        free=account.free, locked=account.locked, exit_at=account.exit_at, exit_amount=account.exit_amount
    )


def transaction_model(call: str, receipt: Receipt) -> models.Transaction:
    return models.Transaction(
        tx=receipt.tx,
        call=call,
        block=receipt.block,
        gas=receipt.gas_used,
        fee=receipt.gas_used * receipt.gas_price,
    )
