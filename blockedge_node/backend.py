"""The node behind the API: api.backend.Backend over engine, chain, p2p, executor and store.

Nothing is decided here. Questions are answered from the engine's machines (as committed), the last head and the
journal; what a client asks for becomes an event or a transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeVar

import trio

from blockedge_node import programs, summaries
from blockedge_node.api import models
from blockedge_node.api.backend import NotFound, Output
from blockedge_node.chain.adapter import ChainAdapter
from blockedge_node.chain.blocks import Receipt
from blockedge_node.config import Coalition, Config
from blockedge_node.core import merkle
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.events import Job, JobCancelled, JobSubmitted
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, TaskId, UnitId
from blockedge_node.core.job import MAX_WASM, describe
from blockedge_node.core.jobs import JobRun, request_of
from blockedge_node.core.node import Machine, job_key, load_of, requester_key
from blockedge_node.core.params import Params
from blockedge_node.core.policy import free_for, is_stale
from blockedge_node.core.requester import Requester
from blockedge_node.core.selection import flaw
from blockedge_node.core.task import Kind, Mode, unit_id
from blockedge_node.core.terms import cost
from blockedge_node.core.unit import Standing
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World
from blockedge_node.engine import Engine
from blockedge_node.errors import ChainError, PeerError, Rejected, Transient
from blockedge_node.executor.pool import Pool
from blockedge_node.logs import LogRing
from blockedge_node.p2p.network import P2P
from blockedge_node.p2p.rows import PeerRow
from blockedge_node.store.blobs import Blobs
from blockedge_node.store.journal import Journal, StoredNote
from blockedge_node.summaries import Record
from blockedge_node.wire.manifest import Manifest

SHOWN: Final = 200  # rows of a list at most, the newest first
CHUNK: Final = 64 * 1024  # bytes read from a stored output at a time
MERGE_WALL: Final = 300.0  # seconds for merging outputs by program
PEER_WAIT: Final = 10.0  # seconds for a new peer to answer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NodeBackend:
    """See the module docstring. `began` is trio's clock at the daemon's start."""

    config: Config
    coalition: Coalition
    engine: Engine
    chain: ChainAdapter
    p2p: P2P
    pool: Pool
    journal: Journal
    blobs: Blobs
    ring: LogRing
    began: float

    # ── node ─────────────────────────────────────────────────────────────────────────────────────────────

    async def status(self) -> models.NodeStatus:
        world, chain = self.engine.world, self.chain.status()
        machines = self.engine.node.machines.values()
        head = chain.head
        stuck = sum(1 for row in self._stuck_units(world) if row)
        services = (
            models.Service(name="chain", ok=not chain.problem, detail=chain.problem or chain.sender.problem),
            models.Service(name="engine", ok=world is not None),
            models.Service(name="p2p", ok=bool(self.p2p.addresses())),
            models.Service(name="executor", ok=True),
        )
        return models.NodeStatus(
            version=_version(),
            address=self.chain.address,
            peer_id=str(self.p2p.peer_id),
            coalition=self.coalition.name,
            chain_id=self.coalition.chain_id,
            contract=self.coalition.contract,
            ready=world is not None and not is_stale(world) and bool(self.p2p.addresses()),
            paused=self.engine.policy.paused,
            roles=self.config.settings.node.roles,
            uptime=trio.current_time() - self.began,
            head=None
            if head is None
            else models.Head(number=head.number, hash=head.hash, time=head.time, age=chain.age),
            account=None if world is None else _account(world.standing),
            reputation=None if world is None else world.standing.reputation.score,
            services=services,
            listen=tuple(self.p2p.addresses()),
            peers=sum(1 for row in self.p2p.rows() if row.connected),
            jobs_open=sum(
                1 for m in machines if isinstance(m, JobRun) and summaries.job_state(m) == "running"
            ),
            units_live=sum(1 for m in machines if isinstance(m, Worker) and not m.phase.terminal),
            slots_used=self.pool.busy,
            slots=self.pool.slots,
            exposure=self._exposure(world),
            transactions_pending=chain.sender.in_flight,
            stuck=stuck,
        )

    async def pause(self) -> None:
        self.engine.set_policy(replace(self.engine.policy, paused=True))

    async def resume(self) -> None:
        self.engine.set_policy(replace(self.engine.policy, paused=False))

    def settings(self) -> Sequence[models.Setting]:
        return [
            models.Setting(key=key, value=sorted(v) if isinstance(v, frozenset) else v, origin=origin)
            for key, v, origin in self.config.listed()
        ]

    def logs(self, since: int) -> Sequence[models.LogLine]:
        return [models.LogLine(number=n, line=json.loads(line)) for n, line in self.ring.since(since)]

    # ── peers ────────────────────────────────────────────────────────────────────────────────────────────

    async def peers(self) -> Sequence[models.Peer]:
        return [_peer(row) for row in self.p2p.rows()]

    async def add_peer(self, multiaddr: str) -> models.Peer:
        peer = self.p2p.add_peer(multiaddr)
        with trio.move_on_after(PEER_WAIT):
            while True:
                for row in self.p2p.rows():
                    if row.peer == peer and row.connected:
                        return _peer(row)
                await trio.sleep(0.05)
        raise Transient(
            f"{multiaddr} does not answer within {PEER_WAIT:g} s; it stays on the list and is dialled again"
        )

    # ── content ──────────────────────────────────────────────────────────────────────────────────────────

    async def put_blob(self, chunks: AsyncIterator[bytes]) -> models.Stored:
        size = 0
        with self.blobs.upload() as upload:
            async for chunk in chunks:
                size += len(chunk)
                await trio.to_thread.run_sync(upload.write, chunk)
            root = await trio.to_thread.run_sync(upload.finish)
        return models.Stored(root=root, size=size)

    async def put_program(self, spec: models.ProgramSpec) -> models.Program:
        if spec.name is not None:
            manifest = self._built_in(spec)
        else:
            manifest = Manifest(wasm=Root(spec.wasm or ZERO_HASH), argv=spec.argv or ("program",))
            size = self.blobs.size(manifest.wasm)
            if size is None:
                raise NotFound(f"no uploaded module has the root 0x{manifest.wasm.hex()}")
            if size > MAX_WASM:
                raise PeerError(f"the module has {size} bytes; the limit is {MAX_WASM}")
        changes = {
            "fuel": spec.fuel,
            "files": {path: Root(root) for path, root in spec.files.items()} or manifest.files,
            "memory": spec.memory or manifest.memory,
            "stdout_max": manifest.stdout_max if spec.stdout_max is None else spec.stdout_max,
            "merge": spec.merge or manifest.merge,
            "argv": spec.argv or manifest.argv,
        }
        for path, root in changes["files"].items():  # type: ignore[attr-defined]
            if not self.blobs.has(root):
                raise NotFound(f"file {path!r}: no blob has the root 0x{root.hex()}")
        manifest = replace(manifest, **changes).bind(spec.params)  # type: ignore[arg-type]
        root = await self._put(manifest.encode())
        return models.Program(program=root, engine=manifest.engine, fuel=manifest.fuel, merge=manifest.merge)

    def _built_in(self, spec: models.ProgramSpec) -> Manifest:
        if spec.name not in programs.GUESTS:
            raise NotFound(f"there is no program {spec.name!r}; known are {', '.join(programs.GUESTS)}")
        loaded = programs.load(spec.name)
        return Manifest(wasm=self.blobs.put(loaded.wasm), **loaded.fields)

    def programs(self) -> Sequence[models.BuiltIn]:
        rows = []
        for guest in programs.GUESTS.values():
            size = len(guest.wasm())
            rows.append(models.BuiltIn(name=guest.name, summary=guest.summary, size=size))
        return rows

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────

    async def submit_job(self, job_id: bytes, spec: models.JobSpec) -> tuple[models.Job, bool]:
        if await self._machine(job_key(job_id)) is not None:
            return await self.job(job_id), False
        world = self._ready()
        if not world.policy.requester:
            raise Rejected("not-requester", "this node does not request work: add it to node.roles")
        inputs = tuple(Root(root) for root in spec.inputs)
        for root in {*inputs, *([Root(spec.program)] if spec.program else [])}:
            if not self.blobs.has(root):
                raise NotFound(f"no blob has the root 0x{root.hex()}; upload it first")
        if spec.kind == "wasm":
            await self._put(b"".join(inputs))  # the list that inputRoot names, for workers to fetch
        job = Job(
            id=Hash(job_id),
            nonce=time.time_ns() // 1000,
            kind=Kind.WASM if spec.kind == "wasm" else Kind.POW,
            mode=Mode.NO_DEMAND if spec.no_demand else 0,
            program=Root(spec.program or ZERO_HASH),
            inputs=inputs,
            shards=spec.shards,
            fuel=spec.fuel,
            max_price=spec.max_price,
            min_deposit=spec.min_deposit,
            max_delay=spec.max_delay,
            rep_min=spec.rep_min,
            rep_max=spec.rep_max,
            w_price=spec.weights.price,
            w_delay=spec.weights.delay,
            w_rep=spec.weights.rep,
            lifetime=spec.lifetime,
            merge=spec.merge,
            label=spec.label,
        )
        self._check_affordable(job, world)
        await self.engine.submit(JobSubmitted(job=job))
        return await self.job(job_id), True

    def _check_affordable(self, job: Job, world: World) -> None:
        """Raises ChainError or Rejected, before anything is asked of anybody."""
        request = request_of(job, 0, world)
        words = flaw(request, world.params)
        if words:
            raise Rejected("bad-request", f"nobody could register bids for this job: {words}")
        needed = job.shards * cost(request, job.max_price, world.params)
        free = free_for(world, request.expiry)
        if needed > free:
            raise ChainError(
                f"the job may cost {needed} wei ({job.shards} x price and fee), and {max(free, 0)} wei of the "
                "balance are free: lower --max-price or the shards, or `blockedge wallet fund` more"
            )

    async def jobs(self, *, stuck: bool) -> Sequence[models.Job]:
        found = []
        for run in await self._all("job:", JobRun):
            job = await self._job_model(run)
            if not stuck or job.stuck:
                found.append(job.model_copy(update={"tasks": ()}))
        return sorted(found, key=lambda job: job.created, reverse=True)[:SHOWN]

    async def job(self, job_id: bytes) -> models.Job:
        return await self._job_model(await self._job_run(job_id))

    async def cancel_job(self, job_id: bytes) -> models.Job:
        await self._job_run(job_id)
        await self.engine.submit(JobCancelled(job=Hash(job_id)))
        return await self.job(job_id)

    async def result(self, job_id: bytes, shard: int | None) -> Output:
        run = await self._job_run(job_id)
        if shard is not None:
            if not 0 <= shard < len(run.outputs):
                raise NotFound(f"shard {shard} is not one of 0 to {len(run.outputs) - 1}")
            return self._stored(self._output_root(run, shard))
        roots = [self._output_root(run, i) for i in range(len(run.outputs))]
        if run.job.kind == Kind.POW:
            hits = [root for root in roots if self.blobs.size(root)]
            return self._stored(*hits[:1])
        if run.job.merge == "concat":
            return self._stored(*roots)
        return await self._merged(run, roots)

    def _output_root(self, run: JobRun, shard: int) -> Root:
        output = run.outputs[shard]
        if output is None:
            raise Rejected("not-ready", f"shard {shard} has no result yet; `blockedge task show` tells more")
        if output.result.output_root == Root(ZERO_HASH):
            raise Rejected("failed", f"shard {shard} {describe(output.result.exit)}: it has no output")
        if not self.blobs.has(output.result.output_root):
            raise NotFound(f"the output of shard {shard} is not stored any more")
        return output.result.output_root

    async def _merged(self, run: JobRun, roots: Sequence[Root]) -> Output:
        raw = self.blobs.get(run.job.program)
        if raw is None:
            raise NotFound("the job's program is not stored any more")
        manifest = Manifest.decode(raw)
        outputs = [self.blobs.get(root) or b"" for root in roots]
        merged = replace(manifest, merge=run.job.merge).merged(outputs)
        if merged is None:
            wasm = self.blobs.get(manifest.wasm) or b""
            files = {path: self.blobs.get(root) or b"" for path, root in manifest.files.items()}
            outcome = await self.pool.run(
                manifest.merge_job(outputs, wasm=wasm, files=files), wall=MERGE_WALL
            )
            if outcome.result.exit:
                raise Rejected("failed", f"merging {describe(outcome.result.exit)}")
            merged = outcome.output
        return self._stored(await self._put(merged))

    def _stored(self, *roots: Root) -> Output:
        """Stored blobs one after the other, without holding them in memory."""

        async def chunks() -> AsyncIterator[bytes]:
            for root in roots:
                first = 0
                while part := await trio.to_thread.run_sync(
                    self.blobs.chunks, root, first, CHUNK // merkle.CHUNK
                ):
                    yield part
                    first += CHUNK // merkle.CHUNK

        return Output(chunks=chunks(), size=sum(self.blobs.size(root) or 0 for root in roots))

    async def tasks(self) -> Sequence[models.Task]:
        rows: dict[bytes, models.Task] = {}
        for asked in await self._all("requester:", Requester):
            rows[asked.task] = summaries.task_model(
                asked.task, asked.request, role="requester", job=asked.job
            )
        for worked in await self._all("worker:", Worker):
            rows[worked.task] = summaries.task_model(worked.task, worked.signed.request, role="worker")
        for made in await self._all("bidder:", Bidder):
            rows.setdefault(made.task, summaries.task_model(made.task, made.request, role="bidder"))
        return sorted(rows.values(), key=lambda task: task.expiry, reverse=True)[:SHOWN]

    async def task(self, task_id: bytes) -> models.Task:
        machine = await self._machine(requester_key(task_id))
        if isinstance(machine, Requester):
            return await self._task_model(machine)
        workers = [w for w in await self._all("worker:", Worker) if w.task == task_id]
        if workers:
            record = await self._record([w.unit for w in workers])
            now, params = self._now(), self._params()
            units = [summaries.worked_unit(w, record, params, now) for w in workers]
            return summaries.task_model(task_id, workers[0].signed.request, role="worker", units=units)
        for made in await self._all("bidder:", Bidder):
            if made.task == task_id:
                return summaries.task_model(task_id, made.request, role="bidder")
        raise NotFound(f"this node has no part in a task 0x{task_id.hex()}")

    async def explain(self, found: models.Found) -> models.Story:
        job, tasks = None, list[models.Task]()
        subjects: list[bytes] = [found.id]
        owner = found.id if found.kind == "job" else found.job
        if owner is not None:
            job = await self.job(owner)
            tasks = list(job.tasks)
            subjects.append(owner)
        elif found.task is not None:
            tasks = [await self.task(found.task)]
        if found.kind == "unit":
            subjects += [found.task] if found.task else []
        else:
            shown = [task for task in tasks if found.kind == "job" or task.id == found.id]
            subjects += [task.id for task in shown]
            subjects += [unit_id(TaskId(t.id), i) for t in shown for i in range(t.shards)]
        notes = await self.journal.notes(list(dict.fromkeys(subjects)))
        return models.Story(
            id=found.id,
            kind=found.kind,
            job=job,
            tasks=tuple(tasks),
            bids=tuple(await self._bids_heard(found, tasks)),
            notes=tuple(map(summaries.note_model, notes)),
        )

    async def _bids_heard(self, found: models.Found, tasks: Sequence[models.Task]) -> list[models.ScoredBid]:
        rows: list[models.ScoredBid] = []
        for task in tasks:
            machine = await self._machine(requester_key(task.id))
            if isinstance(machine, Requester):
                rows += summaries.scored_bids(machine)
        return [row for row in rows if found.kind != "unit" or row.unit == found.id]

    async def find(self, prefix: str) -> Sequence[models.Found]:
        found = []
        for subject in await self.journal.subjects(prefix):
            if (row := await self._classify(subject)) is not None:
                found.append(row)
        return found

    async def _classify(self, subject: bytes) -> models.Found | None:
        if await self._machine(job_key(subject)) is not None:
            return models.Found(kind="job", id=subject, job=subject)
        requesters = await self._all("requester:", Requester)
        for machine in requesters:
            if machine.task == subject:
                return models.Found(kind="task", id=subject, job=machine.job, task=subject)
            if any(shard.unit == subject for shard in machine.shards):
                return models.Found(kind="unit", id=subject, job=machine.job, task=machine.task)
        others: list[Worker | Bidder] = [
            *await self._all("worker:", Worker),
            *await self._all("bidder:", Bidder),
        ]
        for other in others:
            if other.task == subject:
                return models.Found(kind="task", id=subject, task=subject)
            if subject in other.units():
                return models.Found(kind="unit", id=subject, task=other.task)
        return None

    async def bids(self) -> Sequence[models.Bid]:
        machines = await self._all("bidder:", Bidder)
        record = await self._record([machine.task for machine in machines])
        rows = [
            bid for m in machines for bid in summaries.bids_of(m, record, self.chain.address, self._now())
        ]
        rows += [
            _no_bid(stored, self.chain.address) for stored in await self.journal.notes_by_code("bid.none.")
        ]
        return sorted(rows, key=lambda row: row.at or 0.0, reverse=True)[:SHOWN]

    async def reports(self) -> Sequence[models.Report]:
        rows = []
        for machine in await self._all("verifier:", Verifier):
            view = machine.view
            for report in view.reports if view else ():
                verdict = {0: "revealed", 1: "wrong", 2: "right"}[report.verdict]
                state = "closed" if report.closed else verdict if report.result_hash else "committed"
                rows.append(
                    models.Report(unit=machine.unit, index=report.index, author=report.author, state=state)
                )
        return rows[:SHOWN]

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────

    async def reputation(self, address: bytes) -> models.Reputation:
        rep = await self.chain.reputation(Address(address))
        return models.Reputation(address=address, n=rep.n, m=rep.m, s=rep.s, t=rep.t, score=rep.score)

    async def wallet(self) -> models.Wallet:
        me = self.chain.address
        account = await self.chain.account(me)
        params = self._params()
        return models.Wallet(
            address=me,
            ether=await self.chain.gas_money(),
            account=_account(Standing(account=account)),
            covered=account.covered(self._now() + params.max_award),
            exposure=self._exposure(self.engine.world),
            unbond=params.unbond,
        )

    async def fund(self, amount: int) -> models.Transaction:
        return _transaction("fund", await self.chain.fund(amount))

    async def exit(self, amount: int) -> models.Transaction:
        account = await self.chain.account(self.chain.address)
        if amount > account.free:
            raise ChainError(f"{amount} wei cannot leave: {account.free} wei of the balance are free")
        return _transaction("exit", await self.chain.exit(amount))

    async def withdraw(self) -> models.Transaction:
        return _transaction("withdraw", await self.chain.withdraw())

    async def audit(self) -> models.Audit:
        sums = await self.chain.audit()
        counts: dict[str, int] = {}
        for view in self.chain.watcher.book.all_views():
            counts[view.phase.name.lower()] = counts.get(view.phase.name.lower(), 0) + 1
        return models.Audit(
            block=sums.block,
            contract=self.coalition.contract,
            accounts=sums.accounts,
            free=sums.free,
            locked=sums.locked,
            burned=sums.burned,
            balance=sums.held,
            difference=sums.held - sums.free - sums.locked - sums.burned,
            holds=sums.sound,
            units=counts,
        )

    # ── what the answers are made of ─────────────────────────────────────────────────────────────────────

    def _ready(self) -> World:
        world = self.engine.world
        if world is None:
            raise Transient("the chain has not been read yet; try again in a moment")
        return world

    def _now(self) -> int:
        return self.chain.now() or int(time.time())

    def _params(self) -> Params:
        return self._ready().params

    def _exposure(self, world: World | None) -> int:
        if world is None:
            return 0
        return sum(load_of(machine, world).exposure for machine in self.engine.node.machines.values())

    def _stuck_units(self, world: World | None) -> list[str]:
        if world is None:
            return []
        views = [m.view for m in self.engine.node.machines.values() if isinstance(m, Worker)]
        for machine in self.engine.node.machines.values():
            if isinstance(machine, Requester):
                views += [shard.view for shard in machine.shards]
        return [summaries.why_stuck(view, world.params, world.now) for view in views]

    async def _put(self, data: bytes) -> Root:
        return await trio.to_thread.run_sync(self.blobs.put, data)

    async def _machine(self, key: str) -> Machine | None:
        living = self.engine.node.machines.get(key)
        return living if living is not None else await self.journal.machine(key)

    async def _all(self, prefix: str, kind: type[T]) -> list[T]:
        """Living machines, then retired ones, newest first."""
        living = [m for m in self.engine.node.machines.values() if isinstance(m, kind)]
        retired = [row.machine for row in await self.journal.archived(prefix, SHOWN)]
        return [*living, *retired]

    async def _job_run(self, job_id: bytes) -> JobRun:
        run = await self._machine(job_key(job_id))
        if not isinstance(run, JobRun):
            raise NotFound(f"this node has no job 0x{job_id.hex()}")
        return run

    async def _job_model(self, run: JobRun) -> models.Job:
        tasks = []
        for attempt in run.attempts:
            machine = await self._machine(requester_key(attempt.task))
            if isinstance(machine, Requester):
                tasks.append(await self._task_model(machine))
        record = await self._record([run.job.id])
        return summaries.job_model(run, tasks, record, self._now())

    async def _task_model(self, machine: Requester) -> models.Task:
        record = await self._record([machine.task, *machine.units()])
        params, now = self._params(), self._now()
        units = []
        for shard in machine.shards:
            unit = summaries.requested_unit(machine, shard, record, params, now)
            size = self.blobs.size(shard.stored) if shard.stored else None
            units.append(unit.model_copy(update={"output_size": size}))
        return summaries.task_model(
            machine.task, machine.request, role="requester", job=machine.job, units=units
        )

    async def _record(self, subjects: Sequence[bytes]) -> Record:
        notes = await self.journal.notes(subjects) if subjects else ()
        spending = [call for s in subjects for call in await self.journal.spending(UnitId(s))]
        return Record(notes=notes, spending=spending)


def _version() -> str:
    try:
        return version("blockedge-node")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def _account(standing: Standing) -> models.Account:
    account = standing.account
    return models.Account(
        free=account.free, locked=account.locked, exit_at=account.exit_at, exit_amount=account.exit_amount
    )


def _peer(row: PeerRow) -> models.Peer:
    return models.Peer(
        peer_id=row.peer,
        addresses=row.addresses,
        address=bytes.fromhex(row.owners[0].removeprefix("0x")) if row.owners else None,
        connected=row.connected,
        since=None if row.since is None else int(row.since),
        banned=f"for {row.banned_for:.0f} s more" if row.banned_for else None,
    )


def _transaction(call: str, receipt: Receipt) -> models.Transaction:
    return models.Transaction(
        tx=receipt.tx,
        call=call,
        block=receipt.block,
        gas=receipt.gas_used,
        fee=receipt.gas_used * receipt.gas_price,
    )


def _no_bid(stored: StoredNote, me: bytes) -> models.Bid:
    fields = dict(stored.note.fields)
    return models.Bid(
        task=stored.note.subject,
        shard=0,
        worker=me,
        price=0,
        deposit=0,
        delay=0,
        rep=0,
        state="none",
        reason=f"{stored.note.code.removeprefix('bid.none.')}: {fields.get('detail', '')}".rstrip(": "),
        at=stored.at / 1000,
    )
