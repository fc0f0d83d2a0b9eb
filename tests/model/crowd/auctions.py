"""Announcements, bids, and who closes: mostly in their blocks, some a block too early or too late."""

from __future__ import annotations

from dataclasses import replace

from blockedge_node.core.ids import ZERO_HASH, Hash
from blockedge_node.core.task import Ack, Award, Bid, Mode, Request
from tests.model.calls import UNSIGNED, AwardItem, Call
from tests.model.crowd.awards import EXACT, MOODS, Awards
from tests.model.crowd.people import HUGE, Job
from tests.model.world import Lot

NO_ACK = Ack(award=ZERO_HASH, start_at=0)


class Auctions(Awards):
    def _open_lots(self) -> list[Lot]:
        return [
            lot
            for lot in list(self.world.lots.values())[-40:]
            if not lot.lapsed and lot.unit not in self.world.units
        ]

    def _announce(self) -> Call:
        requester = self._anybody()
        request = self._request(requester)
        shards = self.chance.randint(1, 3) if request.shards else 0
        request = replace(request, mode=request.mode ^ Mode.ONCHAIN, shards=shards)
        if request.max_price == HUGE:  # all its shards have to be covered
            request = replace(request, max_price=HUGE // 8)
        if self._sometimes(0.3):
            request = replace(request, expiry=self.world.now + self.chance.randint(0, 8))
        if self._sometimes(0.3):
            request = replace(request, w_price=0, w_delay=5000, w_rep=5000)  # bids that tie
        if self._sometimes(0.3):
            request = replace(request, rep_min=140_000, rep_max=self.chance.choice([140_000, 10**6]))
        if self._sometimes(0.03):
            request = replace(request, shards=65, spot_bps=1000)
        count = request.shards if request.spot_bps else 0
        commits = tuple(self._draw_commit() for _ in range(count))
        if commits and self._sometimes(0.05):
            commits = (*commits[1:], ZERO_HASH)
        if self.world.announced and self._sometimes(0.05):
            request, commits = self._some_announcement()
        return Call(sender=request.requester, name="announce", args=(request, commits))

    def _some_announcement(self) -> tuple[Request, tuple[Hash, ...]]:
        lot = self.chance.choice(list(self.world.lots.values()))
        return lot.request, self.world.announced[lot.task][1]

    def _auction(self) -> Call | None:
        """What one of the open auctions waits for; None if they all wait for the next block."""
        for lot in self.chance.sample(lots := self._open_lots(), len(lots)):
            block = self.world.block
            if block > lot.closes_at:
                return self._close_lot(lot)
            if block > lot.closes_at - self.world.params.bid_blocks:
                return self._post(lot)
            if self._sometimes(0.05):
                return self._post(lot) if self._sometimes(0.5) else self._close_lot(lot)
        return None

    def _bid_now(self) -> Call | None:
        """A bid for a shard that counts in this block, if there is one: such blocks are rare."""
        block, bid_blocks = self.world.block, self.world.params.bid_blocks
        lots = [lot for lot in self._open_lots() if lot.closes_at - bid_blocks < block <= lot.closes_at]
        return self._post(self.chance.choice(lots)) if lots else None

    def _any_auction(self) -> Call:
        """Whether or not there is a reason."""
        lot = self.chance.choice(list(self.world.lots.values()))
        return self._post(lot) if self._sometimes(0.5) else self._close_lot(lot)

    def _post(self, lot: Lot) -> Call:
        request = lot.request
        worker = self.reliable if self._sometimes(0.3) else self._anybody()
        if worker == request.requester:
            worker = self._anybody(worker)
        bid = self._bid(request, lot.shard, worker)
        bid = replace(bid, expiry=self.chance.choice([request.expiry, EXACT]))
        if lot.best is not None and self._sometimes(0.5):
            bid = self._a_little_better(request, bid, lot.best)
        return Call(sender=worker, name="postBid", args=(request, bid))

    def _a_little_better(self, request: Request, bid: Bid, best: Bid) -> Bid:
        price, delay = best.price, best.delay
        if self._sometimes(0.5):
            price = max(1, price - self.chance.randint(0, 1))
        else:
            delay = max(1, delay - self.chance.randint(0, 2))
        return replace(bid, price=price, delay=delay, deposit=best.deposit)

    def _close_lot(self, lot: Lot) -> Call:
        if lot.best is not None:
            self._prepare(lot, lot.best)
        _, commits = self.world.announced[lot.task]
        return Call(sender=self._anybody(), name="closeAuction", args=(lot.request, lot.shard, commits))

    def _prepare(self, lot: Lot, best: Bid) -> None:
        """What the leading worker will do with the unit."""
        worker = best.worker
        award = Award(
            task=lot.task, shard=lot.shard, bid=ZERO_HASH, draw_commit=ZERO_HASH, not_before=0, register_by=0
        )
        item = AwardItem(request=0, bids=(best,), bid_sigs=(UNSIGNED,), award=award, ack=NO_ACK)
        honest = worker == self.reliable or self._sometimes(0.4)
        diligent = self._sometimes(0.75) if worker != self.reliable else self._keeps_its_name()
        opening = self._find(lot.request, lot.shard, honest=honest)
        mood = self.chance.choice(MOODS)
        job = Job(request=lot.request, item=item, opening=opening, diligent=diligent, mood=mood)
        self.jobs.setdefault(lot.unit, job)

    # ── with something wrong ─────────────────────────────────────────────────────────────────────────────

    def _odd_auction(self, call: Call) -> Call:
        """Of another Request; or with another bid, shard or drawCommit."""
        request, *rest = call.args
        if call.name != "announce" and self._sometimes(0.15):
            return replace(call, args=(replace(request, nonce=request.nonce + 10**6), *rest))
        match call.name:
            case "announce":
                return replace(call, args=(request, (*rest[0], Hash(self._secret()))))
            case "postBid":
                return replace(call, args=(request, self._odd_bid(request, rest[0])))
            case _:
                shard, commits = rest
                odd = [(shard + request.shards, commits), (shard, (*commits[1:], Hash(self._secret())))]
                return replace(call, args=(request, *self.chance.choice(odd)))

    def _odd_bid(self, request: Request, bid: Bid) -> Bid:
        return self.chance.choice(
            [
                replace(bid, task=Hash(self._secret())),
                replace(bid, shard=bid.shard + request.shards),
                replace(bid, worker=self._anybody(bid.worker)),
                replace(bid, price=0),
                replace(bid, price=request.max_price + 1),
                replace(bid, delay=0),
                replace(bid, delay=request.max_delay + 1),
                replace(bid, deposit=20 * bid.price - 1),
                replace(bid, expiry=request.expiry - 1),
            ]
        )

    def _auctions_first(self) -> list[Call]:
        """A stranger closes what is left."""
        who, calls = self.actors[6], []
        for lot in self.world.lots.values():
            if lot.lapsed or lot.unit in self.world.units:
                continue
            if lot.best is not None:
                self._prepare(lot, lot.best)
            _, commits = self.world.announced[lot.task]
            calls.append(Call(sender=who, name="closeAuction", args=(lot.request, lot.shard, commits)))
        return calls
