"""All kinds of role machines, what each says of itself, and the keys under which a node holds them (core/node.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from blockedge_node.core import auction_bidder as auction_bidders
from blockedge_node.core import bidder as bidders
from blockedge_node.core import bundles, jobs
from blockedge_node.core import checker as checkers
from blockedge_node.core import finer as finers
from blockedge_node.core import juror as jurors
from blockedge_node.core import requester as requesters
from blockedge_node.core import verifier as verifiers
from blockedge_node.core import ward as wards
from blockedge_node.core import watchtower as towers
from blockedge_node.core import worker as workers
from blockedge_node.core.actions import Action
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.bundles import Collector
from blockedge_node.core.checker import Checker
from blockedge_node.core.finer import Finer
from blockedge_node.core.ids import UnitId
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.juror import Juror
from blockedge_node.core.requester import Requester
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.ward import Ward
from blockedge_node.core.watchtower import Tower
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World

Machine = (
    JobRun
    | Collector
    | Requester
    | Bidder
    | AuctionBidder
    | Worker
    | Verifier
    | Checker
    | Finer
    | Juror
    | Ward
    | Tower
)

# What the journal may find in its rows (store/journal.py).
MACHINES: Mapping[str, type] = MappingProxyType({cls.__name__: cls for cls in get_args(Machine)})


# ── what a machine says of itself ────────────────────────────────────────────────────────────────────────


def due_of(machine: Machine, world: World) -> tuple[Action, ...]:
    """One machine's part: it follows from the machine, the head's time and what never changes."""
    match machine:
        case Requester():
            return requesters.due(machine, world)
        case Bidder():
            return bidders.due(machine, world)
        case AuctionBidder():
            return auction_bidders.due(machine, world)
        case Worker():
            return workers.due(machine, world)
        case Verifier():
            return verifiers.due(machine, world)
        case Checker():
            return checkers.due(machine, world)
        case Finer():
            return finers.due(machine, world)
        case Juror():
            return jurors.due(machine, world)
        case Ward():
            return wards.due(machine, world)
        case Tower():
            return towers.due(machine, world)
        case Collector():
            return bundles.due(machine, world)
        case JobRun():
            return ()


def finished(machine: Machine, world: World) -> bool:
    match machine:
        case JobRun():
            return jobs.finished(machine)
        case Collector():
            return bundles.finished(machine)
        case Requester():
            return requesters.finished(machine, world)
        case Bidder():
            return bidders.finished(machine, world)
        case AuctionBidder():
            return auction_bidders.finished(machine, world)
        case Worker():
            return workers.finished(machine, world)
        case Verifier():
            return verifiers.finished(machine, world)
        case Checker():
            return checkers.finished(machine, world)
        case Finer():
            return finers.finished(machine, world)
        case Juror():
            return jurors.finished(machine, world)
        case Ward():
            return wards.finished(machine, world)
        case Tower():
            return towers.finished(machine, world)


# ── its load ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Load:
    """What machines have promised: wei not yet locked, units live, seconds of work planned, wei locked by bids."""

    exposure: int = 0
    units: int = 0
    work: float = 0.0
    staked: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.exposure + other.exposure,
            self.units + other.units,
            self.work + other.work,
            self.staked + other.staked,
        )

    def __sub__(self, other: Load) -> Load:
        return self + Load(-other.exposure, -other.units, -other.work, -other.staked)


def load_of(machine: Machine, world: World) -> Load:
    match machine:
        case Requester():
            return Load(requesters.exposure(machine, world))
        case Bidder():
            return Load(*bidders.exposure(machine, world))
        case AuctionBidder():
            promised = auction_bidders.exposure(machine, world)
            return Load(*promised, staked=auction_bidders.staked(machine, world))
        case Worker():
            locked = workers.staked(machine, world)
            return Load(*workers.exposure(machine, world), workers.workload(machine, world), locked)
        case Verifier():
            return Load(verifiers.exposure(machine, world))
        case JobRun() | Collector() | Checker() | Finer() | Juror() | Ward() | Tower():
            return Load()


def units_of(machine: Machine) -> tuple[UnitId, ...]:
    """Those whose end it waits to see."""
    return () if isinstance(machine, JobRun) else machine.units()


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def job_key(job: bytes) -> str:
    return f"job:{job.hex()}"


def collector_key(bundle: bytes) -> str:
    return f"collector:{bundle.hex()}"


def requester_key(task: bytes) -> str:
    return f"requester:{task.hex()}"


def bidder_key(task: bytes) -> str:
    return f"bidder:{task.hex()}"


def auction_key(task: bytes) -> str:
    return f"auction:{task.hex()}"


def worker_key(award: bytes) -> str:
    return f"worker:{award.hex()}"


def verifier_key(unit: bytes) -> str:
    return f"verifier:{unit.hex()}"


def checker_key(unit: bytes) -> str:
    return f"checker:{unit.hex()}"


def finer_key(unit: bytes) -> str:
    return f"finer:{unit.hex()}"


def juror_key(unit: bytes) -> str:
    return f"juror:{unit.hex()}"


def ward_key(award: bytes) -> str:
    return f"ward:{award.hex()}"


def tower_key(commitment: bytes) -> str:
    return f"tower:{commitment.hex()}"
