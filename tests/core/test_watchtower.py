"""Both ends of a watch: what a worker gives to its towers, and what a tower does for a client that is silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blockedge_node.core import bidder as bidders
from blockedge_node.core import node as core
from blockedge_node.core import ward as wards
from blockedge_node.core import watchtower as towers
from blockedge_node.core import worker as workers
from blockedge_node.core.actions import (
    AnswerWatch,
    Appeal,
    Check,
    CloseReports,
    CloseRound,
    Defend,
    HandWatch,
    Reveal,
    Settle,
)
from blockedge_node.core.commitment import DrawSecrets, Role
from blockedge_node.core.events import (
    Checked,
    CheckFailed,
    InputFetched,
    SecretHeard,
    WatchAnswered,
    WatchHeard,
    WatchKept,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Secret
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.node import Node, tower_key, ward_key, worker_key
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Result
from blockedge_node.core.unit import Phase, ReportView, UnitView
from blockedge_node.core.watch import Kept, Watch
from tests.core.builders import (
    BOB,
    CAROL,
    DAVE,
    DOMAIN,
    GUARD_SECRET,
    OUTPUT,
    RESULT,
    SALT,
    START,
    assigned,
    award_heard,
    bid,
    commitment_of,
    committed,
    ended,
    head,
    request,
    request_heard,
    revealed,
    solved,
    world,
)
from tests.core.court import CASE, FEE, TICKETS, WRONG, in_round, rounds, unanimous
from tests.core.court import DISPUTED as COURT_DISPUTED
from tests.core.court import DONE as COURT_DONE
from tests.core.court import RIGHT as COURT_RIGHT
from tests.core.story import Story, play

TOWER = CAROL  # Bob's
ASKED = request()
HEARD = award_heard(ASKED, bid(ASKED, BOB))
DONE = solved(HEARD)
ASSIGNED = assigned(HEARD, START - 1)
COMMITTED = committed(ASSIGNED, commitment_of(DONE), START)  # revealBy START + 10
REVEALED = revealed(COMMITTED, DONE, START)  # challengeBy START + 12
WATCH = Watch(
    tower=TOWER,
    unit=DONE.unit,
    exit=RESULT.exit,
    output_root=RESULT.output_root,
    fuel_used=RESULT.fuel_used,
    memory_hash=RESULT.memory_hash,
    salt=SALT,
    guard_secret=GUARD_SECRET,
)


def handed(watch: Watch = WATCH, output: bytes = OUTPUT, client: Address = BOB) -> WatchHeard:
    return WatchHeard(client=client, watch=watch, output=output, digest=watch.digest(DOMAIN))


def watching(*views: UnitView, event: WatchHeard | None = None, **policy: Any) -> Story:
    """Carol watches Bob's unit, and has said so."""
    event = event or handed()
    machine, _ = towers.begin(event, world(TOWER))
    answered = WatchAnswered(watch=event.digest)
    return play(machine, TOWER, **policy).gets(answered).staked(*TICKETS).sees(*views)


# ── the client's side ────────────────────────────────────────────────────────────────────────────────────


def bobs(*views: UnitView, **policy: Any) -> workers.Worker:
    """Bob's worker that has solved, looking at these views."""
    bidder, _ = bidders.begin(request_heard(ASKED), world(BOB))
    assert bidder is not None
    mine = award_heard(ASKED, bidder.bids[0].bid)
    _, worker, _ = bidders.answer(bidder, mine, 0, world(BOB))
    assert worker is not None
    for event in (InputFetched(unit=worker.unit, award=mine.digest), solved(mine), head(START, *views)):
        worker, _ = workers.step(worker, event, world(BOB, **policy))
    return worker


def bobs_view(phase: Phase = Phase.COMMITTED) -> UnitView:
    worker = bobs()
    shown = workers.my_commitment(worker, DOMAIN)
    assert shown is not None
    mine = award_heard(ASKED, worker.signed.bid)
    view = committed(assigned(mine, START), shown, START)
    return replace(view, phase=phase) if phase is not Phase.ASSIGNED else assigned(mine, START)


TWO: dict[str, Any] = {"towers": (CAROL, DAVE)}


def warded(**policy: Any) -> Story:
    ward = wards.begin(bobs(bobs_view()), world(BOB, **(TWO | policy)))
    return play(ward, BOB, **(TWO | policy)).sees(bobs_view())


