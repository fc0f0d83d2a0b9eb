"""The cast and the props of the core's tests: addresses, a world, signed messages, and views of one unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core import merkle
from blockedge_node.core.commitment import Role, commitment, guard
from blockedge_node.core.events import (
    AwardHeard,
    BidHeard,
    HeadSeen,
    Job,
    RequestHeard,
    SignedAward,
    WorkSolved,
)
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, Secret, Signature
from blockedge_node.core.params import Params
from blockedge_node.core.task import Award, Bid, Kind, Request, Result, unit_id
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import Account, Head, Phase, Reputation, Standing, UnitView
from blockedge_node.core.world import Policy, World

START = 1_700_000_000
ETHER = 10**18
DOMAIN = Domain(31337, Address(b"\xbe" * 20))
SIG = Signature(b"\x51" * 64)

DEV = Params(  # docs/protocol.md §7.2
    fee_bps=100,
    spot_bps_min=1000,
    seat=10**16,
    grace=5,
    secret=6,
    reveal=10,
    challenge=5,
    report=5,
    max_award=120,
    ref_fuel=10**9,
    vwin_base=4,
    vwin_max=60,
    ticket_age=10,
    unbond=600,
    defend=10,
    jcommit=5,
    jreveal=5,
    appeal=10,
    da_window=10,
    fee_unit=10**15,
    bid_blocks=1,
)
POLICY = Policy(block_time=1, delay_floor=10, verify_bps=10_000, close_early=False)


def who(name: str) -> Address:
    return Address(keccak256(name.encode())[-20:])


ALICE, BOB, CAROL, DAVE = map(who, ("alice", "bob", "carol", "dave"))
RICH = Standing(account=Account(free=100 * ETHER), reputation=Reputation())


def world(me: Address, at: int = START, **policy: Any) -> World:
    """What `me` sees at the time `at`, with 100 ether free and a newcomer's reputation."""
    head = Head(number=at - START + 1, hash=Hash(keccak256(at.to_bytes(8, "big"))), time=at)
    return World(me=me, domain=DOMAIN, params=DEV, policy=replace(POLICY, **policy), head=head, standing=RICH)


def head(at: int, *views: UnitView, standing: Standing = RICH) -> HeadSeen:
    return HeadSeen(head=world(ALICE, at).head, standing=standing, views=views)


def job(shards: int = 1, kind: int = Kind.POW, **changes: Any) -> Job:
    plain = Job(
        id=keccak256(b"job"),
        nonce=1,
        kind=kind,
        mode=0,
        program=Root(ZERO_HASH if kind == Kind.POW else keccak256(b"program")),
        inputs=tuple(Root(keccak256(b"input %d" % i)) for i in range(1 if kind == Kind.POW else shards)),
        shards=shards,
        fuel=10**9,
        max_price=ETHER // 1000,
        min_deposit=0,
        max_delay=60,
        lifetime=120,
    )
    return replace(plain, **changes)


def request(by: Address = ALICE, **changes: Any) -> Request:
    plain = Request(
        requester=by,
        nonce=1,
        kind=Kind.POW,
        shards=1,
        input_root=Root(keccak256(b"input")),
        fuel=10**9,
        max_price=ETHER // 1000,
        min_deposit=0,
        max_delay=60,
        w_price=5000,
        w_delay=2500,
        w_rep=2500,
        expiry=START + 300,
    )
    return replace(plain, **changes)


def bid(asked: Request, by: Address = BOB, **changes: Any) -> Bid:
    plain = Bid(
        task=asked.task(DOMAIN),
        shard=0,
        worker=by,
        price=ETHER // 10_000,
        deposit=20 * ETHER // 10_000,
        delay=10,
        rep=140_000,
        expiry=START + 200,
    )
    return replace(plain, **changes)


def request_heard(asked: Request, standing: Standing = RICH) -> RequestHeard:
    return RequestHeard(request=asked, task=asked.task(DOMAIN), sig=SIG, standing=standing)


def bid_heard(made: Bid, standing: Standing = RICH) -> BidHeard:
    return BidHeard(bid=made, digest=made.digest(DOMAIN), sig=SIG, standing=standing)


def award_heard(
    asked: Request, made: Bid, at: int = START, standing: Standing = RICH, **changes: Any
) -> AwardHeard:
    plain = Award(
        task=made.task,
        shard=made.shard,
        bid=made.digest(DOMAIN),
        not_before=at,
        register_by=at + made.delay + DEV.grace,
    )
    award = replace(plain, **changes)
    signed = SignedAward(request=asked, request_sig=SIG, bid=made, bid_sig=SIG, award=award, award_sig=SIG)
    return AwardHeard(signed=signed, digest=award.digest(DOMAIN), standing=standing)


OUTPUT = (7).to_bytes(8, "big")
RESULT = Result(exit=0, output_root=merkle.root(OUTPUT))
SALT, GUARD_SECRET = Secret(b"\x5a" * 32), Secret(b"\x6d" * 32)


def solved(heard: AwardHeard, **changes: Any) -> WorkSolved:
    plain = WorkSolved(
        unit=unit_id(heard.signed.award.task, heard.signed.award.shard),
        award=heard.digest,
        result=RESULT,
        output=OUTPUT,
        salt=SALT,
        guard_secret=GUARD_SECRET,
    )
    return replace(plain, **changes)


def commitment_of(done: WorkSolved, worker: Address = BOB) -> Hash:
    return commitment(
        DOMAIN,
        done.unit,
        Role.WORKER,
        worker,
        done.result.hash(),
        done.salt,
        guard=guard(done.guard_secret),
    )


def assigned(heard: AwardHeard, since: int) -> UnitView:
    signed = heard.signed
    terms = terms_of(signed.request, signed.bid, signed.award, DEV)
    start = signed.award.not_before
    return UnitView(
        unit=terms.unit,
        phase=Phase.ASSIGNED,
        since=since,
        request=signed.request,
        terms=terms,
        data=words(start.to_bytes(32, "big")),
        start_at=start,
    )


def committed(view: UnitView, shown: Hash, since: int) -> UnitView:
    return replace(view, phase=Phase.COMMITTED, since=since, data=words(shown), commitment=shown)


def revealed(view: UnitView, done: WorkSolved, since: int) -> UnitView:
    sworn = guard(done.guard_secret)
    return replace(
        view,
        phase=Phase.REVEALED,
        since=since,
        data=words(done.result.hash(), sworn, (2).to_bytes(32, "big")),
        result_hash=done.result.hash(),
        guard=sworn,
        flags=2,
        result=done.result,
        output=done.output,
    )


def ended(view: UnitView, phase: Phase, since: int, paid: int = 0, slashed: int = 0) -> UnitView:
    return replace(view, phase=phase, since=since, paid=paid, slashed=slashed)


def words(*data: bytes) -> tuple[Hash, Hash, Hash, Hash]:
    a, b, c, d = (*map(Hash, data), *(ZERO_HASH,) * (4 - len(data)))
    return a, b, c, d
