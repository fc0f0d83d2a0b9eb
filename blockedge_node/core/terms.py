"""From signed Request, Bid and Award to the Terms that the contract writes down (docs/protocol.md §3.2)."""

from __future__ import annotations

from blockedge_node.core.ids import Hash
from blockedge_node.core.params import Params
from blockedge_node.core.reputation import protocol_fee
from blockedge_node.core.task import Award, Bid, Request
from blockedge_node.core.unit import Terms

LONG_TASK = 60  # seconds of delay: beyond, an Award is registered at the start, not with the result (§2.1)


def terms_of(request: Request, bid: Bid, award: Award, params: Params) -> Terms:
    """The unit's Terms once this Award is registered: every field follows from what was signed."""
    return terms_for(request, bid, award.draw_commit, params)


def terms_for(request: Request, bid: Bid, draw_commit: Hash, params: Params) -> Terms:
    """The Terms of a unit that `bid` wins, by an Award or in an auction."""
    return Terms(
        task=bid.task,
        shard=bid.shard,
        kind=request.kind,
        mode=request.mode,
        spot_bps=request.spot_bps,
        requester=request.requester,
        worker=bid.worker,
        price=bid.price,
        deposit=bid.deposit,
        check_fee=request.check_fee,
        delay=bid.delay,
        vwin=params.vwin(request.fuel),
        draw_commit=draw_commit,
    )


def cost(request: Request, price: int, params: Params) -> int:
    """Wei that registration locks of the requester: I + fee + φ."""
    return price + protocol_fee(price, params) + request.check_fee
