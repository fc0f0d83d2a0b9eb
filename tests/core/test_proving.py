"""A worker from its commitment to its end, where its result may be checked and a jury may judge it."""

from __future__ import annotations

from dataclasses import replace

from blockedge_node.core import worker as workers
from blockedge_node.core.actions import (
    Appeal,
    CloseReports,
    CloseRound,
    Defend,
    DeliverResult,
    Draw,
    Reveal,
    Settle,
    Supply,
)
from blockedge_node.core.court import NO_INPUT, DemandView
from blockedge_node.core.events import SecretHeard
from blockedge_node.core.ids import NO_SECRET, ZERO_ADDRESS, Hash, Secret
from blockedge_node.core.proving import open_reports
from blockedge_node.core.unit import Phase, ReportView, UnitView
from tests.core.builders import BOB, CAROL, DAVE, GUARD_SECRET, START, ended
from tests.core.checked import COURT, DRAWN, RIGHT, TICKETS, UNDRAWN, WRONG, Unit
from tests.core.story import Story, play
from tests.core.test_checker import before_jury

SHOWN = ReportView(index=1, author=DAVE, hash=Hash(b"r" * 32), result_hash=WRONG.hash())


def proving(unit: Unit, view: UnitView | None = None, *, delivered: bool = True) -> Story:
    """Bob, who has committed to his result and delivered it."""
    machine = workers.Worker(
        task=unit.committed.terms.task,
        unit=unit.unit,
        award=unit.heard.digest,
        signed=unit.heard.signed,
        terms=unit.committed.terms,
        registers_first=False,
        input=True,
        solved=workers.Solved(
            result=unit.done.result,
            output=unit.done.output,
            salt=unit.done.salt,
            guard_secret=unit.done.guard_secret,
        ),
        delivered=delivered,
    )
    return play(machine, BOB).before(COURT, TICKETS).sees(view or unit.committed)


# ── reveal ───────────────────────────────────────────────────────────────────────────────────────────────


def test_worker_reveals_with_the_secret_that_shows_it_undrawn() -> None:
    story = proving(UNDRAWN).then_rests().gets(UNDRAWN.secret).then_wants(Reveal)
    reveal = story.wanted(Reveal)
    assert (reveal.secret, reveal.guard_r) == (UNDRAWN.secrets.secret, UNDRAWN.secrets.guard_r)
    assert story.then_tells("secret.heard").restarts().wanted(Reveal) == reveal


def test_worker_waits_for_its_checker() -> None:
    story = proving(DRAWN).gets(DRAWN.secret).then_rests().sees(DRAWN.marked).then_rests()
    story.at(13).then_rests().sees(DRAWN.checked(Hash(b"c" * 32))).then_wants(Reveal)
    assert story.wanted(Reveal).secret == NO_SECRET, "the chain knows it"


def test_worker_reveals_when_nobody_has_checked_by_checkBy() -> None:
    proving(DRAWN, DRAWN.marked).at(13).then_rests().at(14).then_wants(Reveal)


def test_worker_without_a_secret_waits_until_it_can_be_drawn_no_more() -> None:
    story = proving(UNDRAWN).at(6).then_rests().at(7).then_wants(Reveal)
    assert story.wanted(Reveal).secret == NO_SECRET
    story.at(23).then_wants(Reveal).at(24).then_rests()


def test_worker_marks_itself_if_its_requester_does_not() -> None:
    story = proving(DRAWN).gets(DRAWN.secret).at(3).then_rests().at(4).then_wants(Draw)
    story.at(6).then_wants(Draw).at(7).then_wants(Reveal)
    assert story.wanted(Reveal).secret == NO_SECRET, "it shows the unit drawn: that opens nothing"


def test_a_secret_that_opens_nothing_is_nobodys_word() -> None:
    for false in (
        replace(UNDRAWN.secret, secret=Secret(b"x" * 32)),
        replace(UNDRAWN.secret, guard_r=Hash(b"x" * 32)),
        SecretHeard(unit=DRAWN.unit, secret=DRAWN.secrets.secret, guard_r=DRAWN.secrets.guard_r),
    ):
        proving(UNDRAWN).gets(false).then_rests()


# ── settle and supply ────────────────────────────────────────────────────────────────────────────────────


def test_worker_settles_with_the_secret_that_came_late() -> None:
    view = UNDRAWN.shown(UNDRAWN.committed, flags=0)  # challengeBy is START + 32
    story = proving(UNDRAWN, view).at(33).then_rests().gets(UNDRAWN.secret).then_wants(Settle)
    assert story.wanted(Settle).secret == UNDRAWN.secrets.secret


def test_worker_without_the_secret_settles_grace_later() -> None:
    view = UNDRAWN.shown(UNDRAWN.committed, flags=0)
    story = proving(UNDRAWN, view).at(32 + COURT.grace).then_rests().at(33 + COURT.grace).then_wants(Settle)
    assert story.wanted(Settle).secret == NO_SECRET
    late = DRAWN.shown(DRAWN.committed, flags=0)
    story = proving(DRAWN, late).gets(DRAWN.secret).at(37).then_rests().at(38).then_wants(Settle)
    assert story.wanted(Settle).secret == NO_SECRET, "it does not show the unit undrawn"


def test_worker_shows_the_chunk_that_is_asked_for_and_settles_after() -> None:
    view = replace(UNDRAWN.shown(UNDRAWN.committed), demands=(DemandView(chunk=3, by=START + 45),))
    story = proving(UNDRAWN, view).then_wants(Supply).at(33).then_wants(Supply)
    assert story.wanted(Supply).chunk == 3
    story.at(45).then_wants(Supply).at(46).then_rests()
    story.sees(replace(view, demands=(DemandView(chunk=3, by=START + 45, supplied=True),))).then_wants(Settle)


