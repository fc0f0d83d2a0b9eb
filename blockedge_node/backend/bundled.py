"""Micro-tasks: jobs that are items of a bundle. Each has its own state, result, exit and story; what is on the chain
is the bundle's, and shared."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from blockedge_node import summaries
from blockedge_node.api import models
from blockedge_node.api.backend import NotFound
from blockedge_node.backend.parts import Parts
from blockedge_node.core import items
from blockedge_node.core.bundles import Collector, place_of
from blockedge_node.core.events import Item
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.core.job import KIB, Ending, describe
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.node import Node, collector_key, job_key
from blockedge_node.core.requester import Requester
from blockedge_node.core.task import Kind
from blockedge_node.errors import Rejected

MAX_ITEM: Final = 64 * KIB  # bytes of a micro-task's input: what is larger is worth a unit of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """Where a micro-task is. `place` is None while it waits for others, or if it left before they went."""

    bundle: bytes
    item: Item
    place: int | None = None
    run: JobRun | None = None
    failed: str = ""


class BundledPart(Parts):
    def waiting(self, job_id: bytes) -> Bundled | None:
        """The micro-task of this id, if its bundle lives."""
        for machine in self.engine.node.machines.values():
            if isinstance(machine, Collector | JobRun) and (found := _within(machine, job_id)):
                return found
        return None

    async def bundled(self, job_id: bytes) -> Bundled | None:
        """The micro-task of this id, wherever it is now, or None."""
        if (living := self.waiting(job_id)) is not None:
            return living
        for line in await self.journal.notes([job_id]):
            bundle = dict(line.note.fields).get("bundle")
            if line.note.code == "job.began" and isinstance(bundle, str):
                root = bytes.fromhex(bundle.removeprefix("0x"))
                for key in (job_key(root), collector_key(root)):
                    known = await self.machine(key)
                    if isinstance(known, Collector | JobRun) and (found := _within(known, job_id)):
                        return found
        return None

    async def bundled_model(self, found: Bundled) -> models.Job:
        record = await self.record([found.item.job])
        began = record.first(found.item.job, "job.began")
        created = began.at / 1000 if began else 0.0
        if found.run is None:
            return waiting_model(found, created)
        whole = await self.job_model(found.run)
        answer = self._answer(found)
        lacks = whole.result_ready and answer is None
        return whole.model_copy(
            update={
                "id": found.item.job,
                "label": found.item.label,
                "created": created,
                "state": "failed" if lacks else whole.state,
                "detail": "its worker's output is no list of answers" if lacks else whole.detail,
                "result_ready": answer is not None and answer.exit >> 16 <= Ending.FAILED,
                "result_size": None if answer is None else len(answer.output),
                "spent": whole.spent // whole.items,
                "fees": whole.fees // whole.items,
                "bundle": found.bundle,
                "place": found.place,
                "items": 0,
                "exit": None if answer is None else answer.exit,
                "exit_text": "" if answer is None else describe(answer.exit),
            }
        )

    def answer_to(self, found: Bundled) -> Answer:
        """Raises Rejected while there is none, or if it has no output."""
        answer = self._answer(found)
        if answer is None:
            raise Rejected("not-ready", "its bundle has no result yet; `blockedge task show` tells more")
        if answer.exit >> 16 > Ending.FAILED:
            raise Rejected("failed", f"the micro-task {describe(answer.exit)}: it has no output")
        return answer

    def _answer(self, found: Bundled) -> Answer | None:
        """Out of the bundle's output, which is checked against the root that its worker committed to."""
        output = found.run.outputs[0] if found.run else None
        if output is None or found.run is None or found.place is None:
            return None
        if output.result.exit:  # the bundle as a whole was refused by the engine: so was every item
            return Answer(exit=output.result.exit, output=b"")
        data = self.blobs.get(output.result.output_root)
        if data is None:
            raise NotFound("the output of this micro-task's bundle is not stored any more")
        answers = items.split_answers(data, len(found.run.job.items))
        return None if answers is None else answers[found.place]


def waiting_model(found: Bundled, created: float) -> models.Job:
    """A micro-task that is not on its way yet, or never will be."""
    return models.Job(
        id=found.item.job,
        label=found.item.label,
        kind=summaries.KINDS[Kind.WASM],
        state="cancelled" if found.failed == "cancelled" else "failed" if found.failed else "running",
        created=created,
        shards=1,
        shards_done=0,
        detail=found.failed or "waits for others to share a unit with",
        bundle=found.bundle,
    )


def item_event(
    node: Node, unit: UnitId, worker: Address, place: int, answer: Answer
) -> models.ItemEvent | None:
    """What a worker tells of an item while it still runs others; None unless it has the award of that unit."""
    for machine in node.machines.values():
        if not isinstance(machine, Requester) or unit not in machine.units():
            continue
        run = node.machines.get(job_key(machine.job))
        shard = next(shard for shard in machine.shards if shard.unit == unit)
        if shard.worker != worker or not isinstance(run, JobRun) or place >= len(run.job.items):
            return None
        return models.ItemEvent(
            job=run.job.items[place].job,
            bundle=run.job.id,
            place=place,
            exit=answer.exit,
            exit_text=describe(answer.exit),
            output=b64encode(answer.output).decode(),
        )
    return None


def _within(machine: Collector | JobRun, job_id: bytes) -> Bundled | None:
    if isinstance(machine, JobRun):
        place = place_of(machine.job.items, job_id)
        if place is None:
            return None
        return Bundled(bundle=machine.job.id, item=machine.job.items[place], place=place, run=machine)
    for item in machine.items:
        if item.job == job_id:
            return Bundled(bundle=machine.job.id, item=item, failed=machine.failed)
    for item in machine.cancelled:
        if item.job == job_id:
            return Bundled(bundle=machine.job.id, item=item, failed="cancelled")
    return None
