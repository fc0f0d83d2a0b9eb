"""commitReport, revealReport, closeReports: a hash and a bond first, then what it stands for (§6.4)."""

from __future__ import annotations

from collections.abc import Sequence

from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import NO_INPUT
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash
from blockedge_node.core.merkle import leaf
from blockedge_node.core.unit import Phase
from tests.model import calls, pow, tickets
from tests.model.calls import Proof, ReportOpening
from tests.model.living import get
from tests.model.objections import Refused, broken, require
from tests.model.world import RULED, Report, Stage, Unit, World, find

FIRST_ROUND = 5  # seats: K₀
ALPHA = 10  # φ at stake of whoever answers for another's result
MOST_CLOSED = 16  # reports in one call


def charge(unit: Unit) -> int:
    """X: what a false accuser loses, half of it to the accused."""
    return max(unit.terms.deposit // 20, unit.terms.check_fee)


def bond(world: World, unit: Unit) -> int:
    """B: X, and for court kinds what the first round's jurors cost."""
    jury = FIRST_ROUND * unit.terms.check_fee if world.has_court and unit.court else 0
    return charge(unit) + jury


def commit_report(world: World, sender: Address, target: calls.Unit, hash: Hash) -> None:
    unit = get(world, target, Phase.REVEALED)
    amount = bond(world, unit)
    # Without jurors nobody can tell who of two is right; only the requester has I to lose by lying.
    jury = world.has_court or not unit.court or sender == unit.terms.requester
    require(
        (world.now > world.challenge_by(unit), "TooLate"),
        (sender == unit.terms.worker, "Ineligible(worker)"),
        (not jury, "NotCourt"),
        (world.books.free(sender) < amount, "Insolvent"),
    )
    world.books.lock(sender, amount)
    unit.reporters.add(sender)
    index = unit.bonded + 1
    unit.reports[index] = Report(author=sender, hash=hash, bond=amount)
    world.emit("Reported", unit=unit.id, index=index, author=sender, hash=hash)


def reveal_report(
    world: World, sender: Address, target: calls.Unit, index: int, opening: ReportOpening, proof: Proof
) -> None:
    unit = get(world, target, Phase.REVEALED)
    opens = world.challenge_by(unit)
    report = unit.reports.get(index)
    reasons = broken(
        (world.now <= opens, "TooEarly"),
        (world.now > opens + world.params.report, "TooLate"),
        (report is None or report.stage != Stage.COMMITTED, "BadPhase"),
    )
    if report is not None and report.stage == Stage.COMMITTED:
        reasons |= broken((not _opens(world, unit, index, report, opening), "BadOpening(report)"))
    if not unit.court:
        reasons |= _flaws_of_proof(world, unit, opening, proof)
    if reasons:
        raise Refused(reasons)
    assert report is not None

    report.stage = Stage.REVEALED
    report.hash = Hash(opening.result_hash)
    if unit.court:
        agrees = opening.result_hash == unit.result_hash
        report.kept = keccak256(opening.salt) if index == 0 and agrees else None
        report.verdict = pow.RIGHT if agrees else pow.UNKNOWN
        accuses = not agrees
    else:
        report.verdict = pow.verdict(
            proof.request, unit.terms.shard, proof.data, proof.result, proof.output, proof.evidence
        )
        accuses = report.verdict == pow.WRONG
    unit.revealed += report.kept is None
    if accuses:
        unit.best = index if unit.best is None else min(unit.best, index)
    if world.has_court and unit.court:
        unit.salts ^= int.from_bytes(keccak256(opening.salt)[:16] + bytes(16), "big")
    world.emit(
        "ReportRevealed",
        unit=unit.id,
        index=index,
        resultHash=opening.result_hash,
        verdict=report.verdict,
        evidence=proof.evidence,
    )


def _opens(world: World, unit: Unit, index: int, report: Report, opening: ReportOpening) -> bool:
    role = Role.REPORTER if index else Role.CHECKER
    hidden = commitment(
        world.domain,
        unit.id,
        role,
        opening.author,
        opening.result_hash,  # type: ignore[arg-type]
        opening.salt,  # type: ignore[arg-type]
    )
    return opening.author == report.author and hidden == report.hash


def _flaws_of_proof(world: World, unit: Unit, opening: ReportOpening, proof: Proof) -> frozenset[str]:
    """What the judge is shown must be this unit's record."""
    root = proof.result.output_root
    absent = not proof.output and root == ZERO_HASH
    return broken(
        (keccak256(proof.evidence) != opening.result_hash, "BadOpening(evidence)"),
        (proof.request.task(world.domain) != unit.terms.task, "BadOpening(request)"),
        (leaf(proof.data) != proof.request.input_root, "BadOpening(data)"),
        (proof.result.hash() != unit.result_hash, "BadOpening(result)"),
        (not absent and leaf(proof.output) != root, "BadOpening(output)"),
        (world.starved, "LowGas"),  # else one could spoil another's report by starving its judge
    )


# ── bonds ────────────────────────────────────────────────────────────────────────────────────────────────


def close_reports(world: World, sender: Address, target: calls.Unit, indices: Sequence[int]) -> None:
    require((len(indices) > MOST_CLOSED, "BadLength"))
    unit, _ = find(world, target)
    require((unit is None or unit.phase < Phase.PAID, "BadPhase"))
    assert unit is not None
    require((target != unit.shown_as(), "BadUnit"))
    for index in indices:
        report = unit.reports.get(index)
        if report is None or report.stage == Stage.CLOSED:
            world.emit("Skipped", unit=unit.id, reason=frozenset({"BadPhase"}))
            continue
        back = 0
        if index == 0:
            report.ended = _close_check(world, unit, report)
        else:
            report.ended, back, to_worker = _shares(world, unit, report)
            gets = [(report.author, back), (unit.terms.worker, to_worker)]
            world.books.split([(report.author, report.bond)], gets)
        report.stage = Stage.CLOSED
        world.emit("ReportClosed", unit=unit.id, index=index, returned=back)


def _shares(world: World, unit: Unit, report: Report) -> tuple[str, int, int]:
    """A row of §6.4's table; of a bond, what its author gets back, and what the accused gets. The rest burns."""
    bond, x = report.bond, charge(unit)
    if unit.court and unit.phase == Phase.REFUSED:
        return "of a refused unit", bond, 0  # over a demand, perhaps before anybody could reveal
    if report.stage == Stage.COMMITTED:
        return "never revealed", 0, 0  # whatever became of the unit
    if not unit.court:
        return ("right", bond, 0) if report.verdict == pow.WRONG else ("wrong", 0, x // 2)
    if unit.phase == Phase.UNRESOLVED:
        return "of an unresolved unit", bond, 0
    if report.verdict == pow.RIGHT:
        return "agreed", bond * 90 // 100, 0  # reported for nothing
    if unit.phase == Phase.PAID and unit.final_hash == NO_INPUT:
        return "wrong, but nobody could see", bond, 0
    if unit.phase == Phase.PAID:
        return "wrong", bond - x, x // 2
    if not unit.flags & RULED:
        return "right by default", bond, 0
    return ("right", bond, 0) if report.hash == unit.final_hash else ("wrong as well", bond - x, 0)


def _close_check(world: World, unit: Unit, check: Report) -> str:
    """A checker has no bond: its ticket answers, for α if it was silent or agreed with a lie, for X if it accused
    an innocent worker, be it by the silence that called the jury. A unit that was never revealed, or is refused,
    asks nothing of its checker.
    """
    assert unit.ticket is not None
    alpha, x, fine = ALPHA * unit.terms.check_fee, charge(unit), 0
    how, to_worker = "right", False
    if unit.active == Phase.COMMITTED or unit.phase == Phase.REFUSED:
        how = "without a result"
    elif check.stage == Stage.COMMITTED and unit.best is None and unit.defended:
        how = "silent, charged before"  # α, for the jury that its silence called
        if unit.phase == Phase.PAID and unit.final_hash != NO_INPUT:
            how, fine, to_worker = "silent, and the worker innocent", x, True
    elif check.stage == Stage.COMMITTED:
        how, fine = "silent", alpha
    elif check.verdict == pow.RIGHT and unit.phase == Phase.SLASHED and unit.flags & RULED:
        how, fine = "agreed with a lie", alpha
    elif check.verdict != pow.RIGHT and unit.phase == Phase.PAID and unit.final_hash != NO_INPUT:
        how, fine, to_worker = "wrong", x, True
    taken = tickets.take(world, unit.ticket, fine)
    world.books.split([], [(unit.terms.worker, taken // 2)] if to_worker else [], came=taken)
    return f"check {how}"
