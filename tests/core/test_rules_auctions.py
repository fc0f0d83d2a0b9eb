"""Every rule of an auction's actions has something that breaks it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from blockedge_node.core import node as core
from blockedge_node.core.actions import Action, Announce, CloseAuction, PostBid
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.events import BidWindowClosed, Event, InputFetched, JobSubmitted
from blockedge_node.core.ids import Address, Digest, Secret
from blockedge_node.core.node import Node, Requester
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.task import Kind, Mode
from tests.core.auctions import announced, auction, closed, posted, seen
from tests.core.builders import ALICE, BOB, CAROL, START, head, job, world

SECRETS = Secret(b"s" * 32), Secret(b"r" * 32)


@dataclass(frozen=True)
class Scene:
    me: Address
    node: Node
    at: int = START

    def breaks(self, action: Action) -> set[str]:
        return {rule.name for rule in Rulebook().check(action, self.node, world(self.me, self.at))}

    def due(self, kind: type) -> Any:
        """The action of this class that the node itself wants: the rules have nothing against it."""
        (action,) = (a for a in core.due(self.node, world(self.me, self.at)) if isinstance(a, kind))
        assert self.breaks(action) == set()
        return action


def after(me: Address, *events: Event, node: Node | None = None, at: int = START) -> Scene:
    node = node or Node()
    for event in events:
        here = world(me, at)
        node = core.step(node, event, here).node
    return Scene(me, node, at)


ASKED = announced()
OPEN = auction(ASKED)
UNIT = OPEN.unit
HERE = InputFetched(unit=UNIT, award=Digest(UNIT))

BARE = after(BOB, seen(START, OPEN))
READY = after(BOB, seen(START, OPEN), HERE)
BID: PostBid = READY.due(PostBid)

SUBMITTED = after(ALICE, JobSubmitted(job=job(mode=Mode.ONCHAIN)))
(MINE,) = (m for m in SUBMITTED.node.machines.values() if isinstance(m, Requester))
WINDOW = BidWindowClosed(task=MINE.task, shard=0, round=0)
ANNOUNCING = after(ALICE, WINDOW, node=SUBMITTED.node)
ANNOUNCE: Announce = ANNOUNCING.due(Announce)
MY_AUCTION = auction(MINE.request)
OPENED = after(ALICE, seen(START, MY_AUCTION), node=ANNOUNCING.node)
NOBODY = after(ALICE, seen(START + 1, MY_AUCTION), node=ANNOUNCING.node, at=START + 1)
CLOSE: CloseAuction = NOBODY.due(CloseAuction)
UNIT_THERE = closed(auction(MINE.request, posted()), START + 2)

BROKEN: list[tuple[str, Scene, Action]] = [
    ("announce_what_is_on_disk", SUBMITTED, replace(ANNOUNCE, draw_commits=(UNIT,))),
    ("announce_what_is_on_disk", ANNOUNCING, replace(ANNOUNCE, request=replace(MINE.request, nonce=9))),
    ("announce_once", OPENED, ANNOUNCE),
    ("announce_once", after(ALICE, head(START, UNIT_THERE), node=ANNOUNCING.node), ANNOUNCE),
    ("bid_only_with_input_and_on_disk", BARE, BID),
    ("bid_only_with_input_and_on_disk", READY, replace(BID, bid=replace(BID.bid, price=BID.bid.price - 1))),
    ("bid_is_eligible", READY, replace(BID, bid=replace(BID.bid, price=ASKED.max_price + 1))),
    ("bid_is_eligible", READY, replace(BID, bid=replace(BID.bid, expiry=ASKED.expiry - 1))),
    ("close_only_what_is_fixed", OPENED, CLOSE),
    ("close_only_what_is_fixed", ANNOUNCING, CLOSE),
]


@pytest.mark.parametrize(("name", "scene", "action"), BROKEN, ids=[case[0] for case in BROKEN])
def test_rule_is_broken_by(name: str, scene: Scene, action: Action) -> None:
    assert name in scene.breaks(action)


def test_a_drawn_kind_is_announced_with_every_secret_on_disk() -> None:
    asked = job(2, Kind.WASM, mode=Mode.ONCHAIN)
    here = replace(world(ALICE), params=replace(world(ALICE).params, court=CAROL))
    here = replace(here, policy=replace(here.policy, min_ticket_owners=0))
    node = core.step(Node(), JobSubmitted(job=asked), here).node
    (mine,) = (m for m in node.machines.values() if isinstance(m, Requester))
    for shard in (0, 1):
        assert not any(isinstance(action, Announce) for action in core.due(node, here))
        secret, guard = SECRETS
        told = BidWindowClosed(task=mine.task, shard=shard, round=0, draw_secret=secret, guard_secret=guard)
        node = core.step(node, told, here).node
    (action,) = (a for a in core.due(node, here) if isinstance(a, Announce))
    assert len(action.draw_commits) == 2
    assert not Rulebook().check(action, node, here)
    assert {rule.name for rule in Rulebook().check(replace(action, draw_commits=()), node, here)} == {
        "announce_what_is_on_disk"
    }


def test_the_bidder_is_the_only_machine_that_a_stranger_s_auction_begins() -> None:
    assert [type(machine) for machine in READY.node.machines.values()] == [AuctionBidder]
