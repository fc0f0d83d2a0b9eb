"""No event stops a node: any event, in any state, in any order, with any nonsense that the door lets through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import bundles
from blockedge_node.core import node as core
from blockedge_node.core.actions import Action
from blockedge_node.core.auction import AuctionView
from blockedge_node.core.commitment import DrawSecrets, Role
from blockedge_node.core.court import (
    NO_INPUT,
    Case,
    CaseView,
    DemandView,
    DrawView,
    RoundView,
    Ticket,
    VoteView,
)
from blockedge_node.core.events import (
    AckHeard,
    AckSent,
    AwardFailed,
    BidWindowClosed,
    BundleClosed,
    BundlePacked,
    BundleSpoilt,
    CallMined,
    Checked,
    CheckFailed,
    CheckOrdered,
    Event,
    HeadSeen,
    InputFetched,
    InputRefused,
    JobCancelled,
    JobSubmitted,
    OutputFetched,
    ReceiptHeard,
    ReceiptSent,
    RefusalSent,
    RequestPublished,
    ResultHeard,
    SecretHeard,
    TurnCame,
    WatchAnswered,
    WatchHeard,
    WatchKept,
    WorkFailed,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Digest, Hash, Root, Secret
from blockedge_node.core.node import MACHINES, Node
from blockedge_node.core.task import Ack, Kind, Mode, Receipt, Result
from blockedge_node.core.unit import Account, Phase, ReportView, Standing, UnitView
from blockedge_node.core.watch import Watch
from blockedge_node.wire import records
from tests.core import court
from tests.core.auctions import announced, auction, posted
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DEV,
    DOMAIN,
    RESULT,
    SIG,
    START,
    assigned,
    award_heard,
    bid,
    bid_heard,
    commitment_of,
    committed,
    head,
    job,
    request,
    request_heard,
    revealed,
    solved,
    words,
    world,
)

# Bob is requester, worker and verifier at once: his own job, Alice's request, Alice's award.
MINE, THEIRS = job(2, Kind.WASM), request(shards=2)
MICRO = job(1, Kind.WASM, id=Hash(keccak256(b"micro")), bundle=True)
MY_BUNDLE = bundles.begin(MICRO, world(BOB))[0].job.id


def awards() -> list[Any]:
    """Awards of Bob's own bids, good and bad."""
    stepped = core.step(Node(), request_heard(THEIRS), world(BOB))
    (bidder,) = stepped.node.machines.values()
    bids = [mine.bid for mine in bidder.bids]  # type: ignore[union-attr]
    good = [award_heard(THEIRS, made) for made in bids]
    return [*good, award_heard(THEIRS, bid(THEIRS, CAROL)), award_heard(THEIRS, bids[0], at=START + 90)]


def own_units() -> tuple[Any, list[Any]]:
    """Bob's own task, and bids and awards for it as they will look."""
    stepped = core.step(Node(), JobSubmitted(job=MINE), world(BOB))
    (asked,) = (m for m in stepped.node.machines.values() if isinstance(m, core.Requester))
    bids = [bid(asked.request, me, shard=i) for me in (ALICE, CAROL) for i in (0, 1)]
    return asked, [award_heard(asked.request, made) for made in bids]


def own_auction() -> core.Requester:
    """Bob's own task that the contract is to place."""
    stepped = core.step(Node(), JobSubmitted(job=MY_JOB), world(BOB))
    (asked,) = (m for m in stepped.node.machines.values() if isinstance(m, core.Requester))
    return asked


ONCHAIN, MY_JOB = announced(nonce=5), job(mode=Mode.ONCHAIN, id=Hash(keccak256(b"onchain")), nonce=77)
MY_ONCHAIN = own_auction()
AWARDS = awards()
ASKED, OWN = own_units()
ALL = [*AWARDS, *OWN]
OTHER = Result(exit=0, output_root=Root(keccak256(b"other")))
SECRETS = [DrawSecrets(secret=Secret(c * 32), guard_secret=Secret(b"r" * 32)) for c in (b"s", b"t")]


PEOPLE = (ALICE, BOB, CAROL)
TICKETS = tuple(Ticket(id=i, owner=PEOPLE[i % 3], staked_at=START - 99, stake=DEV.seat) for i in range(9))
BOBS = tuple(replace(ticket, owner=(BOB, court.ERIN)[ticket.id % 2]) for ticket in court.TICKETS)
HASHES = (RESULT.hash(), OTHER.hash(), NO_INPUT)


