"""A real network for tests: anvil and daemons as processes on loopback, one for all tests of a module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pytest

from blockedge_node import programs
from blockedge_node.cli.client import Client
from blockedge_node.core.ids import Address
from blockedge_node.devnet import cluster, ledger, photos
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.devnet.commands import PRICES, await_ready
from blockedge_node.errors import BlockEdgeError

T = TypeVar("T")
NODES = 5
WAIT = 120.0  # seconds in which anything here must have happened; most take 20


@dataclass(frozen=True)
class Cluster:
    directory: Path

    @property
    def devnet(self) -> Devnet:
        return Devnet.load(self.directory)

    def client(self, node: int) -> Client:
        return Client(str(self.devnet.node(node).socket))

    def kill(self, node: int) -> None:
        self.devnet.node(node).process.kill()

    def start(self, node: int) -> None:
        devnet = self.devnet.start_node(node)
        await_ready(devnet, [devnet.node(node)])

    def ask(self, node: int, path: str, **params: Any) -> Any:
        """An answer of a daemon that may just be starting."""

        def look() -> Any:
            with self.client(node) as api:
                return api.get(path, **params)

        return until(lambda: _try(look), f"no answer to {path}")

    def submit_photos(
        self, node: int, shards: int = 4, label: str = "photos", *, onchain: bool = False
    ) -> str:
        tiles = photos.tiles()[:shards]
        guest = programs.guest("frames")
        fuel = guest.fuel(max(map(len, tiles)))
        with self.client(node) as api:
            program = api.post("/api/v1/programs", {"name": "frames", "fuel": fuel})
            job = api.post(
                "/api/v1/jobs",
                {
                    "program": program["program"],
                    "inputs": [api.upload(tile) for tile in tiles],
                    "shards": shards,
                    "fuel": fuel,
                    "max_price": str(10**14),
                    "max_delay": 60,
                    "no_demand": True,
                    "label": label,
                    "onchain": onchain,
                },
            )
            return str(job["id"])

    def snapshot(self) -> ledger.Snapshot:
        devnet = self.devnet
        accounts = [Address(bytes.fromhex(node.address[2:])) for node in devnet.nodes]
        return ledger.read(devnet.rpc, Address(bytes.fromhex(devnet.contract[2:])), accounts)

    def settled(self, node: int, job: str) -> Mapping[str, Any]:
        """The job, once the chain has closed every unit. Fails the test if it does not come to that."""

        def look() -> Mapping[str, Any] | None:
            seen: Mapping[str, Any] = self.ask(node, f"/api/v1/jobs/{job}")
            assert seen["state"] not in ("failed", "cancelled"), seen["detail"]
            return seen if seen["state"] == "settled" else None

        return until(look, f"job {job} is not settled")


def until(look: Callable[[], T | None], complaint: str, seconds: float = WAIT) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{complaint} after {seconds:g} s")


def _try(call: Callable[[], Any]) -> Any | None:
    try:
        return call()
    except BlockEdgeError:
        return None


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A module's POLICY, if it has one, goes for every node of its network."""
    directory = tmp_path_factory.mktemp("net") / "dev"
    policy = {"bid_window": 1.5, "close_early": False, **getattr(request.module, "POLICY", {})}
    policies = {i: {**PRICES[i], **policy} for i in range(1, NODES + 1)}
    with started(cluster.create(directory, NODES, block_time=1.0, policies=policies)) as network:
        yield network


@contextmanager
def started(devnet: Devnet, plays: Mapping[int, Sequence[str]] = MappingProxyType({})) -> Iterator[Cluster]:
    """Its chain runs already; now its daemons, until the end. `plays`: the cheats among them, by number."""
    try:
        for i in range(1, len(devnet.nodes) + 1):
            devnet = devnet.start_node(i, plays=plays.get(i, ()))
        await_ready(devnet)
        yield Cluster(devnet.directory)
    finally:
        Devnet.load(devnet.directory).stop()
