"""Jobs and what becomes of them: tasks, units, bids, reports, and the story of each.

Wherever a path holds an id, a unique prefix will do, and a task's or unit's id stands for its job. A job is
handed in once: a client that repeats POST /jobs with the same Idempotency-Key gets the same job.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from blockedge_node.api.ids import resolve, resolve_job, resolve_task
from blockedge_node.api.models import Bid, Found, Job, JobSpec, Report, Story, Task
from blockedge_node.api.routes import Node
from blockedge_node.core.hashing import keccak256
from blockedge_node.errors import Rejected

router = APIRouter(prefix="/api/v1", tags=["jobs"])

KEYS_KEPT = 1024


class UsedKeys:
    """Which body came with which Idempotency-Key, for the last `KEYS_KEPT` keys.

    The job's id is made from the key, so that a repetition finds its job even after a restart; this only
    catches the mistake of one key for two different jobs.
    """

    def __init__(self) -> None:
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def job_id(self, key: str, spec: JobSpec) -> bytes:
        body = hashlib.sha256(spec.model_dump_json().encode()).digest()
        if self._bodies.setdefault(key, body) != body:
            raise Rejected(
                "key-reused", f"the idempotency key {key!r} came with another job before; use a new key"
            )
        if len(self._bodies) > KEYS_KEPT:
            self._bodies.popitem(last=False)
        return keccak256(b"blockedge job\0" + key.encode())


@router.post("/jobs", status_code=201, responses={200: {"description": "known already", "model": Job}})
async def submit(
    node: Node,
    request: Request,
    response: Response,
    spec: JobSpec,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Job:
    """Hand in a job whose program and inputs are stored."""
    used: UsedKeys = request.app.state.used_keys
    job_id = used.job_id(idempotency_key, spec) if idempotency_key else secrets.token_bytes(32)
    job, is_new = await node.submit_job(job_id, spec)
    response.status_code = 201 if is_new else 200
    response.headers["location"] = f"/api/v1/jobs/0x{job.id.hex()}"
    return job


@router.get("/jobs")
async def jobs(node: Node, stuck: bool = False) -> Sequence[Job]:
    """Newest first, without their tasks."""
    return await node.jobs(stuck=stuck)


@router.get("/jobs/{job_id}")
async def job(node: Node, job_id: str) -> Job:
    return await node.job(await resolve_job(node, job_id))


@router.delete("/jobs/{job_id}")
async def cancel(node: Node, job_id: str) -> Job:
    """No new request or award; units already awarded run on and are paid."""
    return await node.cancel_job(await resolve_job(node, job_id))


@router.get("/jobs/{job_id}/explain")
async def explain_job(node: Node, job_id: str) -> Story:
    return await node.explain(Found(kind="job", id=await resolve_job(node, job_id)))


@router.get(
    "/jobs/{job_id}/result",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def result(
    node: Node, job_id: str, shard: Annotated[int | None, Query(ge=0, lt=1024)] = None
) -> StreamingResponse:
    """The merged output, or one shard's; 409 `not-ready` until it is complete."""
    output = await node.result(await resolve_job(node, job_id), shard)
    headers = {} if output.size is None else {"content-length": str(output.size)}
    return StreamingResponse(output.chunks, headers=headers, media_type="application/octet-stream")


@router.get("/tasks")
async def tasks(node: Node) -> Sequence[Task]:
    """Tasks this node has a part in, its own and others', newest first."""
    return await node.tasks()


@router.get("/tasks/{task_id}")
async def task(node: Node, task_id: str) -> Task:
    return await node.task(await resolve_task(node, task_id))


@router.get("/tasks/{task_id}/explain")
async def explain_task(node: Node, task_id: str) -> Story:
    return await node.explain(await resolve(node, task_id, ("task", "unit")))


@router.get("/find/{prefix}")
async def find(node: Node, prefix: str) -> Found:
    """What an id's prefix stands for."""
    return await resolve(node, prefix)


@router.get("/bids")
async def bids(node: Node) -> Sequence[Bid]:
    """Own bids, made and not made, with the reason of each."""
    return await node.bids()


@router.get("/reports")
async def reports(node: Node) -> Sequence[Report]:
    return await node.reports()