@st.composite
def votes(draw: st.DrawFn) -> tuple[VoteView, ...]:
    seats = draw(st.sets(st.integers(0, 22), max_size=5))
    shown = st.sampled_from((None, *HASHES))
    return tuple(VoteView(seat=i, ticket=i % 9, hash=Hash(bytes(32)), result_hash=draw(shown)) for i in seats)


@st.composite
def cases(draw: st.DrawFn, view: UnitView) -> CaseView:
    """A jury's case of this unit, at any round and any time of it."""
    case = Case(
        unit=view.unit,
        seed=Hash(keccak256(bytes([draw(st.integers(0, 3))]))),
        accused=draw(st.sampled_from(HASHES)),
        worker=view.terms.worker,
        requester=view.terms.requester,
        accuser=draw(st.sampled_from((*PEOPLE, ZERO_ADDRESS))),
        snapshot=draw(st.sampled_from((0, START))),
        tickets=9,
        vwin=7,
        fee=draw(st.sampled_from((0, 10**12))),
    )
    began = [START + draw(st.integers(-40, 600)) for _ in range(draw(st.integers(0, 3)))]
    rounds = (
        RoundView(round=i, since=at, funder=draw(st.sampled_from(PEOPLE)), votes=draw(votes()))
        for i, at in enumerate(began)
    )
    return CaseView(case=case, rounds=tuple(rounds), closed=draw(st.booleans()))


@st.composite
def views(draw: st.DrawFn) -> UnitView:
    """Anything that a watcher could ever show, whole or not."""
    view = assigned(draw(st.sampled_from(ALL)), START + draw(st.integers(-20, 20)))
    done = solved(draw(st.sampled_from(ALL)))
    shown = draw(st.sampled_from((None, commitment_of(done), Hash(keccak256(b"x")))))
    result = draw(st.sampled_from((None, RESULT, OTHER)))
    report = ReportView(
        index=draw(st.integers(0, 3)),
        author=draw(st.sampled_from((BOB, CAROL))),
        hash=Hash(keccak256(b"r")),
        result_hash=draw(st.sampled_from((None, Hash(keccak256(b"r"))))),
        closed=draw(st.booleans()),
    )
    secrets = draw(st.sampled_from(SECRETS))
    drawn = DrawView(secret=secrets.secret, guard_r=secrets.guard_r, seed=Hash(keccak256(b"seed")))
    demand = DemandView(chunk=draw(st.integers(0, 9)), by=START + 9, supplied=draw(st.booleans()))
    view = replace(
        view, terms=replace(view.terms, draw_commit=draw(st.sampled_from((ZERO_HASH, secrets.commit))))
    )
    return replace(
        view,
        case=draw(st.one_of(st.none(), cases(view))),
        draw=draw(st.sampled_from((None, drawn))),
        committed_at=START,
        challenge_by=draw(st.sampled_from((0, START))),
        jury_secret=draw(st.sampled_from((None, secrets.guard_secret))),
        defended=draw(st.sampled_from((None, Secret(b"w" * 32)))),
        demands=(demand,) * draw(st.integers(0, 2)),
        phase=draw(st.sampled_from(Phase)),
        commitment=shown,
        data=words(shown or bytes(32)),
        result=result,
        result_hash=result and result.hash(),
        flags=draw(st.integers(0, 15)),
        output=draw(st.sampled_from((b"", b"output"))),
        reports=(report,) * draw(st.integers(0, 4)),
    )


@st.composite
def auctions(draw: st.DrawFn) -> AuctionView:
    """An auction of Alice's or of Bob's own, at any time of it and with any bids."""
    asked = draw(st.sampled_from((ONCHAIN, MY_ONCHAIN.request)))
    by = st.builds(posted, st.sampled_from(PEOPLE), st.integers(1, 10**15))
    bids = draw(st.lists(by, max_size=2))
    return auction(
        asked,
        *bids,
        announced=(block := draw(st.integers(0, 60))),
        closes_at=block + draw(st.integers(0, 2)),
        lapsed=draw(st.booleans()),
        objection=draw(st.sampled_from(("", "too large"))),
    )


@st.composite
def heads(draw: st.DrawFn) -> HeadSeen:
    shown = {view.unit: view for view in draw(st.lists(views(), max_size=4))}
    if draw(st.booleans()):
        dispute = of_carols(court.in_round(draw(st.integers(0, 2)), START, draw(votes())))
        shown[dispute.unit] = dispute
    free = draw(st.sampled_from((0, 10**16, 10**20)))
    at = START + draw(st.integers(-5, 700))
    seen = head(at, *shown.values(), standing=Standing(account=Account(free=free)))
    opened = {view.unit: view for view in draw(st.lists(auctions(), max_size=3))}
    return replace(
        seen,
        tickets=draw(st.sampled_from(((), TICKETS[:3], TICKETS, BOBS))),
        newest=seen.head.number + draw(st.integers(0, 2)),
        auctions=tuple(opened.values()),
    )


