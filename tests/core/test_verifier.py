"""A revealed result that I recompute: which ones, and what follows from a wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core import node as core
from blockedge_node.core import verifier as verifiers
from blockedge_node.core.actions import (
    Appeal,
    Check,
    CloseReports,
    CloseRound,
    CommitReport,
    RevealReport,
    Settle,
)
from blockedge_node.core.events import Checked, CheckFailed, CheckOrdered
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Root, Secret
from blockedge_node.core.node import Node
from blockedge_node.core.task import Kind, Result
from blockedge_node.core.unit import Account, Phase, ReportView, Standing, UnitView
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DEV,
    RESULT,
    START,
    assigned,
    award_heard,
    bid,
    ended,
    head,
    request,
    revealed,
    solved,
    world,
)
from tests.core.checked import COURT, DRAWN, TICKETS, UNDRAWN, before_court
from tests.core.checked import WRONG as OTHERS
from tests.core.story import Story, play
from tests.core.test_checker import before_jury


def shown(kind: int = Kind.POW) -> UnitView:
    """Bob's result for Alice, revealed at the start: challengeBy is START + 12, reportBy START + 17."""
    asked = request(kind=kind)
    heard = award_heard(asked, bid(asked, BOB))
    return revealed(assigned(heard, START - 2), solved(heard), START)


VIEW = shown()
WRONG = Checked(unit=VIEW.unit, wrong=True, result=None, evidence=b"proof", salt=Secret(b"3" * 32))


def checking(me: Address = CAROL, view: UnitView = VIEW) -> Story:
    return play(verifiers.begin(view), me).sees(view)


def test_an_operator_may_order_what_the_policy_leaves_out() -> None:
    idle = world(CAROL, verify_bps=0)
    seen = core.step(Node(), head(START, VIEW), idle).node
    assert not core.due(seen, idle)
    ordered = core.step(seen, CheckOrdered(view=VIEW), idle)
    assert ordered.changed, "the order outlives a restart"
    looking = core.step(ordered.node, head(START, VIEW), idle).node
    assert [type(action) for action in core.due(looking, idle)] == [Check]
    late = core.step(Node(), CheckOrdered(view=VIEW), world(CAROL, START + 13, verify_bps=0))
    own = core.step(Node(), CheckOrdered(view=VIEW), world(BOB, verify_bps=0))
    assert not late.changed
    assert not own.changed


def with_report(view: UnitView, hashed: Hash, **changes: Any) -> UnitView:
    mine = replace(ReportView(index=len(view.reports) + 1, author=CAROL, hash=hashed), **changes)
    return replace(view, reports=(*view.reports, mine))


def others(count: int) -> UnitView:
    reports = tuple(ReportView(index=i + 1, author=DAVE, hash=Hash(bytes([i]) * 32)) for i in range(count))
    return replace(VIEW, reports=reports)


def test_verifier_reports_a_wrong_result_in_two_stages() -> None:
    story = checking().then_wants(Check).gets(WRONG).then_wants(CommitReport)
    view = with_report(others(1), story.wanted(CommitReport).hash)
    story.at(2).sees(view).then_rests().at(12).then_rests().at(13).then_wants(RevealReport)
    report = story.wanted(RevealReport)
    assert (report.index, report.author, report.evidence) == (2, CAROL, b"proof")
    assert report.result_hash == keccak256(b"proof")
    view = replace(view, reports=(view.reports[0], replace(view.reports[1], result_hash=report.result_hash)))
    story.sees(view).then_rests()
    story.at(22).then_rests().at(23).then_wants(Settle)
    view = ended(view, Phase.SLASHED, START + 24, slashed=1)
    story.sees(view).then_wants(CloseReports(unit=VIEW.unit, target=view.on_chain, indexes=(2,)))
    view = replace(view, reports=(view.reports[0], replace(view.reports[1], closed=True)))
    story.sees(view).then_rests().then_is_over().then_tells("report.right")


def test_verifier_lets_a_right_result_be_and_remembers_it() -> None:
    story = checking().gets(replace(WRONG, wrong=False)).then_rests().then_lives()
    story.restarts().then_rests().then_lives()
    story.sees(ended(VIEW, Phase.PAID, START + 13)).then_is_over()


def test_verifier_without_a_verdict_reports_nothing() -> None:
    checking().gets(CheckFailed(unit=VIEW.unit, reason="no input")).then_rests().then_lives()


def test_a_report_is_the_same_after_a_restart_and_a_second_check() -> None:
    story = checking().gets(WRONG)
    before = story.wanted(CommitReport)
    story.restarts().then_wants(before).gets(replace(WRONG, salt=Secret(b"4" * 32))).then_wants(before)


def test_a_report_is_the_same_after_a_reorg() -> None:
    story = checking().gets(WRONG)
    before = story.wanted(CommitReport)
    story.sees().then_rests().then_lives().sees(VIEW).then_wants(before)


def test_three_reports_are_enough() -> None:
    checking(view=others(2)).then_wants(Check)
    checking(view=others(3)).then_rests()
    checking().gets(WRONG).sees(others(3)).then_rests()


def test_nothing_begins_after_challengeBy() -> None:
    checking().at(12).then_wants(Check).at(13).then_rests()
    checking().gets(WRONG).at(13).then_rests()


def test_a_bond_that_is_not_covered_is_not_promised() -> None:
    story = checking().gets(WRONG)
    poor = Standing(account=Account(free=verifiers.bond(VIEW.terms, DEV) - 1))
    here = replace(story.world, standing=poor, exposure=verifiers.exposure(story.machine, story.world))
    story.machine, notes = verifiers.step(story.machine, head(START + 1, VIEW), here)
    assert [note.code for note in notes] == ["report.none.balance"]
    assert verifiers.due(story.machine, here) == ()
    story.sees(VIEW).then_wants(CommitReport)


