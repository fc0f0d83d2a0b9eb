"""A job whose winner the contract finds: real daemons, bids as transactions in the block after the announcement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from blockedge_node.core.ids import Address
from blockedge_node.core.task import Mode
from blockedge_node.devnet import cluster, ledger
from blockedge_node.devnet.commands import PRICES
from tests.cluster.conftest import Cluster, started, until

REQUESTER, NODES = 1, 3


@pytest.fixture
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three daemons, each with its price; a block a second, so that a bid has less than that."""
    directory = tmp_path_factory.mktemp("net") / "dev"
    devnet = cluster.create(
        directory, NODES, block_time=1.0, policies={i: dict(PRICES[i]) for i in range(1, NODES + 1)}
    )
    for node in devnet.nodes[1:]:  # bidders wait for a confirmation, and yet must be in the very next block
        text = (node.data_dir / "node.toml").read_text()
        (node.data_dir / "node.toml").write_text(text.replace("confirmations = 0", "confirmations = 1"))
    with started(devnet) as network:
        yield network


def test_the_contract_gives_a_job_to_the_best_bid_of_the_next_block(few: Cluster) -> None:
    job = few.submit_photos(REQUESTER, shards=1, label="announced", onchain=True)
    whole = until(lambda: _with_output(few, job), f"job {job} has no output")
    assert (whole["mode"], whole["tasks"][0]["mode"]) == ("onchain", "onchain")
    (unit,) = ledger.units_of(few.snapshot().records).values()
    assert unit.terms.mode & Mode.ONCHAIN
    told = {
        note["code"]: note["fields"] for note in few.ask(REQUESTER, f"/api/v1/jobs/{job}/explain")["notes"]
    }
    assert told["auction.announced"]["closes_at"] == told["auction.announced"]["block"] + 1
    assert told["auction.won"]["worker"] == "0x" + Address(unit.terms.worker).hex()
    assert "award.made" not in told


def _with_output(network: Cluster, job: str) -> Mapping[str, Any] | None:
    """The job once its output is here, and what it was committed to is on the chain."""
    seen: Mapping[str, Any] = network.ask(REQUESTER, f"/api/v1/jobs/{job}")
    assert seen["state"] not in ("failed", "cancelled"), seen["detail"]
    return seen if seen["result_ready"] else None
