"""An auction on the chain, one a shard: what the contract shows of it, and what follows (docs/protocol.md §5).

    announce, in block b ─▶ bids in blocks (b, closesAt] ─▶ fixed: block closesAt exists ─▶ closeAuction
                                                                      ├─ a bid  ─▶ the unit is ASSIGNED
                                                                      └─ none, or the request is expired ─▶ lapsed

| who       | sees                        | does                                               | where             |
|-----------|-----------------------------|----------------------------------------------------|-------------------|
| requester | its job                     | keeps draw secrets, announces, closes what is late | announcing.py     |
| bidder    | the request, or its auction | fetches the input, posts a bid if it would be best | auction_bidder.py |
| winner    | its bid is best, and fixed  | closes at once, works, commits                     | worker.py         |

A view is as of the newest block, confirmed or not: a bid must land in the blocks that follow at once. Whether the
winner is *fixed* is asked of the confirmed head. A posted bid is an Ack (the contract records the unit as
acknowledged), so nobody bids before the input is here. What a bid promised ends with the request: a shard that nobody
closes until its expiry lapses, and all that was locked for it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core import selection
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, TaskId, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.task import Bid, Mode, Request
from blockedge_node.core.terms import cost, terms_for
from blockedge_node.core.unit import Terms

KEPT = 8  # bids of a shard that a view still names: the best and those that it outbid
SPARE_BLOCKS = 4  # that a request outlives its auction by: to see the end, close, miss one, and one more


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedBid:
    """A bid as the contract took it. `rep`: R in ppm as the contract read it then."""

    worker: Address
    price: int
    deposit: int
    delay: int
    rep: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionView:
    """One shard's auction at the newest block, until its unit exists, and a while after it has lapsed."""

    unit: UnitId
    task: TaskId
    shard: int
    request: Request
    draw_commits: tuple[Hash, ...]  # of all shards as they were announced; () where nothing is drawn
    announced: int  # block b
    since: int  # its time
    closes_at: int  # the last block whose bids count
    bids: tuple[PostedBid, ...] = ()  # the last KEPT, each better than the one before
    count: int = 0  # of all that were posted
    lapsed: bool = False  # closed without a unit: nothing is locked for it any more
    objection: str = ""  # why this node would not run its program, where that is known already

    @property
    def best(self) -> PostedBid | None:
        return self.bids[-1] if self.bids else None

    def takes_bids(self, newest: int) -> bool:
        """Whether a bid counts that lands in the block after `newest`."""
        return not self.lapsed and self.announced <= newest < self.closes_at

    def is_fixed(self, head: int) -> bool:
        """Whether no further bid counts, seen from the confirmed block `head`."""
        return head >= self.closes_at

    def leads(self, who: Address) -> bool:
        return self.best is not None and self.best.worker == who

    @property
    def draw_commit(self) -> Hash:
        return self.draw_commits[self.shard] if self.draw_commits else ZERO_HASH


def is_onchain(request: Request) -> bool:
    """Whether its winner is found by the contract, not by its requester."""
    return bool(request.mode & Mode.ONCHAIN)


def escrow(request: Request, params: Params) -> int:
    """Wei that `announce` locks: every shard at its highest price."""
    return request.shards * cost(request, request.max_price, params)


def least_life(params: Params, block_time: int) -> int:
    """Seconds that a request must still live when it is announced: the auction, and time to close it."""
    return (params.bid_blocks + SPARE_BLOCKS) * block_time


def bid_of(view: AuctionView, posted: PostedBid) -> Bid:
    """The posted bid as a Bid, to be ranked and shown like any other."""
    return Bid(
        task=view.task,
        shard=view.shard,
        worker=posted.worker,
        price=posted.price,
        deposit=posted.deposit,
        delay=posted.delay,
        rep=posted.rep,
        expiry=view.request.expiry,
    )


def outranks(view: AuctionView, bid: Bid) -> bool:
    """Whether the contract would take `bid`, with the R that it names, as the new best."""
    best = view.best
    return best is None or selection.outranks(view.request, bid, bid_of(view, best))


def terms_won(view: AuctionView, params: Params) -> Terms | None:
    """The Terms of the unit that closing makes of the best bid; None without one."""
    if view.best is None or view.lapsed:
        return None
    return terms_for(view.request, bid_of(view, view.best), view.draw_commit, params)
