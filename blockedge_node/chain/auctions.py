"""Records → auctions as they stand, and what unconfirmed blocks add to them. Pure.

    book.apply(record, block, time)        confirmed blocks, in log order; undone by `drop_above`
    book.views(head, keep, ahead)          the same, with the records of newer blocks on top

A bid must land in the blocks right after its announcement (docs/protocol.md §5), so bidders look at the newest
block; what ends an auction is believed when it is confirmed, like the unit that comes of it. Until then the auction
is shown, so that it never seems that there is neither.

An announcement costs its sender little and may open tens of thousands of auctions that nobody ever closes. So those
with more shards than any node works on are not opened here, and one whose bids ended SHOWN blocks ago is shown, and
after HORIZON remembered, only for who has a part in it.

The log alone is believed here: a bid that an endpoint keeps quiet about costs its listeners gas or a try, no money.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from blockedge_node.chain.book import HORIZON, SHOWN
from blockedge_node.chain.events import Announced, Awarded, BidPosted, Lapsed, Record
from blockedge_node.core.auction import KEPT, AuctionView, PostedBid
from blockedge_node.core.ids import UnitId
from blockedge_node.core.job import MAX_SHARDS
from blockedge_node.core.task import unit_id

Auctions = Mapping[UnitId, AuctionView]
Ahead = Iterable[tuple[Record, int, int]]  # record, its block's number and time


def fold(auctions: Auctions, record: Record, block: int, time: int) -> Auctions:
    """All auctions after one record. Total: what an honest log cannot say changes nothing."""
    match record:
        case Announced() if record.request.shards <= MAX_SHARDS:
            return {**auctions, **{view.unit: view for view in _opened(record, block, time)}}
        case BidPosted(unit=unit) if unit in auctions:
            posted = PostedBid(
                worker=record.worker,
                price=record.price,
                deposit=record.deposit,
                delay=record.delay,
                rep=record.rep,
            )
            view = auctions[unit]
            return {**auctions, unit: replace(view, bids=(*view.bids, posted)[-KEPT:], count=view.count + 1)}
        case Awarded(unit=unit) if unit in auctions:
            return {known: view for known, view in auctions.items() if known != unit}
        case Lapsed(unit=unit) if unit in auctions:
            return {**auctions, unit: replace(auctions[unit], lapsed=True)}
        case _:
            return auctions


def _opened(record: Announced, block: int, time: int) -> list[AuctionView]:
    return [
        AuctionView(
            unit=unit_id(record.task, shard),
            task=record.task,
            shard=shard,
            request=record.request,
            draw_commits=record.draw_commits,
            announced=block,
            since=time,
            closes_at=record.closes_at,
        )
        for shard in range(record.request.shards)
    ]


class AuctionBook:
    """See the module docstring. Holds one version for each block that changed anything, within HORIZON."""

    def __init__(self) -> None:
        self._versions: list[tuple[int, Auctions]] = [(-1, {})]
        self._lapsed: dict[UnitId, int] = {}  # the block in which a shown auction lapsed

    def get(self, unit: UnitId) -> AuctionView | None:
        return self._versions[-1][1].get(unit)

    def apply(self, record: Record, block: int, time: int) -> None:
        """Fold one record of a confirmed block, not below those before it."""
        at, auctions = self._versions[-1]
        after = fold(auctions, record, block, time)
        if after is auctions:
            return
        if isinstance(record, Lapsed):
            self._lapsed[record.unit] = block
        if at == block:
            self._versions.pop()
        self._versions.append((block, after))

    def drop_above(self, block: int) -> None:
        """Undo everything that blocks after `block` did."""
        while self._versions and self._versions[-1][0] > block:
            self._versions.pop()
        if not self._versions:
            self._versions = [(-1, {})]
        self._lapsed = {unit: at for unit, at in self._lapsed.items() if at <= block}

    def retire(self, head: int, keep: Collection[UnitId] = ()) -> None:
        """Forget what no reorg can bring back: older versions, and auctions that nobody here minds any more."""
        while len(self._versions) > 1 and self._versions[1][0] <= head - HORIZON:
            self._versions.pop(0)
        known = self._versions[-1][1].items()
        gone = {unit for unit, view in known if self._over(view) <= head - HORIZON and unit not in keep}
        if gone:
            self._versions = [
                (at, {unit: view for unit, view in auctions.items() if unit not in gone})
                for at, auctions in self._versions
            ]
            self._lapsed = {unit: at for unit, at in self._lapsed.items() if unit not in gone}

    def views(self, head: int, keep: Collection[UnitId] = (), ahead: Ahead = ()) -> tuple[AuctionView, ...]:
        """Auctions that take bids, did so or lapsed within the last SHOWN blocks, or are in `keep`. `ahead`: what
        blocks above the confirmed `head` say, in order: of them only announcements and bids are taken.
        """
        shown: Auctions = {
            unit: view
            for unit, view in self._versions[-1][1].items()
            if self._over(view) > head - SHOWN or unit in keep
        }
        for record, block, time in ahead:
            if isinstance(record, Announced | BidPosted):
                shown = fold(shown, record, block, time)
        return tuple(shown.values())

    def _over(self, view: AuctionView) -> int:
        """The block after which only its own parties need to see it."""
        return self._lapsed.get(view.unit, view.closes_at)
