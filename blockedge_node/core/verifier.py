"""A verifier: one revealed result that I recompute, and if it is wrong, report in two stages.

    Check ─▶ Checked(wrong) ─▶ CommitReport ─▶ RevealReport ─▶ Settle ─▶ CloseReports
         └─▶ Checked(right): nothing more, but remembered until the unit ends

| view     | facts                          | due                               | from … until                   |
|----------|--------------------------------|-----------------------------------|--------------------------------|
| REVEALED | not checked, < 3 reports       | Check                             | … challengeBy                  |
| REVEALED | wrong, no report of mine shown | CommitReport, if I can bond it    | … challengeBy                  |
| REVEALED | my report shown, not revealed  | RevealReport, at its shown index  | challengeBy … reportBy         |
| REVEALED | my report shown                | Settle, if the others do not      | its windows + GRACE …          |
| DISPUTED | a jury errs about my report    | Appeal                            | revealBy … appealBy            |
| DISPUTED | the case's rounds are over     | CloseRound, if the others do not  | appealBy + GRACE …             |
| terminal | my report's bond is still held | CloseReports                      | –                              |

Whose results: others' units of judged kinds, sampled by policy.verify_bps; court units that I requested, sampled by
verify_own_bps or where the revealed result is not the one that was delivered to me; others' court units, sampled by
verify_bps_court where there is a Court (without, only the requester may report those, §6.4); and what the operator
orders. Never my own work, nor a unit that I check as its drawn checker. The report's salt is drawn with the check
and kept: one report, one salt. Stage I hides the evidence, so that nobody can copy it into a report of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import (
    Action,
    Check,
    CloseReports,
    CommitReport,
    Note,
    RevealReport,
    Settle,
)
from blockedge_node.core.commitment import Role, commitment, evidence_hash
from blockedge_node.core.deadlines import challenge_by, report_by, settles
from blockedge_node.core.dispute import AGAINST_ACCUSER, appeal, close_round
from blockedge_node.core.events import CallMined, Checked, CheckFailed, Event, HeadSeen
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import Hash, Secret, TaskId, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.policy import free_for, samples
from blockedge_node.core.proving import open_reports
from blockedge_node.core.selection import has_jury, is_court
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.task import Result
from blockedge_node.core.unit import Phase, ReportView, Terms, UnitView
from blockedge_node.core.world import World

ENOUGH_REPORTS = 3  # only the first right one is paid: a fourth has little to win
BOND_SHARE = 20  # X = max(D/20, φ) (§6.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What I found, bound by one salt. `result_hash` is what the commitment hides: evidence or my result."""

    result_hash: Hash
    evidence: bytes
    salt: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    task: TaskId
    unit: UnitId
    court: bool
    checked: bool = False
    report: Report | None = None
    poor: bool = False  # the bond was not covered: noted once
    end: str = ""
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def may_report(view: UnitView, world: World) -> bool:
    """Whether a report of mine could count: a result is shown, the window is open, and it is not my own work, nor
    one that I check as its drawn checker.
    """
    if view.phase is not Phase.REVEALED or view.result is None or view.terms.worker == world.me:
        return False
    if world.now > challenge_by(view, world.params):
        return False
    if not is_court(view.terms.kind):
        return True
    if view.check is not None and view.check.author == world.me:
        return False
    return view.terms.requester == world.me or has_jury(view.terms.kind, world.params)


def wants(view: UnitView, delivered: Result | None, world: World) -> bool:
    """Whether I recompute this unit. `delivered`: the result that I got as its requester, if I did."""
    if not may_report(view, world):
        return False
    if not is_court(view.terms.kind):
        able = world.policy.verifier and view.terms.kind in world.policy.kinds
        return able and samples(view.unit, world.policy.verify_bps, world.me)
    if view.terms.requester != world.me:
        able = world.policy.verifier and view.terms.kind in world.policy.kinds
        return able and samples(view.unit, world.policy.verify_bps_court, world.me)
    differs = delivered is not None and delivered != view.result
    return differs or samples(view.unit, world.policy.verify_own_bps, world.me)


def begin(view: UnitView) -> Verifier:
    court = is_court(view.terms.kind)
    return Verifier(task=view.terms.task, unit=view.unit, court=court, view=view)


def my_report(state: Verifier, world: World) -> Hash | None:
    """The hash of stage I: always the same, None before something wrong was found."""
    mine = state.report
    if mine is None:
        return None
    return commitment(world.domain, state.unit, Role.REPORTER, world.me, mine.result_hash, mine.salt)


def step(state: Verifier, event: Event, world: World) -> tuple[Verifier, tuple[Note, ...]]:
    """Total: what is not this unit's changes nothing; the first check stands."""
    match event:
        case HeadSeen():
            return _look(state, event, world)
        case Checked(unit=state.unit, role=Role.REPORTER) if not state.checked:
            return _found(replace(state, checked=True), event)
        case CheckFailed(unit=state.unit, role=Role.REPORTER, reason=reason) if not state.checked:
            return replace(state, checked=True), (note(state.unit, "check.failed", reason=reason),)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return state, (story,)
        case _:
            return state, ()


