"""Money and standing: wallet, reputation, audit. Each change returns once its transaction is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path

from blockedge_node.api.models import Amount, Audit, Reputation, Transaction, Wallet
from blockedge_node.api.routes import Node
from blockedge_node.errors import ChainError, Rejected

router = APIRouter(prefix="/api/v1", tags=["money"])


@router.get("/wallet")
async def wallet(node: Node) -> Wallet:
    return await node.wallet()


@contextmanager
def on_chain(what: str) -> Iterator[None]:
    """A call that the contract refuses is a matter of balances: the client's exit code 5, not a failure of ours."""
    try:
        yield
    except Rejected as error:
        raise ChainError(f"the contract refused to {what}: {error}") from None


@router.post("/wallet/fund")
async def fund(node: Node, body: Amount) -> Transaction:
    """Move ether from the account into the contract's escrow."""
    with on_chain("take the money"):
        return await node.fund(body.amount)


@router.post("/wallet/exit")
async def leave(node: Node, body: Amount) -> Transaction:
    """Announce a withdrawal; it can be taken once the contract's UNBOND has passed."""
    with on_chain("let the money go"):
        return await node.exit(body.amount)


@router.post("/wallet/withdraw")
async def withdraw(node: Node) -> Transaction:
    """Take what was announced and has matured."""
    account = (await node.wallet()).account
    if not account.exit_amount:
        raise ChainError("nothing was announced to leave: `blockedge wallet exit AMOUNT` starts the wait")
    head = (await node.status()).head
    if head and head.time < account.exit_at:
        left = account.exit_at - head.time
        raise ChainError(f"{account.exit_amount} wei leave, but not before {left} s from now: ask again then")
    with on_chain("pay out"):
        return await node.withdraw()


@router.get("/reputation/{address}")
async def reputation(
    node: Node, address: Annotated[str, Path(pattern="^(0x)?[0-9a-fA-F]{40}$")]
) -> Reputation:
    return await node.reputation(bytes.fromhex(address.removeprefix("0x")))


@router.get("/audit")
async def audit(node: Node) -> Audit:
    """Do all buckets together equal the contract's balance?"""
    return await node.audit()
