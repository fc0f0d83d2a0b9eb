"""Reorgs, dropped and stuck transactions, restarts, cancellations, and an RPC that lags, lies or vanishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.deploy import Deployment
from blockedge_node.chain.outbox import MemoryOutbox
from blockedge_node.chain.transactions import Fee, Payload, sign_transaction
from blockedge_node.core.events import CallMined
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Hash
from blockedge_node.core.unit import Phase
from blockedge_node.errors import ChainError
from blockedge_node.store.journal import Journal

from .conftest import ETHER, REQUESTER, WORKER, Anvil
from .proxy import proxy_before
from .scene import Node, Story, eventually, in_pool, mined, running

pytestmark = pytest.mark.anvil


def pool(anvil: Anvil) -> list[dict[str, Any]]:
    """Pending transactions, by nonce."""
    content = anvil.rpc("txpool_content")["pending"]
    found = [tx for by_nonce in content.values() for tx in by_nonce.values()]
    return sorted(found, key=lambda tx: int(tx["nonce"], 16))


async def begin(anvil: Anvil, deployed: Deployment, worker: Node, **changes: Any) -> Story:
    """A story whose requester and worker have money in the contract."""
    async with running(anvil, deployed, REQUESTER) as requester:
        await mined(anvil, requester.chain.fund(200 * ETHER))
    await mined(anvil, worker.chain.fund(200 * ETHER))
    domain = Domain(deployed.chain_id, deployed.block_edge)
    now = worker.heads[-1].head.time
    return Story(domain=domain, requester=REQUESTER, worker=WORKER, now=now, **changes)


def committed(view: Any) -> bool:
    return view is not None and view.phase is Phase.COMMITTED


async def test_a_reorg_takes_the_view_back_and_the_transaction_is_sent_again(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        anvil.mine(3)
        (call,) = await mined(anvil, worker.chain.send(story.award_commit()))
        await worker.sees(story.unit, committed)
        anvil.mine()

        anvil.rpc("anvil_reorg", 3, [])  # the last three blocks again, and empty
        await worker.until(lambda seen: not seen.views)
        assert worker.chain.status().reorgs == 1
        (again,) = await eventually(lambda: pool(anvil))
        assert again["hash"] == "0x" + call.tx.hex()  # the same bytes: the same commitment
        anvil.mine()
        view = await worker.sees(story.unit, committed)
        assert view.commitment == story.commitment


async def test_a_reorg_of_several_transactions_leaves_no_hole(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        await mined(anvil, worker.chain.send(story.award_commit()))
        view = await worker.sees(story.unit, committed)
        await mined(anvil, worker.chain.send(story.reveal(view)))
        await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.REVEALED)
        height = worker.heads[-1].head.number
        anvil.rpc("anvil_reorg", 2, [])
        await worker.until(lambda seen: not seen.views)
        await eventually(lambda: len(pool(anvil)) == 2)
        anvil.mine()
        await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.REVEALED)
        assert worker.heads[-1].head.number == height + 1


async def test_a_reorg_deeper_than_all_we_remember_is_read_from_the_start(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        await mined(anvil, worker.chain.send(story.award_commit()))
        await worker.sees(story.unit, committed)
        logs = worker.chain.watcher.logs
        logs._kept = {n: Hash(h[::-1]) for n, h in logs._kept.items()}
        anvil.mine()
        await worker.until(lambda seen: worker.chain.status().reorgs == 1)
        await worker.sees(story.unit, committed)


async def test_views_follow_CONF_blocks_behind(anvil: Anvil, deployed: Deployment) -> None:
    anvil.mine(2)  # on top of the deployment
    async with running(anvil, deployed, WORKER, conf=2) as worker:
        async with trio.open_nursery() as nursery:
            done: list[Any] = []

            async def fund() -> None:
                done.append(await worker.chain.fund(ETHER))

            nursery.start_soon(fund)
            await eventually(lambda: in_pool(anvil))
            anvil.mine(2)
            seen = await worker.caught_up(anvil)
            assert seen.standing.account.free == 0
            assert not done  # one block deep
            anvil.mine()
        await worker.until(lambda seen: seen.standing.account.free == ETHER)


async def test_a_dropped_transaction_is_sent_again(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker, trio.open_nursery() as nursery:
        nursery.start_soon(worker.chain.fund, ETHER)
        (tx,) = await eventually(lambda: pool(anvil))
        anvil.rpc("anvil_dropTransaction", tx["hash"])
        assert not pool(anvil)
        anvil.mine()
        (again,) = await eventually(lambda: pool(anvil))
        assert again["hash"] == tx["hash"]
        anvil.mine()


async def test_a_stuck_transaction_is_replaced_for_an_eighth_more(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker, trio.open_nursery() as nursery:
        nursery.start_soon(worker.chain.fund, ETHER)
        (tx,) = await eventually(lambda: pool(anvil))
        cap = int(tx["maxFeePerGas"], 16)
        for _ in range(2):  # too dear for it
            anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(cap + 1))
            anvil.mine()
        replaced = await eventually(lambda: [t for t in pool(anvil) if t["hash"] != tx["hash"]])
        assert int(replaced[0]["maxFeePerGas"], 16) >= cap * 9 // 8
        assert replaced[0]["nonce"] == tx["nonce"]
        anvil.mine()
        await worker.until(lambda seen: seen.standing.account.free == ETHER)


async def test_no_fee_above_gas_max_is_offered(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER, gas_max=1) as worker, trio.open_nursery() as nursery:
        nursery.start_soon(worker.chain.fund, ETHER)
        await eventually(lambda: "above gas_max" in worker.chain.status().sender.problem)
        assert not pool(anvil)
        nursery.cancel_scope.cancel()


async def test_a_restart_sends_the_same_bytes_and_the_same_call_finds_them(
    anvil: Anvil, deployed: Deployment, tmp_path: Path
) -> None:
    outbox = Journal(tmp_path / "journal", {})
    async with running(anvil, deployed, WORKER, outbox=outbox) as worker:
        story = await begin(anvil, deployed, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, story.award_commit())
            (tx,) = await eventually(lambda: pool(anvil))
            nursery.cancel_scope.cancel()
    anvil.rpc("anvil_dropAllTransactions")
    outbox.close()
    outbox = Journal(tmp_path / "journal", {})
    async with running(anvil, deployed, WORKER, outbox=outbox) as worker:
        (again,) = await eventually(lambda: pool(anvil))
        assert again["hash"] == tx["hash"]
        (call,) = await mined(anvil, worker.chain.send(story.award_commit()))
        assert "0x" + call.tx.hex() == tx["hash"]
        await worker.sees(story.unit, committed)
    outbox.close()


async def test_a_restart_after_the_block_reports_the_call_as_mined(
    anvil: Anvil, deployed: Deployment
) -> None:
    outbox = MemoryOutbox()
    async with running(anvil, deployed, WORKER, outbox=outbox) as worker:
        story = await begin(anvil, deployed, worker)
        (first,) = await mined(anvil, worker.chain.send(story.award_commit()))
    async with running(anvil, deployed, WORKER, outbox=outbox) as worker:
        with trio.fail_after(20):
            second = await worker.chain.send(story.award_commit())
        assert (second.tx, second.block) == (first.tx, first.block)


async def test_a_cancelled_call_loses_no_nonce(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, story.award_commit())
            await eventually(lambda: pool(anvil))
            nursery.cancel_scope.cancel()
        assert worker.chain.status().sender.in_flight == 1
        async with trio.open_nursery() as nursery:  # a second call, while nobody waits for the first
            nursery.start_soon(worker.chain.fund, ETHER)
            first, second = await eventually(lambda: len(pool(anvil)) == 2 and pool(anvil))
            assert int(second["nonce"], 16) == int(first["nonce"], 16) + 1
            anvil.mine()
        await worker.sees(story.unit, committed)
        assert worker.chain.status().sender.in_flight == 0


async def test_cancelling_at_any_moment_never_wedges_the_sender(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        for step in range(12):
            with trio.move_on_after(step * 0.01):
                await worker.chain.send(story.award_commit())
        assert len(pool(anvil)) <= 1
        (call,) = await mined(anvil, worker.chain.send(story.award_commit()))
        assert isinstance(call, CallMined)
        await mined(anvil, worker.chain.fund(ETHER))


async def test_a_hole_in_the_nonces_is_filled(anvil: Anvil, deployed: Deployment) -> None:
    outbox = MemoryOutbox()
    nonce = int(anvil.rpc("eth_getTransactionCount", "0x" + WORKER.address.hex(), "latest"), 16)
    payload = Payload(
        to=deployed.block_edge, data=contract("BlockEdge").call("fund"), value=ETHER, gas=100_000
    )
    raw, tx = sign_transaction(WORKER.private, deployed.chain_id, nonce + 1, payload, Fee(10 * 10**9, 10**9))
    await outbox.outbox_put(nonce + 1, "fund:1", "fund", raw, tx, "sent")  # that of `nonce` was lost
    async with running(anvil, deployed, WORKER, outbox=outbox) as worker:
        await eventually(lambda: in_pool(anvil) == 2)
        anvil.mine()
        await worker.until(lambda seen: seen.standing.account.free == ETHER)


async def test_a_nonce_that_somebody_else_used_is_not_waited_for(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker, trio.open_nursery() as nursery:
        nursery.start_soon(worker.chain.fund, ETHER)
        (tx,) = await eventually(lambda: pool(anvil))
        anvil.rpc("anvil_dropTransaction", tx["hash"])
        raw, _ = sign_transaction(
            WORKER.private,
            deployed.chain_id,
            int(tx["nonce"], 16),
            Payload(to=WORKER.address),
            Fee(100 * 10**9, 10**9),
        )
        anvil.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        for _ in range(3):
            anvil.mine()
            await worker.caught_up(anvil)
        again = await eventually(lambda: pool(anvil))
        assert int(again[0]["nonce"], 16) == int(tx["nonce"], 16) + 1
        anvil.mine()
        await worker.until(lambda seen: seen.standing.account.free == ETHER)


async def test_a_foreign_journal_is_refused(anvil: Anvil, deployed: Deployment) -> None:
    outbox = MemoryOutbox()
    raw, tx = sign_transaction(WORKER.private, 1, 0, Payload(to=WORKER.address), Fee(1, 1))
    await outbox.outbox_put(0, "x", "x", raw, tx, "sent")
    with pytest.raises(ChainError, match="belongs to another coalition"):
        async with running(anvil, deployed, WORKER, outbox=outbox):
            pass


async def test_a_call_without_gas_money_waits_and_says_so(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        anvil.give(WORKER.address, 10**12)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, story.award_commit())
            await eventually(lambda: worker.chain.status().sender.gas_short)
            assert "send ether to this address" in worker.chain.status().sender.problem
            anvil.give(WORKER.address)
            await eventually(lambda: pool(anvil))
            anvil.mine()
        assert not worker.chain.status().sender.gas_short
        assert worker.chain.status().sender.problem == ""


async def test_endpoints_without_simulation_are_used_too(anvil: Anvil, deployed: Deployment) -> None:
    async with proxy_before(anvil.url) as proxy:

        def old_client(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_simulateV1":
                reply.pop("result", None)
                reply["error"] = {"code": -32601, "message": "the method eth_simulateV1 does not exist"}

        proxy.edit(old_client)
        async with running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker:
            story = await begin(anvil, deployed, worker)
            await mined(anvil, worker.chain.send(story.award_commit()))
            view = await worker.sees(story.unit, committed)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    worker.chain.send, story.settle(view)
                )  # will be skipped, which it cannot see
                await eventually(lambda: pool(anvil))
                anvil.mine()
                waiting = await eventually(lambda: worker.chain.status().sender.waiting)
                assert waiting[0][1] == "BadPhase"
                nursery.cancel_scope.cancel()


async def test_an_endpoint_that_vanishes_and_returns(anvil: Anvil, deployed: Deployment) -> None:
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
    ):
        story = await begin(anvil, deployed, worker)
        await proxy.vanish()
        await eventually(lambda: "cannot be reached" in worker.chain.status().problem)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, story.award_commit())
            anvil.mine(40)  # more than is followed block by block
            await proxy.return_()
            await eventually(lambda: pool(anvil))
            anvil.mine()
        await worker.sees(story.unit, committed)
        assert worker.chain.status().problem == ""


async def test_a_lagging_endpoint_takes_nothing_back(anvil: Anvil, deployed: Deployment) -> None:
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
    ):
        story = await begin(anvil, deployed, worker)
        await mined(anvil, worker.chain.send(story.award_commit()))
        await worker.sees(story.unit, committed)
        number = worker.heads[-1].head.number
        old = anvil.rpc("eth_getBlockByNumber", hex(number - 2), False)

        def lag(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_getBlockByNumber" and question["params"][0] == "latest":
                reply["result"] = old

        proxy.edit(lag)
        await eventually(lambda: "lags" in worker.chain.status().problem)
        proxy.answer = proxy.forward
        anvil.mine()
        await worker.until(lambda seen: seen.head.number == number + 1)
        assert worker.chain.status().reorgs == 0
        assert worker.view(story.unit) is not None


async def test_logs_that_were_kept_back_are_found_through_the_slots(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
    ):
        story = await begin(anvil, deployed, worker)
        await mined(anvil, worker.chain.send(story.award_commit()))
        view = await worker.sees(story.unit, committed)

        def hide(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_getLogs":
                reply["result"] = []

        proxy.edit(hide)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, story.reveal(view))
            await eventually(lambda: pool(anvil))
            anvil.mine()
        await eventually(lambda: "do not make what the contracts say" in worker.chain.status().problem)
        assert worker.view(story.unit) == view  # nothing is decided on what does not hold together
        proxy.answer = proxy.forward
        await worker.sees(story.unit, lambda v: v is not None and v.phase is Phase.REVEALED)


async def test_a_ticket_that_is_kept_back_is_missed(anvil: Anvil, deployed: Deployment) -> None:
    """Every ticket counts in every draw: one more or less, and all seats are others."""
    staked = "0x" + next(e.hash for e in contract("Court").events.values() if e.name == "TicketStaked").hex()
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
        running(anvil, deployed, REQUESTER) as requester,
    ):
        await mined(anvil, requester.chain.stake())
        await worker.until(lambda seen: len(seen.tickets) == 1)
        before = worker.heads[-1]

        def hide(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_getLogs":
                reply["result"] = [log for log in reply["result"] if log["topics"][0] != staked]

        proxy.edit(hide)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.chain.stake)  # kept back …
            nursery.start_soon(requester.chain.unstake, 0)  # … from a block whose other event is told
            await eventually(lambda: in_pool(anvil) == 2)
            anvil.mine()
        await eventually(lambda: "do not make what the contracts say" in worker.chain.status().problem)
        assert worker.heads[-1] == before
        proxy.answer = proxy.forward
        await worker.until(lambda seen: len(seen.tickets) == 2)
        assert worker.heads[-1].tickets[0].left_at


async def test_rubbish_logs_are_disbelieved(anvil: Anvil, deployed: Deployment) -> None:
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
    ):

        def spoil(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_getLogs":
                for entry in reply["result"]:
                    entry["data"] = entry["data"][:-2]

        proxy.edit(spoil)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.fund, ETHER)
            await eventually(lambda: pool(anvil))
            anvil.mine()
        await eventually(lambda: "does not decode" in worker.chain.status().problem)
        proxy.answer = proxy.forward
        await worker.until(lambda seen: seen.standing.account.free == ETHER)


async def test_a_late_start_reads_the_whole_log(anvil: Anvil, deployed: Deployment) -> None:
    async with running(anvil, deployed, WORKER) as worker:
        story = await begin(anvil, deployed, worker)
        await mined(anvil, worker.chain.send(story.award_commit()))
        view = await worker.sees(story.unit, committed)
    anvil.rpc("anvil_mine", "0x64")
    async with running(anvil, deployed, REQUESTER) as late:
        assert late.view(story.unit) == view
        assert {WORKER.address, REQUESTER.address} <= late.chain.watcher.logs.addresses


async def test_one_call_that_cannot_be_forecast_holds_up_no_other(anvil: Anvil, deployed: Deployment) -> None:
    async with (
        proxy_before(anvil.url) as proxy,
        running(anvil, deployed, WORKER, urls=(proxy.url,)) as worker,
    ):
        poison = await begin(anvil, deployed, worker, nonce=1)
        story = await begin(anvil, deployed, worker, nonce=2)

        def choke(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if poison.commitment.hex() in str(question) and question["method"] == "eth_simulateV1":
                reply.pop("result", None)
                reply["error"] = {"code": -32000, "message": "out of memory"}

        proxy.edit(choke)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.chain.send, poison.award_commit())
            (call,) = await mined(anvil, worker.chain.send(story.award_commit()))
            assert call.unit == story.unit
            ((_, why),) = worker.chain.status().sender.waiting
            assert "out of memory" in why
            proxy.answer = proxy.forward
            anvil.mine()
            await eventually(lambda: pool(anvil))
            anvil.mine()
        await worker.sees(poison.unit, committed)


async def test_a_strangers_standing_is_fresh_after_its_balance_moved(
    anvil: Anvil, deployed: Deployment
) -> None:
    async with running(anvil, deployed, WORKER) as worker, running(anvil, deployed, REQUESTER) as requester:
        before = await worker.chain.standing(REQUESTER.address)
        assert before is not None
        assert before.account.free == 0
        await mined(anvil, requester.chain.fund(ETHER))
        await worker.caught_up(anvil)
        after = await worker.chain.standing(REQUESTER.address)
        assert after is not None
        assert after.account.free == ETHER