def test_worker_settles_a_contradicted_unit_whatever_is_asked_for() -> None:
    asked = (DemandView(chunk=3, by=START + 20),)
    view = replace(UNDRAWN.shown(UNDRAWN.committed), demands=asked, reports=(SHOWN,))
    proving(UNDRAWN, view).at(37).then_rests().at(38).then_wants(Settle)


def test_a_large_output_needs_no_room_in_the_reveal() -> None:
    story = proving(UNDRAWN, delivered=False)
    story.machine = replace(story.machine, solved=None)
    story.sees(UNDRAWN.committed).gets(UNDRAWN.done)
    assert story.machine.solved is not None, "its requester may demand it"


# ── before the court ─────────────────────────────────────────────────────────────────────────────────────


def accused(unit: Unit = UNDRAWN) -> UnitView:
    """A dispute since START + 50: showBy is START + 55, defendBy + 60."""
    return unit.disputed(replace(unit.shown(unit.committed), reports=(SHOWN,)))


def test_worker_defends_once_the_requester_has_shown_its_secret() -> None:
    story = proving(UNDRAWN, accused()).at(55).then_rests()
    story.sees(replace(accused(), jury_secret=Secret(b"R" * 32))).then_wants(Defend)
    defence = story.wanted(Defend)
    assert (defence.guard_secret, defence.tickets) == (GUARD_SECRET, len(TICKETS))


def test_worker_defends_without_the_requester_in_the_second_half() -> None:
    story = proving(UNDRAWN, accused()).at(55).then_rests().at(56).then_wants(Defend)
    story.at(60).then_wants(Defend).at(61).then_rests()


def test_worker_appeals_every_outcome_but_its_acquittal() -> None:
    convicted, undecided = before_jury(accused(), 0), before_jury(accused(), 0)
    for view in (convicted, undecided):
        story = proving(UNDRAWN, view).at(77).then_rests().at(78).then_wants(Appeal)
        story.at(87).then_wants(Appeal).at(88).then_wants(CloseRound)
    acquitted = before_jury(accused(), 4)
    proving(UNDRAWN, acquitted).at(78).then_rests().at(88).then_wants(CloseRound)


def test_an_operator_may_forbid_appeals() -> None:
    story = proving(UNDRAWN, before_jury(accused(), 0))
    story.policy["appeal"] = False
    story.at(78).then_rests()


# ── bonds ────────────────────────────────────────────────────────────────────────────────────────────────


def test_which_bonds_are_still_to_be_moved() -> None:
    def check(found: Hash | None, closed: bool = False) -> ReportView:
        return ReportView(index=0, author=CAROL, hash=Hash(b"c" * 32), result_hash=found, closed=closed)

    def of(view: UnitView, phase: Phase, *reports: ReportView) -> tuple[int, ...]:
        return open_reports(replace(view, phase=phase, reports=reports))

    view = DRAWN.shown(DRAWN.marked)
    right, wrong = check(RIGHT.hash()), check(WRONG.hash())
    assert of(view, Phase.PAID, right, SHOWN) == (1,), "an agreeing check has no bond"
    assert of(view, Phase.PAID, wrong, SHOWN) == (0, 1), "a false accusation by ticket"
    assert of(replace(view, final_hash=NO_INPUT), Phase.PAID, wrong) == (), "nobody saw the input"
    convicted = replace(view, final_hash=WRONG.hash())
    assert of(convicted, Phase.SLASHED, right) == (0,), "it agreed with a hash that a jury convicted"
    assert of(view, Phase.SLASHED, right) == (), "by default, as nobody defended"
    assert of(replace(DRAWN.marked, result_hash=None), Phase.SLASHED, check(None)) == (), "withheld"
    assert of(view, Phase.REFUSED, wrong) == ()
    assert of(view, Phase.SLASHED, wrong) == ()
    assert of(view, Phase.SLASHED, check(None)) == (0,), "silent"
    silent = before_jury(view, 0)
    assert silent.case is not None
    alone = replace(silent.case, case=replace(silent.case.case, accuser=ZERO_ADDRESS))
    alone_ = replace(silent, case=alone, final_hash=RIGHT.hash())
    assert of(alone_, Phase.PAID, check(None)) == (0,), "its silence accused the innocent: X"
    assert of(replace(alone_, final_hash=NO_INPUT), Phase.PAID, check(None)) == (), (
        "its ticket paid for the jury"
    )
    assert of(replace(alone_, final_hash=WRONG.hash()), Phase.SLASHED, check(None)) == ()
    assert of(replace(alone_, final_hash=WRONG.hash()), Phase.UNRESOLVED, check(None)) == ()
    assert of(view, Phase.PAID, replace(wrong, closed=True), replace(SHOWN, closed=True)) == ()


def test_worker_closes_what_was_bonded_against_it() -> None:
    view = ended(replace(UNDRAWN.shown(UNDRAWN.committed), reports=(SHOWN,)), Phase.PAID, START + 99)
    proving(UNDRAWN, view, delivered=False).then_wants(CloseReports).then_lives()
    closed = replace(view, reports=(replace(SHOWN, closed=True),))
    proving(UNDRAWN, closed, delivered=False).then_rests().then_is_over()
    proving(UNDRAWN, UNDRAWN.committed, delivered=False).then_wants(DeliverResult)
