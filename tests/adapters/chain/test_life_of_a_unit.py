"""A unit's whole life through the real contract: calls encoded, sent, mined, and seen again as views."""

from __future__ import annotations

import pytest
import trio

from blockedge_node.chain.deploy import Deployment
from blockedge_node.core.actions import CloseReports
from blockedge_node.core.hashing import Domain
from blockedge_node.core.unit import Head, Phase
from blockedge_node.errors import ChainError, Rejected

from .conftest import DETECTOR, ETHER, PARAMS, REQUESTER, WORKER, Anvil
from .scene import Node, Story, eventually, in_pool, mined, running

pytestmark = pytest.mark.anvil


def head_of(node: Node) -> Head:
    return node.heads[-1].head


async def funded(anvil: Anvil, *nodes: Node) -> None:
    for node in nodes:
        await mined(anvil, node.chain.fund(200 * ETHER))


def story_of(deployed: Deployment, node: Node, **changes: object) -> Story:
    domain = Domain(deployed.chain_id, deployed.block_edge)
    return Story(domain=domain, requester=REQUESTER, worker=WORKER, now=head_of(node).time, **changes)  # type: ignore[arg-type]


async def test_a_right_result_is_paid(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, REQUESTER) as requester, running(anvil, deployed, WORKER) as worker:
        await funded(anvil, requester, worker)
        story = story_of(deployed, worker)

        (call,) = await mined(anvil, worker.chain.send(story.award_commit()))
        assert (call.unit, call.call) == (story.unit, "awardCommit")
        assert call.gas > 50_000
        assert call.fee > 0
        view = await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.COMMITTED)
        assert view.terms.price == ETHER
        assert view.terms.vwin == PARAMS.vwin(1_000_000)
        assert view.request == story.signed.request
        assert view.since == head_of(worker).time

        await mined(anvil, worker.chain.send(story.reveal(view)))
        view = await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.REVEALED)
        assert view.output == story.output
        assert view.result == story.result

        anvil.mine(warp=view.terms.vwin + PARAMS.challenge + 1)
        await mined(anvil, requester.chain.send(story.settle(view)))
        view = await requester.sees(story.unit, lambda v: v is not None and v.phase is Phase.PAID)
        assert (view.paid, view.slashed) == (ETHER, 0)
        seen = await worker.until(lambda seen: seen.standing.reputation.m == 1)
        assert seen.standing.account.free == 201 * ETHER
        assert seen.standing.account.locked == 0

        audit = await worker.chain.audit()
        assert audit.sound
        assert audit.free + audit.locked + audit.burned == audit.held
        assert audit.accounts == 2
        assert audit.burned == ETHER // 100


async def test_a_wrong_result_is_reported_in_two_stages_and_slashed(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with (
        running(anvil, deployed, REQUESTER) as requester,
        running(anvil, deployed, WORKER) as worker,
        running(anvil, deployed, DETECTOR) as detector,
    ):
        await funded(anvil, requester, worker, detector)
        story = story_of(deployed, worker, answer=5)
        await mined(anvil, requester.chain.send(story.register()))
        view = await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.ASSIGNED)
        assert view.start_at == story.now + 1
        await mined(anvil, worker.chain.send(story.commit(view)))
        view = await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.COMMITTED)
        await mined(anvil, worker.chain.send(story.reveal(view)))
        view = await detector.sees(story.unit, lambda v: v is not None and v.phase is Phase.REVEALED)

        evidence = bytes(8)  # nonce 0 is smaller and solves it too
        report = story.commit_report(view, DETECTOR, evidence)
        await mined(anvil, detector.chain.send(report))
        view = await detector.sees(story.unit, lambda v: v is not None and len(v.reports) == 1)
        assert view.reports[0].author == DETECTOR.address
        anvil.mine(warp=view.terms.vwin + PARAMS.challenge + 1)
        await mined(anvil, detector.chain.send(story.reveal_report(view, DETECTOR, 1, evidence)))
        view = await detector.sees(story.unit, lambda v: v is not None and v.reports[0].verdict == 2)
        anvil.mine(warp=PARAMS.report + 1)
        await mined(anvil, detector.chain.send(story.settle(view)))
        view = await detector.sees(story.unit, lambda v: v is not None and v.phase is Phase.SLASHED)
        assert view.slashed == 20 * ETHER
        assert not view.reports[0].closed

        closing = CloseReports(unit=story.unit, target=view.on_chain, indexes=(1,))
        await mined(anvil, detector.chain.send(closing))
        await detector.sees(story.unit, lambda v: v is not None and v.reports[0].closed)
        seen = await detector.until(lambda seen: seen.standing.account.free == 204 * ETHER)
        assert seen.standing.account.locked == 0
        audit = await detector.chain.audit()
        assert audit.free + audit.locked + audit.burned == audit.held


