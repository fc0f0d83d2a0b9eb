"""The API's port in memory: the only double of these tests. It keeps what it is given and computes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from blockedge_node.api import court_models, models
from blockedge_node.api.backend import NotFound, Output
from blockedge_node.backend.bell import Bell
from blockedge_node.backend.events import follow
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.task import unit_id
from blockedge_node.errors import ChainError, Rejected, Transient
from blockedge_node.programs import GUESTS
from blockedge_node.store.journal import Journal

ME = bytes.fromhex("11" * 20)
OTHER = bytes.fromhex("22" * 20)
CONTRACT = bytes.fromhex("cc" * 20)
TASK = bytes.fromhex("ab" + "01" * 31)


class MemoryBackend:
    """Behaves like a node whose every job is solved at once, unless told otherwise by its attributes."""

    def __init__(self) -> None:
        self.ready = True
        self.journal: Journal | None = None
        self.bell = Bell()
        self.paused = False
        self.solves = True
        self.free = 10**18
        self.leaving = 0
        self.leaves_at = 0
        self.blobs: dict[bytes, bytes] = {}
        self.done: dict[bytes, models.Job] = {}
        self.specs: dict[bytes, models.JobSpec] = {}
        self.lines: list[models.LogLine] = [
            models.LogLine(number=1, line={"event": "node started", "level": "info"})
        ]
        self.peer_list = [
            models.Peer(peer_id="12D3KooWA", addresses=("/ip4/127.0.0.1/tcp/1",), address=OTHER)
        ]
        self.break_with: Exception | None = None
        self.staked = 0
        self.court: dict[str, int] = {}  # what its status says of tickets and duties
        self.trials: list[court_models.Dispute] = []

    # ── node
    async def status(self) -> models.NodeStatus:
        if self.break_with:
            raise self.break_with
        return models.NodeStatus(
            version="0.1.0",
            address=ME,
            peer_id="12D3KooWMe",
            coalition="test",
            chain_id=31337,
            contract=CONTRACT,
            ready=self.ready,
            paused=self.paused,
            roles=("requester", "worker", "verifier"),
            uptime=61.5,
            head=models.Head(number=7, hash=b"\x07" * 32, time=1_700_000_000, age=0.4),
            account=models.Account(free=self.free, locked=5),
            reputation=140_000,
            services=(
                models.Service(name="chain", ok=self.ready, detail="" if self.ready else "no block yet"),
            ),
            listen=("/ip4/127.0.0.1/tcp/4300/p2p/12D3KooWMe",),
            peers=len(self.peer_list),
            jobs_open=sum(job.state == "running" for job in self.done.values()),
            slots=1,
            **self.court,
        )

    async def pause(self) -> None:
        self.paused = True

    async def resume(self) -> None:
        self.paused = False

    def settings(self) -> Sequence[models.Setting]:
        return [models.Setting(key="policy.price_floor", value=10**13, origin="default")]

    def logs(self, since: int) -> Sequence[models.LogLine]:
        return [line for line in self.lines if line.number > since]

    async def events(
        self, since: int | None, job: bytes | None
    ) -> AsyncGenerator[Sequence[models.Event | models.ItemEvent]]:
        """Of a real journal, if it has been given one."""
        yield ()
        if self.journal is not None:
            async with aclosing(follow(self.journal, self.bell, since, job)) as events:
                async for event in events:
                    yield event

    # ── peers
    async def peers(self) -> Sequence[models.Peer]:
        return self.peer_list

    async def add_peer(self, multiaddr: str) -> models.Peer:
        if "/ip4/192.0.2." in multiaddr:
            raise Transient(f"no answer from {multiaddr}: is it up, and reachable from here?")
        address, _, peer_id = multiaddr.rpartition("/p2p/")
        peer = models.Peer(peer_id=peer_id, addresses=(address,))
        self.peer_list.append(peer)
        return peer

    # ── content and jobs
    async def put_blob(self, chunks: AsyncIterator[bytes]) -> models.Stored:
        data = b"".join([chunk async for chunk in chunks])
        root = keccak256(data)
        self.blobs[root] = data
        return models.Stored(root=root, size=len(data))

    async def put_program(self, spec: models.ProgramSpec) -> models.Program:
        if spec.wasm is not None and spec.wasm not in self.blobs:
            raise NotFound("the module is not stored: POST it to /api/v1/blobs first")
        if spec.name is not None and spec.name not in GUESTS:
            raise NotFound(f"no built-in program {spec.name!r}")
        root = keccak256(spec.model_dump_json().encode())
        self.blobs[root] = spec.model_dump_json().encode()
        return models.Program(
            program=root, engine="be-det-1/test", fuel=spec.fuel, merge=spec.merge or "concat"
        )

    def programs(self) -> Sequence[models.BuiltIn]:
        return [models.BuiltIn(name="frames", summary="thumbnails and features of pictures")]

    async def submit_job(self, job_id: bytes, spec: models.JobSpec) -> tuple[models.Job, bool]:
        if job_id in self.done:
            return self.done[job_id], False
        for root in (*spec.inputs, *([spec.program] if spec.program else [])):
            if root not in self.blobs:
                raise NotFound(f"no blob 0x{root.hex()} is stored: POST it to /api/v1/blobs first")
        if spec.max_price * spec.shards > self.free:
            raise ChainError(
                f"the job may cost {spec.max_price * spec.shards} wei, the free balance is {self.free}: "
                "run `blockedge wallet fund`"
            )
        self.specs[job_id] = spec
        self.done[job_id] = self._job(job_id, spec)
        return self.done[job_id], True

    def _job(self, job_id: bytes, spec: models.JobSpec) -> models.Job:
        units = tuple(
            models.Unit(
                id=unit_id(TASK, shard),  # type: ignore[arg-type]
                task=TASK,
                shard=shard,
                phase="paid",
                worker=OTHER,
                price=spec.max_price // 2,
                deposit=spec.max_price * 10,
                delay=10,
                negotiation=0.41,
                exit=0,
                exit_text="ok",
                gas=200_000,
                fee=10**14,
                paid=spec.max_price // 2,
            )
            for shard in range(spec.shards)
        )
        task = models.Task(
            id=TASK,
            job=job_id,
            requester=ME,
            role="requester",
            kind=spec.kind,
            shards=spec.shards,
            fuel=spec.fuel,
            max_price=spec.max_price,
            min_deposit=spec.min_deposit,
            max_delay=spec.max_delay,
            expiry=1_700_000_300,
            units=units,
        )
        return models.Job(
            id=job_id,
            label=spec.label,
            kind=spec.kind,
            state="done" if self.solves else "running",
            created=1_700_000_000.0,
            shards=spec.shards,
            shards_done=spec.shards if self.solves else 0,
            result_ready=self.solves,
            spent=sum(unit.paid for unit in units),
            tasks=(task,),
        )

    async def jobs(self, *, stuck: bool) -> Sequence[models.Job]:
        listed = [job for job in self.done.values() if job.stuck or not stuck]
        return [job.model_copy(update={"tasks": ()}) for job in reversed(listed)]

    async def job(self, job_id: bytes) -> models.Job:
        if job_id not in self.done:
            raise NotFound(f"no job 0x{job_id.hex()}")
        return self.done[job_id]

    async def cancel_job(self, job_id: bytes) -> models.Job:
        self.done[job_id] = self.done[job_id].model_copy(update={"state": "cancelled"})
        return self.done[job_id]

    async def result(self, job_id: bytes, shard: int | None) -> Output:
        if not self.solves:
            raise Rejected("not-ready", "0 of 1 shards are done: ask again later")
        parts = [self.blobs[root] for root in self.specs[job_id].inputs]
        data = b"".join(parts if shard is None else parts[shard : shard + 1])

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 65536):
                yield data[start : start + 65536]

        return Output(chunks=chunks(), size=len(data))

    async def tasks(self) -> Sequence[models.Task]:
        return [task.model_copy(update={"units": ()}) for job in self.done.values() for task in job.tasks]

    async def task(self, task_id: bytes) -> models.Task:
        for job in self.done.values():
            for task in job.tasks:
                if task.id == task_id:
                    return task
        raise NotFound("no such task")

    async def explain(self, found: models.Found) -> models.Story:
        job = next(iter(self.done.values()))
        notes = (
            models.Note(code="request.published", subject=TASK, at=1_700_000_000.0, fields={"shards": 1}),
            models.Note(code="something.new", subject=TASK, fields={"figure": 3}),
        )
        bid = models.ScoredBid(
            unit=job.tasks[0].units[0].id,
            shard=0,
            worker=OTHER,
            price=10**14,
            deposit=2 * 10**15,
            delay=10,
            rep=140_000,
            score=600_000,
            score_price=400_000,
            score_delay=165_000,
            score_rep=35_000,
            outcome="won",
        )
        return models.Story(id=found.id, kind=found.kind, job=job, tasks=job.tasks, bids=(bid,), notes=notes)

    async def find(self, prefix: str) -> Sequence[models.Found]:
        known = [models.Found(kind="job", id=job_id, job=job_id) for job_id in self.done]
        for job_id, job in self.done.items():
            for task in job.tasks:
                known.append(models.Found(kind="task", id=task.id, job=job_id, task=task.id))
                known += [models.Found(kind="unit", id=u.id, job=job_id, task=task.id) for u in task.units]
        return [entry for entry in known if entry.id.hex().startswith(prefix)]

    async def bids(self) -> Sequence[models.Bid]:
        return [
            models.Bid(
                task=TASK,
                shard=0,
                worker=ME,
                price=1,
                deposit=20,
                delay=5,
                rep=140_000,
                state="none",
                reason="price",
            )
        ]

    async def reports(self) -> Sequence[models.Report]:
        return []

    # ── money
    async def reputation(self, address: bytes) -> models.Reputation:
        return models.Reputation(address=address, n=0, m=3, s=60, t=60, score=210_000)

    async def wallet(self) -> models.Wallet:
        account = models.Account(free=self.free, locked=5, exit_at=self.leaves_at, exit_amount=self.leaving)
        return models.Wallet(address=ME, ether=3 * 10**18, account=account, covered=self.free, unbond=600)

    async def fund(self, amount: int) -> models.Transaction:
        if amount > 3 * 10**18:
            raise ChainError(f"the account holds 3 ether, less than {amount / 10**18:g} ether: fund less")
        self.free += amount
        return models.Transaction(tx=b"\x0f" * 32, call="fund", block=8, gas=45_000, fee=10**13)

    async def exit(self, amount: int) -> models.Transaction:
        self.leaving, self.leaves_at = amount, 1_700_000_000 + 600
        return models.Transaction(tx=b"\x0e" * 32, call="exit", block=9, gas=45_000, fee=10**13)

    async def withdraw(self) -> models.Transaction:
        raise Rejected("NotExiting")

    async def audit(self) -> models.Audit:
        return models.Audit(
            block=7,
            contract=CONTRACT,
            accounts=2,
            free=70,
            locked=20,
            burned=10,
            balance=100,
            difference=0,
            stakes=40,
            pots=5,
            court_balance=45,
            holds=True,
        )

    # ── the Court
    async def tickets(self, *, everybody: bool) -> court_models.Tickets:
        mine = tuple(
            court_models.Ticket(
                id=i,
                owner=ME,
                mine=True,
                state="young",
                stake=10**16,
                earned=0,
                staked_at=1_700_000_000,
                drawn_from=1_700_000_010,
            )
            for i in range(self.staked)
        )
        return court_models.Tickets(
            seat=10**16,
            ticket_age=10,
            unbond=600,
            staked=self.staked + 7,
            live=7,
            owners=3,
            owners_needed=3,
            tickets=mine,
        )

    async def stake(self, count: int) -> Sequence[models.Transaction]:
        if count > 50:
            raise Rejected("BadValue")
        self.staked += count
        return [
            models.Transaction(tx=b"\x0a" * 32, call="stake", block=10, gas=73_000, fee=10**13)
            for _ in range(count)
        ]

    async def unstake(self, ticket: int) -> models.Transaction:
        return self._about(ticket, "unstake")

    async def withdraw_ticket(self, ticket: int) -> models.Transaction:
        raise ChainError(f"ticket {ticket} is in: unstake it first")

    async def collect(self, ticket: int) -> models.Transaction:
        return self._about(ticket, "collect")

    def _about(self, ticket: int, call: str) -> models.Transaction:
        if ticket >= self.staked:
            raise NotFound(f"there is no ticket {ticket}")
        return models.Transaction(tx=b"\x0b" * 32, call=call, block=11, gas=30_000, fee=10**13)

    async def disputes(self) -> Sequence[court_models.Dispute]:
        return self.trials

    async def dispute(self, unit: bytes) -> court_models.Dispute:
        return next(trial for trial in self.trials if trial.unit == unit)

    async def order_check(self, prefix: str) -> court_models.Ordered:
        if not TASK.hex().startswith(prefix):
            raise NotFound(f"no unit is known here whose id begins with {prefix!r}")
        return court_models.Ordered(unit=TASK, by=1_700_000_300)

    async def appeal(self, unit: bytes) -> models.Transaction:
        if (await self.dispute(unit)).stage != "appealing":
            raise ChainError("it can be appealed once all votes are shown")
        return models.Transaction(tx=b"\x0c" * 32, call="appeal", block=12, gas=80_000, fee=10**13)


def a_trial(unit: bytes, stage: str = "voting") -> court_models.Dispute:
    seats = (
        court_models.Seat(
            seat=0, ticket=4, owner=OTHER, vote="shown", result_hash=b"\x01" * 32, says="wrong"
        ),
        court_models.Seat(seat=1, vote="empty"),
    )
    first = court_models.Round(
        round=0,
        since=1_700_000_000,
        funder=OTHER,
        commit_by=1_700_000_010,
        reveal_by=1_700_000_015,
        appeal_by=1_700_000_025,
        standing="unresolved",
        seats=seats,
    )
    return court_models.Dispute.model_validate(
        {
            "unit": unit,
            "task": TASK,
            "phase": "disputed",
            "stage": stage,
            "stage_by": 1_700_000_010,
            "requester": OTHER,
            "worker": ME,
            "accuser": OTHER,
            "roles": ("worker",),
            "since": 1_700_000_000,
            "price": 1,
            "deposit": 20,
            "fee": 1,
            "accused": b"\x02" * 32,
            "rounds": (first,),
        }
    )
