"""commit, reveal, settle, timeout: a unit's way to its end when nobody disputes it (§3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from blockedge_node.core.commitment import Role, commitment, draw_commit
from blockedge_node.core.ids import ZERO_HASH, Address, Hash
from blockedge_node.core.merkle import CHUNK, leaf
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Commit, Mode, Result
from blockedge_node.core.unit import Phase
from tests.model import calls, endings
from tests.model.calls import Opening, Shown
from tests.model.objections import Refused, Rule, broken, require, word
from tests.model.registering import commit_to, signed
from tests.model.world import CHECK_MISSED, DRAWN, SHOWN, Stage, Unit, World, find

Item = TypeVar("Item")


def commit(
    world: World,
    sender: Address,
    targets: Sequence[calls.Unit],
    commitments: Sequence[Hash],
    sigs: Sequence[bytes],
) -> None:
    require((not len(targets) == len(commitments) == len(sigs), "BadLength"))
    for target, hash, sig in zip(targets, commitments, sigs, strict=True):
        terms = target.terms
        struct = Commit(unit=terms.unit, terms_hash=terms.terms_hash(), commitment=hash)
        require((not signed(sender, terms.worker, struct, sig, world.domain), "BadSignature"))

    def late(unit: Unit, _: Hash) -> list[Rule]:
        return [(world.now > world.result_by(unit), "TooLate")]

    _each(world, targets, commitments, _in(Phase.ASSIGNED), late, lambda u, hash: commit_to(world, u, hash))


# ── reveal ───────────────────────────────────────────────────────────────────────────────────────────────


def reveal(world: World, sender: Address, targets: Sequence[calls.Unit], openings: Sequence[Opening]) -> None:
    require((len(targets) != len(openings), "BadLength"))
    if flaws := [f for t, o in zip(targets, openings, strict=True) for f in _flaws_of_opening(world, t, o)]:
        raise Refused(flaws)

    def waits(unit: Unit, opening: Opening) -> list[Rule]:
        return [
            (world.now > world.reveal_by(unit), "TooLate"),
            *_waits_for_draw(world, unit, opening),
        ]

    def show(unit: Unit, opening: Opening) -> None:
        unit.flags = _flags(world, unit, opening)
        unit.result_hash = opening.result.hash()
        unit.guard = Hash(opening.guard)
        unit.phase = unit.active = Phase.REVEALED
        unit.since = world.now
        world.emit(
            "Revealed",
            unit=unit.id,
            resultHash=unit.result_hash,
            guard=unit.guard,
            flags=unit.flags,
            output=opening.output,
        )

    _each(world, targets, openings, _in(Phase.COMMITTED), waits, show)


def _flaws_of_opening(world: World, target: calls.Unit, opening: Opening) -> frozenset[str]:
    terms, result, output = target.terms, opening.result, opening.output
    hidden = commitment(
        world.domain,
        terms.unit,
        Role.WORKER,
        terms.worker,
        result.hash(),
        opening.salt,  # type: ignore[arg-type]
        guard=opening.guard,  # type: ignore[arg-type]
    )
    shown = Shown(secret=opening.secret, guard_r=opening.guard_r)
    return broken(
        (hidden != target.data[0], "BadOpening(commitment)"),
        (shown.given and not _opens_draw(target, shown), "BadOpening(secret)"),
        (
            not (_may_lack_output(world, target, opening) or _shows_output(result, output)),
            "BadOpening(output)",
        ),
    )


def _opens_draw(target: calls.Unit, shown: Shown) -> bool:
    return draw_commit(shown.secret, shown.guard_r) == target.terms.draw_commit  # type: ignore[arg-type]


def _may_lack_output(world: World, target: calls.Unit, opening: Opening) -> bool:
    """An error exit has none; with a court, any of a court kind can be demanded later (§10)."""
    if opening.output:
        return False
    failed = opening.result.exit != 0 and opening.result.output_root == ZERO_HASH
    demandable = world.has_court and target.terms.kind != 1
    return failed or demandable or bool(target.terms.mode & Mode.NO_DEMAND)


def _shows_output(result: Result, output: bytes) -> bool:
    return len(output) <= CHUNK and leaf(output) == result.output_root


def _waits_for_draw(world: World, unit: Unit, opening: Opening) -> list[Rule]:
    """Nothing is revealed before it is known whether a checker has to commit first."""
    if unit.terms.spot_bps == 0:
        return []
    if unit.drawn:
        waits = unit.checked is None and world.now <= world.check_by(unit)
        return [(waits, "CheckPending")]
    in_time = world.now <= world.secret_by(unit)
    if opening.secret == ZERO_HASH and opening.guard_r == ZERO_HASH:
        return [(in_time, "TooEarly")]
    return [(in_time and _shows_drawn(unit, opening.secret), "CheckPending")]


def _shows_drawn(unit: Unit, secret: bytes) -> bool:
    return drawn(draw_seed(secret, unit.commitment), unit.terms.spot_bps)  # type: ignore[arg-type]


def _flags(world: World, unit: Unit, opening: Opening) -> int:
    if unit.terms.spot_bps == 0:
        return SHOWN
    if unit.drawn:
        return DRAWN | SHOWN | (CHECK_MISSED if unit.checked is None else 0)
    given = opening.secret != ZERO_HASH or opening.guard_r != ZERO_HASH
    return SHOWN if given and not _shows_drawn(unit, opening.secret) else 0


# ── endings ──────────────────────────────────────────────────────────────────────────────────────────────


def settle(world: World, sender: Address, targets: Sequence[calls.Unit], secrets: Sequence[Shown]) -> None:
    require((len(targets) != len(secrets), "BadLength"))
    pairs = list(zip(targets, secrets, strict=True))
    require(*((shown.given and not _opens_draw(t, shown), "BadOpening(secret)") for t, shown in pairs))

    def is_shown(unit: Unit, shown: Shown) -> bool:
        return bool(unit.flags & SHOWN) or (shown.given and not _shows_drawn(unit, shown.secret))

    def open_still(unit: Unit, shown: Shown) -> list[Rule]:
        closes = world.report_by(unit) if unit.reports else world.challenge_by(unit)
        if not is_shown(unit, shown):  # strangers must not burn φ by coming first without the secret
            closes = max(closes, world.challenge_by(unit) + world.params.grace)
        # A contradicted unit goes to the jury, whatever was asked for. A check not shown contradicts in the end.
        waits = any(demand.open for demand in unit.demands) and not contradicted(unit)
        return [(world.now <= closes, "TooEarly"), (waits, "DemandOpen")]

    def contradicted(unit: Unit) -> bool:
        silent = unit.checked is not None and unit.checked.stage == Stage.COMMITTED
        return world.has_court and unit.court and (silent or unit.best is not None)

    def decide(unit: Unit, shown: Shown) -> None:
        silent = unit.checked is not None and unit.checked.stage == Stage.COMMITTED
        if unit.best is None and not silent:
            endings.paid(world, unit, shown=is_shown(unit, shown))
        elif not unit.court:
            assert unit.best is not None
            endings.convicted(world, unit, "by evidence", unit.reports[unit.best].author)
        elif not world.has_court:
            endings.unresolved(world, unit, "without a court")
        else:
            _drop_demands(world, unit)
            unit.flags |= SHOWN if is_shown(unit, shown) else 0
            unit.challenge_by = world.challenge_by(unit)
            unit.phase = unit.active = Phase.DISPUTED
            unit.since = world.now
            world.emit("Disputed", unit=unit.id, challengeBy=unit.challenge_by, flags=unit.flags)

    _each(world, targets, secrets, _in(Phase.REVEALED), open_still, decide)


def timeout(world: World, sender: Address, targets: Sequence[calls.Unit]) -> None:
    """Anybody's call after a deadline that a worker (a requester's demand, a defendant) let pass."""

    def early(unit: Unit, _: calls.Unit) -> list[Rule]:
        match unit.phase:
            case Phase.ASSIGNED:
                return [(world.now <= world.result_by(unit), "TooEarly")]
            case Phase.COMMITTED:
                return [(world.now <= world.reveal_by(unit), "TooEarly")]
            case Phase.REVEALED:
                return [(world.now <= min(d.by for d in unit.demands if d.open), "TooEarly")]
            case _:
                return [(world.now <= world.defend_by(unit), "TooEarly")]

    def end(unit: Unit, _: calls.Unit) -> None:
        match unit.phase:
            case Phase.ASSIGNED:
                endings.refused(world, unit, acknowledged=unit.start_at != 0)
            case Phase.COMMITTED:
                endings.withheld(world, unit)
            case Phase.REVEALED:
                _drop_demands(world, unit)
                endings.refused(world, unit, acknowledged=True)
            case _:
                accuser = unit.reports[unit.best].author if unit.best is not None else None
                endings.convicted(world, unit, "by default", accuser)

    def has_exit(unit: Unit) -> bool:
        waits = any(demand.open for demand in unit.demands)
        return (
            unit.phase in (Phase.ASSIGNED, Phase.COMMITTED)
            or (unit.phase == Phase.REVEALED and waits and unit.best is None)
            or (unit.phase == Phase.DISPUTED and not unit.defended)
        )

    _each(world, targets, targets, has_exit, early, end)


def _drop_demands(world: World, unit: Unit) -> None:
    """The bonds of those that nobody answered go back."""
    bonds = [(unit.terms.requester, unit.terms.check_fee) for demand in unit.demands if demand.open]
    world.books.split(bonds, bonds)
    for demand in unit.demands:
        demand.gone = True


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────


def _each(
    world: World,
    targets: Sequence[calls.Unit],
    items: Sequence[Item],
    fits: Callable[[Unit], bool],
    obstacles: Callable[[Unit, Item], list[Rule]],
    act: Callable[[Unit, Item], None],
) -> None:
    """One item after the other on live state: `act`, or Skipped with a reason (invariant 16)."""
    for target, item in zip(targets, items, strict=True):
        unit, key = find(world, target)
        reasons = why_not(unit, target, fits)
        if not reasons and unit is not None:
            reasons = broken(*obstacles(unit, item))
        if reasons or unit is None:
            world.emit("Skipped", unit=key, reason=frozenset(map(word, reasons)))
        else:
            act(unit, item)


def why_not(unit: Unit | None, target: calls.Unit, fits: Callable[[Unit], bool]) -> frozenset[str]:
    """The gates of every call: the unit is in a phase that fits, and is what the caller says."""
    if unit is None:
        return frozenset({"BadPhase"})
    return broken((not fits(unit), "BadPhase"), (target != unit.shown_as(), "BadUnit"))


def _in(*phases: Phase) -> Callable[[Unit], bool]:
    return lambda unit: unit.phase in phases


def get(world: World, target: calls.Unit, *phases: Phase) -> Unit:
    """The same for single calls, which revert."""
    unit, _ = find(world, target)
    if reasons := why_not(unit, target, _in(*phases)):
        raise Refused(reasons)
    assert unit is not None
    return unit
