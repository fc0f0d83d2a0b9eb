"""Every rule of the court's actions, and of a tower's, has something that breaks it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from blockedge_node.core import juror as jurors
from blockedge_node.core import ward as wards
from blockedge_node.core import watchtower as towers
from blockedge_node.core import worker as workers
from blockedge_node.core.actions import (
    Action,
    AnswerWatch,
    Appeal,
    Check,
    CloseRound,
    CommitVote,
    Defend,
    HandWatch,
    Reveal,
    RevealVote,
)
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import VoteView
from blockedge_node.core.events import Checked, WatchHeard
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Digest, Hash, Secret
from blockedge_node.core.node import Machine, Node, juror_key, tower_key, worker_key
from blockedge_node.core.proving import Solved
from blockedge_node.core.rounds import my_seats
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.core.world import World
from tests.core.builders import BOB, CAROL, DOMAIN, START, ended, head, world
from tests.core.court import (
    CASE,
    COMMITTED,
    DISPUTED,
    DONE,
    FEE,
    HEARD,
    RIGHT,
    TICKETS,
    WRONG,
    in_round,
    unanimous,
)

OTHER = Hash(keccak256(b"another"))
OPEN, GUILTY, INNOCENT = in_round(), unanimous(WRONG), unanimous(RIGHT)
RICH: dict[str, Any] = {"appeal_budget": 40 * FEE, "towers": (CAROL,)}


@dataclass(frozen=True)
class Scene:
    """One node with one machine, at one time, while the Court has its tickets."""

    me: Address
    key: str
    machine: Machine
    at: int = START
    policy: dict[str, Any] = field(default_factory=lambda: RICH)

    @property
    def world(self) -> World:
        return replace(world(self.me, self.at, **self.policy), tickets=TICKETS)

    def breaks(self, action: Action, *, before: tuple[Action, ...] = ()) -> set[str]:
        book, node = Rulebook(), Node(machines={self.key: self.machine})
        for earlier in before:
            book.check(earlier, node, self.world)
        return {rule.name for rule in book.check(action, node, self.world)}

    def later(self, seconds: int, **policy: Any) -> Scene:
        return replace(self, at=START + seconds, policy={**RICH, **policy})


def carols(view: UnitView = OPEN, me: Address = CAROL) -> Scene:
    """A juror that has found the worker right, looking at this view."""
    here = replace(world(CAROL), tickets=TICKETS)
    machine, _ = jurors.begin(OPEN, here)
    checked = Checked(
        unit=OPEN.unit, wrong=False, result=RIGHT, evidence=b"", salt=Secret(b"3" * 32), role=Role.JUROR
    )
    for event in (head(START, OPEN), checked, head(START, view)):
        machine, _ = jurors.step(machine, event, here)
    return Scene(me, juror_key(OPEN.unit), machine)


def bobs(view: UnitView) -> Scene:
    """The worker that is accused."""
    machine = workers.Worker(
        task=DISPUTED.terms.task,
        unit=DONE.unit,
        award=HEARD.digest,
        signed=HEARD.signed,
        terms=DISPUTED.terms,
        registers_first=False,
        input=True,
        solved=Solved(result=RIGHT, output=DONE.output, salt=DONE.salt, guard_secret=DONE.guard_secret),
        view=view,
    )
    return Scene(BOB, worker_key(HEARD.digest), machine)


WATCH = Watch(
    tower=CAROL,
    unit=DONE.unit,
    exit=RIGHT.exit,
    output_root=RIGHT.output_root,
    fuel_used=RIGHT.fuel_used,
    memory_hash=RIGHT.memory_hash,
    salt=DONE.salt,
    guard_secret=DONE.guard_secret,
)


def towered(view: UnitView, agrees: bool = True) -> Scene:
    """Bob's tower, which has recomputed his unit."""
    event = WatchHeard(client=BOB, watch=WATCH, output=b"", digest=WATCH.digest(DOMAIN))
    machine, _ = towers.begin(event, world(CAROL))
    found = Checked(
        unit=DONE.unit,
        wrong=False,
        result=RIGHT if agrees else WRONG,
        evidence=b"",
        salt=DONE.salt,
        role=Role.WORKER,
    )
    for seen in (head(START, view), found):
        machine, _ = towers.step(machine, seen, world(CAROL))
    return Scene(CAROL, tower_key(towers.commitment_of(event, DOMAIN)), machine)


