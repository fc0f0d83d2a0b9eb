"""A worker: one Award that I accepted, or one auction that I won, from its input to its price. One salt.

    FetchInput ─▶ SendAck ─▶ Solve ─▶ DeliverResult ─────────────────────────────────────▶ ReceiptHeard
                                 └──▶ AwardCommit ─▶ proving.py: Reveal ─▶ Settle ──────▶ "unit.paid"
         (registers_first: RegisterAward ─▶ Solve ─▶ CommitResult ─▶ …)

What is due, by the facts and the unit's view (docs/protocol.md §3.3, §4):

| view      | facts                     | due                                  | until             |
|-----------|---------------------------|--------------------------------------|-------------------|
| NONE      | no input                  | FetchInput                           | registerBy        |
| NONE      | input, a stream waits     | SendAck                              | registerBy        |
| NONE      | input, registers first    | RegisterAward                        | registerBy        |
| NONE      | input, not solved         | Solve, unless it registers first     | registerBy        |
| NONE      | solved                    | AwardCommit                          | registerBy        |
| ASSIGNED  | no input, or not solved   | FetchInput, Solve                    | resultBy          |
| ASSIGNED  | solved                    | CommitResult                         | resultBy          |
| COMMITTED | the commitment is mine    | what proving.py says                 | its end           |
| any       | solved, no Receipt        | DeliverResult                        | the unit's end    |
| any       | refused, a stream waits   | RefuseAward                          | –                 |

What an auction brings (docs/protocol.md §5) has no Award, no Ack and no stream; else it is the same:

| view      | facts                     | due                                  | until             |
|-----------|---------------------------|--------------------------------------|-------------------|
| NONE      | I lead, and it is fixed   | CloseAuction, if I can work on it    | expiry            |
| NONE      | the same                  | CloseAuction: my deposit comes back  | expiry …          |
| NONE      | the same                  | FetchInput, Solve                    | expiry            |
| ASSIGNED  | no result, whatever I did | TimeOut, if the requester does not   | resultBy + GRACE …|

An Ack promises the result by startAt + delay, with R and a fine behind it, so none is given before the input
is here; a bid in an auction is one from the start. A refusal (input, program or executor at fault) is final. Where
the slot holds other Terms than these, another won it and this one is over: its salt is never used there (§2.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core import merkle, proving
from blockedge_node.core.actions import (
    Action,
    AwardCommit,
    CloseAuction,
    CommitResult,
    DeliverResult,
    FetchInput,
    Note,
    RefuseAward,
    RegisterAward,
    Registration,
    SendAck,
    Solve,
    TimeOut,
)
from blockedge_node.core.auction import AuctionView, terms_won
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.deadlines import result_by
from blockedge_node.core.events import (
    AckSent,
    AwardHeard,
    CallMined,
    Event,
    HeadSeen,
    InputFetched,
    InputRefused,
    ReceiptHeard,
    RefusalSent,
    SecretHeard,
    SignedAward,
    WorkFailed,
    WorkSolved,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_HASH, Digest, Hash, Signature, TaskId, UnitId
from blockedge_node.core.policy import run_time
from blockedge_node.core.proving import REPORTS_A_CALL as REPORTS_A_CALL
from blockedge_node.core.proving import DrawSecret, open_reports
from blockedge_node.core.proving import Solved as Solved
from blockedge_node.core.selection import has_jury
from blockedge_node.core.task import Ack, Mode, Request
from blockedge_node.core.terms import cost
from blockedge_node.core.unit import Phase, Terms, UnitView
from blockedge_node.core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    task: TaskId
    unit: UnitId
    award: Digest  # of an auction's unit: the hash of its Terms
    signed: SignedAward | None  # None: it was won in an auction
    terms: Terms
    registers_first: bool
    won: Request | None = None  # what the auction was about
    input: bool = False
    refusal: str = ""
    solved: Solved | None = None
    heard: DrawSecret = DrawSecret()  # the requester's secret for this Award
    delivered: bool = False  # a Receipt came back
    gas: int = 0  # wei spent on this unit's transactions
    end: str = ""  # how it ended, in the words of its note
    asked: bool = volatile(False)  # a stream waits for Ack or refusal
    view: UnitView | None = volatile(None)
    auction: AuctionView | None = volatile(None)  # while it is fixed, mine, and not closed

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)

    @property
    def request(self) -> Request:
        found = self.signed.request if self.signed else self.won
        assert found is not None, "a worker has an Award or an auction"
        return found

    @property
    def register_by(self) -> int:
        """Last time at which its unit can come into being."""
        return self.signed.award.register_by if self.signed else self.request.expiry

    @property
    def phase(self) -> Phase:
        return self.view.phase if self.view else Phase.NONE

    @property
    def is_mine(self) -> bool:
        """Whether the slot holds the Terms of this Award, or nothing yet."""
        return self.phase is Phase.NONE or (self.view is not None and self.view.terms == self.terms)


def won(terms: Terms, request: Request, *, input: bool) -> Worker:
    """The worker of a unit that I have won in an auction, closed or not; `input`: it is here already.

    Its name is the hash of its Terms: what a reorg makes of the auction is the same unit, or takes another salt.
    """
    return Worker(
        task=terms.task,
        unit=terms.unit,
        award=Digest(terms.terms_hash()),
        signed=None,
        won=request,
        terms=terms,
        registers_first=False,
        input=input,
    )


def my_commitment(state: Worker, domain: Domain) -> Hash | None:
    """What I publish for this Award: always the same, None before there is a result."""
    mine = state.solved
    if mine is None:
        return None
    return commitment(
        domain,
        state.unit,
        Role.WORKER,
        state.terms.worker,
        mine.result.hash(),
        mine.salt,
        guard=guard(mine.guard_secret),
    )


def step(state: Worker, event: Event, world: World) -> tuple[Worker, tuple[Note, ...]]:
    """Total: what is not this Award's changes nothing; the first answer stands, never a second salt."""
    match event:
        case HeadSeen():
            return _look(state, event, world)
        case AwardHeard(digest=state.award):
            return replace(state, asked=True), ()
        case AckSent(award=state.award) | RefusalSent(award=state.award):
            return replace(state, asked=False), ()
        case InputFetched(award=state.award) if not state.input:
            return replace(state, input=True), (note(state.unit, "input.fetched"),)
        case InputRefused(award=state.award) if not state.input and not state.refusal:
            return replace(state, refusal=event.code), (
                note(state.unit, "input.refused", reason=event.reason),
            )
        case WorkFailed(award=state.award, reason=reason) if not state.solved and not state.refusal:
            return replace(state, refusal="work_failed"), (note(state.unit, "work.failed", reason=reason),)
        case WorkSolved(award=state.award) if not state.solved and not state.refusal:
            if not _can_show(state, event, world):
                return replace(state, refusal="output_too_large"), (
                    note(state.unit, "work.output_too_large"),
                )
            mine = Solved(
                result=event.result, output=event.output, salt=event.salt, guard_secret=event.guard_secret
            )
            story = note(
                state.unit,
                "work.solved",
                result_hash=event.result.hash(),
                fuel=event.result.fuel_used,
                milliseconds=round(1000 * event.seconds),
            )
            return replace(state, solved=mine), (story,)
        case ReceiptHeard(unit=state.unit) if state.solved and not state.delivered:
            if event.receipt.result_hash != state.solved.result.hash():
                return state, ()
            return replace(state, delivered=True), (note(state.unit, "result.receipted"),)
        case SecretHeard(unit=state.unit) if _opens(state, event):
            heard = DrawSecret(secret=event.secret, guard_r=event.guard_r)
            return replace(state, heard=heard), (note(state.unit, "secret.heard"),)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return replace(state, gas=state.gas + event.fee), (story,)
        case _:
            return state, ()