def due(state: Verifier, world: World) -> tuple[Action, ...]:
    view = state.view
    if view is None:
        return ()
    if view.phase is Phase.REVEALED:
        return _in_window(state, view, world)
    mine = _shown(state, world)
    if mine is None:
        return ()
    if view.phase is Phase.DISPUTED:
        accused = mine.result_hash not in (None, view.result_hash)
        against_me = appeal(view, AGAINST_ACCUSER, world) if accused else ()
        return (*against_me, *close_round(view, world, spare=world.params.grace))
    if view.phase.terminal and not mine.closed:
        checks = tuple(index for index in open_reports(view) if index == 0)  # nobody else may care
        return (CloseReports(unit=state.unit, target=view.on_chain, indexes=(*checks, mine.index)),)
    return ()


def finished(state: Verifier, world: World) -> bool:
    """Not before its unit has ended: a verifier that found nothing is its own memory.

    If a reorg takes the unit away, one that has a report stays: should the unit return, so does the one salt.
    """
    view = state.view
    if view is None:
        return state.report is None
    mine = _shown(state, world)
    return view.phase.terminal and (mine is None or mine.closed)


def exposure(state: Verifier, world: World) -> int:
    """Wei of a bond that I am about to lock."""
    view = state.view
    stage_one = view and view.phase is Phase.REVEALED and world.now <= challenge_by(view, world.params)
    unlocked = stage_one and state.report and not _shown(state, world)
    return bond(view.terms, world.params) if view and unlocked else 0


def bond(terms: Terms, params: Params) -> int:
    """B in wei: X, and where a jury decides, the fees of its first round (§6.4)."""
    first_round = ROUNDS[0] * terms.check_fee if has_jury(terms.kind, params) else 0
    return max(terms.deposit // BOND_SHARE, terms.check_fee) + first_round


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def _in_window(state: Verifier, view: UnitView, world: World) -> tuple[Action, ...]:
    mine, revealed, now = _shown(state, world), view.result, world.now
    if mine and settles(view, world.params, now - world.params.grace):
        return (Settle(unit=state.unit, target=view.on_chain),)
    if revealed is None:
        return ()
    if now <= challenge_by(view, world.params):
        return () if mine else _first_stage(state, view, revealed, world)
    if mine and mine.result_hash is None and state.report and now <= report_by(view, world.params):
        return (
            RevealReport(
                unit=state.unit,
                target=view.on_chain,
                index=mine.index,
                author=world.me,
                result_hash=state.report.result_hash,
                salt=state.report.salt,
                request=view.request,
                revealed=revealed,
                output=view.output,
                evidence=state.report.evidence,
            ),
        )
    return ()


def _first_stage(state: Verifier, view: UnitView, revealed: Result, world: World) -> tuple[Action, ...]:
    if sum(1 for report in view.reports if report.index) >= ENOUGH_REPORTS:
        return ()
    hashed = my_report(state, world)
    if hashed:
        return () if state.poor else (CommitReport(unit=state.unit, target=view.on_chain, hash=hashed),)
    if state.checked:
        return ()
    return (
        Check(
            unit=view.unit,
            request=view.request,
            shard=view.terms.shard,
            result=revealed,
            output=view.output,
            wall=float(view.terms.vwin),
        ),
    )


def _shown(state: Verifier, world: World) -> ReportView | None:
    """My report as the chain shows it."""
    hashed = my_report(state, world)
    if state.view is None or hashed is None:
        return None
    mine = (r for r in state.view.reports if r.author == world.me and r.hash == hashed)
    return next(mine, None)


# ── what was found, what the chain shows ─────────────────────────────────────────────────────────────────


def _found(state: Verifier, event: Checked) -> tuple[Verifier, tuple[Note, ...]]:
    if not event.wrong:
        return state, (note(state.unit, "check.agrees"),)
    if state.court and event.result is None:
        return state, (note(state.unit, "check.failed", reason="no_result"),)
    hashed = event.result.hash() if state.court and event.result else evidence_hash(event.evidence)
    report = Report(result_hash=hashed, evidence=b"" if state.court else event.evidence, salt=event.salt)
    return replace(state, report=report), (note(state.unit, "check.wrong"),)


def _look(state: Verifier, event: HeadSeen, world: World) -> tuple[Verifier, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    state = replace(state, view=view)
    notes: list[Note] = []
    mine = _shown(state, world)
    if view and state.report and not mine and view.phase is Phase.REVEALED:
        needed = bond(view.terms, world.params)
        poor = free_for(world, report_by(view, world.params)) + exposure(state, world) < needed
        if poor and not state.poor:
            notes.append(note(state.unit, "report.none.balance", needed=needed))
        state = replace(state, poor=poor)
    if view and view.phase.terminal and mine and not state.end:
        code = f"report.{'right' if _was_right(state, view) else 'ended'}"
        notes.append(note(state.unit, code, index=mine.index, phase=view.phase.name.lower()))
        state = replace(state, end=code)
    return state, tuple(notes)


def _was_right(state: Verifier, view: UnitView) -> bool:
    """Of a jury's conviction, only who had the final hash was right; silence or evidence convicts for all."""
    if view.phase is not Phase.SLASHED or state.report is None:
        return False
    return view.final_hash is None or view.final_hash == state.report.result_hash
