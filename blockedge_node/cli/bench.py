"""Measurements against their budgets. Thin: blockedge_node.experiments.bench does the work."""

from __future__ import annotations

import typer

from blockedge_node.cli.context import session
from blockedge_node.cli.devnet import perform

app = typer.Typer(help="Measure gas, negotiation, idle load and the executor.", no_args_is_help=True)


@app.command()
def gas(ctx: typer.Context) -> None:
    """Gas of a settled unit, alone and in batches."""
    from blockedge_node.experiments import bench

    perform(session(ctx), bench.gas)


@app.command()
def negotiate(ctx: typer.Context) -> None:
    """Time from publishing a request to the verified Ack."""
    from blockedge_node.experiments import bench

    perform(session(ctx), bench.negotiate)


@app.command()
def idle(ctx: typer.Context) -> None:
    """Memory and CPU of a daemon that has nothing to do."""
    from blockedge_node.experiments import bench

    perform(session(ctx), bench.idle)


@app.command()
def executor(ctx: typer.Context) -> None:
    """What a run costs beside the program itself, and this machine's fuel per second."""
    from blockedge_node.experiments import bench

    perform(session(ctx), bench.executor)
