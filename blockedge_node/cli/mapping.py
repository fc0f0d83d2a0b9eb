"""`blockedge task map`: one small job for each file or line, sharing units (docs/programs.md, Bundles).

    map ./my.wasm --lines readings.txt -o answers.txt
    map classify photos/*.pgm

The node's events say how far they are; nothing is asked again and again.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import Session, session
from blockedge_node.cli.failures import Failed, TimedOut
from blockedge_node.cli.files import files_of
from blockedge_node.cli.inputs import Wanted, Work, prepare
from blockedge_node.cli.money import wei
from blockedge_node.cli.offer import GFUEL, default_delay, default_price
from blockedge_node.cli.output import ether, seconds, size
from blockedge_node.cli.submit import published
from blockedge_node.errors import ConfigError

ITEM_FUEL = 100_000_000  # of a .wasm file's item, where nothing else was said
OVERHEAD = (
    5_000_000  # fuel that an item costs beside its instructions: more than any but the largest memories take
)
MOST = 10_000
ENDED = {"done", "settled", "failed", "cancelled"}


def map_items(
    ctx: typer.Context,
    program: Annotated[str, typer.Argument(help="A built-in program's name, or a .wasm file.")],
    inputs: Annotated[list[Path] | None, typer.Argument(help="Files, one item each.")] = None,
    lines: Annotated[Path | None, typer.Option(help="A file whose lines are one item each.")] = None,
    arg: Annotated[list[str] | None, typer.Option("--arg", help="An argument of a .wasm file.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A built-in program's parameter, NAME=VALUE.")
    ] = None,
    fuel: Annotated[str | None, typer.Option(help="Fuel an item may burn; default: 0.1 Gfuel.")] = None,
    price: Annotated[str | None, typer.Option("--max-price", "--price", help="Most for an item.")] = None,
    delay: Annotated[int | None, typer.Option(min=1, help="Most seconds a unit may take.")] = None,
    settled: Annotated[
        bool, typer.Option("--wait-settled", help="Wait until the chain has closed all units.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write all outputs here, in the order of the items.")
    ] = None,
) -> None:
    """Run a program once for each file or line; many small runs share one unit."""
    run = session(ctx)
    items = _items(inputs or [], lines)
    wanted = Wanted(
        program=program,
        inputs=[lines] if lines else (inputs or [])[:1],
        shards=1,
        split="same",
        arguments=arg,
        params=param,
        fuel=fuel or (str(ITEM_FUEL) if program.endswith(".wasm") else None),
    )
    work = prepare(wanted)
    if work.kind != "wasm":
        raise ConfigError("a search is one job of its own: `blockedge task submit pow`")
    began = time.monotonic()
    with run.client.follow() as events:
        jobs = _handed_in(run, work, items, price=price, delay=delay)
        states = dict.fromkeys(jobs, "running")
        deadline = None if run.timeout is None else began + run.timeout
        enough = ENDED - {"done"} if settled else ENDED
        heard = set[str]()  # whose answer was told by a worker that has not committed to it yet
        last = ""
        for event in events:
            if event is not None and event["job"] in states:
                if "provisional" in event:
                    heard.add(event["job"])
                else:
                    states[event["job"]] = event["state"]
            now = f"{len(heard)} of {len(jobs)} answers heard; {_told(states)}"
            if now != last and (event is None or "provisional" not in event):
                run.out.note(last := now)
            if all(state in enough for state in states.values()):
                break
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut(
                    f"{_told(states)} after {run.timeout:g} s; they go on: see `blockedge task list`"
                )
    _finish(run, jobs, states, time.monotonic() - began, output)


def _items(files: list[Path], lines: Path | None) -> list[bytes]:
    if bool(files) == bool(lines):
        raise ConfigError("name files, one item each, or a file of --lines: one of the two")
    if lines is not None:
        try:
            found = lines.read_bytes().splitlines(keepends=True)
        except OSError as error:
            raise ConfigError(f"cannot read {lines}: {error.strerror or error}") from None
    else:
        found = [path.read_bytes() for path in files_of(files)]
    if not 1 <= len(found) <= MOST:
        raise ConfigError(f"there are {len(found)} items; 1 to {MOST} can be mapped at a time")
    return found


def _handed_in(
    run: Session, work: Work, items: list[bytes], *, price: str | None, delay: int | None
) -> list[str]:
    fuel = work.fuel + OVERHEAD
    made = published(run, Work(**{**_fields(work), "fuel": fuel}))
    most = int(wei(price)) if price else default_price(fuel)
    run.out.note(f"{len(items)} items of up to {fuel / GFUEL:.3g} Gfuel, at most {ether(most)} an item")
    spec: dict[str, Any] = {
        "kind": "wasm",
        "program": made["program"],
        "shards": 1,
        "fuel": fuel,
        "max_price": str(most),
        "max_delay": delay or default_delay(64 * fuel),
        "no_demand": True,
        "bundle": True,
    }
    batch, jobs = secrets.token_hex(8), []
    for place, item in enumerate(items):
        job = spec | {"inputs": [run.client.upload(item)], "label": f"{work.label} {place}"}
        headers = {"idempotency-key": f"{batch} {place}"}
        jobs.append(str(run.client.post("/api/v1/jobs", job, headers=headers)["id"]))
    return jobs


def _fields(work: Work) -> dict[str, Any]:
    return {name: getattr(work, name) for name in Work.__dataclass_fields__}


def _told(states: dict[str, str]) -> str:
    counts = Counter(states.values())
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _finish(run: Session, jobs: list[str], states: dict[str, str], took: float, output: Path | None) -> None:
    found = [run.client.get(f"/api/v1/jobs/{job}") for job in jobs]
    bad = [job for job in found if job["exit"] != 0]
    if output is not None:
        if bad:
            first = bad[0]
            raise Failed("job-failed", f"{len(bad)} items failed; {first['label']}: {_why(first)}")
        parts = (b"".join(run.client.download(f"/api/v1/jobs/{job}/result")) for job in jobs)
        try:
            output.write_bytes(b"".join(parts))
        except OSError as error:
            raise ConfigError(f"cannot write {output}: {error.strerror or error}") from None
    bundles = len({job["bundle"] for job in found})
    rows = [(job["label"], job["state"], _why(job), size(job["result_size"])) for job in found]
    text = run.out.table(("item", "state", "ended", "output"), rows)
    told = f"{_told(states)} in {seconds(took)}, {bundles} units"
    run.out.answer(found, f"{text}\n\n{told}" + (f", written to {output}" if output else ""))
    if bad and output is None:
        raise Failed("job-failed", f"{len(bad)} of {len(found)} items failed")


def _why(job: dict[str, Any]) -> str:
    return str(job["exit_text"] or job["detail"])
