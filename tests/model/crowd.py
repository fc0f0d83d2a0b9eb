"""Who makes the calls: eight actors, each of them requester, worker, reporter and stranger in turn, and one mind that
knows all their secrets and looks at the model to think of something that would go through.

    step = Crowd(seed, world).next()        a Call, or the time to wait for

Mostly it makes the calls that a unit is waiting for. The rest is what tests are for: calls at the wrong time, by the
wrong sender, with a wrong opening, about another unit, twice; and waits that end at the last second of a window or at
the first one after it. A call is complete in itself, so a schedule can be played again without its crowd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any

from blockedge_node.core.commitment import Role, commitment, guard
from blockedge_node.core.hashing import abi_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, Secret, UnitId
from blockedge_node.core.merkle import leaf
from blockedge_node.core.reputation import score
from blockedge_node.core.selection import rank_key
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Ack, Award, Bid, Commit, Kind, Mode, Request, Result
from blockedge_node.core.unit import Phase
from blockedge_node.wire.eip712 import LocalSigner
from tests.model import calls
from tests.model.calls import (
    NO_PROOF,
    NO_RESULT,
    UNSIGNED,
    AwardItem,
    Call,
    Opening,
    Proof,
    ReportOpening,
    Shown,
    Sig,
)
from tests.model.endings import TRUSTED
from tests.model.world import Stage, Unit, World

ETHER = 10**18
RICH = 1 << 98  # wei: everybody's purse, more than BlockEdge takes
FUNDS = 1_000 * ETHER  # of it in the contract to begin with
SHARDS = 4
CHALLENGE, TARGET, RANGE = keccak256(b"challenge"), 1 << 252, 256  # one nonce in 16 is a solution
DATA = abi_words(CHALLENGE, TARGET, RANGE)
MOST_OPEN = 10  # units at a time
EXACT = 2**40 - 1  # the latest time that a field holds

Wait = int  # until when
Step = Call | Wait


@dataclass(slots=True)
class Job:
    """What was agreed for one unit, all of it signed, and what its worker will find."""

    request: Request
    item: AwardItem
    opening: Opening
    diligent: bool  # its worker lets no deadline pass


@dataclass(frozen=True, slots=True)
class Claim:
    """What opens somebody's hash: a report's."""

    opening: ReportOpening
    evidence: bytes = b""


class Crowd:
    def __init__(self, seed: int, world: World) -> None:
        self.chance = Random(seed)
        self.world = world
        self.signers = {
            signer.address: signer
            for signer in (LocalSigner(sha256(b"actor %d" % i).digest(), world.domain) for i in range(8))
        }
        self.actors = list(self.signers)
        self.reliable = self.actors[0]  # never errs, or nobody would get to R ≥ 0.8
        self.poor = self.actors[7]
        self.jobs: dict[UnitId, Job] = {}
        self.openings: dict[Hash, Opening] = {}  # by the commitment that each opens
        self.claims: dict[Hash, Claim] = {}  # by the hash of a report
        self.focus: UnitId | None = None
        self._nonce = 0
        self._solutions = [_solutions(shard) for shard in range(SHARDS)]

    def opening_calls(self) -> Iterator[Call]:
        for who in self.actors:
            yield Call(sender=who, name="fund", value=ETHER if who == self.poor else FUNDS)

    # ── what next ────────────────────────────────────────────────────────────────────────────────────────

    def next(self) -> Step:
        dice = self.chance.random()
        open_units = [u for u in self.world.units.values() if u.phase < Phase.PAID]
        promised = [u for u in open_units if self._is_promised(u)]
        if promised and self._sometimes(0.3):
            unit = self.chance.choice(promised)
            return (self._commit if unit.phase == Phase.ASSIGNED else self._reveal)(unit, self.jobs[unit.id])
        if dice < 0.12:
            time = self._wait(open_units)
            due = [self._deadlines(unit)[-1] for unit in promised]
            return min([time, *due]) if max([time, *due]) < self.world.now + 604_800 else time
        if dice < 0.16:
            return self._money()
        if (dice < 0.30 and len(open_units) < MOST_OPEN) or not self.jobs:
            return self._spoilt(self._award())
        for _ in range(4):
            call = self._about(self._pick(open_units))
            if call is not None:
                return self._spoilt(call)
        return self._wait(open_units)

    def _is_promised(self, unit: Unit) -> bool:
        """The reliable one's turn, and it keeps its promise."""
        mine = unit.terms.worker == self.reliable and unit.phase in (Phase.ASSIGNED, Phase.COMMITTED)
        return mine and self.jobs[unit.id].diligent

    def _pick(self, open_units: Sequence[Unit]) -> UnitId:
        """The unit of the last step again, an open one, or any: also one that never came to be."""
        if self.focus in self.jobs and self._sometimes(0.3):
            return self.focus
        if open_units and self.chance.random() < 0.8:
            self.focus = self.chance.choice(open_units).id
        else:
            recent = list(self.jobs)[-40:]
            self.focus = self.chance.choice(recent)
        return self.focus

    def _wait(self, open_units: Sequence[Unit]) -> Wait:
        """Mostly for the next deadline of all, so that few windows close unused; or for any, or a while."""
        now = self.world.now
        dice = self.chance.random()
        if dice < 0.004:
            return now + self.chance.randrange(1, 4) * 604_800 + self.chance.randrange(1000)
        if dice < 0.02:
            return now + self.world.params.unbond
        edges = [(d + after, u.id) for u in open_units for d in self._deadlines(u) for after in (0, 1)]
        edges = [(time, unit) for time, unit in edges if time > now]
        if not edges or dice < 0.3:
            return now + self.chance.randint(1, 3)
        time, self.focus = min(edges) if dice < 0.8 else self.chance.choice(edges)
        return time

    def _deadlines(self, unit: Unit) -> list[int]:
        world = self.world
        match unit.phase:
            case Phase.ASSIGNED:
                return [world.result_by(unit)]
            case Phase.COMMITTED:
                return [world.secret_by(unit), world.check_by(unit), world.reveal_by(unit)]
            case Phase.REVEALED:
                by = world.challenge_by(unit)
                return [by, by + world.params.grace, world.report_by(unit)]
            case _:
                return [world.jury_shown_by(unit), world.defend_by(unit)]

    def _money(self) -> Call:
        who = self._anybody()
        amount = self.chance.choice([0, 1, ETHER, self.chance.randrange(3 * FUNDS)])
        return self.chance.choice(
            [
                Call(sender=who, name="fund", value=min(amount, ETHER)),
                Call(sender=who, name="fund", value=1 << 96)
                if self.chance.random() < 0.05
                else Call(sender=who, name="exit", args=(amount,)),
                Call(sender=who, name="withdraw"),
                Call(sender=self._leaving(), name="withdraw"),
                Call(sender=who, name="flushBurn"),
            ]
        )

    def _leaving(self) -> Address:
        exits = [who for who, account in self.world.books.accounts.items() if account.exit_at]
        return self.chance.choice(exits or self.actors)

    def _anybody(self, *but: Address) -> Address:
        return self.chance.choice([who for who in self.actors if who not in but])

    def _sometimes(self, chance: float) -> bool:
        return self.chance.random() < chance

    def _secret(self) -> bytes:
        return self.chance.randbytes(32)

    def _sign(self, who: Address, struct: Struct) -> Sig:
        signer = self.signers.get(who)
        return Sig(signer.sign(struct)) if signer else UNSIGNED

    # ── awards ───────────────────────────────────────────────────────────────────────────────────────────

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
        honest = worker == self.reliable or self._sometimes(0.55)
        opening = self._find(request, shard, honest=honest)
        job = Job(
            request=request,
            item=item,
            opening=opening,
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
        self._nonce += 1
        kind = self.chance.choice([Kind.POW, Kind.WASM])
        request = Request(
            requester=requester,
            nonce=self._nonce,
            kind=kind,
            mode=Mode.NO_DEMAND if kind == Kind.WASM and self._sometimes(0.3) else 0,
            shards=SHARDS,
            input_root=Root(leaf(DATA)),
            fuel=self.chance.choice([0, 1, 10**9, 2 * 10**9]),
            max_price=50 * ETHER,
            min_deposit=self.chance.choice([0, 1, 1000]),
            max_delay=self.chance.choice([5, 40]),
            w_price=4000,
            w_delay=4000,
            w_rep=2000,
            expiry=EXACT,
        )
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
            draw_commit=ZERO_HASH,
            not_before=not_before,
            register_by=register_by,
        )
        return self._sign_all(request, (bid, *losers), award)

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
                {"price": request.max_price + 1, "deposit": 21 * request.max_price},
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
        if request.kind == Kind.POW:
            solutions = self._solutions[shard % SHARDS]
            output = (
                solutions[0] if honest else self.chance.choice([solutions[1], solutions[2], b"", b"rubbish!"])
            )
        else:
            output = b"result 0" if honest else b"result %d" % self.chance.randint(0, 3)
        result = Result(exit=0, output_root=Root(leaf(output)))
        if not honest and self._sometimes(0.2):
            output, result = b"", Result(exit=65_537, output_root=Root(ZERO_HASH))
        if request.mode & Mode.NO_DEMAND and self._sometimes(0.7):
            output = b""
        return Opening(result=result, salt=self._secret(), guard=guard(self._secret()), output=output)  # type: ignore[arg-type]

    # ── one unit's next call ─────────────────────────────────────────────────────────────────────────────

    def _about(self, key: UnitId) -> Call | None:
        """Something that the unit is waiting for, or, now and then, what it is not waiting for."""
        unit = self.world.units.get(key)
        if unit is None:
            return self._register([self.jobs[key]])
        job = self.jobs[key]
        if self._sometimes(0.07):
            return self.chance.choice(self._anything())(unit, job)
        now, world = self.world.now, self.world
        impatient = self._sometimes(0.05)
        match unit.phase:
            case Phase.ASSIGNED:
                if now > world.result_by(unit) or impatient:
                    return self._timeout(unit, job)
                return self._commit(unit, job) if job.diligent else None
            case Phase.COMMITTED:
                if now > world.reveal_by(unit) or impatient:
                    return self._timeout(unit, job)
                return self._reveal(unit, job) if job.diligent else None
            case Phase.REVEALED:
                return self._after_reveal(unit, job, impatient)
            case _:
                held = any(report.stage != Stage.CLOSED for report in unit.reports.values())
                return self._close(unit, job) if held or self._sometimes(0.3) else None

    def _anything(self) -> list[Callable[[Unit, Job], Call]]:
        return [
            self._commit,
            self._reveal,
            self._settle,
            self._timeout,
            self._report,
            self._reveal_report,
            self._close,
        ]

    def _after_reveal(self, unit: Unit, job: Job, impatient: bool) -> Call | None:
        now, world = self.world.now, self.world
        if now <= world.challenge_by(unit) and not impatient:
            lied = job.opening.result.output_root != leaf(self._right_output(job))
            eager = unit.bonded < (4 if lied else 2) and self._sometimes(0.8 if lied else 0.3)
            return self._report(unit, job) if eager else None
        pending = any(report.stage == Stage.COMMITTED for report in unit.reports.values())
        if now <= world.report_by(unit) and pending and not impatient:
            return self._reveal_report(unit, job)
        if unit.reports and now <= world.report_by(unit) and not impatient:
            return None
        return self._settle(unit, job)

    def _right_output(self, job: Job) -> bytes:
        if job.request.kind == Kind.POW:
            return self._solutions[job.item.award.shard % SHARDS][0]
        return b"result 0"

    def _with_others(self, unit: Unit, fits: Callable[[Unit], bool]) -> list[Unit]:
        """A batch: this unit, at times with others in its phase, at times twice."""
        batch = [unit]
        if self._sometimes(0.15):
            batch += [u for u in self.world.units.values() if u is not unit and fits(u)][-2:]
        if self._sometimes(0.05):
            batch.append(unit)
        return batch

    def _batch(self, unit: Unit) -> list[Unit]:
        return self._with_others(unit, lambda other: other.phase == unit.phase and other.id in self.jobs)

    def _commit(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        sender = unit.terms.worker if self._sometimes(0.6) else self._anybody()
        hashes = [self._hidden(u.id, u.terms.worker, self.jobs[u.id].opening) for u in units]
        structs = [
            Commit(unit=u.id, terms_hash=u.terms.terms_hash(), commitment=h)
            for u, h in zip(units, hashes, strict=True)
        ]
        sigs = [
            UNSIGNED if u.terms.worker == sender else self._sign(u.terms.worker, s)
            for u, s in zip(units, structs, strict=True)
        ]
        targets = tuple(u.shown_as() for u in units)
        return Call(sender=sender, name="commit", args=(targets, tuple(hashes), tuple(sigs)))

    def _reveal(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        openings = tuple(self.openings.get(u.commitment, self.jobs[u.id].opening) for u in units)
        targets = tuple(u.shown_as() for u in units)
        return Call(sender=self._anybody(), name="reveal", args=(targets, openings))

    def _settle(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        targets = tuple(u.shown_as() for u in units)
        return Call(sender=self._anybody(), name="settle", args=(targets, tuple(Shown() for _ in units)))

    def _timeout(self, unit: Unit, job: Job) -> Call:
        targets = tuple(u.shown_as() for u in self._batch(unit))
        return Call(sender=self._anybody(), name="timeout", args=(targets,))

    def _report(self, unit: Unit, job: Job) -> Call:
        author = self._anybody()
        if unit.court and not self.world.has_court and self._sometimes(0.8):
            author = unit.terms.requester
        if unit.court:
            evidence = b""
            claimed = self.chance.choice(
                [Result(exit=0, output_root=Root(leaf(b"result 0"))), job.opening.result]
            )
            claim = claimed.hash()
        else:
            evidence = self.chance.choice([*self._solutions[unit.terms.shard % SHARDS], b"", b"rubbish!"])
            if self._sometimes(0.6):
                evidence = self._solutions[unit.terms.shard % SHARDS][0]
            claim = keccak256(evidence)
        opening = ReportOpening(author=author, result_hash=claim, salt=self._secret())
        hash = commitment(self.world.domain, unit.id, Role.REPORTER, author, claim, opening.salt)  # type: ignore[arg-type]
        self.claims[hash] = Claim(opening, evidence)
        return Call(sender=author, name="commitReport", args=(unit.shown_as(), hash))

    def _reveal_report(self, unit: Unit, job: Job) -> Call:
        pending = [i for i, r in unit.reports.items() if r.stage == Stage.COMMITTED] or [*unit.reports, 1]
        index = self.chance.choice(pending)
        report = unit.reports.get(index)
        claim = self.claims.get(report.hash) if report is not None else None
        if claim is None:
            claim = Claim(ReportOpening(author=self._anybody(), result_hash=ZERO_HASH, salt=self._secret()))
        proof = NO_PROOF
        if not unit.court:
            found = self.openings.get(unit.commitment, job.opening)
            proof = Proof(
                request=job.request,
                data=DATA,
                result=found.result,
                output=found.output,
                evidence=claim.evidence,
            )
        args = (unit.shown_as(), index, claim.opening, proof)
        return Call(sender=self._anybody(), name="revealReport", args=args)

    def _close(self, unit: Unit, job: Job) -> Call:
        held = [i for i, r in unit.reports.items() if r.stage != Stage.CLOSED]
        indices = tuple(held) if held and self._sometimes(0.6) else (self.chance.randint(0, 3),)
        if self._sometimes(0.05):
            indices += (1,) * self.chance.choice([1, 16])
        return Call(sender=self._anybody(), name="closeReports", args=(unit.shown_as(), indices))

    # ── mistakes ─────────────────────────────────────────────────────────────────────────────────────────

    def _spoilt(self, call: Call) -> Call:
        """One call in seven has something wrong with it."""
        if not self._sometimes(0.14):
            return call
        ways = [self._by_another]
        match call.name:
            case "award" | "awardCommit":
                ways += [self._odd_signatures, self._odd_lists]
            case "commit" | "reveal" | "settle":
                ways += [self._odd_targets, self._odd_lists, self._odd_seconds]
            case "timeout" | "commitReport" | "closeReports":
                ways += [self._odd_targets]
            case "revealReport":
                ways += [self._odd_targets, self._odd_report, self._odd_report, self._odd_report]
        return self.chance.choice(ways)(call)

    def _by_another(self, call: Call) -> Call:
        return replace(call, sender=self._anybody(call.sender))

    def _odd_signatures(self, call: Call) -> Call:
        item = self.chance.choice(call.args[1])
        sigs = (Sig(self.chance.randbytes(64)), *item.bid_sigs[1:])
        odd = self.chance.choice(
            [
                replace(item, award_sig=Sig(self.chance.randbytes(64))),
                replace(item, ack_sig=Sig(self.chance.randbytes(64))),
                replace(item, bid_sigs=sigs),
                replace(item, bid_sigs=(*item.bid_sigs[:-1], UNSIGNED)),
                replace(item, bid_sigs=()),
                replace(item, bids=(), bid_sigs=()),
                replace(item, request=len(call.args[0])),
            ]
        )
        items = tuple(odd if i is item else i for i in call.args[1])
        return replace(call, args=(call.args[0], items, *call.args[2:]))

    def _odd_lists(self, call: Call) -> Call:
        """The arrays of a call differ in length, or all are empty."""
        if call.name == "award":
            return replace(call, args=((), ()))
        position = self.chance.randrange(1, len(call.args))
        shorter = tuple(a[:-1] if i == position else a for i, a in enumerate(call.args))
        return replace(call, args=shorter)

    def _odd_targets(self, call: Call) -> Call:
        first = call.args[0]
        many = isinstance(first, tuple)
        target: calls.Unit = first[-1] if many else first
        words = list(target.data)
        words[self.chance.randrange(4)] = Hash(self._secret())
        odd = self.chance.choice(
            [
                replace(target, data=tuple(words)),
                replace(target, terms=replace(target.terms, price=target.terms.price + 1)),
                replace(target, terms=replace(target.terms, worker=self._anybody(target.terms.worker))),
                replace(target, terms=replace(target.terms, shard=target.terms.shard + SHARDS)),
            ]
        )
        return replace(call, args=((*first[:-1], odd) if many else odd, *call.args[1:]))

    def _odd_seconds(self, call: Call) -> Call:
        """What comes with the last unit is wrong: an opening, a secret, a signature."""
        items = call.args[1]
        match call.name:
            case "reveal":
                odd = self._odd_opening(items[-1])
            case "settle":
                odd = Shown(secret=self._secret(), guard_r=self._secret())
            case _:
                odd = Hash(self._secret())
        return replace(call, args=(call.args[0], (*items[:-1], odd), *call.args[2:]))

    def _odd_opening(self, opening: Opening) -> Opening:
        return self.chance.choice(
            [
                replace(opening, salt=self._secret()),
                replace(opening, guard=self._secret()),
                replace(opening, secret=self._secret()),
                replace(opening, guard_r=self._secret()),
                replace(opening, result=replace(opening.result, fuel_used=7)),
                replace(opening, output=opening.output + b"!"),
                replace(opening, output=bytes(1025)),
            ]
        )

    def _odd_report(self, call: Call) -> Call:
        unit, index, opening, proof = call.args
        ways: list[tuple[Any, ...]] = [
            (index + 1, opening, proof),
            (index, replace(opening, author=self._anybody(opening.author)), proof),
            (index, replace(opening, salt=self._secret()), proof),
            (index, replace(opening, result_hash=self._secret()), proof),
        ]
        if unit.terms.kind == Kind.POW:
            of_proof: list[tuple[Any, ...]] = [
                (index, opening, replace(proof, request=replace(proof.request, nonce=0))),
                (index, opening, replace(proof, data=DATA[:64])),
                (index, opening, replace(proof, result=NO_RESULT)),
                (index, opening, replace(proof, output=proof.output + b"!")),
                (index, opening, replace(proof, evidence=proof.evidence + b"!")),
            ]
            ways = of_proof if self._sometimes(0.7) else ways
            if self._sometimes(0.2):
                return replace(call, gas=365_000)  # too little for the judge
        return replace(call, args=(unit, *self.chance.choice(ways)))


def _solutions(shard: int) -> tuple[bytes, ...]:
    """The three smallest nonces of a shard that meet the target."""
    nonces = (n.to_bytes(8, "big") for n in range(shard * RANGE, (shard + 1) * RANGE))
    good = [n for n in nonces if int.from_bytes(sha256(CHALLENGE + n).digest(), "big") < TARGET]
    return tuple(good[:3])
