"""What a gossip message must pass before a node believes or forwards it (docs/protocol.md §2.3)."""

from __future__ import annotations

from pathlib import Path

from blockedge_node.core.events import BidHeard, RequestHeard
from tests.adapters.p2p.support import RICH, a_bid, network, publish, until


async def test_requests_and_bids_are_heard_with_the_signers_standing(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "b") as (hub, a, b):
        request = await publish(a)
        for node in (hub, b):
            (heard,) = await until(lambda node=node: node.of(RequestHeard))
            assert heard.request == request
            assert heard.standing == RICH
        bids = [a_bid(b, request, shard) for shard in (0, 1)]
        await b.p2p.publish_bids(bids, [b.signer.sign(bid) for bid in bids])
        await until(lambda: len(a.of(BidHeard)) == 2)
        assert [event.bid for event in a.of(BidHeard)] == bids
        assert not a.of(RequestHeard), "a node does not hear itself"
