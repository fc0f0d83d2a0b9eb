"""A drawn checker that committed nothing: who has it fined, when, and that once is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core import finer as finers
from blockedge_node.core.actions import FineChecker
from blockedge_node.core.ids import Address, Hash
from blockedge_node.core.unit import CHECK_MISSED, RULED, Phase
from tests.core.builders import ALICE, BOB, CAROL, DAVE, START, ended, who
from tests.core.checked import COURT, DRAWN, TICKETS, UNDRAWN, before_court
from tests.core.story import Story, play

MISSED = DRAWN.shown(DRAWN.marked)


def fining(me: Address, **policy: Any) -> Story:
    finer, _ = finers.begin(MISSED, before_court(me))
    return play(finer, me, **policy).before(COURT, TICKETS).sees(MISSED)


def test_a_missed_check_is_fined_once() -> None:
    assert MISSED.flags & CHECK_MISSED
    story = fining(ALICE).then_wants(FineChecker)
    fine = story.wanted(FineChecker)
    assert DRAWN.marked.draw is not None
    assert (fine.draw_seed, fine.committed_at) == (DRAWN.marked.draw.seed, START)
    assert story.restarts().wanted(FineChecker) == fine
    story.sees(replace(MISSED, check_fined=True)).then_rests().then_is_over()


def test_a_fine_may_come_after_the_units_end_but_not_from_a_dispute() -> None:
    paid = ended(MISSED, Phase.PAID, START + 40)
    fining(ALICE).sees(paid).then_wants(FineChecker)
    fining(ALICE).sees(DRAWN.disputed(MISSED)).then_rests().then_is_over()
    ruled = replace(paid, flags=paid.flags | RULED)
    fining(ALICE).sees(ruled).then_rests().then_is_over()


def test_verifiers_take_turns_after_the_requester() -> None:
    turns = {finers.begin(MISSED, before_court(who(str(i))))[0].turn - START for i in range(60)}
    assert turns == {COURT.grace * turn for turn in range(1, finers.TURNS + 1)}
    story = fining(DAVE)
    first = story.machine.turn - START
    story.at(first - 1).then_rests().then_lives().at(first).then_wants(FineChecker)
    story.at(first + finers.PATIENCE + 1).then_is_over()


def test_a_reorg_ends_it() -> None:
    fining(ALICE).sees().then_rests().then_is_over()


def test_who_sees_to_a_fine() -> None:
    def wants(me: Address, view: Any = MISSED, **policy: Any) -> bool:
        return finers.wants(view, before_court(me, **policy))

    assert wants(ALICE, verifier=False), "its requester lost by it"
    assert wants(BOB)
    assert wants(DAVE)
    assert not wants(DAVE, verifier=False)
    assert not wants(CAROL), "it is her own ticket"
    assert not wants(DAVE, DRAWN.shown(DRAWN.checked(Hash(bytes(32)))))
    assert not wants(DAVE, UNDRAWN.shown(UNDRAWN.committed))
