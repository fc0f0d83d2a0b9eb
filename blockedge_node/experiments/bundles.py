"""Micro-tasks through five daemons and one chain on one machine: how many a second, how long each, at what gas.

Devices of REQUESTERS nodes hand in single digits to classify, up to RATE a second in all, and follow their nodes'
events. Throughput is what settles from the first to the last settled item.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Final

from blockedge_node.cli.client import Client
from blockedge_node.devnet import anvil
from blockedge_node.devnet.cluster import Devnet, Node
from blockedge_node.errors import BlockEdgeError, Unreachable
from blockedge_node.experiments.load import NODES, devnet

REQUESTERS: Final = 2
DEVICES: Final = 8  # at each of them: a device has one item under way
SECONDS: Final = 45.0  # of handing in
RATE: Final = 140.0  # items a second, all clients together
FUEL: Final = 20_000_000  # an item
PRICE: Final = 10**14  # wei an item, at most
ITEMS_A_SECOND, ITEM_GAS = 100, 3_000  # what is aimed at
PATIENCE: Final = 120.0  # seconds for the last unit to settle
POLICY: Final = {"bundle_window": 2.0, "max_units": 500, "verify_bps": 0}


class _Plain(HTTPConnection):
    """HTTP over the node's socket with as little work as a device would have: httpx takes milliseconds a call, and
    the clients share their cores with the nodes that are measured."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def ask(self, path: str, body: Mapping[str, Any] | bytes) -> Any:
        """The answer to a POST. Raises BlockEdgeError if it is no."""
        raw, kind = (body, "octet-stream") if isinstance(body, bytes) else (json.dumps(body).encode(), "json")
        self.request("POST", path, raw, {"content-type": f"application/{kind}"})
        answer = self.getresponse()
        said = json.loads(answer.read())
        if answer.status >= 400:
            raise BlockEdgeError(said["detail"])
        return said


@dataclass(eq=False)
class _Client(threading.Thread):
    """Hands in at `one` node and listens to it. All times are of one monotonic clock."""

    node: Node
    rate: float
    seconds: float
    handed_in: dict[str, float] = field(default_factory=dict)
    seen: dict[str, dict[str, float]] = field(
        default_factory=lambda: {"item": {}, "done": {}, "settled": {}, "failed": {}}
    )
    problem: str = ""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        devices = [threading.Thread(target=self._device, args=(i,), daemon=True) for i in range(DEVICES)]
        for device in devices:
            device.start()
        for device in devices:
            device.join()

    def _device(self, which: int) -> None:
        api = _Plain(str(self.node.socket))
        try:
            self._hand_in(api, which)
        except (OSError, BlockEdgeError) as error:
            self.problem = str(error)
        finally:
            api.close()

    def _hand_in(self, api: _Plain, which: int) -> None:
        made = api.ask("/api/v1/programs", {"name": "classify", "fuel": FUEL})
        spec = {
            "program": made["program"],
            "shards": 1,
            "fuel": FUEL,
            "max_price": str(PRICE),
            "max_delay": 60,
            "no_demand": True,
            "bundle": True,
        }
        began = time.monotonic()
        for number in count(which, DEVICES):
            due = began + number / self.rate
            now = time.monotonic()
            if now - began > self.seconds:
                return
            time.sleep(max(0.0, due - now))
            digit = b"P5\n8 8\n16\n" + bytes((number >> shift) & 15 for shift in range(64))
            at = time.monotonic()
            stored = api.ask("/api/v1/blobs", digit)
            job = api.ask("/api/v1/jobs", spec | {"inputs": [stored["root"]]})
            self.handed_in[job["id"]] = at

    def _listen(self) -> None:
        with suppress(Unreachable), Client(str(self.node.socket)) as api, api.follow() as events:
            for event in events:  # until the node ends
                if event is not None:
                    kind = "item" if "provisional" in event else event["state"]
                    self.seen.setdefault(kind, {}).setdefault(event["job"], time.monotonic())

    def settled(self) -> int:
        return sum(job in self.seen["settled"] for job in list(self.handed_in))


