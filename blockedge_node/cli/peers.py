"""Peers of the node."""

from __future__ import annotations

from typing import Annotated

import typer

from blockedge_node.cli.context import session
from blockedge_node.cli.output import short

app = typer.Typer(help="The nodes this one is connected to.", no_args_is_help=True)


@app.command("list")
def list_peers(ctx: typer.Context) -> None:
    """Connected and known peers."""
    run = session(ctx)
    peers = run.client.get("/api/v1/peers")
    rows = [
        (
            peer["peer_id"],
            short(peer["address"]),
            "banned" if peer["banned"] else "connected" if peer["connected"] else "away",
            peer["banned"] or ", ".join(peer["addresses"]),
        )
        for peer in peers
    ]
    text = run.out.table(("peer id", "account", "state", "addresses"), rows)
    run.out.answer(peers, text or "no peers: add one with `blockedge peers add MULTIADDR`")


@app.command()
def add(
    ctx: typer.Context,
    multiaddr: Annotated[str, typer.Argument(help="E.g. /ip4/192.0.2.7/tcp/4300/p2p/12D3Koo…")],
) -> None:
    """Dial a peer and keep to it."""
    run = session(ctx)
    peer = run.client.post("/api/v1/peers", {"multiaddr": multiaddr})
    run.out.answer(peer, f"connected to {peer['peer_id']}")
