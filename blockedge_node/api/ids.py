"""Ids as people type them: with or without 0x, whole or a prefix that is unique."""

from __future__ import annotations

import re
from collections.abc import Collection

from blockedge_node.api.backend import Backend, NotFound
from blockedge_node.api.models import Found
from blockedge_node.api.problems import Ambiguous, BadRequest
from blockedge_node.api.scalars import hex_text

_DIGITS = re.compile(r"[0-9a-f]{2,64}")


async def resolve(backend: Backend, text: str, kinds: Collection[str] = ("job", "task", "unit")) -> Found:
    """The one job, task or unit that `text` stands for. Raises BadRequest, NotFound or Ambiguous."""
    digits = text.lower().removeprefix("0x")
    if not _DIGITS.fullmatch(digits):
        raise BadRequest(f"{text!r} is not an id: write 2 to 64 hex digits, with or without 0x")
    found = [entry for entry in await backend.find(digits) if entry.kind in kinds]
    if not found:
        what = " or ".join(kinds)
        raise NotFound(
            f"this node knows no {what} whose id begins with {text!r}; `blockedge task list` shows ids"
        )
    if len(found) > 1:
        raise Ambiguous(text, [f"{entry.kind} {hex_text(entry.id)}" for entry in found])
    return found[0]


async def resolve_job(backend: Backend, text: str) -> bytes:
    """A job's id, also by one of its tasks' or units'."""
    found = await resolve(backend, text)
    if found.job is None:
        raise NotFound(f"{found.kind} {hex_text(found.id)} belongs to another node's job: see /api/v1/tasks")
    return found.job


async def resolve_task(backend: Backend, text: str) -> bytes:
    """A task's id, also by one of its units'."""
    found = await resolve(backend, text, ("task", "unit"))
    return found.id if found.task is None else found.task
