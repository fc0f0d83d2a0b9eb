"""The node: which role machines there are, which events concern them, and when they come and go.

    key                     machine            begun by                          over when
    job:<job>               jobs.JobRun        JobSubmitted                      settled or failed
    collector:<bundle>      Collector          JobSubmitted of a micro-task      its bundle's job begins
    requester:<task>        Requester          its job's next attempt            every shard has ended
    bidder:<task>           Bidder             RequestHeard, if policy bids      no bid is live
    auction:<task>          AuctionBidder      RequestHeard or HeadSeen with it  its auctions are fixed
    worker:<award>          Worker             AwardHeard, if the bidder agrees  its unit ended, or died
                                               HeadSeen with an auction I won
    verifier:<unit>         Verifier           HeadSeen with a revealed result   the unit ended
    checker:<unit>          Checker            HeadSeen with my ticket drawn     the unit ended
    finer:<unit>            Finer              HeadSeen with a check missed      somebody was fined
    juror:<unit>            Juror              HeadSeen with a seat of mine      the unit ended
    ward:<award>            Ward               HeadSeen with my commitment       the unit ended
    tower:<commitment>      Tower              WatchHeard, if from a client      the unit ended

`step` and `due` are pure: one event and one World in, the new Node out. Every event goes to every machine of the
roles that it may concern, and machines ignore what is not theirs; a machine's `step` never raises, so no peer
can stop a node. A machine that is over is retired by the first head that changes nothing about it: by then its
last state is in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blockedge_node.core import auction_bidder as auction_bidders
from blockedge_node.core import bidder as bidders
from blockedge_node.core import bundles, jobs
from blockedge_node.core import checker as checkers
from blockedge_node.core import finer as finers
from blockedge_node.core import juror as jurors
from blockedge_node.core import requester as requesters
from blockedge_node.core import verifier as verifiers
from blockedge_node.core import ward as wards
from blockedge_node.core import watchtower as towers
from blockedge_node.core import worker as workers
from blockedge_node.core.actions import Action, Note, RefuseAward
from blockedge_node.core.auction import AuctionView, is_onchain, terms_won
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.bundles import Collector
from blockedge_node.core.checker import Checker
from blockedge_node.core.events import (
    AwardHeard,
    BidHeard,
    BundlePacked,
    CheckOrdered,
    Event,
    HeadSeen,
    Job,
    JobSubmitted,
    RefusalSent,
    RequestHeard,
    TurnCame,
    WatchHeard,
)
from blockedge_node.core.facts import note
from blockedge_node.core.finer import Finer
from blockedge_node.core.ids import Digest, Hash, TaskId, UnitId
from blockedge_node.core.jobs import JobRun, TaskSeen
from blockedge_node.core.juror import Juror
from blockedge_node.core.machines import (
    MACHINES,
    Load,
    Machine,
    auction_key,
    bidder_key,
    checker_key,
    collector_key,
    due_of,
    finer_key,
    finished,
    job_key,
    juror_key,
    load_of,
    requester_key,
    tower_key,
    units_of,
    verifier_key,
    ward_key,
    worker_key,
)
from blockedge_node.core.requester import Requester
from blockedge_node.core.task import Bid, Request, Result
from blockedge_node.core.unit import Phase, Terms, UnitView
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.ward import Ward
from blockedge_node.core.watchtower import Tower
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World

Auctioned = Requester | AuctionBidder | Worker  # who looks at auctions, each at those of its task
STRANGERS = 256  # awards without a bid of ours whose streams are answered; beyond, they time out


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    machines: Mapping[str, Machine] = field(default_factory=dict)
    strangers: tuple[Digest, ...] = ()  # awards without a bid: refused, and not worth a fact

    def units(self) -> frozenset[UnitId]:
        """All units whose end some machine waits to see."""
        return frozenset(unit for machine in self.machines.values() for unit in units_of(machine))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """`changed`: keys of machines that are new, have new facts, or are gone (no longer in node.machines)."""

    node: Node
    changed: tuple[str, ...]
    notes: tuple[Note, ...]


def step(node: Node, event: Event, world: World) -> Stepped:
    """One event. `world` without its load figures: exposure, units and queue are filled in here."""
    return _Step(node, world).take(event)


def due(node: Node, world: World) -> tuple[Action, ...]:
    """Everything that should be happening now, each action once, in the order of the machines."""
    wanted = [action for machine in node.machines.values() for action in due_of(machine, world)]
    return tuple(dict.fromkeys((*wanted, *refusals(node))))


def refusals(node: Node) -> tuple[Action, ...]:
    return tuple(RefuseAward(award=award, reason="no_such_bid") for award in node.strangers)


# ── the node's load ──────────────────────────────────────────────────────────────────────────────────────


def loaded(node: Node, world: World) -> World:
    """The World with this node's load in it, as its machines see it."""
    return _with_load(world, sum((load_of(m, world) for m in node.machines.values()), Load()))


