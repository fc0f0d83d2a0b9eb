"""One shard of a task of mine: from the bids for it to the output of its unit, or the reason why there is none.

What is due, by its facts and its unit's view (docs/protocol.md §3.3, §4):

| view      | facts                             | due                              | from … until             |
|-----------|-----------------------------------|----------------------------------|--------------------------|
| –         | published, no award               | AwaitBids, then an award or none | … expiry − GRACE         |
| NONE      | awarded, neither Ack nor failure  | SendAward                        | … registerBy             |
| NONE      | Ack                               | RegisterAward, with the Ack      | start + lag … registerBy |
| NONE      | awarded                           | nothing: the award is dead       | registerBy …             |
| ASSIGNED  |                                   | TimeOut                          | resultBy …               |
| COMMITTED |                                   | TimeOut                          | revealBy …               |
| REVEALED  |                                   | Settle, if the worker does not   | its windows + GRACE …    |
| any later | the Award has a drawCommit        | what spotcheck.py says            |                          |
| any       | a result is known, not its output | FetchOutput                      | … PATIENCE after its end |
| any       | output here, a stream waits       | SendReceipt                      |                          |

A shard never has two awards whose [notBefore, registerBy] overlap, whatever the first worker says: that would
be equivocation, and both could be registered. The result that counts is the one at stake: what the worker
delivered, once its unit is COMMITTED; what it revealed, once that is known and should the two differ.

Where a jury stands behind the kind, every round of awards brings two fresh secrets with the end of its bid window:
an award that died leaves the next one a window of no length, and secrets of its own (§2.2). All are kept, because
what a reorg brings back may be an earlier award.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from blockedge_node.core import merkle, spotcheck, turns
from blockedge_node.core.actions import (
    Action,
    AwaitBids,
    FetchOutput,
    Note,
    RegisterAward,
    Registration,
    SendAward,
    SendReceipt,
    Settle,
    TimeOut,
)
from blockedge_node.core.auction import AuctionView
from blockedge_node.core.commitment import DrawSecrets
from blockedge_node.core.deadlines import settles, timeout_after
from blockedge_node.core.events import (
    AckHeard,
    AwardFailed,
    BidWindowClosed,
    CallMined,
    Event,
    OutputFetched,
    ReceiptSent,
    ResultHeard,
    SignedAward,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Address, Digest, Root, Signature, TaskId, UnitId
from blockedge_node.core.policy import Offer
from blockedge_node.core.task import Ack, Bid, Receipt, Result
from blockedge_node.core.terms import LONG_TASK
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

PATIENCE = 300  # seconds after a unit's end in which its output is still asked for
UNSIGNED = Signature(b"")  # filled in on sending: our signatures are deterministic
PLAIN = re.compile(r"[a-z_]{1,32}")  # a worker's reason for refusing, as it may enter our story


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An award under way. `failed` says why its worker gave no Ack; it may register all the same."""

    signed: SignedAward
    digest: Digest
    ack: Ack | None = None
    ack_sig: Signature = UNSIGNED
    failed: str = ""

    @property
    def bid(self) -> Bid:
        return self.signed.bid

    @property
    def register_by(self) -> int:
        return self.signed.award.register_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    index: int
    unit: UnitId
    offers: tuple[Offer, ...] = ()  # best first
    round: int = 0  # awards that died
    chosen: bool = False  # the bid window is over: whoever is best now gets the award
    looks: int = volatile(0)  # at the bids so far, whether they are enough …
    waited: float = volatile(0.0)  # … seconds from publishing to the last look …
    pause: float = volatile(0.0)  # … and to the next one
    secrets: tuple[DrawSecrets, ...] = ()  # one pair an award, the last is that of this round
    placed: Placed | None = None
    spent: tuple[Address, ...] = ()  # workers whose award died
    delivered: Result | None = None
    result: Result | None = None  # the one that counts, see above
    stored: Root | None = None  # the output that is in the blob store
    phase: Phase = Phase.NONE  # a terminal one that was seen
    ended_at: int = 0
    end: str = ""  # why there will be no output of this shard
    winner: Address | None = None  # of its auction on the chain, once that was fixed (announcing.py)
    waits: bool = volatile(False)  # a result stream waits for its Receipt
    view: UnitView | None = volatile(None)
    auction: AuctionView | None = volatile(None)

    @property
    def now_in(self) -> Phase:
        return self.view.phase if self.view else self.phase

    @property
    def has_output(self) -> bool:
        """An error exit has root 0: there is nothing to fetch."""
        root = self.result and self.result.output_root
        return root is not None and root in (self.stored, ZERO_HASH)

    @property
    def worker(self) -> Address | None:
        if self.view:
            return self.view.terms.worker
        return self.placed.bid.worker if self.placed else self.winner


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOutcome:
    """`result` is set when its output is here and at stake or paid; `failed` when it never will be."""

    index: int
    unit: UnitId
    worker: Address | None
    result: Result | None
    failed: str
    over: bool  # the unit has ended, nothing will change any more


