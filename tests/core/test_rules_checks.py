"""Every rule about spot checks and forced outputs has something that breaks it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from blockedge_node.core.actions import (
    Action,
    Check,
    CommitCheck,
    Demand,
    Draw,
    FineChecker,
    PublishSecret,
    Reveal,
    RevealReport,
    SendAward,
    Settle,
    ShowJury,
    Supply,
)
from blockedge_node.core.court import DemandView
from blockedge_node.core.finer import Finer
from blockedge_node.core.ids import ZERO_HASH, Hash, Secret
from blockedge_node.core.node import Machine, Node, checker_key, finer_key, requester_key, worker_key
from blockedge_node.core.rules import Rulebook
from tests.core.builders import ALICE, BOB, CAROL, START
from tests.core.checked import DRAWN, RIGHT, UNDRAWN, before_court
from tests.core.story import Story
from tests.core.test_checker import committed as carol_has_committed
from tests.core.test_checker import drawn, found
from tests.core.test_finer import fining
from tests.core.test_proving import SHOWN, proving
from tests.core.test_spotcheck import asking, awarded, sees, window

OTHER = Secret(b"x" * 32)


@dataclass(frozen=True)
class Scene:
    """One node with one machine, at one time, before a court."""

    me: bytes
    key: str
    machine: Machine
    at: int

    def breaks(self, action: Action, *, before: tuple[Action, ...] = ()) -> set[str]:
        book, node = Rulebook(), Node(machines={self.key: self.machine})
        here = before_court(self.me, self.at)  # type: ignore[arg-type]
        for earlier in before:
            book.check(earlier, node, here)
        return {rule.name for rule in book.check(action, node, here)}


def scene(story: Story) -> Scene:
    keys = {
        ALICE: lambda m: requester_key(m.task),
        BOB: lambda m: worker_key(m.award),
        CAROL: lambda m: checker_key(m.unit),
    }
    key = finer_key(story.machine.unit) if isinstance(story.machine, Finer) else keys[story.me](story.machine)
    return Scene(story.me, key, story.machine, story.now)


def due(story: Story, kind: type) -> Any:
    """The action of this class that the story's own machine wants: the rules have nothing against it."""
    action = story.wanted(kind)
    assert scene(story).breaks(action) == set()
    return action


AWARD: SendAward = due(awarded(DRAWN), SendAward)
SECRET: PublishSecret = due(sees(DRAWN, DRAWN.committed), PublishSecret)
DRAW: Draw = due(sees(DRAWN, DRAWN.committed), Draw)
CHECK: Check = due(drawn(), Check)
COMMIT: CommitCheck = due(drawn().gets(found()), CommitCheck)
OPENING: RevealReport = due(
    carol_has_committed()[0].sees(DRAWN.shown(DRAWN.checked(COMMIT.hash))).at(33), RevealReport
)
REVEAL: Reveal = due(proving(UNDRAWN).gets(UNDRAWN.secret), Reveal)
LATE: Reveal = due(proving(UNDRAWN).at(7), Reveal)
UNSAID = UNDRAWN.shown(UNDRAWN.committed, flags=0)
SETTLE: Settle = due(proving(UNDRAWN, UNSAID).gets(UNDRAWN.secret).at(33), Settle)
MISSED = DRAWN.shown(DRAWN.marked)
FINE: FineChecker = due(fining(ALICE), FineChecker)
DISPUTED = UNDRAWN.disputed(replace(UNDRAWN.shown(UNDRAWN.committed), reports=(SHOWN,)))
SHOW: ShowJury = due(sees(UNDRAWN, DISPUTED).at(55), ShowJury)
PLAIN = UNDRAWN.shown(UNDRAWN.committed)
DEMAND: Demand = due(sees(UNDRAWN, PLAIN).at(27), Demand)
ASKED = replace(PLAIN, demands=(DemandView(chunk=3, by=START + 45),))
SUPPLY: Supply = due(proving(UNDRAWN, ASKED), Supply)


def awarding(**changes: Any) -> SendAward:
    return replace(AWARD, signed=replace(AWARD.signed, award=replace(AWARD.signed.award, **changes)))


def alice(unit: Any, view: Any, at: int = 0) -> Scene:
    return scene(sees(unit, view).at(at))


