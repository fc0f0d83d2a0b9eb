"""Measurements against their budgets. Thin: blockedge_node.experiments.bench does the work."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer

from blockedge_node.cli.context import session
from blockedge_node.cli.devnet import perform

app = typer.Typer(
    help="Measure gas, negotiation, idle load, the executor, what dishonesty pays, and the paper's figures.",
    no_args_is_help=True,
)

QUICK = typer.Option(
    "--quick", help="Fewer runs, under two minutes, and only the conditions that they support."
)
OUT = typer.Option("--out", help="Where CSV files and plots are written.")
FIGURES = Path("build/figures")


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
def bundles(ctx: typer.Context) -> None:
    """Micro-tasks a second through five daemons and one chain, and their gas. Two minutes."""
    from blockedge_node.experiments import bundles as bundle_bench

    perform(session(ctx), bundle_bench.report)


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


@app.command()
def fig4(
    ctx: typer.Context,
    part: Annotated[
        Literal["a", "b", "both"], typer.Option(help="a: auctions on the chain, b: gossip.")
    ] = "both",
    quick: Annotated[bool, QUICK] = False,
    runs: Annotated[
        int | None, typer.Option(min=1, help="A variant; default 2000, quick 200 and 40.")
    ] = None,
    out: Annotated[Path, OUT] = FIGURES,
) -> None:
    """Fig. 4: negotiation time, on the chain as the paper has it, and by gossip; five daemons. 70 minutes."""
    from blockedge_node.experiments.figures import commands

    perform(session(ctx), commands.fig4, part=part, quick=quick, runs=runs, out=out)


@app.command()
def fig5(
    ctx: typer.Context,
    quick: Annotated[bool, QUICK] = False,
    runs: Annotated[int | None, typer.Option(min=1, help="Rounds of all k; default 30, quick 1.")] = None,
    shares: Annotated[
        Literal["auto", "quota", "turns"], typer.Option(help="How executors are held to their share.")
    ] = "auto",
    out: Annotated[Path, OUT] = FIGURES,
) -> None:
    """Fig. 5: how much sooner k stakeholders do a task; eight daemons with a fifth of a core each. 100 minutes."""
    from blockedge_node.experiments.figures import commands

    perform(session(ctx), commands.fig5, quick=quick, runs=runs, how=shares, out=out)


@app.command()
def fig6(
    ctx: typer.Context,
    quick: Annotated[bool, QUICK] = False,
    out: Annotated[Path, OUT] = FIGURES,
) -> None:
    """Fig. 6: a worker's balance against how often it is wrong; on the contracts, to the wei. 10 minutes."""
    from blockedge_node.experiments.figures import commands

    perform(session(ctx), commands.fig6, quick=quick, out=out)


@app.command()
def scale(
    ctx: typer.Context,
    nodes: Annotated[str, typer.Option(help="How many, sizes separated by commas.")] = "10,100,1000",
    quick: Annotated[bool, QUICK] = False,
    out: Annotated[Path, OUT] = FIGURES,
) -> None:
    """Auctions among up to a thousand nodes, simulated: bids, messages, time to award, price. A minute."""
    from blockedge_node.experiments.figures import commands

    perform(session(ctx), commands.scale, nodes=nodes, quick=quick, out=out)


@app.command()
def gains(
    ctx: typer.Context,
    params: Annotated[
        Path | None, typer.Option(help="The deployment's constants; default: config/params.prod.json.")
    ] = None,
    share: Annotated[
        float, typer.Option("--f", min=0.0, max=0.5, help="Share of tickets that the coalition holds.")
    ] = 0.3,
    appeals: Annotated[
        bool, typer.Option("--appeals/--no-appeals", help="Whether honest losers of a round appeal.")
    ] = True,
    before: Annotated[
        bool, typer.Option("--before", help="As if the amendments of docs/economics.md were not made.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """The best that every coalition of up to three parties can make of one unit; exit code 1 if any gains by
    harming an outsider."""
    from blockedge_node.devnet.cluster import SOURCE
    from blockedge_node.experiments.economics import report
    from blockedge_node.experiments.economics.payoffs import BEFORE, SHIPPED
    from blockedge_node.wire.params import load_params

    text = (params or SOURCE / "config" / "params.prod.json").read_text(encoding="utf-8")
    found = report.measure(
        load_params(text),
        share=Fraction(str(share)),
        appeals=appeals,
        rules=BEFORE if before else SHIPPED,
    )
    session(ctx).out.answer(found.data(), found.csv() if as_csv else found.text())
    if found.violations:
        raise typer.Exit(1)
