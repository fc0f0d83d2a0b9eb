"""The devnet: a whole network on this machine. Thin: blockedge_node.devnet.commands does the work."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import Session, session

app = typer.Typer(help="Anvil, the contracts and N real daemons on loopback.", no_args_is_help=True)

DIRECTORY = typer.Option("--dir", help="Where the devnet lives; default: beside the node's data.")


def _home(directory: Path | None) -> Path:
    from blockedge_node.config import devnet_home

    return (directory or devnet_home()).absolute()


def perform(run: Session, work: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Call `work`. It prints its story as it goes; with --json that goes to stderr and what it returns is the
    answer."""
    if not run.out.as_json:
        work(*arguments, **options)
        return
    with contextlib.redirect_stdout(sys.stderr):
        data = work(*arguments, **options)
    run.out.answer(data, "")


@app.command()
def up(
    ctx: typer.Context,
    nodes: Annotated[int, typer.Option("-n", "--nodes", min=1, max=50, help="How many daemons.")] = 5,
    wait: Annotated[bool, typer.Option("--wait", help="Return once all of them are ready.")] = False,
    block_time: Annotated[float, typer.Option(min=0.1, help="Seconds between blocks.")] = 1.0,
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Start a devnet; it runs until `devnet down`."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.up, n=nodes, wait=wait, block_time=block_time, dir=_home(directory))


@app.command()
def down(ctx: typer.Context, directory: Annotated[Path | None, DIRECTORY] = None) -> None:
    """End all its processes; the data stays until the next `up`."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.down, dir=_home(directory))


@app.command()
def status(ctx: typer.Context, directory: Annotated[Path | None, DIRECTORY] = None) -> None:
    """Its chain and nodes, and how to point the CLI at each."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.status, dir=_home(directory))


@app.command()
def cheat(
    ctx: typer.Context,
    node: Annotated[int, typer.Option(min=1, help="Which node, from 1.")],
    mode: Annotated[str, typer.Option(help="What it does: fabricate, withhold, refuse, … or honest.")],
    kind: Annotated[int | None, typer.Option(help="Only for work of this kind.")] = None,
    requester: Annotated[int | None, typer.Option(help="Only for this node's tasks.")] = None,
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Restart one node with a dishonest performer."""
    from blockedge_node.devnet import commands

    perform(
        session(ctx),
        commands.cheat,
        dir=_home(directory),
        node=node,
        mode=mode,
        kind=kind,
        requester=requester,
    )


@app.command()
def kill(
    ctx: typer.Context,
    node: Annotated[int, typer.Argument(min=1, help="Which node, from 1.")],
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """End one daemon with SIGKILL, as a power cut would."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.kill, dir=_home(directory), node=node)


@app.command()
def restart(
    ctx: typer.Context,
    node: Annotated[int, typer.Argument(min=1, help="Which node, from 1.")],
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Start a killed daemon again."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.restart, dir=_home(directory), node=node)


@app.command()
def warp(
    ctx: typer.Context,
    seconds: Annotated[int, typer.Argument(min=1, help="How far the chain's clock jumps.")],
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Move the chain's clock forward, e.g. past UNBOND."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.warp, dir=_home(directory), seconds=seconds)


@app.command()
def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the devnet running afterwards.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Where pictures and figures are written.")] = None,
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Five nodes, a photo job, a fabricated result, a refusal: one readable story with figures."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.demo, dir=_home(directory), keep=keep, out=out)


@app.command()
def verdicts(
    ctx: typer.Context,
    only: Annotated[list[str] | None, typer.Option("--only", help="Just these; may be repeated.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the devnet running afterwards.")] = False,
    directory: Annotated[Path | None, DIRECTORY] = None,
) -> None:
    """Ten nodes and every cheat, side by side: who is caught, who pays. Fails if one ends otherwise."""
    from blockedge_node.devnet import commands

    perform(session(ctx), commands.verdicts, dir=_home(directory), only=only or (), keep=keep)
