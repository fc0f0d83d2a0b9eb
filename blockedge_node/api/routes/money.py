"""Money and standing: wallet, reputation, audit. Each change returns once its transaction is confirmed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from blockedge_node.api.models import Amount, Audit, Reputation, Transaction, Wallet
from blockedge_node.api.routes import Node

router = APIRouter(prefix="/api/v1", tags=["money"])


@router.get("/wallet")
async def wallet(node: Node) -> Wallet:
    return await node.wallet()


@router.post("/wallet/fund")
async def fund(node: Node, body: Amount) -> Transaction:
    """Move ether from the account into the contract's escrow."""
    return await node.fund(body.amount)


@router.post("/wallet/exit")
async def leave(node: Node, body: Amount) -> Transaction:
    """Announce a withdrawal; it can be taken once the contract's UNBOND has passed."""
    return await node.exit(body.amount)


@router.post("/wallet/withdraw")
async def withdraw(node: Node) -> Transaction:
    """Take what was announced and has matured."""
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