@pytest.mark.parametrize("phase", Phase)
def test_a_unit_is_handed_over_from_its_commitment_to_its_end(phase: Phase) -> None:
    view = bobs_view(phase)
    open_ = phase in (Phase.COMMITTED, Phase.REVEALED, Phase.DISPUTED)
    assert wards.wants(bobs(view), world(BOB, **TWO)) == open_


def test_nothing_is_handed_over_without_towers_or_under_anothers_commitment() -> None:
    other = replace(bobs_view(), commitment=keccak256(b"another"))
    assert not wards.wants(bobs(other), world(BOB, **TWO))
    assert not wards.wants(bobs(bobs_view()), world(BOB))
    assert not wards.wants(bobs(bobs_view()), world(BOB, towers=(BOB,))), "not to oneself"


def test_nothing_more_is_handed_over_once_the_unit_has_ended_or_is_anothers() -> None:
    story = warded().then_wants(HandWatch, HandWatch)
    story.sees(ended(bobs_view(), Phase.SLASHED, START + 1)).then_rests()
    story.sees(replace(bobs_view(), commitment=keccak256(b"another"))).then_rests()
    story.sees(bobs_view(Phase.ASSIGNED)).then_rests().sees().then_rests()


def test_every_tower_gets_the_whole_opening_until_it_is_kept() -> None:
    story = warded().then_wants(HandWatch, HandWatch)
    watches = {a.watch.tower: a.watch for a in story.due if isinstance(a, HandWatch)}
    worker = bobs()
    assert worker.solved is not None
    for watch in watches.values():
        assert (watch.salt, watch.guard_secret) == (worker.solved.salt, worker.solved.guard_secret)
        assert watch.result == worker.solved.result
    story.gets(WatchKept(unit=worker.unit, watch=watches[DAVE].digest(DOMAIN))).then_wants(HandWatch)
    assert story.wanted(HandWatch).watch.tower == CAROL
    story.restarts().then_wants(HandWatch)
    story.gets(WatchKept(unit=worker.unit, watch=watches[CAROL].digest(DOMAIN))).then_rests()
    story.sees(ended(bobs_view(), Phase.PAID, START + 20)).then_is_over()


def test_a_draw_secret_that_is_heard_later_is_handed_over_too() -> None:
    secrets = DrawSecrets(secret=Secret(b"s" * 32), guard_secret=Secret(b"r" * 32))
    view = bobs_view()
    view = replace(view, terms=replace(view.terms, draw_commit=secrets.commit))
    story = warded(towers=(CAROL,)).sees(view)
    story.gets(WatchKept(unit=view.unit, watch=story.wanted(HandWatch).watch.digest(DOMAIN))).then_rests()
    story.gets(SecretHeard(unit=view.unit, secret=Secret(b"x" * 32), guard_r=secrets.guard_r)).then_rests()
    story.gets(SecretHeard(unit=view.unit, secret=secrets.secret, guard_r=secrets.guard_r)).then_wants(
        HandWatch
    )
    watch = story.wanted(HandWatch).watch
    assert (watch.secret, watch.guard_r) == (secrets.secret, secrets.guard_r)
    story.restarts().then_wants(HandWatch)


def test_a_node_hands_over_what_it_has_committed_and_forgets_it_at_the_end() -> None:
    here = world(BOB, **TWO)
    worker = bobs()
    node = Node(machines={worker_key(worker.award): worker})
    key = ward_key(worker.award)
    assert key not in core.step(node, head(START, bobs_view(Phase.ASSIGNED)), here).node.machines
    node = core.step(node, head(START, bobs_view()), here).node
    assert key in node.machines
    for _ in range(2):
        node = core.step(node, head(START, bobs_view(Phase.PAID)), here).node
    assert key not in node.machines


# ── what a tower keeps ───────────────────────────────────────────────────────────────────────────────────


def test_a_tower_gives_its_word_for_what_is_on_its_disk() -> None:
    machine, _ = towers.begin(handed(), world(TOWER))
    word = AnswerWatch(kept=Kept(watch=WATCH.digest(DOMAIN)))
    story = play(machine, TOWER).sees(COMMITTED).then_wants(word)
    story.gets(WatchAnswered(watch=WATCH.digest(DOMAIN))).then_rests()
    story.restarts().then_rests().gets(handed()).then_wants(word)


