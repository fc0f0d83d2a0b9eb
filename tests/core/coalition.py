"""A coalition in memory: several nodes' core, the page-long contract, a clock, and a post that may lose letters.

Nothing happens by itself: a test chooses who performs which due action, which letter arrives, when time passes, who
crashes. Every action that starts is held against core/rules.py. `settle_down` is the fair ending: everything due
is performed and every letter arrives, until nothing is due and no machine is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import get_args

from blockedge_node.core import merkle
from blockedge_node.core import node as core
from blockedge_node.core.actions import (
    Action,
    AwaitBids,
    AwardCommit,
    ChainAction,
    Check,
    CommitResult,
    DeliverResult,
    FetchInput,
    FetchOutput,
    Note,
    PublishBids,
    PublishRequest,
    PublishSecret,
    RefuseAward,
    SendAck,
    SendAward,
    SendReceipt,
    Solve,
)
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import Ticket
from blockedge_node.core.events import (
    AckHeard,
    AckSent,
    AwardFailed,
    AwardHeard,
    BidHeard,
    BidWindowClosed,
    CallMined,
    Checked,
    Event,
    HeadSeen,
    InputFetched,
    Job,
    JobSubmitted,
    OutputFetched,
    ReceiptHeard,
    ReceiptSent,
    RefusalSent,
    RequestHeard,
    RequestPublished,
    ResultHeard,
    SecretHeard,
    WorkFailed,
    WorkSolved,
)
from blockedge_node.core.hashing import hash_words, keccak256
from blockedge_node.core.ids import NO_SECRET, Address, Digest, Hash, Secret, UnitId
from blockedge_node.core.node import MACHINES, Node
from blockedge_node.core.params import Params
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.task import Request, Result
from blockedge_node.core.unit import UnitView
from blockedge_node.core.world import World
from blockedge_node.wire import records
from tests.core.builders import DEV, DOMAIN, RICH, SIG, START, world
from tests.core.contract import Contract

CALLS: tuple[type, ...] = get_args(ChainAction)
UNTIL_ANSWERED = (SendAward, DeliverResult, *CALLS)  # tried again and again while they are due


def output_of(request: Request, shard: int) -> bytes:
    return keccak256(request.input_root + bytes([shard]))[:8]


def truth(request: Request, shard: int) -> Result:
    return Result(exit=0, output_root=merkle.root(output_of(request, shard)))


@dataclass
class Member:
    """One node and what the engine would hold: the ended actions. `lies`: what it makes of a right output."""

    me: Address
    policy: dict[str, object]
    lies: Callable[[bytes], bytes] | None = None
    works: bool = True
    bribed: Callable[[bytes], bytes] | None = None  # what it makes of it as a juror or checker
    params: Params = DEV
    node: Node = field(default_factory=Node)
    disk: dict[str, bytes] = field(default_factory=dict)
    ended: set[Action] = field(default_factory=set)
    rules: Rulebook = field(default_factory=Rulebook)
    notes: list[Note] = field(default_factory=list)
    world: World | None = None
    secrets: int = 0

    def due(self) -> list[Action]:
        """What is due and has not ended."""
        if self.world is None:
            return []
        return [a for a in core.due(self.node, self.world) if a not in self.ended]

    def secret(self) -> Secret:
        self.secrets += 1
        return Secret(hash_words(self.me, self.secrets))

    def hear(self, event: Event) -> None:
        """One step, one transaction; then what is no longer due is forgotten."""
        if isinstance(event, HeadSeen):
            fresh = world(self.me, event.head.time, **self.policy)
            self.world = replace(
                fresh,
                head=event.head,
                standing=event.standing,
                params=self.params,
                tickets=event.tickets,
            )
        if self.world is None:
            return
        stepped = core.step(self.node, event, self.world)
        self.node = stepped.node
        self.notes.extend(stepped.notes)
        for key in stepped.changed:
            if key in self.node.machines:
                self.disk[key] = records.dump(self.node.machines[key])
            else:
                del self.disk[key]
        self.ended &= set(core.due(self.node, self.world))

    def crash(self) -> None:
        """Only the disk is left; nothing is handled before the next head."""
        before = self.node.machines
        machines = {key: records.load(MACHINES, row) for key, row in self.disk.items()}
        assert machines == dict(before), "facts that were never written down"
        self.node, self.ended, self.world = Node(machines=machines), set(), None

    def codes(self) -> Counter[str]:
        return Counter(note.code for note in self.notes)


@dataclass(frozen=True)
class Letter:
    to: Address
    event: Event


class Coalition:
    def __init__(self, *members: Member, params: Params = DEV, tickets: tuple[Ticket, ...] = ()) -> None:
        self.now = START
        self.tickets = tickets
        for member in members:
            member.params = params
        self.members = {member.me: member for member in members}
        self.post: list[Letter] = []
        self.contract = Contract(DOMAIN, params, truth, tickets)
        self.commitments: dict[Digest, set[Hash]] = {}
        self.waiting: dict[Digest, Address] = {}  # award streams: who waits for the answer
        self.history: dict[UnitId, list[UnitView]] = {}
        self.show_heads()

    # ── what a test may choose ───────────────────────────────────────────────────────────────────────────

    def submit(self, by: Address, job: Job) -> None:
        self.members[by].hear(JobSubmitted(job=job))

    def tick(self, seconds: int = 1, blind: tuple[Address, ...] = ()) -> None:
        """Time passes and a block comes; those who are `blind` do not see it yet."""
        self.now += seconds
        self.show_heads(blind)

    def show_heads(self, blind: tuple[Address, ...] = ()) -> None:
        for member in self.members.values():
            if member.me not in blind:
                self.show_head(member)

    def show_head(self, member: Member) -> None:
        head = world(member.me, self.now).head
        views = tuple(self.contract.units.values())
        member.hear(HeadSeen(head=head, standing=RICH, views=views, tickets=self.tickets))

    def crash(self, who: Address) -> None:
        self.members[who].crash()
        self.show_head(self.members[who])

    def deliver(self, index: int, *, keep: bool = False, lose: bool = False) -> None:
        letter = self.post[index] if keep else self.post.pop(index)
        if not lose:
            self.members[letter.to].hear(letter.event)

    def give_up(self, award: Digest) -> None:
        """An award stream breaks, or its worker takes too long."""
        self.members[self.waiting.pop(award)].hear(AwardFailed(award=award, reason="no_answer"))

    def perform(self, member: Member, action: Action) -> None:
        """One action, to its end; what it tells others goes by post."""
        here = member.world
        assert here is not None
        broken = member.rules.check(action, member.node, core.loaded(member.node, here))
        assert not broken, f"{[rule.name for rule in broken]}: {action}"
        if isinstance(action, AwardCommit | CommitResult):
            self._remember(member, action)
        if not isinstance(action, UNTIL_ANSWERED):
            member.ended.add(action)
        event = self._perform(member, action)
        if event:
            if isinstance(action, CALLS):
                member.ended.add(action)
            member.hear(event)

    # ── what an action does ──────────────────────────────────────────────────────────────────────────────

    def _perform(self, member: Member, action: Action) -> Event | None:
        match action:
            case PublishRequest(request=request):
                task = request.task(DOMAIN)
                heard = RequestHeard(request=request, task=task, sig=SIG, standing=RICH)
                self._mail(heard, *(m for m in self.members if m != member.me))
                return RequestPublished(task=task, at=0.0)
            case AwaitBids():
                return BidWindowClosed(
                    task=action.task,
                    shard=action.shard,
                    round=action.round,
                    draw_secret=member.secret() if action.secrets else NO_SECRET,
                    guard_secret=member.secret() if action.secrets else NO_SECRET,
                )
            case PublishSecret(unit=unit, secret=secret, guard_r=guard_r):
                told = SecretHeard(unit=unit, secret=secret, guard_r=guard_r)
                self._mail(told, *(m for m in self.members if m != member.me))
                return None
            case PublishBids(bids=bids):
                for bid in bids:
                    heard_bid = BidHeard(bid=bid, digest=bid.digest(DOMAIN), sig=SIG, standing=RICH)
                    self._mail(heard_bid, *(m for m in self.members if m != member.me))
                return None
            case SendAward(signed=signed, digest=digest):
                self.waiting[digest] = member.me
                full = replace(signed, request_sig=SIG, award_sig=SIG)
                self._mail(AwardHeard(signed=full, digest=digest, standing=RICH), signed.bid.worker)
                return None
            case FetchInput():
                return InputFetched(unit=action.unit, award=action.award)
            case SendAck(award=award, ack=ack):
                self._answer(award, AckHeard(award=award, ack=ack, sig=SIG, at=0.0))
                return AckSent(award=award)
            case RefuseAward(award=award, reason=reason):
                self._answer(award, AwardFailed(award=award, reason=reason))
                return RefusalSent(award=award)
            case Solve():
                return self._solve(member, action)
            case DeliverResult(unit=unit, requester=requester, result=result):
                self._mail(ResultHeard(unit=unit, worker=member.me, result=result), requester)
                return None
            case FetchOutput(unit=unit, root=root):
                return OutputFetched(unit=unit, root=root)
            case SendReceipt(receipt=receipt):
                worker = self._worker_of(receipt.unit)
                self._mail(ReceiptHeard(unit=receipt.unit, receipt=receipt, sig=SIG), *worker)
                return ReceiptSent(unit=receipt.unit)
            case Check():
                mine = truth(action.request, action.shard)
                if member.bribed and action.role is not Role.REPORTER:
                    output = member.bribed(output_of(action.request, action.shard))
                    mine = Result(exit=0, output_root=merkle.root(output))
                return Checked(
                    unit=action.unit,
                    wrong=action.result not in (None, mine),
                    result=mine,
                    evidence=b"proof",
                    salt=member.secret(),
                    role=action.role,
                )
            case _:
                return self._call(member, action)

    def _solve(self, member: Member, action: Solve) -> Event:
        if not member.works:
            return WorkFailed(unit=action.unit, award=action.award, reason="out of order")
        output = output_of(action.request, action.shard)
        output = member.lies(output) if member.lies else output
        return WorkSolved(
            unit=action.unit,
            award=action.award,
            result=Result(exit=0, output_root=merkle.root(output)),
            output=output,
            salt=member.secret(),
            guard_secret=member.secret(),
        )

    def _call(self, member: Member, action: ChainAction) -> Event | None:
        if not self.contract.apply(action, member.me, self.now):
            return None
        self.history.setdefault(action.unit, []).append(self.contract.units[action.unit])
        return CallMined(
            unit=action.unit,
            call=type(action).__name__,
            tx=keccak256(repr(action).encode()),
            block=self.now - START,
            gas=1,
            fee=1,
        )

    def _remember(self, member: Member, action: AwardCommit | CommitResult) -> None:
        """Invariant 18, over the whole life of the node: one commitment an award."""
        (award,) = (
            machine.award
            for key, machine in member.node.machines.items()
            if isinstance(machine, core.Worker) and machine.unit == action.unit and machine.is_mine
        )
        self.commitments.setdefault(award, set()).add(action.commitment)

    def _mail(self, event: Event, *to: Address) -> None:
        self.post.extend(Letter(to=address, event=event) for address in to)

    def _answer(self, award: Digest, event: Event) -> None:
        requester = self.waiting.get(award)
        if requester:
            self._mail(event, requester)

    def _worker_of(self, unit: UnitId) -> list[Address]:
        return [
            member.me
            for member in self.members.values()
            if any(isinstance(m, core.Worker) and m.unit == unit for m in member.node.machines.values())
        ]

    # ── the fair ending ──────────────────────────────────────────────────────────────────────────────────

    def settle_down(self, seconds: int = 1500) -> None:
        """Everybody does what is due and all letters arrive, one block a second, until all is over."""
        for _ in range(seconds):
            for _ in range(200):
                if not self._anything():
                    break
            else:
                raise AssertionError("the coalition never comes to rest within one block")
            self._close_windows()
            if not self.post and not any(member.node.machines for member in self.members.values()):
                return
            self.tick()
        left = {m.me.hex()[:8]: list(m.node.machines.values()) for m in self.members.values()}
        raise AssertionError(f"not over after {seconds} s: {left}")

    def _close_windows(self) -> None:
        for member in self.members.values():
            for action in member.due():
                if isinstance(action, AwaitBids):
                    self.perform(member, action)

    def _anything(self) -> bool:
        """One round: all letters, then one try of all that is due; bid windows last until the next block.

        Whether anything came of it: saying again what nobody answers is no movement.
        """
        before = [member.node for member in self.members.values()]
        while self.post:
            self.deliver(0)
        spoken = False
        for member in self.members.values():
            for action in member.due():
                if action in member.due() and not isinstance(action, AwaitBids):
                    letters = len(self.post)
                    self.perform(member, action)
                    spoken |= len(self.post) > letters and not isinstance(action, SendAward | DeliverResult)
        return spoken or [member.node for member in self.members.values()] != before

    def phases(self) -> Counter[str]:
        return Counter(view.phase.name for view in self.contract.units.values())
