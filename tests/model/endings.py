"""Who gets what when a unit ends: the table of §7.1, one function a row.

    locked                 by the requester: I + fee + φ              by the worker: its deposit D
    PAID                   I → worker, fee burns, φ: see `check_fee`  back
    SLASHED, convicted     back                                       50 % requester, 20 % detector, 30 % burns
    SLASHED, withheld      back                                       50 % requester (φ of it a checker's), 50 % burns
    REFUSED after an Ack   back                                       10 % (5 % if R ≥ 0.8): half requester
    REFUSED without        back                                       min(1 %, I) burns
    UNRESOLVED             back; without a court I and fee burn       back

What nobody gets burns, roundings included (Books.split).
"""

from __future__ import annotations

from collections.abc import Sequence

from blockedge_node.core.ids import Address
from blockedge_node.core.reputation import after_paid, after_refused, after_slashed, score
from blockedge_node.core.unit import Phase
from tests.model.books import Share
from tests.model.pow import RIGHT
from tests.model.world import CHECK_MISSED, Stage, Unit, World

TRUSTED = 800_000  # ppm of R from which refusing costs half


def paid(world: World, unit: Unit, *, shown: bool, known: bool = True, how: str = "") -> None:
    """`shown`: the draw secret is; hiding it earns nobody points. `known`: that the result is right; jurors who had
    no input could not say.
    """
    terms = unit.terms
    how = how or ("in time" if shown else "secretless")
    record, scored = world.reps[terms.worker], shown and known
    after = after_paid(record, world.now, terms.price, terms.deposit, world.params, shown=scored)
    world.record(terms.worker, after)
    gets = [(terms.worker, terms.price + terms.deposit), *check_fee(unit, shown=shown)]
    end(world, unit, Phase.PAID, how, gets, to_worker=terms.deposit)


def check_fee(unit: Unit, *, shown: bool) -> list[Share]:
    """φ of a PAID unit: a checker's that agreed; burned if the draw was hidden or the check missed; else back."""
    checker = unit.checked
    if checker is not None and checker.stage == Stage.REVEALED and checker.verdict == RIGHT:
        return [(checker.author, unit.terms.check_fee)]
    if not shown or unit.flags & CHECK_MISSED:
        return []
    return [(unit.terms.requester, unit.terms.check_fee)]


def convicted(
    world: World,
    unit: Unit,
    how: str,
    detector: Address | None,
    *,
    spent: int = 0,
) -> None:
    """`spent`: what of D the jury's funders have got before."""
    terms = unit.terms
    _blame(world, unit)
    rest = terms.deposit - spent
    gets = [(terms.requester, world.escrow(terms) + rest * 50 // 100)]
    if detector is not None:
        gets.append((detector, rest * 20 // 100))
    end(world, unit, Phase.SLASHED, how, gets, spent=spent)


def withheld(world: World, unit: Unit) -> None:
    terms = unit.terms
    _blame(world, unit)
    half = terms.deposit // 2
    checker = unit.checked
    fee = terms.check_fee if checker is not None else 0
    gets = [(terms.requester, world.escrow(terms) + half - fee)]
    if checker is not None:
        gets.append((checker.author, fee))
    end(world, unit, Phase.SLASHED, "withheld from a checker" if checker else "withheld", gets)


def refused(world: World, unit: Unit, *, acknowledged: bool) -> None:
    terms = unit.terms
    if acknowledged:
        record = world.reps[terms.worker]
        trusted = score(record, world.now, world.params) >= TRUSTED
        fine = terms.deposit // (20 if trusted else 10)
        to_requester = fine // 2
        world.record(terms.worker, after_refused(record, world.now, terms.price, terms.deposit))
    else:
        fine, to_requester = min(terms.deposit // 100, terms.price), 0
    back = terms.deposit - fine
    gets = [(terms.requester, world.escrow(terms) + to_requester), (terms.worker, back)]
    how = "without an Ack" if not acknowledged else "trusted" if trusted else "after an Ack"
    if unit.active == Phase.REVEALED:
        how = "a demand unanswered"
    end(world, unit, Phase.REFUSED, how, gets, to_worker=back)


def unresolved(world: World, unit: Unit, how: str) -> None:
    terms = unit.terms
    back = world.escrow(terms) if world.has_court else terms.check_fee
    gets = [(terms.requester, back), (terms.worker, terms.deposit)]
    end(world, unit, Phase.UNRESOLVED, how, gets, to_worker=terms.deposit)


def end(
    world: World,
    unit: Unit,
    phase: Phase,
    how: str,
    gets: Sequence[Share],
    *,
    to_worker: int = 0,
    spent: int = 0,
) -> None:
    """`to_worker`: what of D it gets back; `spent`: what of it has gone before."""
    terms = unit.terms
    locks = [(terms.requester, world.escrow(terms)), (terms.worker, terms.deposit - spent)]
    world.books.split(locks, gets)
    unit.phase, unit.since, unit.ended = phase, world.now, how
    price = terms.price if phase == Phase.PAID else 0
    world.emit("Settled", unit=unit.id, phase=phase, paid=price, slashed=terms.deposit - to_worker)


def _blame(world: World, unit: Unit) -> None:
    terms = unit.terms
    after = after_slashed(world.reps[terms.worker], world.now, terms.price, terms.deposit)
    world.record(terms.worker, after)