def _with_load(world: World, load: Load) -> World:
    queue = max(0.0, load.work) / max(1, world.policy.slots)
    return replace(world, exposure=load.exposure, staked=load.staked, units=load.units, queue=queue)


# ── one step ─────────────────────────────────────────────────────────────────────────────────────────────


class _Step:
    """The working memory of one `step`: machines as they change, with the load kept right in between."""

    def __init__(self, node: Node, world: World) -> None:
        self.bare = world
        self.machines: dict[str, Machine] = dict(node.machines)
        self.strangers = node.strangers
        self.load = sum((load_of(m, world) for m in self.machines.values()), Load())
        self.changed: dict[str, None] = {}
        self.notes: list[Note] = []

    @property
    def world(self) -> World:
        return _with_load(self.bare, self.load)

    def take(self, event: Event) -> Stepped:
        match event:
            case JobSubmitted(job=job) if job.bundle:
                self._collect(job)
            case JobSubmitted():
                self._submit(event)
            case BundlePacked():
                self._bundle(event)
            case RequestHeard():
                self._hear_request(event)
            case AwardHeard():
                self._hear_award(event)
            case WatchHeard():
                self._hear_watch(event)
            case BidHeard(bid=Bid(task=task)) | TurnCame(task=task):
                for key in (requester_key(task), bidder_key(task)):
                    if key in self.machines:
                        self._step(key, event)
            case CheckOrdered(view=view):
                key = verifier_key(view.unit)
                if key not in self.machines and verifiers.may_report(view, self.world):
                    self._put(key, verifiers.begin(view))
            case HeadSeen():
                self._see_head(event)
            case RefusalSent(award=award) if award in self.strangers:
                self.strangers = tuple(a for a in self.strangers if a != award)
            case _:
                for key in list(self.machines):
                    self._step(key, event)
        return Stepped(
            node=Node(machines=self.machines, strangers=self.strangers),
            changed=tuple(self.changed),
            notes=tuple(self.notes),
        )

    # ── machines come …

    def _submit(self, event: JobSubmitted) -> None:
        key = job_key(event.job.id)
        if key not in self.machines and self.bare.policy.requester:
            run, notes = jobs.begin(event.job, self.world)
            self._put(key, run, notes)
            if not jobs.finished(run):
                self._begin_attempt(run)

    def _collect(self, job: Job) -> None:
        """A micro-task joins those like it. Told twice, it is there once: whoever repeats it finds it by its id."""
        if not self.bare.policy.requester or self._is_bundled(job.id):
            return
        for key, machine in self.machines.items():
            if isinstance(machine, Collector) and bundles.takes(machine, job, self.world):
                self._put(key, *bundles.add(machine, job, self.world))
                return
        begun, notes = bundles.begin(job, self.world)
        self._put(collector_key(begun.job.id), begun, notes)

    def _is_bundled(self, job: Hash) -> bool:
        for machine in self.machines.values():
            if isinstance(machine, Collector):
                if bundles.place_of((*machine.items, *machine.cancelled), job) is not None:
                    return True
            elif isinstance(machine, JobRun) and bundles.place_of(machine.job.items, job) is not None:
                return True
        return False

    def _bundle(self, event: BundlePacked) -> None:
        """One step, one transaction: the collector goes, and the job that is all of its jobs comes."""
        key = collector_key(event.bundle)
        machine = self.machines.get(key)
        if isinstance(machine, Collector) and not bundles.finished(machine):
            job, notes = bundles.packed(machine, event)
            self.notes.extend(notes)
            self._retire(key)
            self._submit(JobSubmitted(job=job))

    def _begin_attempt(self, run: JobRun) -> None:
        attempt = run.attempts[-1]
        key = requester_key(attempt.task)
        if key not in self.machines:
            job = run.job
            asked = requesters.begin(
                job.id, attempt.request, attempt.task, attempt.shards, run.avoid, job.workers
            )
            self._put(key, asked)

    def _hear_request(self, event: RequestHeard) -> None:
        onchain = is_onchain(event.request)
        key = auction_key(event.task) if onchain else bidder_key(event.task)
        if event.request.requester == self.bare.me:
            return
        if key in self.machines:
            self._step(key, event)
            return
        if onchain:
            prepared = auction_bidders.prepare(event, self.world)
            if prepared:
                self._put(key, prepared)
            return
        machine, notes = bidders.begin(event, self.world)
        self.notes.extend(notes)
        if machine:
            self._put(key, machine)

    def _hear_award(self, event: AwardHeard) -> None:
        known = worker_key(event.digest)
        if known in self.machines:
            self._step(known, event)
            return
        key = bidder_key(event.signed.award.task)
        machine = self.machines.get(key)
        if not isinstance(machine, Bidder):
            self.strangers = (*self.strangers, event.digest)[-STRANGERS:]
            return
        machine, accepted, notes = bidders.answer(machine, event, self._owed_by(event), self.world)
        self._put(key, machine, notes)
        if accepted:
            self._put(known, accepted)

    def _owed_by(self, event: AwardHeard) -> int:
        """Wei that this requester has promised me in Awards that are not on the chain yet."""
        return sum(
            workers.owed(machine, self.bare)
            for machine in self.machines.values()
            if isinstance(machine, Worker) and machine.terms.requester == event.signed.request.requester
        )

    def _hear_watch(self, event: WatchHeard) -> None:
        """A client's, else it gets no answer: the door lets nobody else's in."""
        key = tower_key(towers.commitment_of(event, self.bare.domain))
        if key in self.machines:
            self._step(key, event)
            return
        kept = sum(isinstance(m, Tower) and m.client == event.client for m in self.machines.values())
        if event.client in self.bare.policy.clients and kept < towers.MOST_WATCHES:
            self._put(key, *towers.begin(event, self.world))

    # ── … are stepped …

    def _step(self, key: str, event: Event | TaskSeen) -> None:
        machine = self.machines[key]
        match machine:
            case JobRun():
                run, notes = jobs.step(machine, event, self.world)
                self._put(key, run, notes)
                if len(run.attempts) > len(machine.attempts):
                    self._begin_attempt(run)
            case _ if isinstance(event, TaskSeen):
                pass
            case Collector():
                self._put(key, *bundles.step(machine, event))
            case Requester():
                asked, notes = requesters.step(machine, event, self.world)
                self._put(key, asked, notes)
                if asked != machine or isinstance(event, HeadSeen):
                    self._tell_job(asked)
            case Bidder():
                self._put(key, *bidders.step(machine, event, self.world))
            case AuctionBidder():
                self._put(key, *auction_bidders.step(machine, event, self.world))
            case Worker():
                self._put(key, *workers.step(machine, event, self.world))
            case Verifier():
                self._put(key, *verifiers.step(machine, event, self.world))
            case Finer():
                self._put(key, *finers.step(machine, event, self.world))
            case Checker():
                self._put(key, *checkers.step(machine, event, self.world))
            case Juror():
                self._put(key, *jurors.step(machine, event, self.world))
            case Ward():
                self._put(key, *wards.step(machine, event, self.world))
            case Tower():
                self._put(key, *towers.step(machine, event, self.world))

    def _tell_job(self, machine: Requester) -> None:
        key = job_key(machine.job)
        if key in self.machines:
            self._step(key, TaskSeen(task=machine.task, shards=requesters.outcomes(machine)))

    def _see_head(self, event: HeadSeen) -> None:
        """Every machine looks at its own units; then others begin for what they show: verifiers, jurors, wards."""
        views = {view.unit: view for view in event.views}
        auctions: dict[TaskId, list[AuctionView]] = {}
        for auction in event.auctions:
            auctions.setdefault(auction.task, []).append(auction)
        self._win_auctions(auctions, event)  # before bidders look: a deposit that a bid holds always counts
        for key in list(self.machines):
            machine = self.machines[key]
            mine = tuple(views[unit] for unit in units_of(machine) if unit in views)
            opened = auctions.get(machine.task, ()) if isinstance(machine, Auctioned) else ()
            self._step(key, replace(event, views=mine, auctions=tuple(opened)))
            if key not in self.changed and finished(self.machines[key], self.bare):
                self._retire(key)
        for view in event.views:
            key = verifier_key(view.unit)
            if key not in self.machines and verifiers.wants(view, self._delivered(view), self.world):
                self._put(key, verifiers.begin(view))
            self._sit(view)
        self._join_auctions(auctions, event)
        self._seek_towers()

    def _join_auctions(self, auctions: Mapping[TaskId, Sequence[AuctionView]], event: HeadSeen) -> None:
        """Bid where bids count."""
        for task, opened in auctions.items():
            key, requester = auction_key(task), opened[0].request.requester
            fresh = key not in self.machines and requester != self.bare.me
            if fresh and any(view.takes_bids(event.newest) for view in opened):
                self._put(key, *auction_bidders.begin(opened, event.newest, self.world))

    def _win_auctions(self, auctions: Mapping[TaskId, Sequence[AuctionView]], event: HeadSeen) -> None:
        """Work on whatever the chain says that I have won, whoever remembers the bid."""
        for view in (view for opened in auctions.values() for view in opened):
            if view.leads(self.bare.me) and view.is_fixed(self.bare.head.number):
                terms = terms_won(view, self.bare.params)
                if terms is not None:
                    self._win(terms, view.request, view)
        for unit in event.views:
            if (
                unit.phase is Phase.ASSIGNED
                and unit.terms.worker == self.bare.me
                and is_onchain(unit.request)
            ):
                self._win(unit.terms, unit.request, None)

    def _win(self, terms: Terms, request: Request, auction: AuctionView | None) -> None:
        key = worker_key(terms.terms_hash())
        if key in self.machines:
            return
        bidder = self.machines.get(auction_key(terms.task))
        has_input = isinstance(bidder, AuctionBidder) and terms.shard in bidder.inputs
        worker = replace(workers.won(terms, request, input=has_input), auction=auction)
        story = note(
            terms.unit, "auction.mine", requester=terms.requester, price=terms.price, deposit=terms.deposit
        )
        self._put(key, worker, (story,))

    def _sit(self, view: UnitView) -> None:
        """What tickets are drawn for: mine do their duty, others' are fined for none."""
        key = checker_key(view.unit)
        if key not in self.machines and checkers.wants(view, self.world):
            self._put(key, *checkers.begin(view, self.world))
        key = finer_key(view.unit)
        if key not in self.machines and finers.wants(view, self.world):
            self._put(key, *finers.begin(view, self.world))
        key = juror_key(view.unit)
        if key not in self.machines and jurors.wants(view, self.world):
            self._put(key, *jurors.begin(view, self.world))

    def _seek_towers(self) -> None:
        """What I have committed is handed to whoever watches over it while I am away."""
        for worker in [machine for machine in self.machines.values() if isinstance(machine, Worker)]:
            key = ward_key(worker.award)
            if key not in self.machines and wards.wants(worker, self.bare):
                self._put(key, wards.begin(worker, self.bare))

    def _delivered(self, view: UnitView) -> Result | None:
        machine = self.machines.get(requester_key(view.terms.task))
        shards = machine.shards if isinstance(machine, Requester) else ()
        return next((shard.delivered for shard in shards if shard.unit == view.unit), None)

    # ── … and go

    def _put(self, key: str, machine: Machine, notes: Iterable[Note] = ()) -> None:
        before = self.machines.get(key)
        self.machines[key] = machine
        self.notes.extend(notes)
        if before is not machine:
            gone = load_of(before, self.bare) if before else Load()
            self.load = self.load - gone + load_of(machine, self.bare)
        if before != machine:
            self.changed[key] = None

    def _retire(self, key: str) -> None:
        self.load -= load_of(self.machines.pop(key), self.bare)
        self.changed[key] = None


__all__ = [
    "MACHINES",
    "STRANGERS",
    "AuctionBidder",
    "Bidder",
    "Checker",
    "Collector",
    "Finer",
    "JobRun",
    "Juror",
    "Load",
    "Machine",
    "Node",
    "Requester",
    "Stepped",
    "Tower",
    "Verifier",
    "Ward",
    "Worker",
    "auction_key",
    "bidder_key",
    "checker_key",
    "collector_key",
    "due",
    "due_of",
    "finer_key",
    "finished",
    "job_key",
    "juror_key",
    "load_of",
    "loaded",
    "refusals",
    "requester_key",
    "step",
    "tower_key",
    "verifier_key",
    "ward_key",
    "worker_key",
]
