"""Props for auctions on the chain: announced requests, posted bids, heads that show them.

Block n has the time START + n − 1: what block 1 announces takes bids in block 2, and is fixed at START + 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from blockedge_node.core import node as core
from blockedge_node.core.actions import Note
from blockedge_node.core.auction import AuctionView, PostedBid, terms_won
from blockedge_node.core.commitment import DrawSecrets
from blockedge_node.core.events import Event, HeadSeen
from blockedge_node.core.ids import Address
from blockedge_node.core.node import Node
from blockedge_node.core.task import Kind, Mode, Request, unit_id
from blockedge_node.core.unit import Account, Phase, Standing, UnitView
from tests.core.builders import BOB, DEV, DOMAIN, ETHER, START, head, request, words, world

PRICE = ETHER // 10_000
ANNOUNCED = 1  # the block of START


def announced(**changes: Any) -> Request:
    return request(mode=Mode.ONCHAIN, **changes)


def court_kind(**changes: Any) -> Request:
    """Spot-checked, so that its announcement takes draw secrets."""
    return announced(kind=Kind.WASM, spot_bps=1_000, check_fee=10**12, **changes)


def posted(by: Address = BOB, price: int = PRICE, **changes: Any) -> PostedBid:
    plain = PostedBid(worker=by, price=price, deposit=20 * price, delay=10, rep=140_000)
    return replace(plain, **changes)


def auction(
    asked: Request, *bids: PostedBid, shard: int = 0, secrets: tuple[DrawSecrets, ...] = (), **changes: Any
) -> AuctionView:
    task = asked.task(DOMAIN)
    plain = AuctionView(
        unit=unit_id(task, shard),
        task=task,
        shard=shard,
        request=asked,
        draw_commits=tuple(pair.commit for pair in secrets),
        announced=ANNOUNCED,
        since=START,
        closes_at=ANNOUNCED + DEV.bid_blocks,
        bids=bids,
        count=len(bids),
    )
    return replace(plain, **changes)


def seen(at: int, *auctions: AuctionView, units: tuple[UnitView, ...] = (), ahead: int = 0) -> HeadSeen:
    """The confirmed head of the time `at`; the newest block is `ahead` of it."""
    plain = head(at, *units)
    return replace(plain, newest=plain.head.number + ahead, auctions=auctions)


def closed(view: AuctionView, at: int, phase: Phase = Phase.ASSIGNED) -> UnitView:
    """The unit that closing it in a block of the time `at` makes."""
    terms = terms_won(view, DEV)
    assert terms is not None
    return UnitView(
        unit=view.unit,
        phase=phase,
        since=at,
        request=view.request,
        terms=terms,
        data=words(at.to_bytes(32, "big")),
        start_at=at,
    )


class Party:
    """A whole node, event by event."""

    def __init__(self, me: Address, **policy: Any) -> None:
        self.me, self.policy = me, policy
        self.node, self.here = Node(), world(me, **policy)
        self.notes: list[Note] = []

    def sees(self, at: int, *events: Event, free: int | None = None) -> Self:
        self.here = world(self.me, at, **self.policy)
        if free is not None:
            self.here = replace(self.here, standing=Standing(account=Account(free=free)))
        for event in events:
            stepped = core.step(self.node, event, self.here)
            self.node = stepped.node
            self.notes += stepped.notes
        return self

    def wants(self, kind: type) -> list[Any]:
        return [action for action in core.due(self.node, self.here) if isinstance(action, kind)]

    def codes(self) -> list[str]:
        return [note.code for note in self.notes]
