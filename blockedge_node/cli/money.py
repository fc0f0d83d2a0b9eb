"""Money and standing: wallet, reputation, audit."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockedge_node.cli.client import CHAIN_ANSWER
from blockedge_node.cli.context import Session, session
from blockedge_node.cli.output import ether, facts, percent, seconds
from blockedge_node.errors import ConfigError

wallet = typer.Typer(help="The node's account and its balance in the contract.", no_args_is_help=True)
rep = typer.Typer(help="Reputations.", no_args_is_help=True)

AMOUNT = typer.Argument(help='"0.5 ether", "5 gwei" or whole wei.')


def register(app: typer.Typer) -> None:
    app.command()(audit)


def wei(text: str) -> str:
    """An amount as the API takes it. Raises ConfigError."""
    from blockedge_node.config import parse_wei

    try:
        return str(parse_wei(text))
    except ValueError as error:
        raise ConfigError(str(error)) from None


@wallet.command()
def balance(ctx: typer.Context) -> None:
    """What the account holds, and what is free, locked or leaving in the contract."""
    run = session(ctx)
    found = run.client.get("/api/v1/wallet")
    account = found["account"]
    leaving = int(account["exit_amount"])
    left = account["exit_at"] - _chain_time(run) if leaving else 0
    when = f"can be taken in {seconds(left)}" if left > 0 else "can be taken now: `blockedge wallet withdraw`"
    rows = [
        ("account", found["address"]),
        ("ether", f"{ether(found['ether'])}, pays gas and `wallet fund`"),
        ("free", f"{ether(account['free'])} in the contract"),
        ("locked", f"{ether(account['locked'])} in units and reports under way"),
        ("promised", f"{ether(found['exposure'])} as deposits of live bids"),
        ("leaving", f"{ether(leaving)}, {when}" if leaving else ""),
    ]
    run.out.answer(found, facts(rows))


def _chain_time(run: Session) -> int:
    head = run.client.get("/api/v1/node")["head"]
    return int(head["time"]) if head else 0


@wallet.command()
def fund(ctx: typer.Context, amount: Annotated[str, AMOUNT]) -> None:
    """Move ether from the account into the contract's escrow."""
    run = session(ctx)
    asked = wei(amount)
    run.confirm(f"Move {ether(asked)} into the contract?")
    sent(
        run,
        run.client.post("/api/v1/wallet/fund", {"amount": asked}, wait=CHAIN_ANSWER),
        f"funded {ether(asked)}",
    )


@wallet.command("exit")
def leave(ctx: typer.Context, amount: Annotated[str, AMOUNT]) -> None:
    """Announce a withdrawal; `wallet withdraw` takes it once the contract's wait is over."""
    run = session(ctx)
    asked = wei(amount)
    unbond = run.client.get("/api/v1/wallet")["unbond"]
    run.confirm(f"Announce the exit of {ether(asked)}?")
    done = run.client.post("/api/v1/wallet/exit", {"amount": asked}, wait=CHAIN_ANSWER)
    sent(run, done, f"{ether(asked)} leaves; take it with `blockedge wallet withdraw` in {seconds(unbond)}")


@wallet.command()
def withdraw(ctx: typer.Context) -> None:
    """Take what was announced and has matured."""
    run = session(ctx)
    sent(run, run.client.post("/api/v1/wallet/withdraw", wait=CHAIN_ANSWER), "withdrawn")


def sent(run: Session, done: dict[str, Any], text: str) -> None:
    """The answer of a call that changed the chain: what it did, and what it cost."""
    cost = f"block {done['block']}, {done['gas']} gas, {ether(done['fee'])}"
    run.out.answer(done, f"{text}\ntransaction {done['tx']} ({cost})")


@rep.command("show")
def show_reputation(
    ctx: typer.Context,
    address: Annotated[str | None, typer.Argument(help="An account; none: this node's.")] = None,
) -> None:
    """Faults, deposits and score of an account, as the chain has them."""
    run = session(ctx)
    found = run.client.get(f"/api/v1/reputation/{address or run.client.get('/api/v1/node')['address']}")
    rows = [
        ("account", found["address"]),
        ("faults", f"n/m = {found['n']}/{found['m']} of the settled units"),
        ("deposits", f"s/t = {found['s']}/{found['t']} gwei returned in full"),
        ("score", f"R = {percent(found['score'])} (a newcomer has 14.0 %)"),
    ]
    run.out.answer(found, facts(rows))


def audit(ctx: typer.Context) -> None:
    """Do all buckets together equal the contracts' balances? Exit code 1 if not."""
    run = session(ctx)
    found = run.client.get("/api/v1/audit")
    total = int(found["free"]) + int(found["locked"]) + int(found["burned"])
    rows = [
        ("contract", f"{found['contract']} at block {found['block']}"),
        ("free", f"{ether(found['free'])} of {found['accounts']} accounts"),
        ("locked", ether(found["locked"])),
        ("burned", ether(found["burned"])),
        ("sum", f"{ether(total)} ({total} wei)"),
        ("balance", f"{ether(found['balance'])} ({found['balance']} wei)"),
        ("court", f"{ether(found['stakes'])} in tickets + {ether(found['pots'])} in open cases"),
        ("it holds", f"{ether(found['court_balance'])} ({found['court_balance']} wei)"),
        ("units", ", ".join(f"{count} {phase}" for phase, count in found["units"].items())),
        ("verdict", "the books balance" if found["holds"] else _difference(found)),
    ]
    run.out.answer(found, facts(rows))
    if not found["holds"]:
        raise typer.Exit(1)


def _difference(found: dict[str, Any]) -> str:
    return f"DIFFERENCE of {found['difference']} wei, {found['court_difference']} wei in the Court"
