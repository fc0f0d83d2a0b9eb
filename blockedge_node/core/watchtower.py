"""A watchtower: one unit of a client's, whose deadlines I meet while it does not (docs/protocol.md §4).

    WatchHeard ─▶ (on disk) ─▶ AnswerWatch        then, if the client has not, shortly before each deadline:
                               Reveal ─▶ Settle ─▶ CloseReports
                                            └────▶ Defend ─▶ Check ─▶ Appeal ─▶ CloseRound

| view      | if the client has not                           | due          | from … until                       |
|-----------|-------------------------------------------------|--------------|------------------------------------|
| any       | a stream waits for our word                     | AnswerWatch  | –                                  |
| COMMITTED | revealed                                        | Reveal       | a margin before revealBy           |
| REVEALED  | settled                                         | Settle       | its windows + GRACE …              |
| DISPUTED  | defended                                        | Defend       | a margin before since + DEFEND     |
| DISPUTED  | the newest round stands against it              | Check        | revealBy … appealBy                |
| DISPUTED  | appealed, and I found the same as it            | Appeal       | a margin before appealBy           |
| DISPUTED  | closed the last round                           | CloseRound   | appealBy + GRACE …                 |
| terminal  | closed reports: half of a false X is its        | CloseReports | since + GRACE …                    |

The margin is a quarter of the window, and no less than four blocks: a client that is awake goes first, and a tower
that acts all the same only pays for a call that is skipped.

A tower needs no key of its client's, and does not take its word: it recomputes before it pays for an appeal, and
pays at most policy.appeal_budget for one unit. A client's other Award for the same unit is another tower, since its
commitment is another; only the one that the chain shows is acted for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import (
    Action,
    AnswerWatch,
    Appeal,
    Check,
    CloseReports,
    CloseRound,
    Defend,
    Note,
    Reveal,
    Settle,
)
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.court import snapshot_size
from blockedge_node.core.deadlines import defend_by, jury_shown_by, reveal_by, settle_after
from blockedge_node.core.events import (
    CallMined,
    Checked,
    CheckFailed,
    Event,
    HeadSeen,
    SecretHeard,
    WatchAnswered,
    WatchHeard,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Address, Digest, Hash, Secret, UnitId
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import LAST_ROUND, appeal_by, latest, standing
from blockedge_node.core.rounds import reveal_by as votes_revealed_by
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Result
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.watch import Kept
from blockedge_node.core.worker import REPORTS_A_CALL
from blockedge_node.core.world import World

SHARE = 4  # the margin before a deadline is this part of its window …
LEAST_BLOCKS = 4  # … and at least so many blocks: one to see it open, two to land, one to spare (§3.3)
PATIENCE = 600  # seconds in which the chain may show a unit under the commitment that was handed in
MOST_WATCHES = 1024  # of one client at a time; more get no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    client: Address
    unit: UnitId
    result: Result
    output: bytes  # inline, or empty
    salt: Secret
    guard_secret: Secret
    heard_at: int
    kept: frozenset[Digest]  # watches that said so: our word is given for each
    secret: Secret = NO_SECRET  # the draw's, once the client or gossip brought it
    guard_r: Hash = ZERO_HASH
    found: Hash | None = None  # what I got from the same program
    unchecked: bool = False  # I could not recompute it, so I do not pay for it
    end: str = ""
    asked: frozenset[Digest] = volatile(frozenset())  # streams wait for our word
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def begin(event: WatchHeard, world: World) -> tuple[Tower, tuple[Note, ...]]:
    watch = event.watch
    state = Tower(
        client=event.client,
        unit=watch.unit,
        result=watch.result,
        output=event.output,
        salt=watch.salt,
        guard_secret=watch.guard_secret,
        heard_at=world.now,
        kept=frozenset(),
    )
    return _heard(state, event), (note(watch.unit, "watch.begun", client=event.client),)


def commitment_of(event: WatchHeard, domain: Domain) -> Hash:
    """What the watch opens: its identity here, as a client may have had two Awards for one unit."""
    watch = event.watch
    return _commitment(domain, watch.unit, event.client, watch.result, watch.salt, watch.guard_secret)


def opens(state: Tower, domain: Domain) -> Hash:
    """The commitment that this opening is of."""
    return _commitment(domain, state.unit, state.client, state.result, state.salt, state.guard_secret)


def step(state: Tower, event: Event, world: World) -> tuple[Tower, tuple[Note, ...]]:
    """Total: what is not this unit's changes nothing; the first secret that fits and the first check stand."""
    match event:
        case HeadSeen():
            return _look(state, event, world)
        case WatchHeard() if commitment_of(event, world.domain) == opens(state, world.domain):
            return _heard(state, event), ()
        case WatchAnswered(watch=watch):
            return replace(state, asked=state.asked - {watch}), ()
        case SecretHeard(unit=state.unit):
            return _learn(state, event.secret, event.guard_r), ()
        case Checked(unit=state.unit, role=Role.WORKER) if state.found is None and not state.unchecked:
            if event.result is None:
                return replace(state, unchecked=True), (
                    note(state.unit, "watch.unchecked", reason="no_input"),
                )
            agrees = event.result == state.result
            story = note(state.unit, "watch.checked", agrees=int(agrees))
            return replace(state, found=event.result.hash()), (story,)
        case CheckFailed(unit=state.unit, role=Role.WORKER, reason=reason) if state.found is None:
            if state.unchecked:
                return state, ()
            return replace(state, unchecked=True), (note(state.unit, "watch.unchecked", reason=reason),)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return state, (story,)
        case _:
            return state, ()


