"""The spot check (§6.2, §6.3): draw, commitCheck, and fineChecker for a checker that never came."""

from __future__ import annotations

from blockedge_node.core.commitment import draw_commit
from blockedge_node.core.court import SeatProof
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import Address, Hash
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.unit import Phase
from tests.model import calls, tickets
from tests.model.living import get
from tests.model.objections import Refused, broken, require
from tests.model.world import CHECK_MISSED, Report, Unit, World


def draw(world: World, sender: Address, target: calls.Unit, secret: Hash, guard_r: Hash) -> None:
    unit = get(world, target, Phase.COMMITTED)
    seed = draw_seed(secret, unit.commitment)  # type: ignore[arg-type]
    opens = draw_commit(secret, guard_r) == unit.terms.draw_commit  # type: ignore[arg-type]
    require(
        (not opens, "BadOpening(secret)"),
        (world.now > world.secret_by(unit), "TooLate"),
        (not drawn(seed, unit.terms.spot_bps), "NotDrawn"),
        (unit.drawn, "BadOpening(drawn)"),
    )
    unit.draw_seed = seed
    world.emit("Drawn", unit=unit.id, secret=secret, guardR=guard_r)


def commit_check(world: World, sender: Address, target: calls.Unit, proof: SeatProof, hash: Hash) -> None:
    unit = get(world, target, Phase.COMMITTED)
    require((not unit.drawn, "NotDrawn"))
    seat = _checker(world, unit)
    reasons = broken(
        (world.now > world.check_by(unit), "TooLate"),
        (unit.checked is not None, "BadPhase"),
        (seat is None or seat[2] != sender, "NotSeat"),
    )
    reasons |= tickets.why_not_drawn(world, proof, unit.since, seat)
    if reasons or seat is None:
        raise Refused(reasons)
    unit.ticket = seat[1]
    unit.reports[0] = Report(author=sender, hash=hash)
    unit.reporters.add(sender)
    world.emit("CheckCommitted", unit=unit.id, ticket=unit.ticket, author=sender, hash=hash)


def fine_checker(
    world: World, sender: Address, target: calls.Unit, seed: Hash, committed_at: int, proof: SeatProof
) -> None:
    """min(φ, SEAT/20) of the drawn ticket burns: small, as the requester may have starved it of input."""
    ended = (Phase.PAID, Phase.SLASHED, Phase.REFUSED, Phase.UNRESOLVED)
    unit = get(world, target, Phase.REVEALED, *ended)
    missed = unit.flags & CHECK_MISSED and unit.challenge_by == 0  # a dispute writes over the hint
    require((not missed, "NotDrawn"))
    require((hash_words(seed, committed_at) != unit.words()[3], "BadOpening(draw)"))
    seat = _checker(world, unit)
    reasons = broken((unit.fined, "BadPhase"))
    reasons |= tickets.why_not_drawn(world, proof, unit.committed_at, seat)
    if reasons or seat is None:
        raise Refused(reasons)
    unit.fined = True
    fine = tickets.take(world, seat[1], min(unit.terms.check_fee, world.params.seat // 20))
    world.books.split([], [], came=fine)
    world.emit("CheckMissed", unit=unit.id, ticket=seat[1], fine=fine)


def _checker(world: World, unit: Unit) -> tickets.Seat | None:
    """Seat 0 of the draw, as of the commitment: neither party could know then whom it would be."""
    assert unit.draw_seed is not None
    parties = {unit.terms.worker, unit.terms.requester}
    return tickets.sitting(world, unit.draw_seed, 0, unit.committed_at, parties)