def measure(seconds: float = SECONDS, rate: float = RATE) -> dict[str, Any]:
    """The figures. Raises BlockEdgeError if items do not settle in time."""
    with devnet(NODES, POLICY) as made:
        pids = [node.process.pid for node in made.nodes]
        before = [_cpu(pid) for pid in pids]
        block = _block(made)
        began = time.monotonic()
        clients = [_Client(made.node(1 + i), rate / REQUESTERS, seconds) for i in range(REQUESTERS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
            if client.problem:
                raise BlockEdgeError(f"handing in failed: {client.problem}")
        _await_settled(clients)
        elapsed = time.monotonic() - began
        cpu = sum(_cpu(pid) - b for pid, b in zip(pids, before, strict=True)) / elapsed
        gas, calls = _gas(made, block)
        bundles = _bundles(made)
    return _figures(clients) | {
        "bundles": len(bundles),
        "items_a_bundle": round(statistics.mean(bundles), 1),
        "gas_an_item": round(gas / sum(bundles)),
        "transactions": calls,
        "daemons_cpu_cores": round(cpu, 2),
        "seconds": round(elapsed, 1),
    }


def _await_settled(clients: list[_Client]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if all(client.settled() == len(client.handed_in) for client in clients):
            return
        time.sleep(0.5)
    left = [len(client.handed_in) - client.settled() for client in clients]
    failed = sum(len(client.seen["failed"]) for client in clients)
    raise BlockEdgeError(f"{left} items are not settled after {PATIENCE:g} s; {failed} failed")


def _figures(clients: list[_Client]) -> dict[str, Any]:
    settled = sorted(at for client in clients for at in client.seen["settled"].values())
    waits: dict[str, list[float]] = {"item": [], "done": [], "settled": []}
    for client in clients:
        for kind, found in waits.items():
            found += [
                client.seen[kind][job] - at
                for job, at in client.handed_in.items()
                if job in client.seen[kind]
            ]
    handed = sum(len(client.handed_in) for client in clients)
    first = min(at for client in clients for at in client.handed_in.values())
    last = max(at for client in clients for at in client.handed_in.values())
    return {
        "items": handed,
        "handed_in_a_second": round(handed / (last - first), 1),
        "settled_a_second": round(handed / (settled[-1] - settled[0]), 1),
        "answers_heard": len(waits["item"]),
        **{
            f"{kind}_seconds_median": round(statistics.median(found), 2)
            for kind, found in waits.items()
            if found
        },
        **{f"{kind}_seconds_max": round(max(found), 2) for kind, found in waits.items() if found},
    }


def _block(made: Devnet) -> int:
    return int(anvil.rpc(made.rpc, "eth_blockNumber"), 16)


def _gas(made: Devnet, after: int) -> tuple[int, int]:
    """Gas of every transaction since, whoever sent it, and how many they are."""
    receipts = [
        receipt
        for number in range(after + 1, _block(made) + 1)
        for receipt in anvil.rpc(made.rpc, "eth_getBlockReceipts", hex(number))
    ]
    return sum(int(receipt["gasUsed"], 16) for receipt in receipts), len(receipts)


def _bundles(made: Devnet) -> list[int]:
    """How many items each bundle had."""
    found = []
    for i in range(REQUESTERS):
        with Client(str(made.node(1 + i).socket)) as api:
            found += [job["items"] for job in api.get("/api/v1/jobs") if job["items"]]
    return found


def _cpu(pid: int) -> float:
    """Seconds of a core that a process has used, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report() -> dict[str, Any]:
    """`blockedge bench bundles`."""
    found = measure()
    print(
        f"throughput  {found['settled_a_second']} items a second settled, {found['handed_in_a_second']} handed in; "
        f"target >= {ITEMS_A_SECOND}\n"
        f"            {found['items']} items in {found['bundles']} units, {found['transactions']} transactions\n"
        f"answer      after {found['item_seconds_median']} s (median), provisional; done after "
        f"{found['done_seconds_median']} s, settled after {found['settled_seconds_median']} s\n"
        f"gas         {found['gas_an_item']} an item, spot checks included; target <= {ITEM_GAS} in a bundle of 64\n"
        f"cpu         {found['daemons_cpu_cores']} cores for the daemons; their children and the chain come on top"
    )
    return found
