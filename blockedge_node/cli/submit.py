"""`blockedge task submit`: check what was given, store it with the daemon, hand the job in.

    submit frames --input photos/*.ppm      a built-in program, its input cut by its own rules
    submit render --param width=1200        one that takes parameters, see `program list`
    submit frames photos/*.ppm --onchain    let the contract choose among bids on the chain
    submit ./my.wasm --input data --shards 4    any WASI program
    submit pow --bits 20 --range 1000000    proof-of-work search, judged by the contract

Everything that can be found wrong here is, before a byte is uploaded or a wei is promised.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import Session, session
from blockedge_node.cli.inputs import Wanted, Work, prepare
from blockedge_node.cli.money import wei
from blockedge_node.cli.offer import GFUEL, default_delay, default_price
from blockedge_node.cli.output import ether, short, size
from blockedge_node.cli.waiting import until_job
from blockedge_node.errors import ConfigError

_FRACTION = re.compile(r"[0-9]*\.[0-9]+")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is offered for each unit."""

    max_price: int
    deposit: int
    delay: int
    weights: dict[str, int]
    rep_min: int
    rep_max: int
    lifetime: int
    label: str
    spot_bps: int | None
    check_fee: int | None
    onchain: bool
    workers: tuple[str, ...]


def submit(
    ctx: typer.Context,
    program: Annotated[str, typer.Argument(help="A built-in program's name, a .wasm file, or pow.")],
    more: Annotated[list[Path] | None, typer.Argument(help="More inputs, as a shell's * gives them.")] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", "-i", help="A file, or a directory of files; may be repeated."),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Into how many units the work is cut.")
    ] = None,
    split: Annotated[
        str,
        typer.Option(help="How one input of a .wasm file is cut: even, lines, or same (all get all of it)."),
    ] = "even",
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", help="An argument of a .wasm file; {shard} and {shards} are filled in."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            help="A file that a .wasm file may read, NAME=PATH: what it is called there, where it is here; may be "
            "repeated.",
        ),
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="Most memory of a .wasm file, e.g. 512MiB; default 256MiB.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="A built-in program's parameter, NAME=VALUE; may be repeated."),
    ] = None,
    merge: Annotated[
        str | None, typer.Option(help="How a .wasm file's outputs become one: concat, first or program.")
    ] = None,
    fuel: Annotated[
        str | None, typer.Option(help='Fuel a unit may burn, or "auto": run a few shards here first.')
    ] = None,
    price: Annotated[
        str | None, typer.Option("--max-price", "--price", help='Most for a unit, e.g. "0.001 ether".')
    ] = None,
    deposit: Annotated[str, typer.Option(help="Least deposit of a worker; 20 prices anyway.")] = "0",
    delay: Annotated[
        int | None, typer.Option(min=1, max=604_800, help="Most seconds a unit may take.")
    ] = None,
    weights: Annotated[str, typer.Option(help="What counts in a bid: price,delay,rep.")] = "50,25,25",
    rep_min: Annotated[float, typer.Option(min=0, max=1, help="Least reputation of a worker, 0 to 1.")] = 0.0,
    rep_max: Annotated[
        float, typer.Option(min=0, max=1, help="Most reputation; spares jobs for newcomers.")
    ] = 1.0,
    lifetime: Annotated[
        int, typer.Option(min=10, max=604_800, help="Seconds until the request expires.")
    ] = 300,
    spot: Annotated[
        str | None,
        typer.Option(help="How often a unit is recomputed by a drawn checker, e.g. 25%; default: the least."),
    ] = None,
    check_fee: Annotated[
        str | None,
        typer.Option(
            help="For one check, or one juror's seat; a fraction means ether. Default: as the node's policy says."
        ),
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option("--worker", help="An account whose bids count; may be repeated. None: everybody's."),
    ] = None,
    onchain: Annotated[
        bool,
        typer.Option(
            "--onchain",
            help="Let the contract choose: the request and its bids are transactions, and the best wins.",
        ),
    ] = False,
    challenge: Annotated[str | None, typer.Option(help="pow: 32 bytes of hex; default: random.")] = None,
    bits: Annotated[int, typer.Option(min=0, max=256, help="pow: leading zero bits to find.")] = 20,
    span: Annotated[
        int, typer.Option("--range", min=1, max=2**63, help="pow: nonces a unit searches.")
    ] = 1_000_000,
    inline: Annotated[
        bool, typer.Option("--inline", help="Have every output shown on the chain: 1 KiB a unit at most.")
    ] = False,
    label: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    bundle: Annotated[
        bool,
        typer.Option(
            "--bundle", help="A micro-task of one unit: waits a moment to share it with others like it."
        ),
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: handing in twice with the same key makes one job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result.")] = False,
    settled: Annotated[
        bool, typer.Option("--wait-settled", help="Wait until the chain has closed all units.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the result here; waits for it.")
    ] = None,
) -> None:
    """Hand in a job and print its id."""
    run = session(ctx)
    wanted = Wanted(
        program=program,
        inputs=[*(inputs or []), *(more or [])],
        shards=shards,
        split=split,
        arguments=arg,
        files=file,
        memory=memory,
        params=param,
        merge=merge,
        fuel=fuel,
        challenge=challenge,
        bits=bits,
        range=span,
    )
    if output is not None and not output.absolute().parent.is_dir():
        raise ConfigError(f"there is no directory {output.parent} to write {output.name} into")
    work = prepare(wanted)
    order = Order(
        max_price=int(wei(price)) if price else default_price(work.fuel),
        deposit=int(wei(deposit)),
        delay=delay or default_delay(work.fuel),
        weights=parse_weights(weights),
        rep_min=round(rep_min * 1_000_000),
        rep_max=round(rep_max * 1_000_000),
        lifetime=lifetime,
        label=label if label is not None else work.label,
        spot_bps=None if spot is None else parse_share(spot),
        check_fee=None if check_fee is None else parse_fee(check_fee),
        onchain=onchain,
        workers=tuple(map(parse_account, worker or ())),
    )
    if order.onchain and order.workers:
        raise ConfigError("--onchain lets the contract choose among all bids: leave --worker out")
    if work.kind == "pow" and (order.spot_bps is not None or order.check_fee is not None):
        raise ConfigError("a search is judged by the contract: --spot and --check-fee are for programs")
    if bundle and (work.kind == "pow" or work.shards != 1 or onchain):
        raise ConfigError(
            "--bundle is for programs over one shard, by gossip: add --shards 1, or see `task map`"
        )
    if work.warning:
        run.out.note(f"warning: {work.warning}")
    total = sum(map(len, work.inputs))
    run.out.note(
        f"{work.shards} units of up to {work.fuel / GFUEL:.3g} Gfuel, {size(total)} of input, "
        f"at most {ether(order.max_price)} a unit"
    )
    spec: dict[str, Any] = {
        "kind": work.kind,
        "inputs": _uploaded(run, work.inputs),
        "shards": work.shards,
        "fuel": work.fuel,
        "max_price": str(order.max_price),
        "min_deposit": str(order.deposit),
        "max_delay": order.delay,
        "rep_min": order.rep_min,
        "rep_max": order.rep_max,
        "weights": order.weights,
        "lifetime": order.lifetime,
        "label": order.label,
        "workers": order.workers,
        "onchain": order.onchain,
        "spot_bps": order.spot_bps,
        "check_fee": None if order.check_fee is None else str(order.check_fee),
    }
    if work.kind == "wasm":
        made = published(run, work)
        spec |= {
            "program": made["program"],
            "merge": made["merge"],
            "no_demand": not inline,
            "bundle": bundle,
        }
    job = run.client.post("/api/v1/jobs", spec, headers={"idempotency-key": key or secrets.token_hex(16)})
    _finish(run, job, wait=wait or output is not None, settled=settled, output=output)