@st.composite
def watches(draw: st.DrawFn) -> WatchHeard:
    """A client's opening of some award of its own, or nonsense."""
    mine, by = draw(heard), draw(st.sampled_from(PEOPLE))
    done, secrets = solved(mine), draw(st.sampled_from(SECRETS))
    watch = Watch(
        tower=BOB,
        unit=done.unit,
        exit=done.result.exit,
        output_root=done.result.output_root,
        fuel_used=draw(st.integers(0, 1)),
        memory_hash=done.result.memory_hash,
        salt=done.salt,
        guard_secret=done.guard_secret,
        secret=secrets.secret,
        guard_r=secrets.guard_r,
    )
    output = draw(st.sampled_from((b"", done.output)))
    return WatchHeard(client=by, watch=watch, output=output, digest=watch.digest(DOMAIN))


heard = st.sampled_from(ALL)
AUCTIONED = (auction(ONCHAIN).unit, MY_ONCHAIN.shards[0].unit)
units = st.one_of(heard.map(lambda h: solved(h).unit), st.sampled_from((court.DISPUTED.unit, *AUCTIONED)))
digests = st.one_of(
    heard.map(lambda h: h.digest),
    st.sampled_from((Digest(keccak256(b"stranger")), *map(Digest, AUCTIONED))),
)
results = st.sampled_from((RESULT, OTHER))
at = st.integers(START - 5, START + 700)
text = st.sampled_from(("busy", "no_answer", "Not\na code", ""))

events: st.SearchStrategy[Event] = st.one_of(
    heads(),
    heads().filter(lambda head: head.views).map(lambda head: CheckOrdered(view=head.views[0])),
    st.sampled_from((JobSubmitted(job=MINE), JobSubmitted(job=MY_JOB), JobSubmitted(job=MICRO))),
    st.sampled_from((JobCancelled(job=MINE.id), JobCancelled(job=MICRO.id))),
    st.builds(BundleClosed, bundle=st.just(MY_BUNDLE)),
    st.builds(
        BundlePacked,
        bundle=st.just(MY_BUNDLE),
        program=st.just(MICRO.program),
        input=st.just(MICRO.inputs[0]),
        nonce=st.integers(0, 3),
    ),
    st.builds(BundleSpoilt, bundle=st.just(MY_BUNDLE), reason=st.just("gone")),
    st.sampled_from((request_heard(THEIRS), request_heard(request(nonce=5)), request_heard(ASKED.request))),
    heard.map(lambda h: bid_heard(h.signed.bid)),
    heard,
    st.sampled_from((request_heard(ONCHAIN), request_heard(replace(ONCHAIN, nonce=6)))),
    st.just(RequestPublished(task=ASKED.task, at=0.0)),
    st.builds(
        BidWindowClosed,
        task=st.sampled_from((ASKED.task, MY_ONCHAIN.task)),
        shard=st.integers(0, 2),
        round=st.integers(0, 1),
    ),
    st.builds(TurnCame, task=st.sampled_from((ASKED.task, THEIRS.task(DOMAIN))), copy=st.integers(0, 2)),
    digests.flatmap(
        lambda d: st.builds(
            AckHeard,
            award=st.just(d),
            ack=st.builds(Ack, award=digests, start_at=at),
            sig=st.just(SIG),
            at=st.just(0.0),
        )
    ),
    st.builds(AwardFailed, award=digests, reason=text),
    st.builds(InputFetched, unit=units, award=digests),
    st.builds(InputRefused, unit=units, award=digests, reason=text),
    st.builds(AckSent, award=digests),
    st.builds(RefusalSent, award=digests),
    heard.flatmap(lambda h: st.builds(lambda r: solved(h, result=r), results)),
    st.builds(WorkFailed, unit=units, award=digests, reason=text),
    st.builds(ResultHeard, unit=units, worker=st.sampled_from((ALICE, BOB, CAROL)), result=results),
    st.builds(OutputFetched, unit=units, root=results.map(lambda r: r.output_root)),
    st.builds(ReceiptSent, unit=units),
    units.flatmap(
        lambda u: st.builds(
            ReceiptHeard,
            unit=st.just(u),
            receipt=st.builds(Receipt, unit=st.just(u), result_hash=results.map(lambda r: r.hash())),
            sig=st.just(SIG),
        )
    ),
    st.builds(
        Checked,
        unit=units,
        wrong=st.booleans(),
        result=st.sampled_from((None, RESULT)),
        evidence=st.just(b"e"),
        salt=st.just(Secret(b"4" * 32)),
        role=st.sampled_from(Role),
    ),
    st.builds(CheckFailed, unit=units, reason=text, role=st.sampled_from(Role)),
    watches(),
    watches().map(lambda w: WatchAnswered(watch=w.digest)),
    watches().map(lambda w: WatchKept(unit=w.watch.unit, watch=w.digest)),
    st.builds(
        lambda unit, s: SecretHeard(unit=unit, secret=s.secret, guard_r=s.guard_r),
        units,
        st.sampled_from(SECRETS),
    ),
    st.builds(
        CallMined, unit=units, call=st.just("reveal"), tx=st.just(Hash(bytes(32))), block=at, gas=at, fee=at
    ),
)