def test_a_node_keeps_its_clients_watches_and_nobody_elses() -> None:
    key = tower_key(towers.commitment_of(handed(), DOMAIN))
    for clients, kept in ((frozenset({BOB}), True), (frozenset({DAVE}), False), (frozenset(), False)):
        node = core.step(Node(), handed(), world(TOWER, clients=clients)).node
        assert (key in node.machines) == kept
    assert key == tower_key(commitment_of(DONE)), "it is the client's commitment"


def test_a_client_cannot_fill_a_towers_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers, "MOST_WATCHES", 3)
    node, here = Node(), world(TOWER, clients=frozenset({BOB}))
    for i in range(5):
        node = core.step(node, handed(replace(WATCH, salt=Secret(bytes([i]) * 32))), here).node
    assert len(node.machines) == 3


def test_a_watch_that_the_chain_never_shows_is_forgotten() -> None:
    watching().then_rests().at(600).then_lives().at(601).then_is_over()
    other = replace(COMMITTED, commitment=keccak256(b"another"))
    watching(other).at(8).then_rests().at(601).then_is_over()


def test_a_watch_in_anothers_name_does_nothing() -> None:
    """Dave is a client too, and hands in what he took to be Bob's opening."""
    watching(COMMITTED, event=handed(client=DAVE)).at(8).then_rests()


# ── what it does ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_tower_reveals_when_its_client_is_about_to_be_late() -> None:
    """revealBy is START + 10, the margin 4 s."""
    story = watching(COMMITTED).then_rests().at(6).then_rests().at(7).then_wants(Reveal)
    action = story.wanted(Reveal)
    assert (action.result, action.salt, action.output) == (RESULT, SALT, OUTPUT)
    story.restarts().then_wants(action)
    story.sees(REVEALED).then_rests()


def test_an_output_that_came_once_is_kept() -> None:
    story = watching(COMMITTED).gets(handed(output=b""))
    assert story.at(7).wanted(Reveal).output == OUTPUT


def test_a_client_that_is_awake_goes_first() -> None:
    story = watching(COMMITTED).at(2).sees(REVEALED).then_rests().at(17).then_rests()
    story.sees(ended(REVEALED, Phase.PAID, START + 13)).then_rests().then_is_over().then_tells("watch.over")


def test_a_tower_settles_and_closes_reports_after_everybody_else() -> None:
    """challengeBy is START + 12, GRACE 5 s."""
    story = watching(REVEALED).at(22).then_rests().at(23).then_wants(Settle)
    false = ReportView(index=1, author=DAVE, hash=keccak256(b"r"), result_hash=keccak256(b"x"))
    view = ended(replace(REVEALED, reports=(false,)), Phase.PAID, START + 24)
    story.sees(view).then_rests().at(34).then_rests().at(35).then_wants(CloseReports)
    view = replace(view, reports=(replace(false, closed=True),))
    story.sees(view).then_rests().then_is_over()


@pytest.mark.parametrize("known", ["handed over", "heard", "unknown"])
def test_a_tower_shows_the_secret_where_that_helps(known: str) -> None:
    """spotBps > 0 and undrawn: revealBy is START + 6 + 7 + 10, and without the secret there is no reputation."""
    secrets = undrawn(COMMITTED)
    terms = replace(COMMITTED.terms, spot_bps=5000, draw_commit=secrets.commit)
    view = replace(COMMITTED, terms=terms)
    shown = replace(WATCH, secret=secrets.secret, guard_r=secrets.guard_r)
    story = watching(view, event=handed(shown if known == "handed over" else WATCH))
    if known == "heard":
        story.gets(SecretHeard(unit=view.unit, secret=secrets.secret, guard_r=secrets.guard_r))
    story.at(19).then_rests().at(20).then_wants(Reveal)
    action = story.wanted(Reveal)
    assert (action.secret == secrets.secret) == (known != "unknown")
    if known == "heard":
        assert story.restarts().wanted(Reveal) == action


def undrawn(view: UnitView) -> DrawSecrets:
    """Secrets that do not draw the unit at 5000 bps."""
    assert view.commitment is not None
    for i in range(100):
        secrets = DrawSecrets(secret=Secret(bytes([i]) * 32), guard_secret=Secret(b"r" * 32))
        if not drawn(draw_seed(secrets.secret, view.commitment), 5000):
            return secrets
    raise AssertionError