def _can_show(state: Worker, solved: WorkSolved, world: World) -> bool:
    """Whether `reveal` will accept it: the output inline, or none, or its bare root (§10). A root is enough
    where the requester says so, and where it may demand the output, as it may of kinds with a jury."""
    bare = state.terms.mode & Mode.NO_DEMAND or has_jury(state.terms.kind, world.params)
    return bool(bare) or solved.result.output_root in (ZERO_HASH, merkle.root(solved.output))


def _opens(state: Worker, event: SecretHeard) -> bool:
    """Whether it is the secret of this Award, and news. What opens the commitment is no stranger's word."""
    if state.terms.draw_commit == ZERO_HASH or state.heard.secret == event.secret:
        return False
    return draw_commit(event.secret, event.guard_r) == state.terms.draw_commit


def due(state: Worker, world: World) -> tuple[Action, ...]:
    if not state.is_mine:
        return ()
    return (*_answers(state, world), *_work(state, world), *_calls(state, world))


def finished(state: Worker, world: World) -> bool:
    if not state.is_mine:
        return True
    if state.phase is Phase.NONE:
        late = world.now > state.register_by and state.auction is None
        return late and not (state.refusal and state.asked)
    return state.phase.terminal and not (state.view and open_reports(state.view))


def exposure(state: Worker, world: World) -> tuple[int, int]:
    """Wei of deposit not yet locked on the chain, and 1 if the unit is live at all."""
    unlocked = state.signed is not None and state.phase is Phase.NONE and world.now <= state.register_by
    return (state.terms.deposit if unlocked else 0), int(not finished(state, world))


def staked(state: Worker, world: World) -> int:
    """Wei that the contract holds for a bid of mine whose auction is not closed."""
    return state.terms.deposit if state.auction is not None and state.phase is Phase.NONE else 0


