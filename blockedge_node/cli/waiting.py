"""Waiting for a job: a progress bar on a terminal, plain lines elsewhere, nothing with --quiet or --json."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from blockedge_node.cli.context import Session
from blockedge_node.cli.failures import Failed, TimedOut

POLL = 0.3  # seconds between two looks

Show = Callable[[dict[str, Any]], None]


def until_job(run: Session, job_id: str, *, settled: bool) -> dict[str, Any]:
    """The job once its result is at hand, or with `settled` once the chain has closed all its units.

    Raises TimedOut after --timeout seconds, Failed if the job failed or was cancelled.
    """
    deadline = None if run.timeout is None else time.monotonic() + run.timeout
    with _progress(run) as show:
        while True:
            job: dict[str, Any] = run.client.get(f"/api/v1/jobs/{job_id}")
            show(job)
            if job["state"] == "settled" or (job["state"] == "done" and not settled):
                return job
            if job["state"] in ("failed", "cancelled"):
                why = job["detail"] or "see `blockedge task explain`"
                raise Failed("job-failed", f"job {job_id[:10]} {job['state']}: {why}")
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut(
                    f"job {job_id[:10]} is {job['state']} after {run.timeout:g} s "
                    f"({job['shards_done']} of {job['shards']} shards done); it goes on: see `blockedge task show`"
                )
            time.sleep(POLL)


def describe(job: dict[str, Any]) -> str:
    """One line: how far it is, and what its units are doing."""
    counts: dict[str, int] = {}
    for task in job["tasks"]:
        for unit in task["units"]:
            counts[unit["phase"]] = counts.get(unit["phase"], 0) + 1
    units = ", ".join(f"{count} {phase}" for phase, count in sorted(counts.items()))
    return f"{job['shards_done']} of {job['shards']} shards done" + (f" ({units})" if units else "")


@contextlib.contextmanager
def _progress(run: Session) -> Iterator[Show]:
    if run.out.quiet or run.out.as_json:
        yield lambda job: None
    elif sys.stderr.isatty():
        yield from _bar(run)
    else:
        last = ""

        def line(job: dict[str, Any]) -> None:
            nonlocal last
            now = describe(job)
            if now != last:
                run.out.note(now)
            last = now

        yield line


def _bar(run: Session) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, no_color=not run.out.colour)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("waiting for bids", total=None)

        def update(job: dict[str, Any]) -> None:
            progress.update(bar, total=job["shards"], completed=job["shards_done"], description=describe(job))

        yield update