def due(state: Tower, world: World) -> tuple[Action, ...]:
    answers = tuple(AnswerWatch(kept=Kept(watch=digest)) for digest in sorted(state.asked))
    view = state.view
    if view is None or not _is_clients(state, view, world):
        return answers
    match view.phase:
        case Phase.COMMITTED:
            return (*answers, *_reveal(state, view, world))
        case Phase.REVEALED:
            return (*answers, *_settle(state, view, world))
        case Phase.DISPUTED if view.case is None:
            return (*answers, *_defend(state, view, world))
        case Phase.DISPUTED:
            return (*answers, *_jury(state, view, world))
        case phase if phase.terminal and world.now > view.since + world.params.grace:
            indexes = _open_reports(view)
            close = CloseReports(unit=state.unit, target=view.on_chain, indexes=indexes)
            return (*answers, close) if indexes else answers
        case _:
            return answers


def finished(state: Tower, world: World) -> bool:
    if state.asked:
        return False
    view = state.view
    if view is None or not _is_clients(state, view, world):
        return world.now > state.heard_at + PATIENCE
    return view.phase.terminal and not _open_reports(view)


def margin(window: int, world: World) -> int:
    """Seconds before the end of a window of so many, in which a tower no longer waits for its client."""
    return max(window // SHARE, LEAST_BLOCKS * world.policy.block_time)


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def _reveal(state: Tower, view: UnitView, world: World) -> tuple[Action, ...]:
    """By then a checker has committed, or is late; and a secret that nobody showed is not waited for."""
    last = reveal_by(view, world.params)
    if not last - margin(world.params.reveal, world) < world.now <= last:
        return ()
    secret, guard_r = _undrawn(state, view)
    return (
        Reveal(
            unit=state.unit,
            target=view.on_chain,
            result=state.result,
            salt=state.salt,
            guard=guard(state.guard_secret),
            output=state.output,
            secret=secret,
            guard_r=guard_r,
        ),
    )


def _settle(state: Tower, view: UnitView, world: World) -> tuple[Action, ...]:
    if world.now <= settle_after(view, world.params) + world.params.grace:
        return ()
    secret, guard_r = _undrawn(state, view)
    return (Settle(unit=state.unit, target=view.on_chain, secret=secret, guard_r=guard_r),)


def _defend(state: Tower, view: UnitView, world: World) -> tuple[Action, ...]:
    params, last = world.params, defend_by(view, world.params)
    opened = view.jury_secret is not None or world.now > jury_shown_by(view, params)
    if not opened or not last - margin(params.defend, world) < world.now <= last:
        return ()
    tickets = snapshot_size(world.tickets, view.challenge_by, params.ticket_age)
    return (Defend(unit=state.unit, target=view.on_chain, guard_secret=state.guard_secret, tickets=tickets),)


def _jury(state: Tower, view: UnitView, world: World) -> tuple[Action, ...]:
    round, params, now = latest(view), world.params, world.now
    if round is None or view.case is None:
        return ()
    case = view.case.case
    opens_at, last = votes_revealed_by(case, round, params), appeal_by(case, round, params)
    stands = standing(view.case)
    if now > last + params.grace:
        return (CloseRound(unit=state.unit, target=view.on_chain, case=case, final_hash=stands.right),)
    if not opens_at < now <= last or round.round == LAST_ROUND or stands.phase is Phase.PAID:
        return ()
    price = appeal_cost(round.round + 1, case.fee)
    if spent(view, world.me) + price > world.policy.appeal_budget or state.unchecked:
        return ()
    if state.found is None:
        return (_check(state, view, case.vwin),)
    if state.found != state.result.hash() or now <= last - margin(params.appeal, world):
        return ()
    return (Appeal(unit=state.unit, case=case, round=round.round + 1, value=price),)


def _check(state: Tower, view: UnitView, wall: int) -> Check:
    return Check(
        unit=state.unit,
        request=view.request,
        shard=view.terms.shard,
        result=state.result,
        output=state.output,
        wall=float(wall),
        role=Role.WORKER,
    )


def spent(view: UnitView, me: Address) -> int:
    """Wei that I have paid for appeals of this unit."""
    if view.case is None:
        return 0
    fee = view.case.case.fee
    mine = (r for r in view.case.rounds if r.round and r.funder == me)
    return sum(appeal_cost(r.round, fee) for r in mine)


def _undrawn(state: Tower, view: UnitView) -> tuple[Secret, Hash]:
    """The draw secret where showing it helps: it is known, and shows that nothing is drawn."""
    shown = view.commitment
    if state.secret == NO_SECRET or shown is None or view.drawn:
        return NO_SECRET, ZERO_HASH
    if drawn(draw_seed(state.secret, shown), view.terms.spot_bps):
        return NO_SECRET, ZERO_HASH
    return state.secret, state.guard_r


def _open_reports(view: UnitView) -> tuple[int, ...]:
    """Those with a bond; a checker's has its ticket instead."""
    indexes = (report.index for report in view.reports if report.index and not report.closed)
    return tuple(indexes)[:REPORTS_A_CALL]


# ── what was handed in, what the chain shows ─────────────────────────────────────────────────────────────


def _commitment(
    domain: Domain, unit: UnitId, client: Address, result: Result, salt: Secret, guard_secret: Secret
) -> Hash:
    return commitment(domain, unit, Role.WORKER, client, result.hash(), salt, guard=guard(guard_secret))


def _is_clients(state: Tower, view: UnitView, world: World) -> bool:
    """Whether the chain shows the client's own unit, under the commitment that this opening is of."""
    return view.terms.worker == state.client and view.commitment == opens(state, world.domain)


def _heard(state: Tower, event: WatchHeard) -> Tower:
    """Once more, or with what the client has learnt since. An output that came once is not taken back."""
    state = replace(
        state,
        kept=state.kept | {event.digest},
        asked=state.asked | {event.digest},
        output=state.output or event.output,
    )
    if event.watch.secret == NO_SECRET or state.secret != NO_SECRET:
        return state
    return replace(state, secret=event.watch.secret, guard_r=event.watch.guard_r)


def _learn(state: Tower, secret: Secret, guard_r: Hash) -> Tower:
    """The draw secret, if it opens what the requester committed itself to."""
    committed = state.view.terms.draw_commit if state.view else ZERO_HASH
    if committed == ZERO_HASH or draw_commit(secret, guard_r) != committed:
        return state
    return replace(state, secret=secret, guard_r=guard_r)


def _look(state: Tower, event: HeadSeen, world: World) -> tuple[Tower, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    state = replace(state, view=view)
    if view is None:
        return state, ()
    committed = view.terms.draw_commit
    if state.secret != NO_SECRET and draw_commit(state.secret, state.guard_r) != committed:
        state = replace(state, secret=NO_SECRET, guard_r=ZERO_HASH)  # a client's word that does not open
    if view.draw:
        state = _learn(state, view.draw.secret, view.draw.guard_r)
    if not view.phase.terminal or state.end:
        return state, ()
    return replace(state, end="watch.over"), (note(state.unit, "watch.over", phase=view.phase.name.lower()),)
