"""Peers: whom this node is connected to, and a way to add one."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from blockedge_node.api.models import NewPeer, Peer
from blockedge_node.api.routes import Node

router = APIRouter(prefix="/api/v1/peers", tags=["peers"])


@router.get("")
async def peers(node: Node) -> Sequence[Peer]:
    return await node.peers()


@router.post("", status_code=201)
async def add(node: Node, peer: NewPeer) -> Peer:
    """Dial a peer and keep to it."""
    return await node.add_peer(peer.multiaddr)
