"""The programs that tasks may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blockedge_node.cli.context import session

app = typer.Typer(help="Programs that can be run by name.", no_args_is_help=True)


@app.command("list")
def list_programs(ctx: typer.Context) -> None:
    """The built-in programs; needs no daemon."""
    import hashlib

    from blockedge_node.programs import guest, names

    run = session(ctx)
    listed = []
    for name in names():
        found = guest(name)
        module = found.wasm()
        listed.append(
            {
                "name": name,
                "summary": found.summary,
                "merge": found.merge,
                "size": len(module),
                "sha256": hashlib.sha256(module).hexdigest(),
            }
        )
    rows = [(item["name"], item["summary"], item["merge"], item["size"]) for item in listed]
    rows.append(("pow", "proof-of-work search, judged by the contract (kind 1)", "–", "–"))
    run.out.answer(listed, run.out.table(("name", "what it does", "merge", "bytes"), rows))


@app.command()
def check(ctx: typer.Context, module: Annotated[Path, typer.Argument(help="A .wasm file.")]) -> None:
    """Can nodes run this program? Compiles it as they do; needs no daemon. Exit code 2 if not."""
    from blockedge_node.cli.inputs import read_module, refuse_unrunnable

    run = session(ctx)
    data = read_module(module)
    refuse_unrunnable(module, data)
    run.out.answer({"module": str(module), "size": len(data), "runs": True}, f"{module} can be run")