def published(run: Session, work: Work) -> dict[str, Any]:
    """The program stored with the daemon, with its module and files: what the API says of it."""
    manifest = {"fuel": work.fuel, **work.manifest}
    if work.module is not None:
        manifest["wasm"] = run.client.upload(work.module)
        roots = _uploaded(run, list(work.files.values()))
        manifest["files"] = dict(zip(work.files, roots, strict=True))
    made: dict[str, Any] = run.client.post("/api/v1/programs", manifest)
    return made


def _uploaded(run: Session, inputs: list[bytes]) -> list[str]:
    """Equal blobs are stored once: the store would notice, but only after the upload."""
    roots: dict[bytes, str] = {}
    for data in inputs:
        if data not in roots:
            roots[data] = run.client.upload(data)
    return [roots[data] for data in inputs]


def _finish(run: Session, job: dict[str, Any], *, wait: bool, settled: bool, output: Path | None) -> None:
    from blockedge_node.cli.task import fetch, job_text

    if not (wait or settled):
        run.out.answer(job, job["id"])
        run.out.note(f"follow it with `blockedge task show {short(job['id'])}`")
        return
    run.out.note(f"job {job['id']}")
    job = until_job(run, job["id"], settled=settled)
    written = None if output is None else fetch(run, job["id"], output)
    text = job_text(run, job)
    if job["kind"] == "pow":
        text += "\n\n" + _nonces(run, job)
    if output is not None:
        text += f"\n\n{size(written)} written to {output}"
    run.out.answer(job | {"file": None if output is None else str(output)}, text)


def _nonces(run: Session, job: dict[str, Any]) -> str:
    """What a search found. The merged output is every shard's 8 bytes, or none."""
    data = b"".join(run.client.download(f"/api/v1/jobs/{job['id']}/result"))
    found = [int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data), 8)]
    return f"found nonces: {', '.join(map(str, found))}" if found else "found no nonce in these ranges"


def parse_weights(text: str) -> dict[str, int]:
    """Three weights of any sum as bps that add up to 10 000. Raises ConfigError."""
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts) or not sum(map(int, parts)):
        raise ConfigError(
            f"--weights takes three whole numbers like 50,25,25 (price, delay, reputation), not {text!r}"
        )
    numbers = [int(part) for part in parts]
    price, delay = (10_000 * number // sum(numbers) for number in numbers[:2])
    return {"price": price, "delay": delay, "rep": 10_000 - price - delay}


def parse_share(text: str) -> int:
    """A rate in bps, from `25%`, `0.25` or `2500bps`. Raises ConfigError."""
    number, scale = text.strip().lower(), Decimal(10_000)
    for unit, each in (("bps", Decimal(1)), ("%", Decimal(100))):
        if number.endswith(unit):
            number, scale = number.removesuffix(unit).strip(), each
            break
    try:
        bps = Decimal(number) * scale
    except InvalidOperation:
        bps = Decimal(-1)
    if not (bps.is_finite() and 0 <= bps <= 10_000 and bps == int(bps)):
        raise ConfigError(f"--spot takes a share from 0% to 100%, in hundredths of a percent, not {text!r}")
    return int(bps)


def parse_fee(text: str) -> int:
    """Wei; a bare decimal fraction means ether, as nobody pays a fraction of a wei. Raises ConfigError."""
    bare = text.strip()
    return int(wei(f"{bare} ether" if _FRACTION.fullmatch(bare) else bare))


def parse_account(text: str) -> str:
    """Raises ConfigError."""
    if not _ACCOUNT.fullmatch(text):
        raise ConfigError(f"--worker takes an account, 0x and 40 hex digits (see `peers list`), not {text!r}")
    return text