def outcome(shard: Shard) -> ShardOutcome:
    at_stake = shard.now_in in (Phase.COMMITTED, Phase.REVEALED, Phase.PAID) and not shard.end
    return ShardOutcome(
        index=shard.index,
        unit=shard.unit,
        worker=shard.worker,
        result=shard.result if shard.has_output and at_stake else None,
        failed=shard.end,
        over=is_over(shard),
    )


def lacks_bids(shard: Shard) -> bool:
    """Whether nobody has its award, and somebody could."""
    return shard.placed is None and shard.now_in is Phase.NONE and not shard.end


def owes_receipt(shard: Shard) -> bool:
    """Whether a stream waits for what it can have: others time out, and nobody waits for that."""
    return shard.waits and shard.has_output and not shard.end and shard.delivered == shard.result


def is_over(shard: Shard) -> bool:
    """Nothing more will come of this shard, and nothing is left to do on the chain."""
    locked = shard.auction is not None and not shard.auction.lapsed  # my escrow, until it is closed
    never_awarded = bool(shard.end) and shard.now_in is Phase.NONE and not locked
    return never_awarded or (shard.now_in.terminal and (shard.has_output or bool(shard.end)))


# ── what happens to it ───────────────────────────────────────────────────────────────────────────────────


def hear(shard: Shard, event: Event, task: TaskId, notes: list[Note]) -> Shard:
    """What bidders, the winner and our own actions bring; of the task `task`."""
    placed = shard.placed
    match event:
        case AckHeard() if placed and event.award == placed.digest and not placed.ack:
            ack, award = event.ack, placed.signed.award
            if ack.award != placed.digest or not award.not_before <= ack.start_at <= award.register_by:
                return replace(shard, placed=replace(placed, failed="bad_ack"))
            notes.append(note(shard.unit, "award.acknowledged", worker=placed.bid.worker))
            return replace(shard, placed=replace(placed, ack=ack, ack_sig=event.sig, failed=""))
        case AwardFailed() if placed and event.award == placed.digest and not placed.ack:
            if placed.failed:
                return shard
            reason = event.reason if PLAIN.fullmatch(event.reason) else "unnamed"
            notes.append(
                note(shard.unit, f"award.refused.{reason}", worker=placed.bid.worker, by="requester")
            )
            return replace(shard, placed=replace(placed, failed=reason))
        case ResultHeard(unit=shard.unit) if event.worker == shard.worker and not shard.end:
            if shard.delivered is None:
                notes.append(note(shard.unit, "result.delivered", result_hash=event.result.hash()))
                shard = replace(shard, delivered=event.result, result=shard.result or event.result)
            return replace(shard, waits=event.result == shard.delivered)
        case OutputFetched(unit=shard.unit) if shard.result and event.root == shard.result.output_root:
            return replace(shard, stored=event.root)
        case ReceiptSent(unit=shard.unit):
            return replace(shard, waits=False)
        case CallMined(unit=shard.unit):
            notes.append(note(shard.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas))
            return shard
        case _:
            return shard


def look_at_bids(shard: Shard, event: BidWindowClosed, best: int | None, world: World) -> Shard:
    """The window is over, or may be: `best` is the score of the best offer that can have the award."""
    if (event.shard, event.round, event.look) != (shard.index, shard.round, shard.looks):
        return shard
    waited = shard.waited + _window(shard, world)
    left = 0.0 if shard.round else turns.until_next_look(waited, best, world)
    if left:
        return replace(shard, looks=shard.looks + 1, waited=waited, pause=left)
    return close_window(shard, event)


def close_window(shard: Shard, event: BidWindowClosed) -> Shard:
    """Whoever is best now gets the award, which takes the secrets that the event brings, if any."""
    if shard.chosen or (event.shard, event.round) != (shard.index, shard.round):
        return shard  # one pair of secrets a round: another may be in an Award already
    fresh = DrawSecrets(secret=event.draw_secret, guard_secret=event.guard_secret)
    kept = shard.secrets if event.draw_secret == NO_SECRET else (*shard.secrets, fresh)
    return replace(shard, chosen=True, secrets=kept, looks=0, waited=0.0, pause=0.0)


def _window(shard: Shard, world: World) -> float:
    """Seconds that the bids are waited for until the next look; an award that died leaves the next one none."""
    if shard.round:
        return 0.0
    return shard.pause if shard.looks else turns.until_next_look(0.0, None, world)


FAILED_AS = {
    Phase.SLASHED: "slashed",
    Phase.REFUSED: "refused",
    Phase.UNRESOLVED: "unresolved",
}


