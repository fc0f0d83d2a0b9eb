"""Tasks: hand in a job, look at it, take its result. Ids may be a job's, a task's or a unit's, or a prefix."""

from __future__ import annotations

import sys
import tempfile
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from blockedge_node.cli import dispute, explain, mapping, submit
from blockedge_node.cli.context import Session, session
from blockedge_node.cli.output import ether, facts, seconds, short, size
from blockedge_node.cli.waiting import until_job
from blockedge_node.errors import ConfigError

app = typer.Typer(help="Jobs, their tasks and units.", no_args_is_help=True)
app.command("submit")(submit.submit)
app.command("map")(mapping.map_items)
app.command("explain")(explain.explain)

ID = typer.Argument(help="A job, task or unit: its id, or the first digits of it.")


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only what is past a deadline and does not move.")
    ] = False,
) -> None:
    """This node's jobs, newest first."""
    run = session(ctx)
    jobs = run.client.get("/api/v1/jobs", stuck=stuck)
    rows = [
        (
            job["id"] if run.verbose else short(job["id"]),
            job["label"] or job["kind"],
            job["mode"],
            job["state"],
            f"{job['shards_done']}/{job['shards']}",
            f"{job['shards_settled']}/{job['shards']}",
            ether(job["spent"]),
            job["stuck"] or job["detail"],
        )
        for job in jobs
    ]
    text = run.out.table(("job", "label", "mode", "state", "done", "settled", "spent", "detail"), rows)
    run.out.answer(
        jobs, text or ("nothing is stuck" if stuck else "no jobs: `blockedge task submit` hands one in")
    )


@app.command()
def show(ctx: typer.Context, job: Annotated[str, ID]) -> None:
    """One job with its units: who works on what, for how much, and what happens next."""
    run = session(ctx)
    found = run.client.get(f"/api/v1/find/{job}")
    if found["job"] is None:
        task = run.client.get(f"/api/v1/tasks/{found['task']}")
        run.out.answer(task, "\n\n".join([task_text(run, task), *dispute.told(run, [task])]))
        return
    whole = run.client.get(f"/api/v1/jobs/{found['job']}")
    run.out.answer(whole, "\n\n".join([job_text(run, whole), *dispute.told(run, whole["tasks"])]))


def job_text(run: Session, job: dict[str, Any]) -> str:
    done = f"{job['shards_done']} of {job['shards']} shards done, {job['shards_settled']} settled"
    ready = f"ready, {size(job['result_size'])}" if job["result_size"] is not None else "ready"
    head = facts(
        [
            ("job", job["id"]),
            ("label", job["label"]),
            ("mode", "onchain: the contract chooses among bids" if job["mode"] == "onchain" else job["mode"]),
            ("state", f"{job['state']}: {done}"),
            (
                "result",
                f"{ready}: `blockedge task result {short(job['id'])}`"
                if job["result_ready"]
                else "not ready",
            ),
            ("spent", f"{ether(job['spent'])} in prices, {ether(job['fees'])} in transaction fees"),
            ("detail", job["detail"]),
            ("stuck", job["stuck"]),
        ]
    )
    return "\n\n".join([head, *(task_text(run, task) for task in job["tasks"])])


def task_text(run: Session, task: dict[str, Any]) -> str:
    about = (
        f"task {task['id']}: kind {task['kind']}, {task['mode']}, {task['shards']} shards, "
        f"at most {ether(task['max_price'])} and {task['max_delay']} s a unit"
    )
    rows = [
        (
            unit["shard"],
            unit["phase"],
            short(unit["worker"]),
            ether(unit["price"]),
            ether(unit["deposit"]),
            seconds(unit["negotiation"]),
            unit["gas"] or "–",
            _check(unit),
            unit["exit_text"],
            unit["stuck"] or unit["next"],
        )
        for unit in sorted(task["units"], key=itemgetter("shard"))
    ]
    header = ("shard", "phase", "worker", "price", "deposit", "negotiated", "gas", "check", "ended", "next")
    return about + ("\n" + run.out.table(header, rows) if rows else "")


def _check(unit: dict[str, Any]) -> str:
    """Its spot check in a word or two, and by whom."""
    words = str(unit["check"]).replace("-", " ")
    return f"{short(unit['checker'])} {words}" if unit["checker"] else words


@app.command()
def result(
    ctx: typer.Context,
    job: Annotated[str, ID],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="Only this shard's output.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is ready.")] = False,
) -> None:
    """The merged output of a job, or one shard's."""
    run = session(ctx)
    if output is None and run.out.as_json:
        raise ConfigError("a result is raw bytes: with --json, name a file with -o")
    if output is None and sys.stdout.isatty():
        raise ConfigError("a result is raw bytes: name a file with -o, or send stdout somewhere")
    if wait:
        until_job(run, run.client.get(f"/api/v1/find/{job}")["job"] or job, settled=False)
    written = fetch(run, job, output, shard)
    data = {"job": job, "shard": shard, "bytes": written, "file": None if output is None else str(output)}
    if output is not None:
        run.out.answer(data, f"{size(written)} written to {output}")


def fetch(run: Session, job: str, output: Path | None, shard: int | None = None) -> int:
    """Write a result to a file, which is whole or not there, or to stdout. How many bytes."""
    params = {} if shard is None else {"shard": shard}
    chunks = run.client.download(f"/api/v1/jobs/{job}/result", **params)
    if output is None:
        return sum(sys.stdout.buffer.write(chunk) for chunk in chunks)
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            part = Path(file.name)
            try:
                written = sum(file.write(chunk) for chunk in chunks)
                file.flush()
                part.chmod(0o644)
                part.replace(output)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror or error}") from None
    return written


@app.command()
def cancel(ctx: typer.Context, job: Annotated[str, ID]) -> None:
    """Make no new awards for a job; units already awarded run on and are paid."""
    run = session(ctx)
    run.confirm("Cancel this job?")
    cancelled = run.client.delete(f"/api/v1/jobs/{job}")
    run.out.answer(cancelled, f"{short(cancelled['id'])} is {cancelled['state']}")
