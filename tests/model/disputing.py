"""A contradicted unit on its way to the jury and back: showJury, defend, and what a ruling does (§6.5, §7.1)."""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.commitment import draw_commit, guard
from blockedge_node.core.court import NO_INPUT, Case
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.sortition import jury_seed
from blockedge_node.core.unit import Phase
from tests.model import calls, endings, tickets
from tests.model.books import Share
from tests.model.living import get
from tests.model.objections import Refused, require
from tests.model.reporting import ALPHA, FIRST_ROUND, charge
from tests.model.world import RULED, SHOWN, Dispute, Report, Round, Stage, Unit, World


def show_jury(world: World, sender: Address, target: calls.Unit, secret: Hash, s_r: Hash) -> None:
    unit = get(world, target, Phase.DISPUTED)
    opens = draw_commit(secret, guard(s_r)) == unit.terms.draw_commit  # type: ignore[arg-type]
    require(
        (not opens, "BadOpening(secret)"),
        (unit.jury_secret != ZERO_HASH, "BadOpening(shown)"),
        (world.now > world.jury_shown_by(unit), "TooLate"),
    )
    unit.jury_secret = s_r
    world.emit("JuryShown", unit=unit.id, sR=s_r)


def defend(world: World, sender: Address, target: calls.Unit, s_w: Hash, number: int) -> None:
    """The worker's last secret: the jury is drawn, and the accuser's bond pays it."""
    unit = get(world, target, Phase.DISPUTED)
    hidden = unit.jury_secret == ZERO_HASH and world.now <= world.jury_shown_by(unit)
    require(
        (guard(s_w) != unit.guard, "BadOpening(guard)"),  # type: ignore[arg-type]
        (hidden, "TooEarly"),
        (world.now > world.defend_by(unit), "TooLate"),
        (unit.defended, "BadOpening(defended)"),
        (number != tickets.old_enough(world, unit.challenge_by), "BadSnapshot"),
    )
    unit.defended = True
    world.emit("Defended", unit=unit.id, sW=s_w)
    accuser = accuser_of(unit)
    pot = _first_pot(world, unit, accuser)
    terms = unit.terms
    case = Case(
        unit=unit.id,
        seed=jury_seed(s_w, unit.jury_secret, Hash(unit.salts.to_bytes(32, "big"))),  # type: ignore[arg-type]
        accused=unit.result_hash,
        worker=terms.worker,
        requester=terms.requester,
        accuser=accuser.author if accuser else ZERO_ADDRESS,
        snapshot=unit.challenge_by,
        tickets=number,
        vwin=terms.vwin,
        fee=terms.check_fee,
    )
    first = Round(world.now, case.accuser, pot)
    world.disputes[unit.id] = Dispute(case=case, rounds=[first], bonded=bool(unit.best))
    world.emit("CaseOpened", unit=unit.id, case_=case.values())


def accuser_of(unit: Unit) -> Report | None:
    """None: the drawn checker kept silent, and nobody else contradicts."""
    return None if unit.best is None else unit.reports[unit.best]


def _first_pot(world: World, unit: Unit, accuser: Report | None) -> int:
    """5 φ: of the accuser's bond, or of its ticket if it is the checker. A silent checker's ticket pays α."""
    fees = FIRST_ROUND * unit.terms.check_fee
    if unit.best:
        assert accuser is not None
        world.books.split([(accuser.author, fees)], [], left=fees)
        accuser.bond -= fees
        world.court_ether += fees
        return fees
    assert unit.ticket is not None
    return tickets.charge(world, unit.ticket, fees if accuser else ALPHA * unit.terms.check_fee)


def rule_by_anybody(world: World, sender: Address, *_: object) -> None:
    """BlockEdge listens to its Court only."""
    raise Refused({"NotCourt"})


# ── the ruling ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Ruling:
    outcome: Phase
    final_hash: Hash
    dues: list[Share]  # owed to those who paid for the rounds; the first: the accuser
    pool: int  # what is left of the pots: comes with the ruling
    fines: int  # of jurors: come along, and burn
    seats: int  # of the last round


def rule(world: World, unit: Unit, ruling: Ruling) -> None:
    """Dues first: from the pool, then from the loser's X or D as far as it reaches. Then the unit's own end."""
    accuser, terms = accuser_of(unit), unit.terms
    right = accuser is not None and accuser.hash == ruling.final_hash
    unit.flags |= RULED
    unit.final_hash = ruling.final_hash
    world.emit("Ruled", unit=unit.id, finalHash=ruling.final_hash)

    acquitted = ruling.outcome == Phase.PAID and ruling.final_hash != NO_INPUT
    convicted = ruling.outcome == Phase.SLASHED
    x = charge(unit) if unit.best else 0  # a checker's ticket pays its X later, in closeReports
    reserve = terms.deposit if convicted else x if acquitted else 0
    dues = ruling.dues[1:] if convicted and not right else ruling.dues
    paid = _as_far_as(ruling.pool + reserve, dues)
    spent = max(0, sum(amount for _, amount in paid) - ruling.pool)

    locks: list[Share] = [(terms.worker, spent)] if convicted else []
    gets, back = list(paid), 0
    if accuser is not None and unit.best:
        locks.append((accuser.author, x))
        if acquitted:  # a false accusation pays the accused
            gets.append((terms.worker, (x - spent) // 2))
        else:
            back = 0 if convicted and not right else x
            gets.append((accuser.author, back))
    world.books.split(locks, gets, came=ruling.pool + ruling.fines)
    if accuser is not None and unit.best:
        accuser.stage = Stage.CLOSED
        accuser.ended = f"accuser, {'right' if right else 'wrong'} in {ruling.outcome.name}"
        world.emit("ReportClosed", unit=unit.id, index=unit.best, returned=back)
    _end(world, unit, ruling, spent)


def _end(world: World, unit: Unit, ruling: Ruling, spent: int) -> None:
    how = f"by a jury of {ruling.seats}"
    if ruling.outcome == Phase.SLASHED:
        same = [i for i, r in unit.reports.items() if _showed(r) and r.hash == ruling.final_hash]
        detector = unit.reports[min(same)].author if same else None
        endings.convicted(world, unit, how, detector, spent=spent)
    elif ruling.outcome == Phase.PAID:
        known = ruling.final_hash != NO_INPUT
        how += "" if known else " without input"
        endings.paid(world, unit, shown=bool(unit.flags & SHOWN), known=known, how=how)
    else:
        endings.unresolved(world, unit, how)


def _showed(report: Report) -> bool:
    """It revealed a hash; the accuser's bond may be gone already."""
    return report.stage != Stage.COMMITTED


def _as_far_as(money: int, dues: list[Share]) -> list[Share]:
    paid = []
    for who, due in dues:
        paid.append((who, min(due, money)))
        money -= paid[-1][1]
    return paid
