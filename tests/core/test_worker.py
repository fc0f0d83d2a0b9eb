"""One accepted award, from its input to its price; and every way in which that goes wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockedge_node.core import bidder as bidders
from blockedge_node.core.actions import (
    AwardCommit,
    CloseReports,
    CommitResult,
    DeliverResult,
    FetchInput,
    RefuseAward,
    RegisterAward,
    Reveal,
    SendAck,
    Settle,
    Solve,
)
from blockedge_node.core.events import (
    AckSent,
    AwardHeard,
    InputFetched,
    InputRefused,
    ReceiptHeard,
    RefusalSent,
    WorkFailed,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Hash, Root, Secret
from blockedge_node.core.task import Ack, Kind, Mode, Receipt, Result
from blockedge_node.core.unit import Account, Phase, ReportView, Standing
from blockedge_node.core.worker import Worker
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    ETHER,
    OUTPUT,
    RESULT,
    SIG,
    START,
    assigned,
    award_heard,
    commitment_of,
    committed,
    ended,
    request,
    request_heard,
    revealed,
    solved,
    words,
    world,
)
from tests.core.story import Story, play

ASKED = request()


def awarded(standing: Standing | None = None, **changes: object) -> tuple[Story, AwardHeard]:
    """Bob has bid and Alice has awarded him the unit: his worker, just begun."""
    asked = replace(ASKED, **changes)  # type: ignore[arg-type]
    bidder, _ = bidders.begin(request_heard(asked), world(BOB))
    assert bidder is not None
    heard = award_heard(asked, bidder.bids[0].bid)
    if standing:
        heard = replace(heard, standing=standing)
    _, worker, _ = bidders.answer(bidder, heard, 0, world(BOB))
    assert isinstance(worker, Worker)
    return play(worker, BOB), heard


def at_work() -> tuple[Story, AwardHeard]:
    story, heard = awarded()
    return story.gets(InputFetched(unit=solved(heard).unit, award=heard.digest)), heard


def test_worker_is_paid() -> None:
    story, heard = awarded()
    done = solved(heard)
    ack = Ack(award=heard.digest, start_at=START)
    story.then_wants(FetchInput)
    story.gets(InputFetched(unit=done.unit, award=heard.digest))
    story.then_wants(SendAck(award=heard.digest, ack=ack, requester=ALICE), Solve)
    story.gets(AckSent(award=heard.digest)).then_wants(Solve)
    story.gets(done).then_wants(DeliverResult, AwardCommit)
    receipt = Receipt(unit=done.unit, result_hash=RESULT.hash())
    story.gets(ReceiptHeard(unit=done.unit, receipt=receipt, sig=SIG)).then_wants(AwardCommit)
    assert story.wanted(AwardCommit).commitment == commitment_of(done)

    view = committed(assigned(heard, START + 2), commitment_of(done), START + 2)
    story.at(2).sees(view).then_wants(Reveal)
    view = revealed(view, done, START + 3)
    story.at(3).sees(view).then_rests()
    challenge_by = 3 + view.terms.vwin + 5
    story.at(challenge_by).then_rests().at(challenge_by + 1).then_wants(Settle)
    story.sees(ended(view, Phase.PAID, story.now, paid=view.terms.price)).then_rests()
    story.then_tells("unit.paid").then_is_over()


def test_worker_sends_no_ack_before_the_input_is_here() -> None:
    story, heard = awarded()
    story.then_wants(FetchInput)
    refused = InputRefused(
        unit=solved(heard).unit, award=heard.digest, reason="memory of 2 GiB …", code="program_memory"
    )
    story.gets(refused).then_wants(RefuseAward(award=heard.digest, reason="program_memory"))
    story.gets(RefusalSent(award=heard.digest)).then_rests().then_lives()
    story.at(heard.signed.award.register_by - START + 1).then_is_over()


def test_worker_answers_an_award_again_when_it_is_asked_again() -> None:
    story, heard = at_work()
    story.gets(AckSent(award=heard.digest)).then_wants(Solve)
    story.gets(heard).then_wants(SendAck, Solve)


def test_worker_never_reveals_before_its_commitment_is_shown() -> None:
    story, heard = at_work()
    done = solved(heard)
    story.gets(AckSent(award=heard.digest)).gets(done).then_wants(DeliverResult, AwardCommit)
    view = assigned(heard, START + 1)
    story.sees(view).then_wants(DeliverResult, CommitResult)
    story.sees(committed(view, Hash(keccak256(b"another's")), START + 1)).then_wants(DeliverResult)


def test_worker_commits_the_same_after_a_restart() -> None:
    story, heard = at_work()
    story.gets(AckSent(award=heard.digest)).gets(solved(heard))
    before = story.wanted(AwardCommit)
    story.restarts().then_wants(DeliverResult, before)


def test_worker_keeps_its_first_answer() -> None:
    story, heard = at_work()
    story.gets(solved(heard))
    other = solved(heard, result=Result(exit=0, output_root=Root(keccak256(b"x"))), salt=Secret(b"2" * 32))
    story.gets(other)
    assert story.machine.solved.result == RESULT
    assert story.machine.solved.salt == solved(heard).salt


def test_worker_resends_what_a_reorg_took_back() -> None:
    story, heard = at_work()
    done = solved(heard)
    story.gets(AckSent(award=heard.digest)).gets(done)
    first = story.wanted(AwardCommit)
    view = committed(assigned(heard, START + 1), commitment_of(done), START + 1)
    story.at(1).sees(view).then_wants(DeliverResult, Reveal)
    story.at(2).sees().then_wants(DeliverResult, first)


def test_worker_lets_a_dead_award_go() -> None:
    story, heard = at_work()
    story.gets(solved(heard))
    last = heard.signed.award.register_by - START
    story.at(last).then_wants(SendAck, DeliverResult, AwardCommit)
    story.at(last + 1).then_rests().then_is_over().then_tells("award.expired")


def test_worker_registers_first_for_a_requester_that_could_not_pay_twice() -> None:
    once = Standing(account=Account(free=2 * ETHER // 10_000))
    story, heard = awarded(once)
    story.gets(InputFetched(unit=solved(heard).unit, award=heard.digest)).gets(AckSent(award=heard.digest))
    story.then_wants(RegisterAward)
    registration = story.wanted(RegisterAward).registration
    assert registration.signed.bid_sig == b""
    assert registration.signed.award_sig == SIG
    story.sees(assigned(heard, START + 1)).then_wants(Solve)
    story.gets(solved(heard)).then_wants(DeliverResult, CommitResult)


def test_worker_commits_when_its_requester_was_first_to_register() -> None:
    story, heard = at_work()
    story.gets(AckSent(award=heard.digest)).at(11).sees(assigned(heard, START + 11)).then_wants(Solve)
    story.gets(solved(heard)).then_wants(DeliverResult, CommitResult)
    story.at(16).then_wants(DeliverResult, CommitResult)  # resultBy = registration + GRACE
    story.at(17).then_wants(DeliverResult)


def test_worker_drops_an_award_whose_slot_went_to_other_terms() -> None:
    story, heard = at_work()
    story.gets(solved(heard))
    view = assigned(heard, START + 1)
    other = replace(view, terms=replace(view.terms, worker=CAROL))
    story.sees(other).then_rests().then_is_over().then_tells("award.superseded")


def test_worker_without_a_result_stays_silent() -> None:
    story, heard = at_work()
    story.gets(WorkFailed(unit=solved(heard).unit, award=heard.digest, reason="killed"))
    story.then_wants(RefuseAward).sees(assigned(heard, START + 1)).then_wants(RefuseAward)
    view = ended(assigned(heard, START + 1), Phase.REFUSED, START + 30, slashed=1)
    story.gets(RefusalSent(award=heard.digest)).sees(view).then_tells("unit.refused").then_is_over()


def test_worker_does_not_commit_an_output_that_it_could_not_show() -> None:
    large = Result(exit=0, output_root=Root(keccak256(b"more than a chunk")))
    story, heard = at_work()
    story.gets(AckSent(award=heard.digest)).gets(solved(heard, result=large, output=b"")).then_rests()

    story, heard = awarded(kind=Kind.WASM, mode=Mode.NO_DEMAND)
    story.gets(InputFetched(unit=solved(heard).unit, award=heard.digest)).gets(AckSent(award=heard.digest))
    story.gets(solved(heard, result=large, output=b"")).then_wants(DeliverResult, AwardCommit)


def test_worker_collects_what_a_false_report_lost() -> None:
    story, heard = at_work()
    done = solved(heard)
    story.gets(AckSent(award=heard.digest)).gets(done)
    view = revealed(assigned(heard, START + 1), done, START + 1)
    report = ReportView(index=1, author=CAROL, hash=Hash(keccak256(b"report")), verdict=1)
    view = ended(replace(view, reports=(report,)), Phase.PAID, START + 20)
    story.sees(view).then_wants(CloseReports(unit=done.unit, target=view.on_chain, indexes=(1,)))
    story.sees(replace(view, reports=(replace(report, closed=True),))).then_is_over()


@pytest.mark.parametrize("seconds", [0, 14, 15, 16])
def test_worker_reveals_until_revealBy(seconds: int) -> None:
    story, heard = at_work()
    done = solved(heard)
    story.gets(AckSent(award=heard.digest)).gets(done)
    view = committed(assigned(heard, START + 5), commitment_of(done), START + 5)
    reveals = [a for a in story.sees(view).at(seconds).due if isinstance(a, Reveal)]
    assert bool(reveals) == (seconds <= 5 + 10)  # REVEAL is 10 s, and spotBps is 0
    if reveals:
        assert reveals[0].output == OUTPUT
        assert reveals[0].target.data == words(commitment_of(done))