def of_carols(view: UnitView) -> UnitView:
    """Alice's and Carol's dispute: Bob may sit in its jury."""
    assert view.case is not None
    case = replace(view.case, case=replace(view.case.case, worker=CAROL))
    return replace(view, terms=replace(view.terms, worker=CAROL), case=case)


def a_busy_life() -> list[Event]:
    """After these Bob has a machine of nearly every role: his own unit warded, Carol's watched, a seat in a jury."""
    mine = AWARDS[0]
    unit, done = solved(mine).unit, solved(mine)
    own = committed(assigned(mine, START), commitment_of(done), START)
    theirs = award_heard(request(nonce=8), bid(request(nonce=8), CAROL))
    asked = award_heard(request(nonce=9), bid(request(nonce=9), CAROL))
    result = replace(revealed(assigned(asked, START), solved(asked), START), flags=2)
    watch = Watch(
        tower=BOB,
        unit=solved(theirs).unit,
        exit=0,
        output_root=RESULT.output_root,
        fuel_used=0,
        memory_hash=ZERO_HASH,
        salt=Secret(b"1" * 32),
        guard_secret=Secret(b"2" * 32),
    )
    return [
        JobSubmitted(job=MINE),
        JobSubmitted(job=MICRO),
        request_heard(THEIRS),
        request_heard(ONCHAIN),
        mine,
        InputFetched(unit=unit, award=mine.digest),
        done,
        WatchHeard(client=CAROL, watch=watch, output=b"", digest=watch.digest(DOMAIN)),
        replace(head(START, own, result, of_carols(court.in_round())), tickets=BOBS),
    ]


BUSY = a_busy_life()


def test_a_busy_life_has_a_machine_of_every_kind_but_those_of_a_draw() -> None:
    node, here = Node(), world(BOB, towers=(CAROL,), clients=frozenset({CAROL}))
    for event in BUSY:
        here = replace(here, tickets=BOBS)
        node = core.step(node, event, here).node
    assert {type(m) for m in node.machines.values()} >= set(MACHINES.values()) - {core.Checker, core.Finer}


@settings(max_examples=150)
@given(st.sampled_from(([], BUSY)), st.lists(events, max_size=30), st.sampled_from((0, 1000)))
def test_a_node_handles_anything(before: list[Event], after: list[Event], crowd: int) -> None:
    history = [*before, *after]
    policy = {"towers": (CAROL,), "clients": frozenset({CAROL}), "appeal_budget": 10**15}
    here = world(BOB, verify_own_bps=10_000, verify_bps_court=10_000, close_early=crowd > 0, **policy)
    node, here = Node(), replace(here, crowd=crowd)
    for event in history:
        if isinstance(event, HeadSeen):
            here = replace(here, head=event.head, standing=event.standing, tickets=event.tickets)
        stepped = core.step(node, event, here)
        assert core.step(node, event, here) == stepped, "the same event gives the same step"
        node = stepped.node
        for key in stepped.changed:
            machine = node.machines.get(key)
            if machine is not None:
                assert records.load(MACHINES, records.dump(machine)) == machine
        wanted: tuple[Action, ...] = core.due(node, core.loaded(node, here))
        assert all(hash(action) is not None for action in wanted)
        load = core.loaded(node, here)
        assert load.exposure >= 0
        assert load.staked >= 0
        assert load.units >= 0
        assert load.queue >= 0
