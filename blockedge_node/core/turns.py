"""When a bidder speaks, and when a requester has heard enough (docs/protocol.md §5).

    request heard ──▶ my turn, sooner for a better bid ──▶ a better bid was heard? ──▶ silence
                                                        └─▶ nobody was better      ──▶ my bids

Every node hears every bid, so if all bid, gossip grows with the square of the network. Here a bid is said only if
nobody has said a better one, and turns are laid so that this leaves about ten:

    reach  = gossipHop · (1 + ln n / ln 6)                      seconds in which a message is everywhere
    spread = min(8/5 · reach · ln(n/10), (bidWindow − 3·reach) · 2/3), not below 0
    turn   = spread · ((1 − score/1e6) + max(0, 1 + ln u / ln n)), at most bidWindow − 3·reach

`n` is how many nodes are known, and u in (0, 1] the lower half of the bid's hash, whose upper half decides between
equals. The first part puts good bids first; it alone is not enough, as a thousand scores may lie within what a
message takes to travel. The second lets one in n of them speak at once, and e-fold more in each further ln n-th of
the spread, however close the scores are: so the first bid is heard by most before their turn. Up to ten nodes the
spread is 0 and everybody bids at once.

Only a better bid silences, so that the best one is always said: what another node says, or believes `n` to be, costs
a few bids more and never the best. A turn counts from hearing the request: no clock is shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from blockedge_node.core.selection import PPM, score, tie_break
from blockedge_node.core.task import Bid, Request
from blockedge_node.core.world import World

CALM = 10  # nodes that may all bid at once: their bids are all spares
DEGREE = 6  # neighbours to which a node passes a message on
STRETCH = 1.6  # spread per reach and e-fold of nodes: half as much, and twice as many speak
RETURN = 3  # reaches from a turn to the award: the request and the bid on their way, and one for the checks
PATIENCE = 8  # times as many better bids silence when a request is asked again, each time
REPEAT = 5  # seconds until a request that lacks bids is published again; doubled each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The turns of one request as this node lays them, in seconds from hearing it."""

    reach: float
    spread: float
    last: float  # no turn comes later
    crowd: int

    def turn(self, request: Request, bid: Bid) -> float:
        """When `bid`, an eligible one, is said."""
        drawn = 1 - int.from_bytes(tie_break(bid)[16:], "big") / (1 << 128)
        return self._at(score(request, bid).total, drawn or 1.0)

    def heard_all(self, least: int) -> float:
        """Seconds from publishing after which no bid of a score above `least` is still on its way."""
        return self._at(min(least, PPM), 1.0) + RETURN * self.reach

    def _at(self, points: int, drawn: float) -> float:
        chance = max(0.0, 1 + log(drawn) / log(max(self.crowd, 2)))
        return min(self.spread * (1 - points / PPM + chance), self.last)


def schedule(world: World) -> Schedule:
    """By this node's settings and the nodes that it knows, itself included."""
    crowd = max(world.crowd, 1)
    reach = world.policy.gossip_hop * (1 + log(crowd) / log(DEGREE))
    last = max(0.0, world.policy.bid_window - RETURN * reach)
    wanted = STRETCH * reach * max(0.0, log(crowd / CALM))
    return Schedule(reach=reach, spread=min(wanted, last * 2 / 3), last=last, crowd=crowd)


def silencing(copies: int) -> int:
    """How many better bids silence mine when the request was heard again `copies` times: whoever asks again has not
    found a winner among those, and hears eight times as many, and so on, until everybody has bid."""
    return int(PATIENCE ** min(copies, 8))


def copies_by(seconds: int) -> int:
    """How often a request is said again within `seconds`, by a requester that keeps to the rules."""
    return (max(0, seconds) // REPEAT).bit_length()


def until_next_look(waited: float, best: int | None, world: World) -> float:
    """Seconds that a requester waits on, having waited that many since it published; 0: it has heard enough.

    `best` is the score of the best bid so far, None without one. It looks first when even a perfect bid would have
    come, and then when a bid that is better by policy.close_gain must have.
    """
    window, plan = world.policy.bid_window, schedule(world)
    if not world.policy.close_early:
        until = window
    elif best is None:
        first = plan.heard_all(PPM)
        until = first if waited < first else waited + plan.reach
    else:
        until = plan.heard_all(best + world.policy.close_gain)
    left = min(until, window) - waited
    return left if left > 0.001 else 0.0
