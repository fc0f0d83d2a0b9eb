"""kill -9 of any one daemon at any moment of a job, then a restart at once: all its units end, nobody is fined."""

from __future__ import annotations

import pytest

from blockedge_node.core.unit import Phase
from blockedge_node.devnet import ledger
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
    """After all that: the buckets add up, nothing is locked, every account changed as the events say."""

    def all_free() -> ledger.Snapshot | None:
        snapshot = network.snapshot()
        open_units = [u for u in ledger.units_of(snapshot.records).values() if u.settled is None]
        return None if open_units else snapshot

    end = until(all_free, "units are open")
    assert end.sum == end.held
    changes = ledger.expected_changes(ledger.units_of(end.records), end.params)
    assert all(end.balances[who] == 100 * 10**18 + changes.get(who, 0) for who in end.balances)
    audit = network.ask(2, "/api/v1/audit")
    assert audit["holds"]
    assert (audit["locked"], audit["difference"]) == ("0", "0")
