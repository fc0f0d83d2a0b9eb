"""Jobs: handing in, looking, cancelling, and the result on its way out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

import trio

from blockedge_node.api import models
from blockedge_node.api.backend import NotFound, Output
from blockedge_node.backend.bundled import MAX_ITEM, BundledPart, waiting_model
from blockedge_node.backend.parts import SHOWN
from blockedge_node.core import merkle
from blockedge_node.core.events import Job, JobCancelled, JobSubmitted
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root
from blockedge_node.core.job import describe
from blockedge_node.core.jobs import JobRun, request_of
from blockedge_node.core.node import job_key
from blockedge_node.core.policy import free_for, jurors_short
from blockedge_node.core.selection import flaw
from blockedge_node.core.task import Kind, Mode
from blockedge_node.core.terms import cost
from blockedge_node.core.world import World
from blockedge_node.errors import ChainError, PeerError, Rejected
from blockedge_node.wire.manifest import Manifest

CHUNK: Final = 64 * 1024  # bytes read from a stored output at a time
MERGE_WALL: Final = 300.0  # seconds for merging outputs by program
EXAMINING: Final = 20.0  # seconds that a client waits for the compiler; a busy one is left to the workers


class WorkPart(BundledPart):
    async def submit_job(self, job_id: bytes, spec: models.JobSpec) -> tuple[models.Job, bool]:
        if await self._is_known(job_id):
            return await self.job(job_id), False
        world = self.ready()
        if not world.policy.requester:
            raise Rejected("not-requester", "this node does not request work: add it to node.roles")
        inputs = tuple(Root(root) for root in spec.inputs)
        for root in {*inputs, *([Root(spec.program)] if spec.program else [])}:
            if not self.blobs.has(root):
                raise NotFound(f"no blob has the root 0x{root.hex()}; upload it first")
        if spec.bundle and (self.blobs.size(inputs[0]) or 0) > MAX_ITEM:
            raise PeerError(
                f"an input of a bundle has {MAX_ITEM} bytes at most: hand it in as a job of its own"
            )
        if spec.kind == "wasm" and not spec.bundle:
            await self.keep(b"".join(inputs))  # the list that inputRoot names, for workers to fetch
        job = Job(
            id=Hash(job_id),
            nonce=time.time_ns() // 1000,
            kind=Kind.WASM if spec.kind == "wasm" else Kind.POW,
            mode=(Mode.NO_DEMAND if spec.no_demand else 0) | (Mode.ONCHAIN if spec.onchain else 0),
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
            workers=tuple(map(Address, spec.workers)),
            spot_bps=spec.spot_bps,
            check_fee=spec.check_fee,
            bundle=spec.bundle,
        )
        self._check_affordable(job, world)
        if job.kind == Kind.WASM:
            with trio.move_on_after(EXAMINING):
                await self.content.examine(job.program, fuel=job.fuel, shards=job.shards)
        await self.engine.submit(JobSubmitted(job=job))
        waiting = self.waiting(job_id)
        if waiting is not None and waiting.run is None:
            return waiting_model(waiting, created=time.time()), True
        return await self.job(job_id), True

    async def _is_known(self, job_id: bytes) -> bool:
        """Every job's story begins in the transaction that makes it a fact."""
        living = job_key(job_id) in self.engine.node.machines or self.waiting(job_id) is not None
        return living or bool(await self.journal.notes([job_id], 1))

    def _check_affordable(self, job: Job, world: World) -> None:
        """Raises ChainError or Rejected, before anything is asked of anybody."""
        request = request_of(job, 0, world)
        words = flaw(request, world.params)
        if words:
            raise Rejected("bad-request", f"nobody could register bids for this job: {words}")
        short = jurors_short(job.kind, world)
        if short:
            raise Rejected(
                "few-ticket-owners",
                f"a jury for this job would be drawn from too few: {short} more accounts must stake a ticket "
                "(POST /api/v1/tickets), or lower policy.min_ticket_owners",
            )
        needed = job.shards * cost(request, job.max_price, world.params)
        free = free_for(world, request.expiry)
        if needed > free:
            raise ChainError(
                f"the job may cost {needed} wei ({job.shards} x price and fee), and {max(free, 0)} wei of the "
                "balance are free: lower --max-price or the shards, or `blockedge wallet fund` more"
            )

    async def jobs(self, *, stuck: bool) -> Sequence[models.Job]:
        found = []
        for run in await self.all_of("job:", JobRun):
            job = await self.job_model(run)
            if not stuck or job.stuck:
                found.append(job.model_copy(update={"tasks": ()}))
        return sorted(found, key=lambda job: job.created, reverse=True)[:SHOWN]

    async def job(self, job_id: bytes) -> models.Job:
        if (found := await self.bundled(job_id)) is not None:
            return await self.bundled_model(found)
        return await self.job_model(await self.job_run(job_id))

    async def cancel_job(self, job_id: bytes) -> models.Job:
        found = await self.bundled(job_id)
        if found is not None and found.run is not None:
            raise Rejected(
                "bundled",
                f"it shares a unit by now: its bundle 0x{found.bundle.hex()} can be cancelled as a whole",
            )
        if found is None:
            await self.job_run(job_id)
        await self.engine.submit(JobCancelled(job=Hash(job_id)))
        return await self.job(job_id)

    async def result(self, job_id: bytes, shard: int | None) -> Output:
        if (found := await self.bundled(job_id)) is not None:
            output = self.answer_to(found).output
            return Output(chunks=_one(output), size=len(output))
        run = await self.job_run(job_id)
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
        return self._stored(await self.keep(merged))

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


async def _one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