def workload(state: Worker, world: World) -> float:
    """Planned seconds of work that this unit still takes."""
    if state.solved or state.refusal or finished(state, world) or state.phase > Phase.ASSIGNED:
        return 0.0
    return run_time(state.request, world)


def owed(state: Worker, world: World) -> int:
    """Wei that the requester has promised and not yet locked."""
    promised = state.signed is not None and state.phase is Phase.NONE
    if not promised or state.refusal or world.now > state.register_by:
        return 0
    return cost(state.request, state.terms.price, world.params)


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def _can_still_commit(state: Worker, world: World) -> bool:
    match state.phase:
        case Phase.NONE:
            return world.now <= state.register_by
        case Phase.ASSIGNED:
            return state.view is not None and world.now <= result_by(state.view, world.params)
        case _:
            return False


def _answers(state: Worker, world: World) -> tuple[Action, ...]:
    """To the award stream, and to the requester once there is a result."""
    answers: list[Action] = []
    if state.asked and state.refusal:
        answers.append(RefuseAward(award=state.award, reason=state.refusal))
    elif state.asked and state.input and state.signed and world.now <= state.register_by:
        ack = Ack(award=state.award, start_at=state.signed.award.not_before)
        answers.append(SendAck(award=state.award, ack=ack, requester=state.terms.requester))
    alive = state.phase is not Phase.NONE or world.now <= state.register_by
    if state.solved and not state.delivered and alive and not state.phase.terminal:
        answers.append(
            DeliverResult(unit=state.unit, requester=state.terms.requester, result=state.solved.result)
        )
    return tuple(answers)


def _work(state: Worker, world: World) -> tuple[Action, ...]:
    request, shard = state.request, state.terms.shard
    if state.refusal or state.solved or not _can_still_commit(state, world):
        return ()
    if not state.input:
        return (FetchInput(unit=state.unit, award=state.award, request=request, shard=shard),)
    if state.registers_first and state.phase is Phase.NONE:
        return ()
    wall = float(state.terms.delay + world.params.grace)
    return (Solve(unit=state.unit, award=state.award, request=request, shard=shard, wall=wall),)


def _calls(state: Worker, world: World) -> tuple[Action, ...]:
    view = state.view
    published = my_commitment(state, world.domain)
    if view is None or view.phase is Phase.NONE:
        if state.signed is None:
            return _close(state, world)
        if world.now > state.register_by:
            return ()
        # The sender's own signature is left out (§2.1): here the bid's.
        registration = Registration(signed=replace(state.signed, bid_sig=Signature(b"")))
        if published:
            return (AwardCommit(unit=state.unit, registration=registration, commitment=published),)
        if state.registers_first and state.input and not state.refusal:
            return (RegisterAward(unit=state.unit, registration=registration),)
        return ()
    if view.phase is Phase.ASSIGNED:
        last = result_by(view, world.params)
        if state.signed is None and world.now > last + world.params.grace:
            return (TimeOut(unit=state.unit, target=view.on_chain),)
        if published is None or world.now > last:
            return ()
        return (CommitResult(unit=state.unit, target=view.on_chain, commitment=published),)
    mine = state.solved if view.commitment in (None, published) else None
    return proving.due(view, mine, state.heard, world)


def _close(state: Worker, world: World) -> tuple[Action, ...]:
    """At once: my clock runs from there, and the work has begun. What I cannot do I do not call for; it lapses with
    the request, or its requester calls for it, and either way my deposit does not stay behind."""
    auction = state.auction
    expired = world.now > state.register_by
    if auction is None or (state.refusal and not expired) or not (state.input or expired):
        return ()
    shard, commits = state.terms.shard, auction.draw_commits
    return (CloseAuction(unit=state.unit, request=state.request, shard=shard, draw_commits=commits),)


# ── what the chain shows ─────────────────────────────────────────────────────────────────────────────────

ENDS = {
    Phase.PAID: "unit.paid",
    Phase.SLASHED: "unit.slashed",
    Phase.REFUSED: "unit.refused",
    Phase.UNRESOLVED: "unit.unresolved",
}


def _look(state: Worker, event: HeadSeen, world: World) -> tuple[Worker, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    auction = next((a for a in event.auctions if a.unit == state.unit and _is_won(state, a, world)), None)
    state = replace(state, view=view, auction=auction)
    code = _end_code(state, world)
    if not code or code == state.end:
        return state, ()
    fields = {"paid": view.paid, "slashed": view.slashed} if view and code in ENDS.values() else {}
    return replace(state, end=code), (note(state.unit, code, **fields, gas_wei=state.gas),)


def _is_won(state: Worker, auction: AuctionView, world: World) -> bool:
    return auction.is_fixed(world.head.number) and terms_won(auction, world.params) == state.terms


def _end_code(state: Worker, world: World) -> str:
    if not state.is_mine:
        return "award.superseded"
    if state.phase is Phase.NONE and state.auction is None and world.now > state.register_by:
        return "award.expired"
    return ENDS.get(state.phase, "")
