"""Disputes: units whose result somebody contradicts, the juries that judge them, and what one can do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from blockedge_node.cli.client import CHAIN_ANSWER
from blockedge_node.cli.context import Session, session
from blockedge_node.cli.money import sent
from blockedge_node.cli.output import clock, ether, facts, short

app = typer.Typer(help="Contradicted results, and the juries that judge them.", no_args_is_help=True)

UNIT = typer.Argument(help="A unit: its id, or the first digits of it.")

STAGES = {
    "showing": "the requester shows its half of the jury's draw, or the deadline passes",
    "defending": "the worker shows its half, which opens the case, or it loses by default",
    "voting": "jurors recompute and commit to their votes",
    "revealing": "jurors show their votes",
    "appealing": "anybody may fund a larger jury: `blockedge dispute appeal`",
    "closing": "anybody's next call closes the case",
    "ended": "",
}
SAYS = {
    "right": "the worker is right",
    "wrong": "the worker is wrong",
    "no-input": "no juror could get the input",
    "": "",
}


@app.command("list")
def list_disputes(ctx: typer.Context) -> None:
    """Units before a jury, and those that lately were; not only this node's."""
    run = session(ctx)
    found = run.client.get("/api/v1/disputes")
    rows = [
        (
            row["unit"] if run.verbose else short(row["unit"]),
            row["phase"],
            _stage(row),
            len(row["rounds"]),
            short(row["worker"]),
            short(row["accuser"]),
            ", ".join(row["roles"]),
        )
        for row in found
    ]
    text = run.out.table(("unit", "phase", "stage", "rounds", "worker", "accuser", "my part"), rows)
    run.out.answer(found, text or "no disputes")


def _stage(row: dict[str, Any]) -> str:
    return f"{row['stage']} until {clock(row['stage_by'])}" if row["stage_by"] else str(row["stage"])


@app.command()
def show(ctx: typer.Context, unit: Annotated[str, UNIT]) -> None:
    """One dispute: who says what, every seat of every round, and what happens next."""
    run = session(ctx)
    found = run.client.get(f"/api/v1/disputes/{unit}")
    run.out.answer(found, dispute_text(run, found))


@app.command()
def report(ctx: typer.Context, unit: Annotated[str, UNIT]) -> None:
    """Recompute a revealed result here and, if it is wrong, report it with a bond."""
    run = session(ctx)
    run.confirm("Recompute it, and put a bond on a report if it is wrong?")
    done = run.client.post(f"/api/v1/disputes/{unit}/report")
    follow = f"a report counts until {clock(done['by'])}; `blockedge dispute list` shows what comes of it"
    run.out.answer(done, f"unit {short(done['unit'])} is being recomputed; {follow}")


@app.command()
def appeal(ctx: typer.Context, unit: Annotated[str, UNIT]) -> None:
    """Fund the next, larger jury from the account's own ether; repaid with a tenth on top if that was right."""
    run = session(ctx)
    found = run.client.get(f"/api/v1/disputes/{unit}")
    cost = int(found["appeal_cost"])
    if cost:  # else the node's own answer says why it cannot be appealed now
        run.confirm(f"Pay {ether(cost)} for a jury of round {len(found['rounds']) + 1}?")
        run.out.note(f"appealing for {ether(cost)}; this waits for the chain")
    done = run.client.post(f"/api/v1/disputes/{unit}/appeal", wait=CHAIN_ANSWER)
    sent(run, done, f"appealed for {ether(cost)}: round {len(found['rounds']) + 1} begins")


# ── as text ──────────────────────────────────────────────────────────────────────────────────────────────


def dispute_text(run: Session, found: dict[str, Any]) -> str:
    accuser = short(found["accuser"]) if found["accuser"] else "nobody: its drawn checker kept silent"
    about = f"{short(found['worker'])} for {short(found['requester'])}, accused by {accuser}"
    stake = (
        f"{ether(found['price'])} and a deposit of {ether(found['deposit'])}, {ether(found['fee'])} a seat"
    )
    head = facts(
        [
            ("dispute", found["unit"]),
            ("about", about),
            ("at stake", stake),
            ("phase", found["phase"]),
            ("stage", _stage(found)),
            ("next", STAGES[found["stage"]]),
            ("appeal", f"costs {ether(found['appeal_cost'])} now" if int(found["appeal_cost"]) else ""),
            ("my part", ", ".join(found["roles"])),
            ("final", _final(found)),
        ]
    )
    return "\n\n".join([head, *(_round(run, row) for row in found["rounds"])])


def _final(found: dict[str, Any]) -> str:
    if not found["final_hash"]:
        return ""
    right = found["final_hash"] == found["accused"]
    return f"{short(found['final_hash'])}, {'what the worker gave' if right else 'not what the worker gave'}"


def _round(run: Session, row: dict[str, Any]) -> str:
    rows = [
        (
            seat["seat"],
            "–" if seat["ticket"] is None else seat["ticket"],
            "me" if seat["mine"] else short(seat["owner"]),
            seat["vote"],
            SAYS[seat["says"]] + (f" ({short(seat['result_hash'])})" if seat["result_hash"] else ""),
        )
        for seat in row["seats"]
    ]
    paid = short(row["funder"]) if row["funder"] else "the silent checker"
    ending = (
        f"by these votes {row['standing'].upper()}"
        if any(s["says"] for s in row["seats"])
        else "no votes shown"
    )
    return (
        f"round {row['round'] + 1}, paid by {paid}: {ending} (votes until {clock(row['commit_by'])}, "
        f"shown until {clock(row['reveal_by'])})\n"
        + run.out.table(("seat", "ticket", "owner", "vote", "says"), rows)
    )


def told(run: Session, tasks: Iterable[dict[str, Any]]) -> list[str]:
    """What juries made of these tasks' units, in words: one paragraph, or none."""
    ids = {task["id"] for task in tasks if task["kind"] != "pow"}
    if run.out.as_json or not ids:
        return []
    rows = [row for row in run.client.get("/api/v1/disputes") if row["task"] in ids]
    return ["\n".join(map(_words, rows))] if rows else []


def _words(found: dict[str, Any]) -> str:
    who = f"{short(found['accuser'])} accused {short(found['worker'])}" if found["accuser"] else (
        f"the drawn checker of {short(found['worker'])} kept silent"
    )  # fmt: skip
    rounds = [
        f"round {row['round'] + 1}: {_tally(row)}, so {row['standing'].upper()}" for row in found["rounds"]
    ]
    end = f"it ended {found['phase'].upper()}" if found["stage"] == "ended" else f"now {_stage(found)}"
    return f"dispute about unit {short(found['unit'])}: " + "; ".join([who, *rounds, end])


def _tally(row: dict[str, Any]) -> str:
    counts = Counter(SAYS[seat["says"]] or f"votes {seat['vote']}" for seat in row["seats"])
    return ", ".join(f"{count} × {words}" for words, count in counts.most_common())