def test_a_secret_that_opens_nothing_is_dropped() -> None:
    lie = replace(WATCH, secret=Secret(b"l" * 32))
    story = watching(COMMITTED, event=handed(lie)).at(7)
    assert story.wanted(Reveal).secret == bytes(32)


# ── before a jury ────────────────────────────────────────────────────────────────────────────────────────

COURT_WATCH = replace(
    WATCH,
    unit=COURT_DONE.unit,
    exit=COURT_RIGHT.exit,
    output_root=COURT_RIGHT.output_root,
    fuel_used=COURT_RIGHT.fuel_used,
    salt=COURT_DONE.salt,
    guard_secret=COURT_DONE.guard_secret,
)
RICH: dict[str, Any] = {"appeal_budget": 40 * FEE}
GUILTY = unanimous(WRONG)


def accused(view: UnitView, **policy: Any) -> Story:
    return watching(view, event=handed(COURT_WATCH, b""), **policy)


def checked(result: Result | None = COURT_RIGHT) -> Checked:
    return Checked(unit=GUILTY.unit, wrong=False, result=result, evidence=b"", salt=SALT, role=Role.WORKER)


def test_a_tower_defends_before_silence_is_a_default_judgment() -> None:
    """since is START − 10: defendBy START, the margin 4 s, DEFEND/2 over at START − 5."""
    early = replace(COURT_DISPUTED, since=START)
    story = accused(early).at(6).then_rests().at(7).then_wants(Defend)
    action = story.wanted(Defend)
    assert (action.guard_secret, action.tickets) == (COURT_DONE.guard_secret, len(TICKETS))
    story.restarts().then_wants(action).at(11).then_rests()
    story.sees(replace(early, defended=COURT_DONE.guard_secret)).then_rests()


def test_a_tower_appeals_a_wrong_round_once_it_has_found_the_same() -> None:
    """Votes are shown until START + 17, appeals accepted until START + 27."""
    story = accused(GUILTY, **RICH).at(17).then_rests().at(18).then_wants(Check)
    story.gets(checked()).then_rests().then_tells("watch.checked").at(23).then_rests()
    story.at(24).then_wants(Appeal(unit=GUILTY.unit, case=CASE, round=1, value=appeal_cost(1, FEE)))
    story.restarts().then_wants(Appeal).at(28).then_rests()


def test_a_tower_appeals_twice_if_its_budget_lasts() -> None:
    first = rounds(GUILTY)
    second = unanimous(WRONG, 1, START + 25)
    view = in_round(1, START + 25, rounds(second)[0].votes, funder=TOWER, before=first)
    for budget, appeals in ((34 * FEE, True), (34 * FEE - 1, False)):
        story = accused(view, appeal_budget=budget).at(43)
        story.gets(checked()).at(49)
        assert any(isinstance(a, Appeal) for a in story.due) == appeals
    last = in_round(2, START + 50, before=rounds(view), funder=TOWER)
    accused(last, appeal_budget=10**20).gets(checked()).at(68).then_rests()


def test_a_tower_pays_for_nobodys_lie() -> None:
    story = accused(GUILTY, **RICH).at(18).gets(checked(WRONG)).at(24).then_rests()
    story.restarts().then_rests()
    for why in (checked(None), CheckFailed(unit=GUILTY.unit, reason="no", role=Role.WORKER)):
        accused(GUILTY, **RICH).at(18).gets(why).then_tells("watch.unchecked").at(24).then_rests()


def test_a_tower_without_a_budget_does_not_even_look() -> None:
    accused(GUILTY).at(18).then_rests()
    accused(GUILTY, appeal_budget=appeal_cost(1, FEE) - 1).at(18).then_rests()


def test_a_tower_lets_a_right_round_be_and_ends_the_case() -> None:
    story = accused(unanimous(COURT_RIGHT), **RICH).at(18).then_rests().at(37).then_rests()
    story.at(38).then_wants(CloseRound)
    assert story.wanted(CloseRound).final_hash == COURT_RIGHT.hash()


def test_a_client_that_appeals_itself_is_not_helped() -> None:
    story = accused(GUILTY, **RICH).at(18).gets(checked())
    story.at(23).sees(in_round(1, START + 22, funder=BOB, before=rounds(GUILTY))).then_rests()
