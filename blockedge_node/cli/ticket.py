"""Tickets: stakes in the Court, by which a node is drawn as checker or juror, and paid for it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from blockedge_node.cli.client import CHAIN_ANSWER
from blockedge_node.cli.context import Session, session
from blockedge_node.cli.money import sent
from blockedge_node.cli.output import clock, ether, facts, seconds, short

app = typer.Typer(
    help="Stakes in the Court: who checks and who judges is drawn from them.", no_args_is_help=True
)

ID = typer.Argument(min=0, help="A ticket's number, see `ticket list`.")


@app.command("list")
def list_tickets(
    ctx: typer.Context,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's, not only this node's.")] = False,
) -> None:
    """This node's tickets, what each has earned, and how many a draw could fall on."""
    run = session(ctx)
    found = run.client.get("/api/v1/tickets", everybody=everybody)
    head = facts(
        [
            ("seat", f"{ether(found['seat'])} a ticket; drawn {seconds(found['ticket_age'])} after staking"),
            ("drawn", f"{found['live']} of {found['staked']} tickets, of {found['owners']} owners"
                      + _too_few(found)),
        ]
    )  # fmt: skip
    rows = [
        (
            ticket["id"],
            "me" if ticket["mine"] else short(ticket["owner"]),
            ticket["state"],
            ether(ticket["stake"]),
            ether(ticket["earned"]),
            _when(ticket),
        )
        for ticket in found["tickets"]
    ]
    header = ("ticket", "owner", "state", "stake", "earned", "when")
    table = run.out.table(header, rows) or "no tickets: `blockedge ticket stake` buys one"
    run.out.answer(found, f"{head}\n\n{table}")


def _too_few(found: dict[str, Any]) -> str:
    """A job of a court kind is refused while too few could judge it."""
    if found["owners"] >= found["owners_needed"]:
        return ""
    return f": programs need {found['owners_needed']} owners here before a job is taken"


def _when(ticket: dict[str, Any]) -> str:
    if ticket["state"] == "young":
        return f"drawn from {clock(ticket['drawn_from'])} on"
    if ticket["state"] == "left":
        return f"`ticket withdraw {ticket['id']}` from {clock(ticket['withdraw_from'])} on"
    return ""


@app.command()
def stake(
    ctx: typer.Context,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=100, help="How many tickets.")] = 1,
) -> None:
    """Stake tickets from the account's own ether; drawn for checks and juries once they are old enough."""
    run = session(ctx)
    found = run.client.get("/api/v1/tickets")
    whole = int(found["seat"]) * count
    run.confirm(f"Stake {count} tickets for {ether(whole)}? A ticket that misses its duty is fined.")
    run.out.note(f"staking {count} tickets for {ether(whole)}; this waits for the chain")
    done = run.client.post("/api/v1/tickets/stake", {"count": count}, wait=CHAIN_ANSWER)
    gas, fee = sum(tx["gas"] for tx in done), sum(int(tx["fee"]) for tx in done)
    run.out.answer(
        done,
        f"staked {len(done)} tickets for {ether(whole)}, drawn in {seconds(found['ticket_age'])}\n"
        + "\n".join(f"transaction {tx['tx']} (block {tx['block']})" for tx in done)
        + f"\n{gas} gas, {ether(fee)}",
    )


@app.command()
def unstake(ctx: typer.Context, ticket: Annotated[int, ID]) -> None:
    """Be drawn no more by this ticket; what it was drawn for is still its duty."""
    run = session(ctx)
    unbond = run.client.get("/api/v1/tickets")["unbond"]
    run.confirm(f"Let ticket {ticket} go? It is not drawn again.")
    done = run.client.post(f"/api/v1/tickets/{ticket}/unstake", wait=CHAIN_ANSWER)
    text = f"ticket {ticket} leaves; take its stake with `blockedge ticket withdraw {ticket}`"
    sent(run, done, f"{text} in {seconds(unbond)}")


@app.command()
def withdraw(ctx: typer.Context, ticket: Annotated[int, ID]) -> None:
    """Take the stake of a ticket that has left, with what it has earned."""
    _take(session(ctx), ticket, "withdraw", f"the stake of ticket {ticket} is back in the account")


@app.command()
def collect(ctx: typer.Context, ticket: Annotated[int, ID]) -> None:
    """Take what a ticket has earned; its stake stays."""
    _take(session(ctx), ticket, "collect", f"the earnings of ticket {ticket} are in the account")


def _take(run: Session, ticket: int, verb: str, text: str) -> None:
    sent(run, run.client.post(f"/api/v1/tickets/{ticket}/{verb}", wait=CHAIN_ANSWER), text)
