"""A spot check and a dispute through the real contracts, seen by adapters that compare every slot at every head."""

from __future__ import annotations

import pytest
import trio

from blockedge_node.chain.book import case_slot_of
from blockedge_node.chain.deploy import Deployment
from blockedge_node.core.deadlines import challenge_by, check_by, report_by, secret_by
from blockedge_node.core.sortition import draw_seed
from blockedge_node.core.unit import CHECK_MISSED, MARKED_DRAWN, RULED, SECRET_SHOWN, Phase, UnitView
from blockedge_node.errors import Rejected

from .conftest import ETHER, JURORS, PARAMS, REQUESTER, WORKER, Anvil
from .court_scene import FEE, RIGHT, WRONG, CourtStory, Town, seats, town
from .scene import adapter, eventually, in_pool, mined, running

pytestmark = pytest.mark.anvil


async def committed(here: Town, story: CourtStory) -> UnitView:
    await mined(here.anvil, here.worker.chain.send(story.award_commit()))
    await here.caught_up()
    view = here.view(story)
    assert view.phase is Phase.COMMITTED
    assert view.committed_at == view.since
    return view


async def sent(here: Town, *sends: object) -> None:
    await mined(here.anvil, *sends)  # type: ignore[arg-type]
    await here.caught_up()


async def test_a_drawn_unit_is_checked_and_its_checker_paid(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story()
        view = await committed(here, story)
        await sent(here, here.requester.chain.send(story.draw(view)))
        view = here.view(story)
        assert view.draw is not None
        assert view.draw.seed == draw_seed(story.draw_secret, story.commitment) == view.data[1]
        assert view.since == view.committed_at, "the clock goes on from the commitment"

        seat = story.drawn(view, here.tickets)
        checker = here.nodes[seat.ticket.owner]
        await sent(here, checker.chain.send(story.commit_check(view, seat)))
        view = here.view(story)
        assert view.checker_ticket == seat.ticket.id
        assert [(r.index, r.author) for r in view.reports] == [(0, seat.ticket.owner)]

        await sent(here, here.worker.chain.send(story.reveal(view)))
        view = here.view(story)
        assert view.flags == MARKED_DRAWN | SECRET_SHOWN
        await here.warp(challenge_by(view, PARAMS))
        await sent(here, checker.chain.send(story.open_report(view, seat.ticket.owner, 0)))
        assert here.view(story).reports[0].result_hash == view.result_hash
        await here.warp(report_by(view, PARAMS))
        await sent(here, here.worker.chain.send(story.settle(view)))
        view = here.view(story)
        assert (view.phase, view.paid) == (Phase.PAID, ETHER)
        assert checker.heads[-1].standing.account.free == 200 * ETHER + FEE


async def test_a_check_that_nobody_commits_is_fined(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story()
        view = await committed(here, story)
        await sent(here, here.requester.chain.send(story.draw(view)))
        view = here.view(story)
        seat = story.drawn(view, here.tickets)
        await here.warp(check_by(view, PARAMS))
        await sent(here, here.worker.chain.send(story.reveal(view)))
        view = here.view(story)
        assert view.flags & CHECK_MISSED
        assert view.data[3] != bytes(32)

        await sent(here, here.requester.chain.send(story.fine_checker(view, seat.proof)))
        assert here.tickets[seat.ticket.id].stake == PARAMS.seat - FEE
        await here.warp(challenge_by(view, PARAMS))
        await sent(here, here.worker.chain.send(story.settle(view)))
        assert here.view(story).phase is Phase.PAID


async def test_an_undrawn_unit_reveals_with_the_secret_at_once(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.undrawn()
        view = await committed(here, story)
        await sent(here, here.worker.chain.send(story.reveal(view, shown=True)))
        view = here.view(story)
        assert (view.phase, view.flags) == (Phase.REVEALED, SECRET_SHOWN)


async def test_a_secret_that_was_kept_back_may_be_shown_at_the_end(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with town(anvil, deployed) as here:
        story = here.undrawn()
        view = await committed(here, story)
        await here.warp(secret_by(view, PARAMS))
        await sent(here, here.worker.chain.send(story.reveal(view)))
        view = here.view(story)
        assert view.flags == 0
        assert view.data[3] == story.commitment
        await here.warp(challenge_by(view, PARAMS))
        await sent(here, here.requester.chain.send(story.settle(view, shown=True)))
        assert here.view(story).phase is Phase.PAID
        assert here.worker.heads[-1].standing.reputation.score > 140_000


async def disputed(here: Town, story: CourtStory) -> UnitView:
    """A wrong result that its checker contradicts, up to DISPUTED."""
    view = await committed(here, story)
    await sent(here, here.requester.chain.send(story.draw(view)))
    view = here.view(story)
    seat = story.drawn(view, here.tickets)
    checker = here.nodes[seat.ticket.owner]
    await sent(here, checker.chain.send(story.commit_check(view, seat)))
    await sent(here, here.worker.chain.send(story.reveal(here.view(story))))
    view = here.view(story)
    await here.warp(challenge_by(view, PARAMS))
    await sent(here, checker.chain.send(story.open_report(view, seat.ticket.owner, 0)))
    await here.warp(report_by(view, PARAMS))
    await sent(here, checker.chain.send(story.settle(view)))
    view = here.view(story)
    assert view.phase is Phase.DISPUTED
    assert view.challenge_by == int.from_bytes(view.data[2], "big") >> 8
    return view


async def judged(here: Town, story: CourtStory, round: int, answers: list[int | None]) -> None:
    """One round: the seats of `answers` vote, in order, and show their votes."""
    view = here.view(story)
    assert view.case is not None
    case = view.case.case
    sitting = list(seats(view, here.tickets, round).items())[: len(answers)]
    votes = list(zip(sitting, answers, strict=False))
    await sent(
        here,
        *(
            here.nodes[sits.ticket.owner].chain.send(story.vote(case, round, seat, sits, answer))
            for (seat, sits), answer in votes
        ),
    )
    newest = here.view(story).case
    assert newest is not None
    assert len(newest.rounds[round].votes) == len(votes)
    begun = newest.rounds[round].since
    await here.warp(begun + PARAMS.jcommit + case.vwin)
    await sent(
        here,
        *(here.worker.chain.send(story.show_vote(case, round, seat, answer)) for (seat, _), answer in votes),
    )
    await here.warp(begun + PARAMS.jcommit + case.vwin + PARAMS.jreveal)


async def test_a_wrong_result_is_convicted_by_two_juries(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story(answer=WRONG)
        view = await disputed(here, story)
        await sent(here, here.requester.chain.send(story.show_jury(view)))
        view = here.view(story)
        assert view.jury_secret == story.jury_secret == view.data[3]
        await sent(here, here.worker.chain.send(story.defend(view, len(here.tickets))))
        view = here.view(story)
        assert view.defended == story.guard_secret
        assert view.case is not None
        assert view.case.case.seed != bytes(32)
        assert view.case.rounds[0].funder == view.reports[0].author

        await judged(here, story, 0, [RIGHT, RIGHT, RIGHT])
        view = here.view(story)
        await sent(here, here.worker.chain.send(story.appeal(view)))
        view = here.view(story)
        assert view.case is not None
        assert [r.funder for r in view.case.rounds] == [view.reports[0].author, WORKER.address]
        audit = await here.worker.chain.audit()
        assert audit.sound
        assert audit.pots == (5 + 11) * FEE, "a checker's ticket has paid for the first round"
        assert audit.stakes + audit.pots == audit.court_held
        slot = await here.worker.chain.rpc.ask(here.worker.chain.court.case(story.unit))  # type: ignore[union-attr]
        assert slot == case_slot_of(view.case)

        await judged(here, story, 1, [RIGHT] * 7)
        view = here.view(story)
        assert view.case is not None
        await here.warp(
            view.case.rounds[1].since + PARAMS.jcommit + view.case.case.vwin + PARAMS.jreveal + PARAMS.appeal
        )
        (call,) = await mined(anvil, here.requester.chain.send(story.close_round(view)))
        assert call.call == "closeRound"
        await here.caught_up()
        view = here.view(story)
        assert view.phase is Phase.SLASHED
        assert view.final_hash == story.hash_of(RIGHT) == view.data[3]
        assert view.flags & RULED
        assert view.case is not None
        assert view.case.closed
        assert view.slashed == 20 * ETHER
        stakes = sum(ticket.stake for ticket in here.tickets)
        held = await here.worker.chain.gas_money(deployed.court)
        assert stakes == held, "every fee and fine is in the tickets"


async def test_a_dispute_nobody_defends_is_lost(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story(answer=WRONG)
        view = await disputed(here, story)
        await here.warp(view.since + PARAMS.defend)
        await sent(here, here.requester.chain.send(story.time_out(view)))
        view = here.view(story)
        assert view.phase is Phase.SLASHED
        assert view.case is None


async def test_a_reporters_case_and_its_bond(anvil: Anvil, deployed: Deployment) -> None:
    """Undrawn, and contradicted by an open report; the jury says NO_INPUT."""
    async with town(anvil, deployed) as here:
        story = here.undrawn()
        view = await committed(here, story)
        await sent(here, here.worker.chain.send(story.reveal(view, shown=True)))
        view = here.view(story)
        accuser = JURORS[0]
        node = here.nodes[accuser.address]
        await sent(here, node.chain.send(story.accuse(view, accuser, WRONG)))
        await here.warp(challenge_by(view, PARAMS))
        await sent(here, node.chain.send(story.open_report(view, accuser.address, 1, WRONG)))
        await here.warp(report_by(view, PARAMS))
        await sent(here, node.chain.send(story.settle(view)))
        view = here.view(story)
        assert view.phase is Phase.DISPUTED
        await here.warp(view.since + PARAMS.defend // 2)
        await sent(here, here.worker.chain.send(story.defend(view, len(here.tickets))))
        view = here.view(story)
        assert view.case is not None
        assert view.case.case.accuser == accuser.address
        assert accuser.address not in {s.ticket.owner for s in seats(view, here.tickets, 0).values()}
        await judged(here, story, 0, [None, None, None])
        view = here.view(story)
        assert view.case is not None
        await here.warp(here.requester.heads[-1].head.time + PARAMS.appeal)
        await sent(here, here.worker.chain.send(story.close_round(view)))
        view = here.view(story)
        assert view.phase is Phase.PAID
        assert view.reports[0].closed
        seen = node.heads[-1].standing.account
        assert (seen.locked, seen.free) == (0, 200 * ETHER - 5 * FEE), "X is back, the jury's fees are not"


async def test_a_reorg_takes_votes_and_tickets_back(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story(answer=WRONG)
        view = await disputed(here, story)
        await sent(here, here.requester.chain.send(story.show_jury(view)))
        await sent(here, here.worker.chain.send(story.defend(here.view(story), len(here.tickets))))
        view = here.view(story)
        assert view.case is not None
        seat, sits = next(iter(seats(view, here.tickets, 0).items()))
        before = here.tickets
        juror = here.nodes[sits.ticket.owner]
        call = story.vote(view.case.case, 0, seat, sits, RIGHT)
        await sent(here, juror.chain.send(call))
        await sent(here, juror.chain.stake(), juror.chain.unstake(sits.ticket.id))
        voted = here.view(story)
        assert voted.case is not None
        assert len(voted.case.rounds[0].votes) == 1
        assert len(here.tickets) == len(before) + 1
        assert here.tickets[sits.ticket.id].left_at

        head = here.requester.heads[-1].head.number
        depth = head - here.requester.chain.watcher.book.changed(story.unit) + 1
        anvil.rpc("anvil_reorg", depth, [])
        await here.requester.until(lambda seen: seen.tickets == before)
        assert here.view(story) == view
        await eventually(lambda: in_pool(anvil) == 3)  # sent again, byte for byte
        anvil.mine()
        await here.requester.until(lambda seen: len(seen.tickets) == len(before) + 1)
        case = here.view(story).case
        assert case is not None
        assert [vote.hash for vote in case.rounds[0].votes] == [call.hash]


async def test_a_late_start_reads_tickets_and_cases_from_the_log(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed) as here:
        story = here.story(answer=WRONG)
        view = await disputed(here, story)
        await sent(here, here.requester.chain.send(story.show_jury(view)))
        await sent(here, here.worker.chain.send(story.defend(here.view(story), len(here.tickets))))
        view = here.view(story)
        assert view.case is not None
        seat, sits = next(iter(seats(view, here.tickets, 0).items()))
        vote = story.vote(view.case.case, 0, seat, sits, RIGHT)
        await sent(here, here.nodes[sits.ticket.owner].chain.send(vote))
        async with running(anvil, deployed, REQUESTER) as late:
            assert late.view(story.unit) == here.view(story)
            assert late.heads[-1].tickets == here.tickets
            assert not late.chain.watcher.logs.tickets.unproven, "compared with the Court, each of them"


async def test_tickets_are_compared_with_the_court_page_by_page(
    anvil: Anvil, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blockedge_node.chain.watcher.TICKETS_PAGE", 2)
    async with town(anvil, deployed, staked=2), running(anvil, deployed, REQUESTER) as late:
        unproven = late.chain.watcher.logs.tickets
        assert len(unproven.unproven) == 4
        anvil.mine()
        await late.caught_up(anvil)
        assert len(unproven.unproven) == 2
        anvil.mine()
        await late.caught_up(anvil)
        assert not unproven.unproven


async def test_a_log_that_begins_after_the_first_ticket_says_so(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed, staked=1) as here:
        head = here.requester.heads[-1].head.number
        late = adapter(anvil, deployed, REQUESTER, start=head)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(late.run, here.requester.emit)
            await eventually(lambda: f"the court is older than block {head}" in late.status().problem)
            nursery.cancel_scope.cancel()


async def test_operators_hold_their_tickets_by_calls(anvil: Anvil, deployed: Deployment) -> None:
    async with town(anvil, deployed, staked=1) as here:
        node = here.nodes[JURORS[0].address]
        (mine,) = [t.id for t in here.tickets if t.owner == JURORS[0].address]
        with pytest.raises(Rejected, match="TicketIn"):
            await node.chain.withdraw_ticket(mine)
        with pytest.raises(Rejected, match="NotOwner"):
            await here.worker.chain.unstake(mine)
        with pytest.raises(Rejected, match="BadValue"):
            await node.chain.collect(mine)
        await sent(here, node.chain.unstake(mine))
        assert here.tickets[mine].left_at
        await here.warp(here.tickets[mine].left_at + PARAMS.unbond)
        await sent(here, node.chain.withdraw_ticket(mine))
        assert here.tickets[mine].stake == 0


async def test_an_output_that_is_kept_back_is_shown_chunk_by_chunk(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with town(anvil, deployed, staked=1) as here:
        story = here.undrawn(hidden=True)
        view = await committed(here, story)
        await sent(here, here.worker.chain.send(story.reveal(view, shown=True)))
        view = here.view(story)
        assert view.output == b""
        for chunk in (1, 7):  # one behind the end means the last
            await sent(here, here.requester.chain.send(story.demand(view, chunk)))
        assert [(d.chunk, d.supplied) for d in here.view(story).demands] == [(1, False), (7, False)]
        await sent(here, here.worker.chain.send(story.supply(view, 7)))
        assert [(d.chunk, d.supplied) for d in here.view(story).demands] == [(1, False), (7, True)]
        await here.warp(here.view(story).demands[0].by)
        await sent(here, here.requester.chain.send(story.time_out(view)))
        view = here.view(story)
        assert (view.phase, view.slashed) == (Phase.REFUSED, 2 * ETHER)
        assert here.worker.heads[-1].standing.account.free == 200 * ETHER - 2 * ETHER + FEE
