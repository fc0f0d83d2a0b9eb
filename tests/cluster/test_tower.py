"""A worker that is killed once it has committed, and the daemon that meets its deadlines for it (protocol §4)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from blockedge_node.core.unit import Phase
from blockedge_node.devnet import cluster, ledger
from blockedge_node.devnet.cluster import Devnet
from tests.cluster.conftest import Cluster, started, until

REQUESTER, WORKER, TOWER, NODES = 1, 2, 3, 4


@pytest.fixture
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """n2 alone bids, holds its reveals back, and has n3 for a tower."""
    directory = tmp_path_factory.mktemp("net") / "dev"
    idle = {"max_units": 0}
    policies = {i: {"bid_window": 1.5, **({} if i == WORKER else idle)} for i in range(1, NODES + 1)}
    devnet = cluster.create(directory, NODES, block_time=1.0, policies=policies)
    _watch(devnet, WORKER, towers=[devnet.node(TOWER).address])
    _watch(devnet, TOWER, clients=[devnet.node(WORKER).address])
    with started(devnet, plays={WORKER: ["withhold"]}) as network:
        yield network


def _watch(devnet: Devnet, which: int, **lines: list[str]) -> None:
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    with (devnet.node(which).data_dir / "node.toml").open("a") as file:
        file.write(f"\n[watchtower]\n{text}")


def test_a_tower_ends_the_unit_of_a_worker_that_was_killed(watched: Cluster) -> None:
    job = watched.submit_photos(REQUESTER, shards=1, label="a tower's")
    until(lambda: _noted(watched, WORKER, "watch.kept") or None, "the tower never had the unit")
    watched.kill(WORKER)
    watched.settled(REQUESTER, job)
    (unit,) = ledger.units_of(watched.snapshot().records).values()
    assert unit.settled is not None
    assert unit.settled.phase is Phase.PAID
    assert "0x" + unit.terms.worker.hex() == watched.devnet.node(WORKER).address
    assert _noted(watched, TOWER, "tx.reveal"), "nobody else holds the opening"
    shown = {s["key"]: s["value"] for s in watched.ask(TOWER, "/api/v1/settings")}
    assert shown["watchtower.clients"] == [watched.devnet.node(WORKER).address]


def _noted(network: Cluster, node: int, code: str) -> bool:
    return code in network.devnet.node(node).log.read_text()
