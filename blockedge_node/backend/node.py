"""The node itself and its peers, as the API asks for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import trio

from blockedge_node import summaries
from blockedge_node.api import models
from blockedge_node.backend.parts import Parts, account_model
from blockedge_node.core.checker import Checker
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.juror import Juror
from blockedge_node.core.policy import is_stale
from blockedge_node.core.worker import Worker
from blockedge_node.errors import Transient
from blockedge_node.p2p.rows import PeerRow

PEER_WAIT: Final = 10.0  # seconds for a new peer to answer


def _under_way(machine: Checker | Juror) -> bool:
    return not machine.end and machine.view is not None and not machine.view.phase.terminal


class NodePart(Parts):
    async def status(self) -> models.NodeStatus:
        world, chain = self.engine.world, self.chain.status()
        machines = self.engine.node.machines.values()
        head = chain.head
        stuck = sum(1 for row in self.stuck_units(world) if row)
        services = (
            models.Service(name="chain", ok=not chain.problem, detail=chain.problem or chain.sender.problem),
            models.Service(name="engine", ok=world is not None),
            models.Service(name="p2p", ok=bool(self.p2p.addresses())),
            models.Service(name="executor", ok=not self.engine.policy.unfit),
        )
        return models.NodeStatus(
            version=_version(),
            address=self.chain.address,
            peer_id=str(self.p2p.peer_id),
            coalition=self.coalition.name,
            chain_id=self.coalition.chain_id,
            contract=self.coalition.contract,
            ready=world is not None and not is_stale(world) and bool(self.p2p.addresses()),
            paused=self.engine.policy.paused,
            roles=self.config.settings.node.roles,
            uptime=trio.current_time() - self.began,
            head=None
            if head is None
            else models.Head(number=head.number, hash=head.hash, time=head.time, age=chain.age),
            account=None if world is None else account_model(world.standing),
            reputation=None if world is None else world.standing.reputation.score,
            services=services,
            listen=tuple(self.p2p.addresses()),
            peers=sum(1 for row in self.p2p.rows() if row.connected),
            jobs_open=sum(
                1 for m in machines if isinstance(m, JobRun) and summaries.job_state(m) == "running"
            ),
            units_live=sum(1 for m in machines if isinstance(m, Worker) and not m.phase.terminal),
            tickets=sum(1 for t in world.tickets if t.owner == world.me and not t.left_at) if world else 0,
            checks=sum(1 for m in machines if isinstance(m, Checker) and _under_way(m)),
            juries=sum(1 for m in machines if isinstance(m, Juror) and _under_way(m)),
            slots_used=self.pool.busy,
            slots=self.pool.slots,
            exposure=self.exposure(world),
            transactions_pending=chain.sender.in_flight,
            stuck=stuck,
        )

    async def pause(self) -> None:
        self.engine.set_policy(replace(self.engine.policy, paused=True))

    async def resume(self) -> None:
        self.engine.set_policy(replace(self.engine.policy, paused=False))

    def settings(self) -> Sequence[models.Setting]:
        return [
            models.Setting(key=key, value=value, origin=origin) for key, value, origin in self.config.listed()
        ]

    def logs(self, since: int) -> Sequence[models.LogLine]:
        return [models.LogLine(number=n, line=json.loads(line)) for n, line in self.ring.since(since)]

    # ── peers ────────────────────────────────────────────────────────────────────────────────────────────

    async def peers(self) -> Sequence[models.Peer]:
        return [_peer(row) for row in self.p2p.rows()]

    async def add_peer(self, multiaddr: str) -> models.Peer:
        peer = self.p2p.add_peer(multiaddr)
        with trio.move_on_after(PEER_WAIT):
            while True:
                for row in self.p2p.rows():
                    if row.peer == peer and row.connected:
                        return _peer(row)
                await trio.sleep(0.05)
        raise Transient(
            f"{multiaddr} does not answer within {PEER_WAIT:g} s; it stays on the list and is dialled again"
        )


def _version() -> str:
    try:
        return version("blockedge-node")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def _peer(row: PeerRow) -> models.Peer:
    return models.Peer(
        peer_id=row.peer,
        addresses=row.addresses,
        address=bytes.fromhex(row.owners[0].removeprefix("0x")) if row.owners else None,
        connected=row.connected,
        since=None if row.since is None else int(row.since),
        banned=f"for {row.banned_for:.0f} s more" if row.banned_for else None,
    )
