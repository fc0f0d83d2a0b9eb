"""The verbs of `blockedge devnet`: each prints what a person wants to see and returns it as plain data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blockedge_node.cli.client import Client
from blockedge_node.devnet import anvil, cluster
from blockedge_node.devnet.cluster import Devnet, Node
from blockedge_node.errors import BlockEdgeError

READY_SECONDS: Final = 60.0  # for all daemons together; one alone takes about 4 s


def up(
    n: int = 5,
    *,
    wait: bool = True,
    block_time: float = 1.0,
    dir: Path,
    policies: Mapping[int, Mapping[str, object]] | None = None,
) -> dict[str, Any]:
    """Start a devnet of `n` nodes. With `wait`, return once each is ready and has met the others."""
    began = time.monotonic()
    devnet = cluster.create(dir, n, block_time=block_time, policies=policies or PRICES)
    print(f"chain    {devnet.rpc}, a block every {block_time:g} s, contract {devnet.contract}")
    for i in range(n):
        devnet = devnet.start_node(i + 1)
    if wait:
        await_ready(devnet)
        print(f"ready    {n} nodes in {time.monotonic() - began:.1f} s")
    return status(dir=dir)


# Each node its own price, so that bids differ: n1 is the dearest, n5 the cheapest, and so on.
PRICES: Final[Mapping[int, Mapping[str, object]]] = {
    i: {"price_floor": f"{30 - 3 * ((i - 1) % 5)}000 gwei"} for i in range(1, 51)
}


def await_ready(devnet: Devnet, nodes: Sequence[Node] | None = None, seconds: float = READY_SECONDS) -> None:
    """Until each node answers, is ready and knows an account behind every other node that runs.

    Raises BlockEdgeError with the log of whoever does not get there.
    """
    running = [node for node in devnet.nodes if node.process.alive]
    deadline = time.monotonic() + seconds
    for node in nodes or running:
        while not _is_ready(node, others=len(running) - 1):
            if not node.process.alive:
                raise BlockEdgeError(f"{node.name} ended at its start: {last_words(node)}")
            if time.monotonic() > deadline:
                raise BlockEdgeError(f"{node.name} is not ready after {seconds:g} s; its log is {node.log}")
            time.sleep(0.05)


def _is_ready(node: Node, others: int) -> bool:
    if not node.socket.exists():
        return False
    try:
        with Client(str(node.socket), timeout=5) as api:
            peers = api.get("/api/v1/peers")
            known = sum(1 for peer in peers if peer["connected"] and peer["address"])
            return bool(api.get("/api/v1/node")["ready"]) and known >= others
    except BlockEdgeError:
        return False


def last_words(node: Node) -> str:
    lines = node.log.read_text(errors="replace").strip().splitlines() if node.log.exists() else []
    return lines[-1] if lines else "it said nothing"


def down(*, dir: Path) -> dict[str, Any]:
    """End every process that `up` started; the data stays until the next `up`."""
    devnet = Devnet.load(dir)
    devnet.stop()
    print(f"stopped  {len(devnet.nodes)} nodes and their chain; the data stays in {dir} until the next `up`")
    return {"stopped": len(devnet.nodes)}


def status(*, dir: Path) -> dict[str, Any]:
    """What runs, and how to point the CLI at each node."""
    devnet = Devnet.load(dir)
    rows = []
    for node in devnet.nodes:
        state = "running" if node.process.alive else "stopped"
        rows.append(
            {
                "name": node.name,
                "state": state,
                "mode": node.mode or "honest",
                "address": node.address,
                "api": str(node.socket),
                "pid": node.process.pid,
            }
        )
        cheating = f" ({node.mode})" if node.mode else ""
        print(f"{node.name:<8} {state}{cheating}  {node.address}  blockedge --api {node.socket} status")
    if rows:
        print(f"use      export BLOCKEDGE_API={rows[0]['api']}")
    alive = devnet.anvil.alive
    if not alive:
        print("chain    stopped: run `blockedge devnet down`, then `up`")
    return {"rpc": devnet.rpc, "contract": devnet.contract, "chain_alive": alive, "nodes": rows}


def cheat(
    *, dir: Path, node: int, mode: str, kind: int | None = None, requester: int | None = None
) -> dict[str, Any]:
    """Restart node `node` with a dishonest performer, or honest again."""
    from blockedge_node.devnet.cheats import parse

    devnet = Devnet.load(dir)
    chosen = devnet.node(node)
    options: dict[str, str] = {}
    if kind is not None:
        options["kind"] = str(kind)
    if requester is not None:
        options["requester"] = devnet.node(requester).address
    play = ",".join([mode, *(f"{key}={value}" for key, value in options.items())])
    parse(play)
    chosen.process.stop()
    devnet = devnet.start_node(node, plays=() if mode == "honest" else (play,))
    await_ready(devnet, [devnet.node(node)])
    limits = "".join(f", {key} {value}" for key, value in options.items())
    print(f"{chosen.name:<8} runs again, {mode}{limits}")
    return {"node": chosen.name, "mode": mode, **options}


def warp(*, dir: Path, seconds: int) -> dict[str, Any]:
    """Move the chain's clock forward and mine a block."""
    devnet = Devnet.load(dir)
    anvil.rpc(devnet.rpc, "evm_increaseTime", seconds)
    anvil.rpc(devnet.rpc, "evm_mine")
    block = anvil.rpc(devnet.rpc, "eth_getBlockByNumber", "latest", False)
    now = int(block["timestamp"], 16)
    print(f"clock    {seconds} s later: block {int(block['number'], 16)} has the time {now}")
    return {"time": now, "block": int(block["number"], 16)}


def kill(*, dir: Path, node: int) -> dict[str, Any]:
    """End one daemon with SIGKILL: what a power cut does."""
    devnet = Devnet.load(dir)
    devnet.node(node).process.kill()
    print(f"{devnet.node(node).name:<8} killed")
    return {"node": devnet.node(node).name}


def restart(*, dir: Path, node: int) -> dict[str, Any]:
    """Start one daemon again, honest."""
    devnet = Devnet.load(dir)
    devnet = devnet.start_node(node)
    await_ready(devnet, [devnet.node(node)])
    print(f"{devnet.node(node).name:<8} runs again")
    return {"node": devnet.node(node).name}


def verdicts(*, dir: Path, only: Sequence[str] = (), keep: bool = False) -> dict[str, Any]:
    """Every cheat and how it ends; see verdicts.py."""
    from blockedge_node.devnet.verdicts import tell

    return tell(dir, only=only, keep=keep)


def demo(*, dir: Path, keep: bool = False, out: Path | None = None) -> dict[str, Any]:
    """The whole story in a minute; see demo.py."""
    from blockedge_node.devnet.demo import tell

    return tell(dir, keep=keep, out=out or Path("demo-out"))