BROKEN: list[tuple[str, Scene, Action, tuple[Action, ...]]] = [
    ("fresh_secrets_for_every_award", scene(awarded(DRAWN)), awarding(draw_commit=ZERO_HASH), ()),
    ("fresh_secrets_for_every_award", scene(awarded(DRAWN)), awarding(register_by=START + 99), (AWARD,)),
    ("secret_only_after_the_commitment", scene(asking().gets(window(DRAWN.secrets))), SECRET, ()),
    ("secret_only_after_the_commitment", alice(DRAWN, DRAWN.committed), replace(SECRET, secret=OTHER), ()),
    ("draw_only_what_is_drawn", alice(DRAWN, DRAWN.committed, 7), DRAW, ()),
    ("draw_only_what_is_drawn", alice(DRAWN, DRAWN.marked), DRAW, ()),
    ("draw_only_what_is_drawn", alice(DRAWN, DRAWN.committed), replace(DRAW, guard_r=Hash(OTHER)), ()),
    (
        "draw_only_what_is_drawn",
        alice(UNDRAWN, UNDRAWN.committed),
        Draw(
            unit=UNDRAWN.unit,
            target=UNDRAWN.committed.on_chain,
            secret=UNDRAWN.secrets.secret,
            guard_r=UNDRAWN.secrets.guard_r,
        ),
        (),
    ),
    ("check_only_from_my_seat", scene(drawn().gets(found()).at(14)), COMMIT, ()),
    ("check_only_from_my_seat", replace(scene(drawn().gets(found())), me=ALICE), COMMIT, ()),
    (
        "check_only_from_my_seat",
        scene(drawn().gets(found())),
        replace(COMMIT, proof=replace(COMMIT.proof, tickets=9)),
        (),
    ),
    ("check_only_from_my_seat", scene(drawn()), replace(CHECK, result=RIGHT), ()),
    ("one_salt_per_check", scene(drawn().gets(found())), replace(COMMIT, hash=Hash(OTHER)), ()),
    ("one_salt_per_check", scene(drawn().gets(found(salt=b"8" * 32))), COMMIT, ()),
    (
        "one_salt_per_report",
        scene(carol_has_committed()[0].sees(DRAWN.shown(DRAWN.checked(COMMIT.hash))).at(33)),
        replace(OPENING, salt=OTHER),
        (),
    ),
    ("reveal_only_undisturbed", scene(proving(UNDRAWN)), LATE, ()),
    ("reveal_only_undisturbed", scene(proving(UNDRAWN)), replace(REVEAL, secret=OTHER), ()),
    (
        "reveal_only_undisturbed",
        scene(proving(DRAWN, DRAWN.marked)),
        due(proving(DRAWN, DRAWN.marked).at(14), Reveal),
        (),
    ),
    (
        "settle_with_the_right_secret",
        scene(proving(UNDRAWN, UNSAID).at(33)),
        replace(SETTLE, secret=OTHER),
        (),
    ),
    ("settle_with_the_right_secret", scene(proving(UNDRAWN, PLAIN).at(33)), SETTLE, ()),
    ("fine_only_who_missed_a_check", scene(fining(ALICE).sees(replace(MISSED, check_fined=True))), FINE, ()),
    (
        "fine_only_who_missed_a_check",
        scene(fining(ALICE).sees(DRAWN.shown(DRAWN.checked(COMMIT.hash)))),
        FINE,
        (),
    ),
    ("fine_only_who_missed_a_check", scene(fining(ALICE)), replace(FINE, committed_at=START + 1), ()),
    ("jury_secret_only_in_a_dispute", alice(UNDRAWN, DISPUTED, 56), SHOW, ()),
    ("jury_secret_only_in_a_dispute", alice(UNDRAWN, PLAIN), SHOW, ()),
    ("jury_secret_only_in_a_dispute", alice(UNDRAWN, DISPUTED), replace(SHOW, guard_secret=OTHER), ()),
    ("demand_only_what_is_withheld", alice(UNDRAWN, PLAIN, 33), DEMAND, ()),
    ("demand_only_what_is_withheld", scene(proving(UNDRAWN, PLAIN)), DEMAND, ()),
    ("supply_only_what_is_demanded", scene(proving(UNDRAWN, PLAIN)), SUPPLY, ()),
    ("supply_only_what_is_demanded", scene(proving(UNDRAWN, ASKED)), replace(SUPPLY, chunk=4), ()),
    ("supply_only_what_is_demanded", scene(proving(UNDRAWN, ASKED).at(46)), SUPPLY, ()),
]


@pytest.mark.parametrize(("name", "scene", "action", "before"), BROKEN, ids=[case[0] for case in BROKEN])
def test_rule_is_broken_by(name: str, scene: Scene, action: Action, before: tuple[Action, ...]) -> None:
    assert name in scene.breaks(action, before=before)


def test_a_second_salt_for_a_check_is_seen_even_by_a_node_that_forgot_the_first() -> None:
    second = scene(drawn().gets(found(salt=b"8" * 32)))
    other = drawn().gets(found(salt=b"8" * 32)).wanted(CommitCheck)
    assert "one_salt_per_check" in second.breaks(other, before=(COMMIT,))