def due(scene: Scene, kind: type) -> Any:
    """An action of this class that the scene's own machine wants: the rules have nothing against it."""
    modules = {jurors.Juror: jurors, towers.Tower: towers, workers.Worker: workers}
    module = modules[type(scene.machine)]
    action = next(a for a in module.due(scene.machine, scene.world) if isinstance(a, kind))
    assert scene.breaks(action) == set()
    return action


VOTE: CommitVote = due(carols(), CommitVote)
COMMITTED_VOTE = VoteView(seat=VOTE.seat, ticket=0, hash=VOTE.hash)
VOTED = in_round(votes=(COMMITTED_VOTE,))
SHOWN = in_round(votes=(replace(COMMITTED_VOTE, result_hash=RIGHT.hash()),))
OPENING: RevealVote = due(carols(VOTED).later(13), RevealVote)
CLOSE: CloseRound = due(carols(INNOCENT).later(60), CloseRound)
APPEAL: Appeal = due(bobs(GUILTY).later(18), Appeal)
PAID_APPEAL: Appeal = due(towered(GUILTY).later(24), Appeal)
HELD = replace(DISPUTED, since=START)
DEFENCE: Defend = due(bobs(HELD).later(6), Defend)
REVEAL: Reveal = due(towered(replace(COMMITTED, since=START)).later(7), Reveal)
ANSWER: AnswerWatch = due(towered(COMMITTED), AnswerWatch)
HANDED = HandWatch(unit=DONE.unit, watch=WATCH, output=b"")
CHECK = Check(
    unit=DONE.unit, request=OPEN.request, shard=0, result=RIGHT, output=b"", wall=1.0, role=Role.JUROR
)
MINE = {number for number, _ in my_seats(OPEN, 0, carols().world)}
NOT_DRAWN = next(seat for seat in range(5) if seat not in MINE)

