"""One request from its publication to its award, among all nodes: the machines of core/bidder.py and
core/requester.py, driven as the engine drives them, on a virtual clock.

    RequestPublished ─▶ RequestHeard at every node ─▶ AwaitTurn ─▶ PublishBids ─▶ BidHeard at every node
           └──────────▶ AwaitBids ─▶ … ─▶ BidWindowClosed ─▶ SendAward: the end
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random

from blockedge_node.core import bidder as bidders
from blockedge_node.core import requester as requesters
from blockedge_node.core.actions import Action, AwaitBids, AwaitTurn, PublishBids, SendAward
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.events import (
    BidHeard,
    BidWindowClosed,
    Event,
    RequestHeard,
    RequestPublished,
    TurnCame,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Signature, TaskId
from blockedge_node.core.requester import Requester
from blockedge_node.core.selection import rank_key, score
from blockedge_node.core.task import Bid, Request
from blockedge_node.core.world import World
from blockedge_node.experiments.crowd.mesh import Mesh

SIG = Signature(bytes(64))
PATIENCE = 20.0  # virtual seconds in which every shard must have its award


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """How one shard was sold."""

    able: int  # nodes that would have bid for it
    bids: int  # that were said before its award …
    spares: int  # … and that its requester holds besides the winner's
    seconds: float  # from publishing the request to the award
    missed: int  # ppm of the score by which the winner is below the best that was possible
    overpaid: (
        float  # share of the best bid's price by which the winner's is above it; below 0 if it is cheaper
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auction:
    sales: tuple[Sale, ...]
    messages: int  # said by anybody: the request and the bids


@dataclass(slots=True)
class _Course:
    """An auction under way: the machines, the timers, and what is in the air."""

    mesh: Mesh
    worlds: Sequence[World]
    request: Request
    seller: int  # the requester's number
    chance: Random
    loss: float
    task: TaskId = field(init=False)
    asked: Requester = field(init=False)
    bidding: dict[int, Bidder] = field(default_factory=dict)
    begun: dict[int, set[Action]] = field(default_factory=dict)
    ahead: list[tuple[float, int, int, Event]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)
    said: list[Bid] = field(default_factory=list)
    messages: int = 1
    awards: dict[int, tuple[float, Bid, int]] = field(default_factory=dict)  # shard: when, which, of how many

    def run(self) -> None:
        world = self.worlds[self.seller]
        self.task = self.request.task(world.domain)
        shards = tuple(range(self.request.shards))
        self.asked = requesters.begin(keccak256(b"job"), self.request, self.task, shards)
        heard = RequestHeard(request=self.request, task=self.task, sig=SIG, standing=world.standing)
        self._send(0.0, self.seller, heard)
        self._ask(0.0, RequestPublished(task=self.task, at=0.0))
        while len(self.awards) < len(shards):
            at, _, node, event = heappop(self.ahead)
            assert at < PATIENCE, "a shard is not awarded"
            if node == self.seller:
                self._ask(at, event)
            else:
                self._bid(at, node, event)

    def _send(self, at: float, source: int, *events: Event) -> None:
        for node, seconds in enumerate(self.mesh.carry(source, self.chance, self.loss)):
            if node != source and seconds < inf:
                for event in events:
                    self._later(at + seconds, node, event)

    def _later(self, at: float, node: int, event: Event) -> None:
        heappush(self.ahead, (at, next(self.order), node, event))

    def _ask(self, at: float, event: Event) -> None:
        world = self.worlds[self.seller]
        self.asked, _ = requesters.step(self.asked, event, world)
        for action in self._fresh(self.seller, requesters.due(self.asked, world)):
            match action:
                case AwaitBids(task=task, shard=shard, round=round_, look=look):
                    closed = BidWindowClosed(task=task, shard=shard, round=round_, look=look)
                    self._later(at + action.seconds, self.seller, closed)
                case SendAward(signed=signed):
                    said = sum(bid.shard == signed.bid.shard for bid in self.said)
                    self.awards.setdefault(signed.bid.shard, (at, signed.bid, said))
                case _:
                    pass

    def _bid(self, at: float, node: int, event: Event) -> None:
        world, before = self.worlds[node], self.bidding.get(node)
        if before is None:
            if not isinstance(event, RequestHeard):
                return  # a bid that overtook its request
            after, _ = bidders.begin(event, world)
            if after is None:
                return
        else:
            after, _ = bidders.step(before, event, world)
            if after is before:
                return
        self.bidding[node] = after
        for action in self._fresh(node, bidders.due(after, world)):
            match action:
                case AwaitTurn(task=task, copy=copy, seconds=seconds):
                    self._later(at + seconds, node, TurnCame(task=task, copy=copy))
                case PublishBids(bids=bids):
                    self.messages += 1
                    self.said.extend(bids)
                    self._send(at, node, *(self._as_heard(bid, world) for bid in bids))
                case _:
                    pass

    def _as_heard(self, bid: Bid, world: World) -> BidHeard:
        return BidHeard(bid=bid, digest=bid.digest(world.domain), sig=SIG, standing=world.standing)

    def _fresh(self, node: int, due: Sequence[Action]) -> list[Action]:
        """What the engine would start; what has ended stays ended while it is due."""
        begun = self.begun.get(node, set())
        self.begun[node] = set(due)
        return [action for action in due if action not in begun]


def hold(
    mesh: Mesh, worlds: Sequence[World], request: Request, seller: int, chance: Random, loss: float = 0.0
) -> Auction:
    """Sell `request`, which node number `seller` publishes, and compare with all bids that there could have been."""
    course = _Course(mesh=mesh, worlds=worlds, request=request, seller=seller, chance=chance, loss=loss)
    course.run()
    possible: dict[int, list[Bid]] = {shard: [] for shard in range(request.shards)}
    for bidder in course.bidding.values():
        for mine in bidder.bids:
            possible[mine.bid.shard].append(mine.bid)
    sales = []
    for shard, (at, won, said) in sorted(course.awards.items()):
        best = max(possible[shard], key=lambda bid: rank_key(request, bid))
        held = next(s for s in course.asked.shards if s.index == shard).offers
        sale = Sale(
            able=len(possible[shard]),
            bids=said,
            spares=len(held) - 1,
            seconds=at,
            missed=score(request, best).total - score(request, won).total,
            overpaid=won.price / best.price - 1,
        )
        sales.append(sale)
    return Auction(sales=tuple(sales), messages=course.messages)