def look(shard: Shard, view: UnitView | None, world: World, notes: list[Note]) -> Shard:
    """Take the chain's word: for the result that is at stake, and for how the unit ended."""
    shard = replace(shard, view=view)
    if view is None:
        return shard
    if view.result and shard.result != view.result:
        if shard.delivered and shard.delivered != view.result:
            notes.append(note(shard.unit, "result.differs", worker=view.terms.worker))
        shard = replace(shard, result=view.result)
    if view.phase.terminal and view.phase is not shard.phase:
        code = f"unit.{view.phase.name.lower()}"
        notes.append(note(shard.unit, code, paid=view.paid, slashed=view.slashed, worker=view.terms.worker))
        shard = replace(shard, phase=view.phase, ended_at=world.now, end=FAILED_AS.get(view.phase, shard.end))
    return shard


def lapse(shard: Shard, closed: str, world: World, notes: list[Note]) -> Shard:
    """What only time tells: an award that died, a shard that nobody will work on, an output that never came.

    `closed` says why no award can be made any more; it is empty while one can.
    """
    if shard.end:
        return shard
    if shard.phase is Phase.PAID and not shard.has_output and world.now > shard.ended_at + PATIENCE:
        notes.append(note(shard.unit, "shard.failed.output_withheld"))
        return replace(shard, end="output_withheld")
    if shard.now_in is not Phase.NONE:
        return shard
    if shard.placed:
        if world.now <= shard.placed.register_by:
            return shard
        worker = shard.placed.bid.worker
        reason = shard.placed.failed or ("not_registered" if shard.placed.ack else "no_answer")
        notes.append(note(shard.unit, "award.dead", worker=worker, reason=reason))
        shard = replace(
            shard,
            placed=None,
            spent=(*shard.spent, worker),
            round=shard.round + 1,
            chosen=not shard.secrets,  # the next award takes fresh ones
            waits=False,
            delivered=None,
            result=None,
            stored=None,
        )
    if closed:
        notes.append(note(shard.unit, f"shard.failed.{closed}", bids=len(shard.offers)))
        shard = replace(shard, end=closed)
    return shard


# ── what is due for it ───────────────────────────────────────────────────────────────────────────────────


def due(shard: Shard, task: TaskId, closed: str, checked: bool, world: World) -> tuple[Action, ...]:
    """`closed` as in `lapse`; `checked`: its kind is spot-checked, so an Award takes secrets."""
    return (*_talk(shard, task, closed, checked, world), *due_later(shard, world))


def due_later(shard: Shard, world: World) -> tuple[Action, ...]:
    """What is due once a worker is found, by an Award or in an auction."""
    actions = _calls(shard, world)
    if not shard.result or not shard.worker or shard.end:
        return actions
    if not shard.has_output:
        root = shard.result.output_root
        on_chain = shard.view.output if shard.view else b""
        shown = on_chain if merkle.root(on_chain) == root else None
        return (*actions, FetchOutput(unit=shard.unit, root=root, worker=shard.worker, shown=shown))
    if owes_receipt(shard):
        receipt = Receipt(unit=shard.unit, result_hash=shard.result.hash())
        return (*actions, SendReceipt(receipt=receipt))
    return actions


def _talk(shard: Shard, task: TaskId, closed: str, checked: bool, world: World) -> tuple[Action, ...]:
    """Asking for bids, and telling the winner."""
    if shard.now_in is not Phase.NONE or shard.end:
        return ()
    placed = shard.placed
    if placed is None:
        if shard.chosen or closed:
            return ()
        await_bids = AwaitBids(
            task=task,
            shard=shard.index,
            round=shard.round,
            seconds=_window(shard, world),
            look=shard.looks,
            secrets=checked,
        )
        return (await_bids,)
    if placed.ack or placed.failed or world.now > placed.register_by:
        return ()
    return (SendAward(signed=placed.signed, digest=placed.digest, timeout=world.policy.ack_timeout),)


def _calls(shard: Shard, world: World) -> tuple[Action, ...]:
    view, placed, now = shard.view, shard.placed, world.now
    if view is None or view.phase is Phase.NONE:
        if placed is None or placed.ack is None:
            return ()
        # A short task is registered with its result, a long one at the start (§2.1): else its worker is late.
        lag = placed.bid.delay if placed.bid.delay <= LONG_TASK else world.params.grace
        if placed.ack.start_at + lag < now <= placed.register_by:
            registration = Registration(signed=placed.signed, ack=placed.ack, ack_sig=placed.ack_sig)
            return (RegisterAward(unit=shard.unit, registration=registration),)
        return ()
    last = timeout_after(view, world.params)
    if last is not None and now > last:
        return (TimeOut(unit=shard.unit, target=view.on_chain),)
    if view.terms.draw_commit != ZERO_HASH:
        secrets = next((s for s in shard.secrets if s.commit == view.terms.draw_commit), None)
        return spotcheck.due(view, secrets, not shard.has_output and not shard.end, world)
    if settles(view, world.params, now - world.params.grace):
        return (Settle(unit=shard.unit, target=view.on_chain),)
    return ()
