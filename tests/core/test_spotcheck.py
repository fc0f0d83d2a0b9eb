"""A requester whose units may be checked: fresh secrets, told when they bind, and what follows from silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core import node as core
from blockedge_node.core import requester as requesters
from blockedge_node.core.actions import (
    AwaitBids,
    CloseRound,
    Demand,
    Draw,
    FetchOutput,
    PublishRequest,
    PublishSecret,
    SendAward,
    Settle,
    ShowJury,
    TimeOut,
)
from blockedge_node.core.commitment import DrawSecrets
from blockedge_node.core.court import DemandView
from blockedge_node.core.events import AwardFailed, BidWindowClosed, JobSubmitted, RequestPublished
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import NO_SECRET, Secret
from blockedge_node.core.jobs import FEW_OWNERS, JobRun, JobState, request_of
from blockedge_node.core.node import Node
from blockedge_node.core.selection import flaw, least_deposit
from blockedge_node.core.spotcheck import chunk_to_demand
from blockedge_node.core.task import Kind, Mode
from blockedge_node.core.unit import Phase, UnitView
from tests.core.builders import ALICE, BOB, CAROL, DAVE, DOMAIN, START, bid, bid_heard, ended, job
from tests.core.checked import ASKED, COURT, DRAWN, OFFER, TICKETS, UNDRAWN, Unit, before_court
from tests.core.story import Story, play
from tests.core.test_checker import before_jury
from tests.core.test_proving import SHOWN

TASK = ASKED.task(DOMAIN)


def window(secrets: DrawSecrets, round: int = 0) -> BidWindowClosed:
    return BidWindowClosed(
        task=TASK,
        shard=0,
        round=round,
        draw_secret=secrets.secret,
        guard_secret=secrets.guard_secret,
    )


def asking(*bids: Any) -> Story:
    machine = requesters.begin(keccak256(b"job"), ASKED, TASK, (0,))
    story = play(machine, ALICE).before(COURT, TICKETS).gets(RequestPublished(task=TASK, at=0.0))
    for made in bids or (OFFER,):
        story.gets(bid_heard(made))
    return story.then_wants(PublishRequest, AwaitBids)


def awarded(unit: Unit) -> Story:
    return asking().gets(window(unit.secrets)).then_wants(SendAward)


def sees(unit: Unit, view: UnitView) -> Story:
    """Alice, whose award to Bob got on the chain."""
    return awarded(unit).sees(view)


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_award_commits_to_its_secrets_before_anybody_sees_it() -> None:
    story = asking()
    assert story.wanted(AwaitBids).secrets
    award = story.gets(window(DRAWN.secrets)).wanted(SendAward).signed.award
    assert award.draw_commit == DRAWN.secrets.commit
    story.gets(window(UNDRAWN.secrets))
    assert story.wanted(SendAward).signed.award == award, "one pair an award"
    assert story.restarts().wanted(SendAward).signed.award == award


def test_the_next_award_has_secrets_of_its_own_and_the_first_ones_are_kept() -> None:
    story = asking(OFFER, bid(ASKED, CAROL, price=OFFER.price + 1, deposit=20 * (OFFER.price + 1)))
    story.gets(window(DRAWN.secrets))
    first = story.wanted(SendAward).signed.award
    story.gets(AwardFailed(award=first.digest(DOMAIN), reason="busy")).at(16)
    again = story.wanted(AwaitBids)
    assert (again.round, again.seconds, again.secrets) == (1, 0.0, True)
    second = story.gets(window(UNDRAWN.secrets, round=1)).wanted(SendAward).signed.award
    assert second.draw_commit == UNDRAWN.secrets.commit
    assert story.machine.shards[0].secrets == (DRAWN.secrets, UNDRAWN.secrets)
    story.sees(DRAWN.committed)
    assert story.wanted(PublishSecret).secret == DRAWN.secrets.secret, "a reorg brought the first award back"


def test_a_secret_is_told_once_the_commitment_binds_and_told_again() -> None:
    story = awarded(UNDRAWN).sees(UNDRAWN.committed).then_wants(PublishSecret)
    said = story.wanted(PublishSecret)
    assert (said.secret, said.guard_r) == (UNDRAWN.secrets.secret, UNDRAWN.secrets.guard_r)
    copies = {story.at(second).wanted(PublishSecret).copy for second in range(8)}
    assert copies == {0, 1, 2}
    story.sees(UNDRAWN.shown(UNDRAWN.committed)).then_wants(FetchOutput)


def test_a_drawn_unit_is_marked_while_that_counts() -> None:
    story = sees(DRAWN, DRAWN.committed).then_wants(PublishSecret, Draw)
    story.at(6).then_wants(PublishSecret, Draw).at(7).then_wants(PublishSecret)
    story.at(0).sees(DRAWN.marked).then_wants(PublishSecret)


def test_a_requester_that_lost_its_secrets_tells_none() -> None:
    sees(DRAWN, UNDRAWN.committed).then_rests()


# ── the end of a unit ────────────────────────────────────────────────────────────────────────────────────


def test_a_requester_settles_at_once_where_strangers_would_burn_its_fee() -> None:
    unsaid = UNDRAWN.shown(UNDRAWN.committed, flags=0)  # challengeBy is START + 32
    story = sees(UNDRAWN, unsaid).at(32).then_wants(PublishSecret, FetchOutput, Demand)
    story.at(33).then_wants(PublishSecret, FetchOutput, Settle)
    assert story.wanted(Settle).secret == UNDRAWN.secrets.secret


def test_a_requester_leaves_the_rest_to_the_worker_for_a_while() -> None:
    said = UNDRAWN.shown(UNDRAWN.committed)
    story = sees(UNDRAWN, said).at(32 + COURT.grace).then_wants(FetchOutput)
    story.at(33 + COURT.grace).then_wants(FetchOutput, Settle)
    assert story.wanted(Settle).secret == NO_SECRET


def test_the_jurys_secret_is_shown_in_the_first_half_of_a_dispute() -> None:
    view = UNDRAWN.disputed(replace(UNDRAWN.shown(UNDRAWN.committed), reports=(SHOWN,)))
    story = sees(UNDRAWN, view).at(55).then_wants(ShowJury, FetchOutput)
    assert story.wanted(ShowJury).guard_secret == UNDRAWN.secrets.guard_secret
    story.at(56).then_wants(FetchOutput).at(60).then_wants(FetchOutput).at(61).then_wants(
        TimeOut, FetchOutput
    )
    story.at(50).sees(replace(view, jury_secret=Secret(b"R" * 32))).then_wants(FetchOutput)


def test_a_requester_ends_a_case_that_its_parties_leave_open() -> None:
    view = before_jury(UNDRAWN.disputed(replace(UNDRAWN.shown(UNDRAWN.committed), reports=(SHOWN,))), 5)
    story = sees(UNDRAWN, view).at(87 + COURT.grace).then_wants(FetchOutput)
    story.at(88 + COURT.grace).then_wants(FetchOutput, CloseRound)


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_output_that_never_came_is_demanded() -> None:
    view = UNDRAWN.shown(UNDRAWN.committed)  # its window is START + 20 … 32
    story = sees(UNDRAWN, view).at(26).then_wants(FetchOutput).at(27).then_wants(FetchOutput, Demand)
    asked = story.wanted(Demand)
    assert story.restarts().wanted(Demand) == asked, "the same chunk"
    demanded = replace(view, demands=(DemandView(chunk=asked.chunk, by=START + 37),))
    story.sees(demanded).then_wants(FetchOutput).at(37).then_wants(FetchOutput)
    story.at(38).then_wants(FetchOutput, TimeOut)
    answered = replace(demanded, demands=(replace(demanded.demands[0], supplied=True),))
    story.at(30).sees(answered).then_wants(FetchOutput, Demand)
    story.sees(ended(demanded, Phase.REFUSED, START + 39)).then_is_over()


def test_what_was_given_away_is_not_demanded() -> None:
    waived = UNDRAWN.shown(UNDRAWN.committed)
    waived = replace(waived, terms=replace(waived.terms, mode=int(Mode.NO_DEMAND)))
    sees(UNDRAWN, waived).at(27).then_wants(FetchOutput)


def test_small_and_large_outputs_are_asked_for_anywhere() -> None:
    view = UNDRAWN.committed
    chunks = [chunk_to_demand(view, Secret(bytes([i]) * 32), n) for i in range(200) for n in range(2)]
    assert max(chunks) < 1 << 16
    assert (
        min(sum(c < 4 for c in chunks), sum(4 <= c < 256 for c in chunks), sum(c >= 256 for c in chunks)) > 50
    )


# ── a job before a court ─────────────────────────────────────────────────────────────────────────────────


def test_a_court_kind_pays_for_its_checks() -> None:
    here = before_court(ALICE, min_ticket_owners=3)
    asked = request_of(job(kind=Kind.WASM, fuel=10**9), 0, here)
    assert flaw(asked, COURT) is None
    assert (asked.spot_bps, asked.check_fee) == (1_000, 2 * (10**13 + 10**14))
    assert least_deposit(asked, 1) == 20 * asked.check_fee
    dear = request_of(job(kind=Kind.WASM, fuel=10**18), 0, here)
    assert dear.check_fee == COURT.seat // 10, "what a ticket can answer for"
    assert request_of(job(kind=Kind.POW), 0, here).check_fee == 0


def test_a_court_kind_is_not_opened_before_few_jurors() -> None:
    def submit(owners: int) -> tuple[JobRun, Node]:
        here = before_court(ALICE, min_ticket_owners=owners)
        stepped = core.step(Node(), JobSubmitted(job=job(kind=Kind.WASM)), here)
        (run,) = (m for m in stepped.node.machines.values() if isinstance(m, JobRun))
        return run, stepped.node

    run, node = submit(4)
    assert (run.state, run.failures) == (JobState.FAILED, (FEW_OWNERS,))
    assert len(node.machines) == 1, "nothing was asked for"
    run, node = submit(3)
    assert (run.state, len(node.machines)) == (JobState.RUNNING, 2)
    assert {t.owner for t in TICKETS} == {ALICE, BOB, CAROL}
    assert DAVE not in {t.owner for t in TICKETS}
