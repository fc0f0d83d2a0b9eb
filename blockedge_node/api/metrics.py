"""The node's figures for Prometheus, made from one status at each scrape: nothing to keep up to date.

Wei are exported as floats, as the format has nothing else: fit for alerts, not for accounting (`audit` is).
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from blockedge_node.api.models import NodeStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST


class NodeCollector(Collector):
    def __init__(self, status: NodeStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        now = self._status
        yield InfoMetricFamily(
            "blockedge_node",
            "Which node this is.",
            {"version": now.version, "address": "0x" + now.address.hex(), "coalition": now.coalition},
        )
        up = GaugeMetricFamily("blockedge_service_up", "1 while a part works.", labels=["service"])
        for part in now.services:
            up.add_metric([part.name], part.ok)
        yield up
        for name, help_text, value in self._figures():
            if value is not None:
                yield GaugeMetricFamily(f"blockedge_{name}", help_text, value)

    def _figures(self) -> Iterator[tuple[str, str, float | None]]:
        now, head, account = self._status, self._status.head, self._status.account
        yield "ready", "1 once the node can take and do work.", now.ready
        yield "paused", "1 while the node makes no bids.", now.paused
        yield "uptime_seconds", "Since the daemon started.", now.uptime
        yield "head_number", "Newest block counted with.", head.number if head else None
        yield "head_age_seconds", "Since that block was seen.", head.age if head else None
        yield "peers", "Connected peers.", now.peers
        yield "jobs_open", "Jobs not yet done.", now.jobs_open
        yield "units_live", "Units this node has a part in.", now.units_live
        yield "slots", "Programs that may run at a time.", now.slots
        yield "slots_used", "Programs running.", now.slots_used
        yield "transactions_pending", "Sent, not yet confirmed.", now.transactions_pending
        yield "stuck", "Jobs and units past a deadline that nothing moves; should be 0.", now.stuck
        yield "exposure_wei", "Deposits promised by live bids.", now.exposure
        yield "balance_free_wei", "Free balance in the contract.", account.free if account else None
        yield "balance_locked_wei", "Locked balance in the contract.", account.locked if account else None
        rep = now.reputation
        yield "reputation_ratio", "Score R, 0 to 1.", None if rep is None else rep / 1_000_000


def render(status: NodeStatus) -> bytes:
    """The text that Prometheus reads, with the process's own memory, CPU and file figures."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(status))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
