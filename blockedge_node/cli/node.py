"""The node itself: status, id, logs, pause, resume, audit of settings, version."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import Session, session
from blockedge_node.cli.output import ether, facts, percent, seconds, short

settings = typer.Typer(help="The settings in force.", no_args_is_help=True)

WATCH = 1.0  # seconds between two looks
LOG_WAIT = 25.0  # seconds the daemon holds an answer back until there is a new line


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command("id")(identity)
    app.command()(logs)
    app.command()(pause)
    app.command()(resume)
    app.command()(version)


def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second, until Ctrl-C.")] = False,
) -> None:
    """Is the node ready, and what is it doing?"""
    run = session(ctx)
    show(run, run.client.get("/api/v1/node"))
    while watch:
        time.sleep(WATCH)
        now = run.client.get("/api/v1/node")
        if sys.stdout.isatty() and not run.out.as_json:
            sys.stdout.write("\033[H\033[2J")
        show(run, now)


def show(run: Session, now: dict[str, Any]) -> None:
    head, account = now["head"], now["account"]
    state = "ready" if now["ready"] else "not ready"
    state += ", paused" if now["paused"] else ""
    broken = [f"{part['name']}: {part['detail'] or 'down'}" for part in now["services"] if not part["ok"]]
    rows = [
        ("node", f"{now['address']}  {run.out.bold(state)}"),
        ("peer id", now["peer_id"]),
        ("coalition", f"{now['coalition']}, chain {now['chain_id']}, contract {now['contract']}"),
        ("head", f"block {head['number']}, {seconds(head['age'])} ago" if head else "no block seen yet"),
        ("balance", f"{ether(account['free'])} free, {ether(account['locked'])} locked" if account else ""),
        ("reputation", percent(now["reputation"])),
        ("roles", ", ".join(now["roles"])),
        ("work", f"{now['jobs_open']} jobs open, {now['units_live']} units live, "
                 f"{now['slots_used']} of {now['slots']} slots busy, {ether(now['exposure'])} promised"),
        ("court", _court(now)),
        ("peers", f"{now['peers']} connected"),
        ("pending", f"{now['transactions_pending']} transactions" if now["transactions_pending"] else ""),
        ("stuck", f"{now['stuck']}: see `blockedge task list --stuck`" if now["stuck"] else ""),
        ("missing", "; ".join(broken)),
        ("up", f"{seconds(now['uptime'])}, version {now['version']}"),
    ]  # fmt: skip
    run.out.answer(now, facts(rows))


def _court(now: dict[str, Any]) -> str:
    """Tickets, and what they were drawn for; nothing for a node that takes no part."""
    duties = [f"{now['checks']} checks to make"] if now["checks"] else []
    duties += [f"{now['juries']} juries to vote in"] if now["juries"] else []
    if not (now["tickets"] or duties):
        return ""
    return f"{now['tickets']} tickets, {', '.join(duties) or 'no duties now'}: see `blockedge ticket list`"


def identity(ctx: typer.Context) -> None:
    """The node's account and peer id, and the addresses others may dial."""
    run = session(ctx)
    now = run.client.get("/api/v1/node")
    data = {key: now[key] for key in ("address", "peer_id", "listen")}
    rows = [("account", now["address"]), ("peer id", now["peer_id"])]
    run.out.answer(data, facts(rows + [("listens at", address) for address in now["listen"]]))


def logs(
    ctx: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many of the last lines first.")
    ] = 50,
) -> None:
    """The daemon's last log lines."""
    run = session(ctx)
    found = run.client.get("/api/v1/logs")
    last = found[-1]["number"] if found else 0
    for entry in found[len(found) - lines :] if lines < len(found) else found:
        _print_log(run, entry)
    while follow:
        for entry in run.client.get("/api/v1/logs", since=last, wait=LOG_WAIT):
            last = entry["number"]
            _print_log(run, entry)


def _print_log(run: Session, entry: dict[str, Any]) -> None:
    if run.out.as_json:
        run.out.line({"v": 1, "data": entry})
        return
    fields = dict(entry["line"])
    at = str(fields.pop("timestamp", ""))[11:19]
    level, event = str(fields.pop("level", "")), str(fields.pop("event", ""))
    rest = " ".join(f"{key}={_log_value(value)}" for key, value in fields.items())
    sys.stdout.write(f"{at} {level:<7} {run.out.bold(event)} {rest}".rstrip() + "\n")
    sys.stdout.flush()


def _log_value(value: Any) -> str:
    if isinstance(value, str) and value.startswith("0x") and len(value) > 42:
        return short(value) + "…"
    return value if isinstance(value, str) else json.dumps(value)


def pause(ctx: typer.Context) -> None:
    """Make no new bids; what is awarded runs on."""
    run = session(ctx)
    now = run.client.post("/api/v1/node/pause")
    run.out.answer({"paused": now["paused"]}, "paused: no new bids until `blockedge resume`")


def resume(ctx: typer.Context) -> None:
    """Bid again."""
    run = session(ctx)
    now = run.client.post("/api/v1/node/resume")
    run.out.answer({"paused": now["paused"]}, "bidding again")


def version(ctx: typer.Context) -> None:
    """This program's version; needs no daemon."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        number = installed("blockedge-node")
    except PackageNotFoundError:
        number = "source tree"
    run = session(ctx)
    run.out.answer({"version": number, "python": sys.version.split()[0]}, f"blockedge {number}")


@settings.command("list")
def list_settings(ctx: typer.Context) -> None:
    """Every setting of the running daemon, and where its value came from."""
    run = session(ctx)
    listed = run.client.get("/api/v1/settings")
    rows = [(item["key"], json.dumps(item["value"], ensure_ascii=False), item["origin"]) for item in listed]
    run.out.answer(listed, run.out.table(("key", "value", "origin"), rows))
