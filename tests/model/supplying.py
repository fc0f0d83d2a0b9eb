"""demand and supply: the requester makes somebody show a chunk of an output that is not on the chain (§10)."""

from __future__ import annotations

from collections.abc import Sequence

from blockedge_node.core.ids import ZERO_HASH, Address, Hash
from blockedge_node.core.merkle import CHUNK, leaf, node
from blockedge_node.core.task import Mode, Result
from blockedge_node.core.unit import Phase
from tests.model import calls
from tests.model.living import get
from tests.model.objections import Refused, require
from tests.model.world import Demand, World

MOST_DEMANDS = 3  # of one unit


def demand(world: World, sender: Address, target: calls.Unit, result: Result, chunk: int) -> None:
    unit = get(world, target, Phase.REVEALED)
    terms = unit.terms
    require(
        (not (world.has_court and unit.court), "NotCourt"),
        (bool(terms.mode & Mode.NO_DEMAND), "BadMode"),
        (sender != terms.requester, "Ineligible(requester)"),
        (result.hash() != unit.result_hash, "BadOpening(result)"),
        (bytes(result.output_root) == ZERO_HASH, "BadOpening(output)"),
        (world.now > world.challenge_by(unit), "TooLate"),
        (len(unit.demands) == MOST_DEMANDS, "BadLength"),
        (world.books.free(sender) < terms.check_fee, "Insolvent"),
    )
    world.books.lock(sender, terms.check_fee)
    by = world.now + world.params.da_window
    unit.demands.append(Demand(chunk=chunk, by=by))
    world.emit("Demanded", unit=unit.id, chunk=chunk, by=by)


def supply(
    world: World,
    sender: Address,
    target: calls.Unit,
    result: Result,
    chunk: int,
    count: int,
    data: bytes,
    path: Sequence[Hash],
) -> None:
    """The bond is the supplier's: for its gas."""
    unit = get(world, target, Phase.REVEALED)
    asked = [demand for demand in unit.demands if demand.open and demand.chunk == chunk]
    in_time = [demand for demand in asked if world.now <= demand.by]
    require(
        (result.hash() != unit.result_hash, "BadOpening(result)"),
        (len(data) > CHUNK or not _proves(data, chunk, count, path, result), "BadOpening(chunk)"),
        (not asked, "BadOpening(demand)"),
        (bool(asked) and not in_time, "TooLate"),
    )
    if not in_time:
        raise Refused({"TooLate"})
    in_time[0].supplied = True
    fee = unit.terms.check_fee
    world.books.split([(unit.terms.requester, fee)], [(sender, fee)])
    world.emit("Supplied", unit=unit.id, chunk=chunk, data=data)


def _proves(data: bytes, chunk: int, count: int, path: Sequence[Hash], result: Result) -> bool:
    """Whether the path leads from the chunk (the last one, if there are fewer) to the output's root."""
    if count == 0:
        return False
    at, here, siblings = min(chunk, count - 1), leaf(data), list(path)
    while count > 1:
        if at ^ 1 < count:  # else it is the odd one, and moves up as it is
            if not siblings:
                return False
            there = siblings.pop(0)
            here = node(here, there) if at % 2 == 0 else node(there, here)
        at, count = at // 2, (count + 1) // 2
    return not siblings and bytes(here) == result.output_root
