"""The programs that tasks may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import session
from blockedge_node.cli.offer import default_price, with_margin
from blockedge_node.cli.output import ether, size
from blockedge_node.errors import ConfigError

app = typer.Typer(help="Programs that can be run by name.", no_args_is_help=True)


@app.command("list")
def list_programs(ctx: typer.Context) -> None:
    """The built-in programs; needs no daemon."""
    import hashlib

    from blockedge_node.programs import guest, names

    run = session(ctx)
    listed: list[dict[str, Any]] = []
    for name in names():
        found = guest(name)
        module = found.wasm()
        listed.append(
            {
                "name": name,
                "summary": found.summary,
                "merge": found.merge,
                "params": dict(found.params),
                "size": len(module),
                "sha256": hashlib.sha256(module).hexdigest(),
            }
        )
    rows = [
        (
            item["name"],
            item["summary"],
            " ".join(f"{name}={value}" for name, value in item["params"].items()) or "–",
            item["merge"],
            item["size"],
        )
        for item in listed
    ]
    rows.append(
        (
            "pow",
            "proof-of-work search, judged by the contract (kind 1)",
            "--bits --range --challenge",
            "–",
            "–",
        )
    )
    run.out.answer(listed, run.out.table(("name", "what it does", "parameters", "merge", "bytes"), rows))


@app.command()
def sample(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A built-in program's name.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write it here.")],
) -> None:
    """Write real data that a built-in program can work on: photographs, handwritten digits and the like."""
    from blockedge_node.programs.samples import real

    run = session(ctx)
    data = real(name)
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror or error}") from None
    run.out.answer({"file": str(output), "size": len(data)}, f"{size(len(data))} written to {output}")


@app.command()
def check(
    ctx: typer.Context,
    module: Annotated[Path, typer.Argument(help="A .wasm file.")],
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", "-i", help="Also run it here over this file, to see its cost."),
    ] = None,
    arg: Annotated[list[str] | None, typer.Option("--arg", help="An argument for that run.")] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", help="A file that it may read, NAME=PATH; may be repeated.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="Most memory that it may have, e.g. 512MiB; default 256MiB.")
    ] = None,
) -> None:
    """Can nodes run this program, and if not, what has to change? Needs no daemon. Exit code 2 if not.

    With --input, it is also run once over that input, as a worker would: the fuel it burns, what it prints, and the
    price that a unit of this size is offered for by default.
    """
    from blockedge_node.cli.files import files_of, read
    from blockedge_node.cli.module import beyond_defaults, given, refuse_unrunnable, trials

    run = session(ctx)
    own = given(module, arguments=arg or (), files=file or (), memory=memory)
    refuse_unrunnable(own)
    found: dict[str, object] = {"module": str(module), "size": len(own.module), "runs": True}
    text = f"{module} can be run by any node: {size(len(own.module))} of WebAssembly"
    stdin = b""
    if inputs:
        stdin = b"".join(read(path) for path in files_of(inputs))
        (outcome,) = trials(own, [stdin])
        fuel = with_margin(outcome.result.fuel_used)
        offer = default_price(fuel)
        found |= {
            "fuel_used": outcome.result.fuel_used,
            "fuel": fuel,
            "max_price": str(offer),
            "seconds": round(outcome.cpu_seconds, 3),
            "output": len(outcome.output),
            "stderr": outcome.stderr.decode(errors="replace"),
        }
        text += (
            f"\nover {size(len(stdin))} it burns {outcome.result.fuel_used / 1e9:.3g} Gfuel in "
            f"{outcome.cpu_seconds:.2f} s and prints {size(len(outcome.output))}"
            f"\nas one unit: --fuel {fuel}, offered for {ether(offer)} at most by default"
        )
        if outcome.stderr:
            text += "\nit says: " + outcome.stderr.decode(errors="replace").rstrip()
    warning = beyond_defaults(own, stdin=len(stdin))
    run.out.answer(found | {"warning": warning}, text + (f"\nbut {warning}" if warning else ""))
