"""What is said about another's result, in two stages."""

from __future__ import annotations

from blockedge_node.core.actions import (
    Check,
    CloseReports,
    CommitCheck,
    CommitReport,
    RevealReport,
)
from blockedge_node.core.checker import my_check
from blockedge_node.core.commitment import Role
from blockedge_node.core.deadlines import (
    challenge_by,
    report_by,
)
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.unit import Phase
from blockedge_node.core.verifier import my_report
from blockedge_node.core.worker import REPORTS_A_CALL

RULES: list[Rule] = []
rule = registrar(RULES)


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────


@rule("nobody judges their own work: a report on it is refused, a check of it worthless (§6.4)")
def never_check_or_report_own_work(case: Case) -> bool:
    match case.action:
        case Check(unit=unit) | CommitReport(unit=unit) | CommitCheck(unit=unit) | RevealReport(unit=unit):
            view = case.view(unit)
            return view is None or view.terms.worker == case.world.me
        case _:
            return False


@rule("stage I hides what stage II shows; out of its window either reverts (§3.3)")
def report_only_in_its_window(case: Case) -> bool:
    params, now = case.world.params, case.world.now
    match case.action:
        case Check(unit=unit, role=Role.REPORTER) | CommitReport(unit=unit):
            view = case.view(unit)
            return view is None or view.phase is not Phase.REVEALED or now > challenge_by(view, params)
        case RevealReport(unit=unit):
            view = case.view(unit)
            if view is None or view.phase is not Phase.REVEALED:
                return True
            return not challenge_by(view, params) < now <= report_by(view, params)
        case _:
            return False


@rule("two salts for one report would be two bonds for one fault (inv. 18)")
def one_salt_per_report(case: Case) -> bool:
    match case.action:
        case CommitReport(unit=unit, hash=hashed):
            mine = case.verifier(unit)
            if mine is None or my_report(mine, case.world) != hashed:
                return True
            return case.sent.reports.get(unit, hashed) != hashed
        case RevealReport(unit=unit, index=0, salt=salt):
            view, checker = case.view(unit), case.checker(unit)
            if view is None or checker is None or checker.salt != salt or view.check is None:
                return True
            return (view.check.author, view.check.hash) != (case.world.me, my_check(checker, case.world))
        case RevealReport(unit=unit, index=index, salt=salt):
            view, mine = case.view(unit), case.verifier(unit)
            if view is None or mine is None or mine.report is None or mine.report.salt != salt:
                return True
            shown = (index, case.world.me, my_report(mine, case.world))
            return shown not in {(r.index, r.author, r.hash) for r in view.reports}
        case _:
            return False


@rule("only a terminal unit's bonds leave, each once (§3.3)")
def close_only_open_reports_of_an_ended_unit(case: Case) -> bool:
    match case.action:
        case CloseReports(unit=unit, indexes=indexes):
            view = case.view(unit)
            if view is None or not view.phase.terminal or not 0 < len(indexes) <= REPORTS_A_CALL:
                return True
            return not set(indexes) <= {report.index for report in view.reports if not report.closed}
        case _:
            return False
