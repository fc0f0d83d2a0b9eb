"""`blockedge`: global flags, the tree of commands, and the one place where errors become exit codes.

Global flags may stand anywhere: `blockedge --json status` and `blockedge status --json` are the same. Each has
its variable: BLOCKEDGE_JSON, _QUIET, _VERBOSE, _DATA_DIR, _CONFIG, _API, _TIMEOUT, _YES, _NO_COLOR.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from blockedge_node.cli import bench, devnet, dispute, doctor, init, money, node, peers, program, task, ticket
from blockedge_node.cli.context import Session
from blockedge_node.cli.failures import code_of, exit_code
from blockedge_node.cli.output import Output
from blockedge_node.errors import BlockEdgeError

SWITCHES = frozenset("--json -q --quiet -v --verbose --yes -y --no-color".split())
VALUED = frozenset("--data-dir --config --api --timeout".split())

app = typer.Typer(
    name="blockedge",
    help="Buy and sell computation between edge nodes that do not trust each other.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: it starts in a third of the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 daemon unreachable, 4 timeout, 5 chain or balance.",
)


@app.callback()
def flags(
    ctx: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print {"v": 1, "data": …}.', envvar="BLOCKEDGE_JSON")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no progress or notes.", envvar="BLOCKEDGE_QUIET")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print ids and figures in full.", envvar="BLOCKEDGE_VERBOSE"),
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="The node's data directory.", envvar="BLOCKEDGE_DATA_DIR")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The node's settings file.", envvar="BLOCKEDGE_CONFIG")
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="The daemon's socket or http URL.", envvar="BLOCKEDGE_API")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds to wait for an answer or, with --wait, a job.", min=0, envvar="BLOCKEDGE_TIMEOUT"
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Answer every question with yes.", envvar="BLOCKEDGE_YES")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Print no colours.", envvar="BLOCKEDGE_NO_COLOR")
    ] = False,
) -> None:
    ctx.obj = Session(
        out=Output(as_json=as_json, quiet=quiet, colour=not no_color),
        verbose=verbose,
        data_dir=data_dir,
        config_file=config,
        api=api,
        timeout=timeout,
        yes=yes,
    )


init.register(app)
doctor.register(app)
node.register(app)
money.register(app)
app.add_typer(peers.app, name="peers")
app.add_typer(money.wallet, name="wallet")
app.add_typer(money.rep, name="rep")
app.add_typer(task.app, name="task")
app.add_typer(program.app, name="program")
app.add_typer(ticket.app, name="ticket")
app.add_typer(dispute.app, name="dispute")
app.add_typer(node.settings, name="settings")
app.add_typer(devnet.app, name="devnet")
app.add_typer(bench.app, name="bench")


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move global flags in front of the command, wherever they stand before a lone `--`."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            return front + rest + [word, *queue]
        if word in SWITCHES or word.partition("=")[0] in VALUED:
            front.append(word)
            if word in VALUED and queue:
                front.append(queue.pop(0))
        else:
            rest.append(word)
    return front + rest


def main() -> None:
    """Entry point of the `blockedge` script."""
    arguments = hoist(sys.argv[1:])
    try:
        app(args=arguments, prog_name="blockedge")
    except BlockEdgeError as error:
        code = exit_code(error)
        Output(as_json=_wants_json(arguments), colour="--no-color" not in arguments).error(
            code_of(error), str(error), code
        )
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)


def _wants_json(arguments: Sequence[str]) -> bool:
    import os

    return "--json" in arguments or os.environ.get("BLOCKEDGE_JSON", "").lower() in ("1", "true", "yes", "on")


if __name__ == "__main__":
    main()