def test_which_results_are_recomputed() -> None:
    def wants(me: Address, view: UnitView, delivered: Result | None = None, **policy: Any) -> bool:
        return verifiers.wants(view, delivered, world(me, **policy))

    lie = Result(exit=0, output_root=Root(keccak256(b"lie")))
    court = shown(Kind.WASM)
    assert wants(CAROL, VIEW)
    assert wants(ALICE, VIEW), "a requester may report a judged kind like any detector"
    assert not wants(BOB, VIEW), "never one's own work"
    assert not wants(CAROL, VIEW, verifier=False)
    assert not wants(CAROL, VIEW, verify_bps=0)
    assert not wants(CAROL, VIEW, kinds=frozenset({2}))
    assert not wants(CAROL, replace(VIEW, phase=Phase.PAID))
    assert not wants(CAROL, court), "without a Court only the requester may report"
    assert not wants(ALICE, court, RESULT)
    assert wants(ALICE, court, lie), "what was delivered is not what was revealed"
    assert wants(ALICE, court, RESULT, verify_own_bps=10_000)


def test_before_a_court_anybody_samples_court_kinds() -> None:
    view = UNDRAWN.shown(UNDRAWN.committed)

    def wants(me: Address, view: UnitView = view, **policy: Any) -> bool:
        return verifiers.wants(view, None, before_court(me, START + 20, **policy))

    assert wants(CAROL, verify_bps_court=10_000)
    assert not wants(CAROL), "by default only what is one's own, or drawn"
    assert not wants(CAROL, verify_bps_court=10_000, verifier=False)
    assert not wants(CAROL, verify_bps_court=10_000, kinds=frozenset({1}))
    assert not wants(BOB, verify_bps_court=10_000), "never one's own work"
    checked = DRAWN.shown(DRAWN.checked(Hash(bytes(32)), CAROL))
    assert not wants(CAROL, checked, verify_bps_court=10_000), "I am its checker"
    assert wants(DAVE, checked, verify_bps_court=10_000)


def test_a_court_reports_bond_pays_for_a_jury() -> None:
    terms = UNDRAWN.committed.terms
    assert verifiers.bond(terms, DEV) == terms.deposit // 20
    assert verifiers.bond(terms, COURT) == terms.deposit // 20 + 5 * terms.check_fee
    dear = replace(terms, check_fee=terms.deposit)
    assert verifiers.bond(dear, COURT) == 6 * terms.deposit


def reporting(found: Result) -> tuple[Story, UnitView]:
    """Dave, who got `found` for Bob's unit and has shown so; challengeBy is START + 32."""
    view = UNDRAWN.shown(UNDRAWN.committed)
    story = play(verifiers.begin(view), DAVE).before(COURT, TICKETS).at(20).sees(view).then_wants(Check)
    story.gets(replace(WRONG, unit=view.unit, result=found, evidence=b"")).then_wants(CommitReport)
    report = ReportView(index=1, author=DAVE, hash=story.wanted(CommitReport).hash)
    story.sees(replace(view, reports=(report,))).at(33).then_wants(RevealReport)
    opened = story.wanted(RevealReport)
    assert (opened.index, opened.result_hash) == (1, found.hash())
    return story, replace(view, reports=(replace(report, result_hash=found.hash()),))


def test_a_reporter_that_is_sure_appeals_an_acquittal() -> None:
    story, view = reporting(OTHERS)
    view = before_jury(UNDRAWN.disputed(view), votes=5)
    story.sees(view).at(77).then_rests().at(78).then_wants(Appeal)
    story.at(92).then_rests().at(93).then_wants(CloseRound)
    unresolved = before_jury(UNDRAWN.disputed(view), votes=0)
    story.sees(unresolved).at(78).then_rests()
    paid = ended(replace(view, final_hash=view.result_hash), Phase.PAID, START + 99)
    story.sees(paid).then_wants(CloseReports).then_tells("report.ended")


def test_only_the_final_hash_was_right() -> None:
    story, view = reporting(OTHERS)
    convicted = ended(replace(view, final_hash=Hash(b"z" * 32)), Phase.SLASHED, START + 99)
    story.sees(convicted).then_wants(CloseReports).then_tells("report.ended")
    story, view = reporting(OTHERS)
    convicted = ended(replace(view, final_hash=OTHERS.hash()), Phase.SLASHED, START + 99)
    story.sees(convicted).then_tells("report.right")


def test_whoever_closes_a_right_report_has_a_false_check_fined() -> None:
    story, view = reporting(OTHERS)
    agreed = ReportView(index=0, author=CAROL, hash=Hash(bytes(32)), result_hash=view.result_hash)
    reports = (agreed, *view.reports)
    convicted = ended(replace(view, reports=reports, final_hash=OTHERS.hash()), Phase.SLASHED, START + 99)
    assert story.sees(convicted).wanted(CloseReports).indexes == (0, 1)


def test_a_court_unit_is_reported_with_my_own_result() -> None:
    view, mine = shown(Kind.WASM), Result(exit=0, output_root=Root(keccak256(b"mine")))
    story = checking(ALICE, view).gets(replace(WRONG, unit=view.unit, result=mine, evidence=b""))
    report = ReportView(index=1, author=ALICE, hash=story.wanted(CommitReport).hash)
    story.sees(replace(view, reports=(report,))).at(13).then_wants(RevealReport)
    assert story.wanted(RevealReport).result_hash == mine.hash()
    assert story.wanted(RevealReport).evidence == b""