BROKEN: list[tuple[str, Scene, Action, tuple[Action, ...]]] = [
    ("case_is_the_view", carols(), replace(VOTE, case=replace(CASE, fee=1)), ()),
    ("case_is_the_view", carols(DISPUTED), VOTE, ()),
    ("one_salt_per_vote", carols(), replace(VOTE, hash=OTHER), ()),
    ("one_salt_per_vote", carols(), VOTE, (replace(VOTE, hash=OTHER),)),
    ("one_salt_per_vote", towered(OPEN), VOTE, ()),
    ("seat_is_mine", carols(), replace(VOTE, attempt=VOTE.attempt + 1), ()),
    ("seat_is_mine", carols(), replace(VOTE, seat=NOT_DRAWN), ()),
    ("seat_is_mine", carols(me=BOB), VOTE, ()),
    ("vote_only_in_its_window", carols().later(13), VOTE, ()),
    ("vote_only_in_its_window", carols(VOTED), VOTE, ()),
    ("vote_only_in_its_window", carols(in_round(1)), VOTE, ()),
    ("vote_only_in_its_window", carols(VOTED).later(12), OPENING, ()),
    ("vote_only_in_its_window", carols(VOTED).later(18), OPENING, ()),
    ("reveal_only_what_was_committed", carols().later(13), OPENING, ()),
    ("reveal_only_what_was_committed", carols(SHOWN).later(13), OPENING, ()),
    ("reveal_only_what_was_committed", carols(VOTED).later(13), replace(OPENING, salt=Secret(OTHER)), ()),
    (
        "reveal_only_what_was_committed",
        carols(VOTED).later(13),
        replace(OPENING, result_hash=WRONG.hash()),
        (),
    ),
    ("recompute_only_for_an_open_case", carols(DISPUTED), CHECK, ()),
    ("recompute_only_for_an_open_case", bobs(OPEN), CHECK, ()),
    ("appeal_only_in_its_window", bobs(GUILTY).later(17), APPEAL, ()),
    ("appeal_only_in_its_window", bobs(GUILTY).later(28), APPEAL, ()),
    ("appeal_only_in_its_window", bobs(GUILTY).later(18), replace(APPEAL, value=APPEAL.value - 1), ()),
    ("appeal_only_in_its_window", bobs(GUILTY).later(18), replace(APPEAL, round=2), ()),
    ("appeal_only_what_errs", bobs(INNOCENT).later(18), APPEAL, ()),
    ("appeal_only_what_errs", carols(GUILTY).later(18), APPEAL, ()),
    ("close_only_after_the_last_window", carols(INNOCENT).later(27), CLOSE, ()),
    ("close_only_after_the_last_window", carols(GUILTY).later(33), CLOSE, ()),
    ("hand_over_only_what_is_committed", bobs(replace(COMMITTED, commitment=OTHER)), HANDED, ()),
    (
        "hand_over_only_what_is_committed",
        bobs(COMMITTED),
        replace(HANDED, watch=replace(WATCH, salt=Secret(OTHER))),
        (),
    ),
    ("hand_over_only_what_is_committed", carols(), HANDED, ()),
    ("answer_only_what_is_kept", towered(COMMITTED), AnswerWatch(kept=Kept(watch=Digest(OTHER))), ()),
    (
        "tower_reveals_what_it_was_given",
        towered(COMMITTED),
        replace(REVEAL, salt=Secret(OTHER)),
        (),
    ),
    ("tower_reveals_what_it_was_given", towered(replace(COMMITTED, since=START)).later(99), REVEAL, ()),
    ("tower_reveals_what_it_was_given", towered(ended(COMMITTED, Phase.SLASHED, START)), REVEAL, ()),
    ("tower_appeals_within_its_budget", towered(GUILTY, agrees=False).later(24), PAID_APPEAL, ()),
    ("tower_appeals_within_its_budget", towered(GUILTY).later(24, appeal_budget=FEE), PAID_APPEAL, ()),
    (
        "tower_appeals_within_its_budget",
        towered(in_round(1, START, GUILTY.case.rounds[0].votes if GUILTY.case else ())).later(24),
        replace(PAID_APPEAL, round=2, value=23 * FEE + 7 * FEE),
        (PAID_APPEAL,),
    ),
    ("defend_only_after_the_requester", bobs(HELD).later(5), DEFENCE, ()),
    ("defend_only_after_the_requester", bobs(HELD).later(11), DEFENCE, ()),
    ("defend_only_after_the_requester", bobs(OPEN).later(6), DEFENCE, ()),
    (
        "defend_only_after_the_requester",
        bobs(HELD).later(6),
        replace(DEFENCE, guard_secret=Secret(OTHER)),
        (),
    ),
]


@pytest.mark.parametrize(("name", "scene", "action", "before"), BROKEN, ids=[case[0] for case in BROKEN])
def test_rule_is_broken_by(name: str, scene: Scene, action: Action, before: tuple[Action, ...]) -> None:
    assert name in scene.breaks(action, before=before)


def test_what_a_ward_hands_over_breaks_nothing() -> None:
    worker = bobs(COMMITTED).machine
    assert isinstance(worker, workers.Worker)
    ward = wards.begin(worker, bobs(COMMITTED).world)
    (action,) = wards.due(ward, bobs(COMMITTED).world)
    assert action == HANDED
    assert bobs(COMMITTED).breaks(action) == set()


def test_what_is_due_of_a_tower_and_a_juror_breaks_nothing() -> None:
    assert towered(COMMITTED).breaks(ANSWER) == set()
    assert carols().breaks(CHECK) == set()
