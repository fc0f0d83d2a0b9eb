"""Tasks, units, bids and reports, and how each came to what it is."""

from __future__ import annotations

from collections.abc import Sequence

from blockedge_node import summaries
from blockedge_node.api import models
from blockedge_node.api.backend import NotFound
from blockedge_node.backend.bundled import BundledPart
from blockedge_node.backend.parts import SHOWN
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.checker import Checker
from blockedge_node.core.ids import TaskId
from blockedge_node.core.juror import Juror
from blockedge_node.core.node import job_key, requester_key
from blockedge_node.core.requester import Requester
from blockedge_node.core.task import unit_id
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.worker import Worker
from blockedge_node.store.journal import StoredNote


class StoriesPart(BundledPart):
    async def tasks(self) -> Sequence[models.Task]:
        rows: dict[bytes, models.Task] = {}
        for asked in await self.all_of("requester:", Requester):
            rows[asked.task] = summaries.task_model(
                asked.task, asked.request, role="requester", job=asked.job
            )
        for worked in await self.all_of("worker:", Worker):
            rows[worked.task] = summaries.task_model(worked.task, worked.request, role="worker")
        for made in await self._bidders():
            rows.setdefault(made.task, summaries.task_model(made.task, made.request, role="bidder"))
        return sorted(rows.values(), key=lambda task: task.expiry, reverse=True)[:SHOWN]

    async def task(self, task_id: bytes) -> models.Task:
        machine = await self.machine(requester_key(task_id))
        if isinstance(machine, Requester):
            return await self.task_model(machine)
        workers = [w for w in await self.all_of("worker:", Worker) if w.task == task_id]
        if workers:
            record = await self.record([w.unit for w in workers])
            now, params = self.clock(), self.params()
            units = [summaries.worked_unit(w, record, params, now) for w in workers]
            return summaries.task_model(task_id, workers[0].request, role="worker", units=units)
        for made in await self._bidders():
            if made.task == task_id:
                return summaries.task_model(task_id, made.request, role="bidder")
        raise NotFound(f"this node has no part in a task 0x{task_id.hex()}")

    async def explain(self, found: models.Found) -> models.Story:
        job, tasks = None, list[models.Task]()
        subjects: list[bytes] = [found.id]
        owner = found.id if found.kind == "job" else found.job
        bundled = None if owner is None else await self.bundled(owner)
        if bundled is not None:
            job = await self.bundled_model(bundled)
            tasks = list(job.tasks)
            subjects.append(bundled.bundle)
        elif owner is not None:
            job = await self.job_model(await self.job_run(owner))
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
            machine = await self.machine(requester_key(task.id))
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
        if await self.machine(job_key(subject)) is not None or await self.bundled(subject) is not None:
            return models.Found(kind="job", id=subject, job=subject)
        requesters = await self.all_of("requester:", Requester)
        for machine in requesters:
            if machine.task == subject:
                return models.Found(kind="task", id=subject, job=machine.job, task=subject)
            if any(shard.unit == subject for shard in machine.shards):
                return models.Found(kind="unit", id=subject, job=machine.job, task=machine.task)
        others: list[Worker | Bidder | AuctionBidder] = [
            *await self.all_of("worker:", Worker),
            *await self._bidders(),
        ]
        for other in others:
            if other.task == subject:
                return models.Found(kind="task", id=subject, task=subject)
            if subject in other.units():
                return models.Found(kind="unit", id=subject, task=other.task)
        duties: list[Checker | Juror | Verifier] = [
            *await self.all_of("checker:", Checker),
            *await self.all_of("juror:", Juror),
            *await self.all_of("verifier:", Verifier),
        ]
        if any(duty.unit == subject for duty in duties):
            return models.Found(kind="unit", id=subject)
        return None

    async def _bidders(self) -> list[Bidder | AuctionBidder]:
        return [
            *await self.all_of("bidder:", Bidder),
            *await self.all_of("auction:", AuctionBidder),
        ]

    async def bids(self) -> Sequence[models.Bid]:
        machines = await self._bidders()
        record = await self.record([machine.task for machine in machines])
        me, now = self.chain.address, self.clock()
        rows = [
            bid
            for m in machines
            for bid in (
                summaries.bids_of(m, record, me, now)
                if isinstance(m, Bidder)
                else summaries.posted_bids(m, record, me)
            )
        ]
        rows += [
            _no_bid(stored, self.chain.address) for stored in await self.journal.notes_by_code("bid.none.")
        ]
        return sorted(rows, key=lambda row: row.at or 0.0, reverse=True)[:SHOWN]

    async def reports(self) -> Sequence[models.Report]:
        rows = []
        for machine in await self.all_of("verifier:", Verifier):
            view = machine.view
            for report in view.reports if view else ():
                verdict = {0: "revealed", 1: "wrong", 2: "right"}[report.verdict]
                state = "closed" if report.closed else verdict if report.result_hash else "committed"
                rows.append(
                    models.Report(unit=machine.unit, index=report.index, author=report.author, state=state)
                )
        return rows[:SHOWN]


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