async def test_a_silent_worker_is_timed_out(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, REQUESTER) as requester, running(anvil, deployed, WORKER) as worker:
        await funded(anvil, requester, worker)
        story = story_of(deployed, worker)
        await mined(anvil, requester.chain.send(story.register(acked=False)))
        view = await requester.sees(story.unit, lambda v: v is not None and v.phase is Phase.ASSIGNED)
        assert view.start_at == 0
        anvil.mine(warp=10 + PARAMS.grace + 5)
        await mined(anvil, requester.chain.send(story.time_out(view)))
        view = await requester.sees(story.unit, lambda v: v is not None and v.phase is Phase.REFUSED)
        assert view.slashed == 20 * ETHER // 100


async def test_calls_of_one_function_share_a_transaction_and_its_gas(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with running(anvil, deployed, REQUESTER) as requester, running(anvil, deployed, WORKER) as worker:
        await funded(anvil, requester, worker)
        stories = [story_of(deployed, worker, shard=shard) for shard in range(4)]
        calls = await mined(anvil, *(worker.chain.send(story.award_commit()) for story in stories))
        assert len({call.tx for call in calls}) == 1
        receipt = anvil.rpc("eth_getTransactionReceipt", "0x" + calls[0].tx.hex())
        assert sum(call.gas for call in calls) == int(receipt["gasUsed"], 16)
        for story in stories:
            await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.COMMITTED)


async def test_a_call_waits_for_its_window(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, REQUESTER) as requester, running(anvil, deployed, WORKER) as worker:
        await funded(anvil, requester, worker)
        story = story_of(deployed, worker)
        await mined(anvil, requester.chain.send(story.register()))
        view = await requester.sees(story.unit, lambda v: v is not None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.chain.send, story.time_out(view))
            waiting = await eventually(lambda: [w for _, w in requester.chain.status().sender.waiting if w])
            assert waiting == ["TooEarly"]
            assert in_pool(anvil) == 0
            anvil.mine(warp=11 + PARAMS.grace + 5)
            await eventually(lambda: in_pool(anvil))
            anvil.mine()
        await requester.sees(story.unit, lambda v: v is not None and v.phase is Phase.REFUSED)


async def test_wallet_verbs_give_the_contracts_reason(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        with pytest.raises(Rejected, match="NotExiting"):
            await worker.chain.withdraw()
        with pytest.raises(ChainError, match="send ether to this address"):
            await worker.chain.fund(10**30)
        await mined(anvil, worker.chain.fund(5 * ETHER))
        await mined(anvil, worker.chain.exit(2 * ETHER))
        with pytest.raises(Rejected, match=r"TooEarly: opensAt \d+"):
            await worker.chain.withdraw()
        anvil.mine(warp=PARAMS.unbond + 1)
        await worker.caught_up(anvil)
        await mined(anvil, worker.chain.withdraw())
        assert (await worker.chain.account(WORKER.address)).free == 3 * ETHER
