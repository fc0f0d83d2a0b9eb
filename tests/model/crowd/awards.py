"""Requests, bids and awards: mostly good ones, some with one field wrong, all signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.hashing import abi_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, Secret, UnitId
from blockedge_node.core.merkle import CHUNK, leaf
from blockedge_node.core.reputation import score
from blockedge_node.core.selection import rank_key
from blockedge_node.core.task import Ack, Award, Bid, Kind, Mode, Request, Result
from tests.model.calls import UNSIGNED, AwardItem, Call, Opening
from tests.model.crowd.people import DATA, ETHER, HUGE, SHARDS, SOLUTIONS, Job, People
from tests.model.endings import TRUSTED

EXACT = 2**40 - 1  # the latest time that a field holds
MOST = 2**96 - 1  # and the most wei
MOODS = (*["fair"] * 5, "bribed", "accusing", "starved", "split", "absent", "late")


class Awards(People):
    def _award(self) -> Call:
        """A new award; or one, or several, that were built before."""
        jobs = [self._new_job()]
        if self._sometimes(0.15):
            jobs.append(self.chance.choice(list(self.jobs.values())) if self.jobs else self._new_job())
        if self._sometimes(0.15):
            jobs.append(self._new_job(of=jobs[0].request))
        if self._sometimes(0.1) and self.jobs:
            jobs = [self.chance.choice(list(self.jobs.values()))]
        return self._register(jobs)

    def _register(self, jobs: list[Job]) -> Call:
        worker, requester = jobs[0].item.bids[0].worker, jobs[0].request.requester
        sender = self.chance.choice([worker, worker, worker, requester, self._anybody()])
        requests = list(dict.fromkeys(job.request for job in jobs))
        items = [self._item(sender, job, requests.index(job.request)) for job in jobs]
        mine = sender == worker and all(item.bids[0].worker == worker for item in items)
        if (mine and self._sometimes(0.6)) or self._sometimes(0.02):
            hashes = tuple(
                self._hidden(self._unit_of(i), i.bids[0].worker, j.opening)
                for i, j in zip(items, jobs, strict=True)
            )
            return Call(sender=sender, name="awardCommit", args=(tuple(requests), tuple(items), hashes))
        return Call(sender=sender, name="award", args=(tuple(requests), tuple(items)))

    def _item(self, sender: Address, job: Job, index: int) -> AwardItem:
        """Signed by those who have to: by everybody but the sender, and by nobody more than needed."""
        worker = job.item.bids[0].worker
        item = replace(job.item, request=index)
        if sender == worker:
            return replace(item, ack_sig=UNSIGNED, bid_sigs=(UNSIGNED, *item.bid_sigs[1:]))
        if sender == job.request.requester and self._sometimes(0.4):
            return replace(item, award_sig=UNSIGNED, ack_sig=UNSIGNED)
        return replace(item, bid_sigs=(UNSIGNED, *item.bid_sigs[1:]))

    def _new_job(self, of: Request | None = None) -> Job:
        requester = self._anybody()
        if of is None and self.jobs and self._sometimes(0.4):
            of = list(self.jobs.values())[-1].request
        request = of or self._request(requester)
        worker = self.reliable if self._sometimes(0.3) else self._anybody()
        if worker == request.requester:
            worker = self._anybody(worker)
        shard = self.chance.randrange(max(1, request.shards))
        bid = self._bid(request, shard, worker)
        item = self._signed_item(request, bid, self._losers(request, bid))
        if self._sometimes(0.12):
            item = self._odd_award(request, item)
        honest = worker == self.reliable or self._sometimes(0.4)
        opening = self._find(request, shard, honest=honest)
        job = Job(
            request=request,
            item=item,
            opening=opening,
            mood=self.chance.choice(MOODS),
            diligent=self._sometimes(0.75) if worker != self.reliable else self._keeps_its_name(),
        )
        key = self._unit_of(item)
        self.jobs.setdefault(key, job)
        return job

    def _keeps_its_name(self) -> bool:
        """The reliable one lets nobody down before it can afford to."""
        record, now = self.world.reps[self.reliable], self.world.now
        return score(record, now, self.world.params) < TRUSTED or self._sometimes(0.6)

    def _unit_of(self, item: AwardItem) -> UnitId:
        return UnitId(keccak256(abi_words(item.award.task, item.award.shard)))

    def _hidden(self, key: UnitId, worker: Address, opening: Opening) -> Hash:
        """The worker's commitment to what it found."""
        salt, guarded = Secret(opening.salt), Hash(opening.guard)
        found = opening.result.hash()
        hash = commitment(self.world.domain, key, Role.WORKER, worker, found, salt, guard=guarded)
        self.openings[hash] = opening
        return hash

    def _request(self, requester: Address) -> Request:
        self.nonce += 1
        kind = self.chance.choice([Kind.POW, Kind.WASM])
        request = Request(
            requester=requester,
            nonce=self.nonce,
            kind=kind,
            mode=Mode.NO_DEMAND if kind == Kind.WASM and self._sometimes(0.3) else 0,
            shards=SHARDS,
            input_root=Root(leaf(DATA)),
            fuel=self.chance.choice([0, 1, 10**9, 2 * 10**9]),
            max_price=HUGE if requester in self.giants and kind == Kind.POW else 50 * ETHER,
            min_deposit=self.chance.choice([0, 1, 1000]),
            max_delay=self.chance.choice([5, 40]),
            w_price=4000,
            w_delay=4000,
            w_rep=2000,
            expiry=EXACT,
        )
        if kind == Kind.WASM and self.world.has_court:
            seat = self.world.params.seat
            fee = self.chance.choice([1, 10**12, seat // 1000, seat // 100, seat // 100, seat // 10])
            request = replace(request, spot_bps=self.chance.choice([1000, 10_000, 10_000]), check_fee=fee)
        return self._odd_request(request) if self._sometimes(0.06) else request

    def _odd_request(self, request: Request) -> Request:
        change: dict[str, Any] = self.chance.choice(
            [
                {"kind": 3},
                {"mode": Mode.ONCHAIN},
                {"mode": 4 if request.kind == Kind.WASM else Mode.NO_DEMAND},
                {"max_price": 0},
                {"max_delay": 0},
                {"max_delay": 604_801},
                {"w_rep": 1999},
                {"spot_bps": 1000 if request.spot_bps == 0 else 0},
                {"spot_bps": 10_001},
                {"spot_bps": self.world.params.spot_bps_min - 1},
                {"check_fee": 10**14 if request.check_fee == 0 else 0},
                {"check_fee": self.world.params.seat // 10 + 1},
                {"acl": Hash(b"\x01" * 32)},
                {"fuel": self.world.params.fuel_cap + 1},
                {"fuel": 2**64 - 1},
                {"shards": 0},
                {"rep_min": 1_000_001},
                {"expiry": self.world.now + 1},
            ]
        )
        return replace(request, **change)

    def _bid(self, request: Request, shard: int, worker: Address) -> Bid:
        price = self.chance.choice([self.chance.randint(1, 100), self.chance.randint(10**15, 5 * 10**15)])
        if request.kind == Kind.POW and (worker == self.reliable or self._sometimes(0.3)):
            price = self.chance.choice([ETHER // 5, 10 * ETHER]) + self.chance.randrange(ETHER // 10)
        if request.requester == self.poor or worker == self.poor:
            price = self.chance.choice([price, 10**16, 10**17])
        if request.max_price == HUGE and worker in self.giants and self._sometimes(0.7):
            price = self.chance.randrange(1 << 70, 1 << self.chance.choice([75, 85, 89]))
        least = 20 * max(price, request.check_fee)
        most = 10 * self.world.params.seat
        deposit = max(least, request.min_deposit) + self.chance.choice([0, 0, 1, 999])
        if request.kind != Kind.POW and deposit > most and self._sometimes(0.9):
            price, deposit = most // 20, most
        return Bid(
            task=request.task(self.world.domain),
            shard=shard,
            worker=worker,
            price=price,
            deposit=deposit,
            delay=self.chance.randint(1, 5) if request.max_delay == 5 else self.chance.randint(1, 40),
            rep=self.chance.randint(0, 1_000_000),
            expiry=self.chance.choice([EXACT, self.world.now + 200]),
        )

    def _losers(self, request: Request, bid: Bid) -> tuple[Bid, ...]:
        if self._sometimes(0.85):
            return ()
        losers = [
            replace(
                bid,
                worker=self._anybody(request.requester),
                price=bid.price + self.chance.randint(0, 2),
                deposit=bid.deposit + 40,
                delay=min(bid.delay + self.chance.randint(0, 2), request.max_delay),
                rep=max(0, bid.rep - self.chance.randint(0, 5)),
            )
            for _ in range(self.chance.randint(1, 3))
        ]
        if request.max_price and request.max_delay and self._sometimes(0.8):
            losers.sort(key=lambda loser: rank_key(request, loser), reverse=True)
        if self._sometimes(0.1):
            losers[-1] = replace(losers[-1], expiry=self.world.now - 100)
        return tuple(losers)

    def _signed_item(self, request: Request, bid: Bid, losers: tuple[Bid, ...]) -> AwardItem:
        now = self.world.now
        dice = self.chance.random()
        not_before, register_by = now, now + self.chance.choice([1, 5, 60, self.world.params.max_award])
        if dice < 0.05:
            not_before, register_by = now + 3, now + 50  # not yet
        elif dice < 0.10:
            not_before, register_by = now - 60, now - 1  # no more
        elif dice < 0.3:
            not_before, register_by = now - self.chance.randint(1, 60), now + self.chance.randint(0, 2)
        award = Award(
            task=bid.task,
            shard=bid.shard,
            bid=bid.digest(self.world.domain),
            draw_commit=self._draw_commit() if request.spot_bps else ZERO_HASH,
            not_before=not_before,
            register_by=register_by,
        )
        return self._sign_all(request, (bid, *losers), award)

    def _draw_commit(self) -> Hash:
        secret, s_r = self._secret(), self._secret()
        hidden = draw_commit(secret, guard(s_r))
        self.draws[hidden] = secret, s_r
        return hidden

    def _sign_all(self, request: Request, bids: tuple[Bid, ...], award: Award) -> AwardItem:
        start = self.chance.choice([award.not_before, award.register_by, award.not_before + 1])
        ack = Ack(award=award.digest(self.world.domain), start_at=start)
        return AwardItem(
            request=0,
            bids=bids,
            bid_sigs=tuple(self._sign(bid.worker, bid) for bid in bids),
            award=award,
            award_sig=self._sign(request.requester, award),
            ack=ack,
            ack_sig=self._sign(bids[0].worker, ack),
        )

    def _odd_award(self, request: Request, item: AwardItem) -> AwardItem:
        """One signed field is wrong, and all of it is signed."""
        award, bid = item.award, item.bids[0]
        on_bid: dict[str, Any] | None = self.chance.choice(
            [
                None,
                {"task": Hash(self._secret())},
                {"shard": (bid.shard + 1) % SHARDS},
                {"worker": request.requester},
                {"price": 0},
                {"price": request.max_price + 1, "deposit": min(21 * request.max_price, MOST)},
                {"delay": 0},
                {"delay": request.max_delay + 1},
                {"deposit": 20 * bid.price - 1},
                {"deposit": 10 * self.world.params.seat + 1},
                {"rep": 1_000_001},
                {"expiry": award.register_by - 1},
            ]
        )
        if on_bid is not None:
            bid = replace(bid, **on_bid)
            award = replace(award, bid=bid.digest(self.world.domain))
            return self._sign_all(request, (bid, *item.bids[1:]), award)
        on_award: dict[str, Any] = self.chance.choice(
            [
                {"task": Hash(self._secret())},
                {"shard": SHARDS},
                {"bid": Hash(self._secret())},
                {"draw_commit": Hash(self._secret()) if award.draw_commit == ZERO_HASH else ZERO_HASH},
                {"register_by": award.not_before},
                {"register_by": award.not_before + self.world.params.max_award + 1},
            ]
        )
        item = self._sign_all(request, item.bids, replace(award, **on_award))
        odd_ack = self.chance.choice(
            [
                item.ack,
                replace(item.ack, start_at=item.award.register_by + 1),
                replace(item.ack, award=bid.task),
            ]
        )
        return replace(item, ack=odd_ack, ack_sig=self._sign(bid.worker, odd_ack))

    # ── results ──────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, request: Request, shard: int, *, honest: bool) -> Opening:
        """What the worker will show: right, or one of the ways to be wrong."""
        inline = not (request.mode & Mode.NO_DEMAND and self._sometimes(0.7))
        if request.kind == Kind.POW:
            right, *wrong = SOLUTIONS[shard % SHARDS]
            output = right if honest else self.chance.choice([*wrong, b"", b"rubbish!"])
        else:
            output = self._answer(request, 0 if honest else self.chance.randint(0, 3))
            inline = inline and not (self.world.has_court and self._sometimes(0.4))
        result = self._result(output)
        if not honest and self._sometimes(0.2):
            output, result = b"", Result(exit=65_537, output_root=Root(ZERO_HASH))
        shown = output if len(output) <= CHUNK and inline else b""
        return Opening(result=result, salt=self._secret(), guard=self._guard(), output=shown)

    def _answer(self, request: Request, version: int) -> bytes:
        """Of a court kind: 0 is the right one. With a court, one task in three has an output of several chunks."""
        size = 4 * CHUNK + 7 if self.world.has_court and request.nonce % 3 == 0 else 8
        return (b"result %d" % version).ljust(size, b".")

    def _is_right(self, job: Job) -> bool:
        shard = job.item.award.shard % SHARDS
        right = SOLUTIONS[shard][0] if job.request.kind == Kind.POW else self._answer(job.request, 0)
        return job.opening.result == self._result(right)
