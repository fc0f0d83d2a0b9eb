"""kill -9 of any one daemon at any moment of a job, then a restart at once: all its units end, nobody is fined."""

from __future__ import annotations

import pytest

from blockedge_node.core.ids import Address
from blockedge_node.core.unit import CHECK_MISSED, Phase
from blockedge_node.devnet import ledger, trials
from blockedge_node.devnet.cluster import TICKETS
from tests.cluster.conftest import Cluster, until

REQUESTER = 1
# Which daemon dies, and what the job has reached by then: the worst moments are those around a promise.
MOMENTS = [
    (REQUESTER, "requested"),
    (REQUESTER, "awarded"),
    (REQUESTER, "revealed"),
    (5, "awarded"),
    (5, "committed"),
    (2, "requested"),
]


@pytest.mark.parametrize(("victim", "moment"), MOMENTS)
def test_killed_daemon_finishes_what_it_promised(network: Cluster, victim: int, moment: str) -> None:
    job = network.submit_photos(REQUESTER, label=f"kill n{victim} when {moment}")
    if moment != "requested":
        until(lambda: _has_reached(network, job, moment) or None, f"no unit was {moment}")
    network.kill(victim)
    network.start(victim)

    seen = network.settled(REQUESTER, job)
    assert seen["result_ready"]
    units = ledger.units_of(network.snapshot().records)
    mine = [u for u in units.values() if "0x" + u.terms.requester.hex() == network.devnet.node(1).address]
    ended = [unit for unit in mine if unit.settled]
    assert ended
    assert {unit.settled.phase for unit in ended if unit.settled} == {Phase.PAID}, "an honest node was fined"
    assert network.ask(victim, "/api/v1/jobs", stuck=True) == []


ORDER = ["requested", "awarded", "assigned", "committed", "revealed", "paid"]


def _has_reached(network: Cluster, job: str, moment: str) -> bool:
    seen = network.ask(REQUESTER, f"/api/v1/jobs/{job}")
    phases = [unit["phase"] for task in seen["tasks"] for unit in task["units"]]
    return any(phase in ORDER and ORDER.index(phase) >= ORDER.index(moment) for phase in phases)


def test_books_balance_and_no_unit_is_left_open(network: Cluster) -> None:
    """After all that: the buckets add up, nothing is locked, every account and ticket changed as the events say."""
    devnet = network.devnet
    contract, court, *nodes = (
        Address(bytes.fromhex(text[2:]))
        for text in (devnet.contract, devnet.court, *(node.address for node in devnet.nodes))
    )
    names = trials.owner_numbers(nodes)

    def all_ended() -> trials.Record | None:
        record = trials.read(devnet.rpc, contract, court, names)
        views = record.views.values()
        fined = all(view.check_fined for view in views if view.flags & CHECK_MISSED)
        return record if fined and all(view.phase.terminal for view in views) else None

    end = until(all_ended, "units are open")
    assert end.sum == end.held
    changes = trials.expected_changes(end.trials(names).values())
    staked = 100 * 10**18 + TICKETS * end.world.params.seat
    assert end.wealth == {node: staked + changes.get(node, 0) for node in end.wealth}
    audit = network.ask(2, "/api/v1/audit")
    assert audit["holds"]
    assert (audit["locked"], audit["difference"]) == ("0", "0")
