"""A watchtower: one unit of a client's, whose deadlines I meet while it does not (docs/protocol.md §4).

    WatchHeard ─▶ (on disk) ─▶ AnswerWatch        then, where the client has not by a margin before each deadline:
                               Reveal ─▶ Settle ─▶ CloseReports
                                            └────▶ Defend ─▶ Check ─▶ Appeal ─▶ CloseRound

What is due is what proving.py says is due of the client itself, only later:

| due          | once the client has had                                          |
|--------------|------------------------------------------------------------------|
| AnswerWatch  | – (a stream waits for our word)                                  |
| Draw         | its time until a margin before secretBy                          |
| Reveal       | its time until a margin before revealBy                          |
| Settle       | 2·GRACE, after the windows: the requester settles after one      |
| Defend       | its time until a margin before since + DEFEND                    |
| Check        | – (the newest round stands against it: do I find what it found?) |
| Appeal       | its time until a margin before appealBy, and I found the same    |
| CloseRound   | 2·GRACE, after appealBy                                          |
| CloseReports | 2·GRACE, after the end: half of a false X is its                 |

The margin is a quarter of the window, and no less than four blocks: a client that is awake goes first, and a tower
that acts all the same only pays for a call that is skipped.

A tower needs no key of its client's, and does not take its word: it recomputes before it pays for an appeal, and
pays at most policy.appeal_budget for one unit. A client's other Award for the same unit is another tower, since its
commitment is another; only the one that the chain shows is acted for. The chunks of an output above 1 KiB are not
here, so a demand for one is left to whoever has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core import proving
from blockedge_node.core.actions import (
    Action,
    AnswerWatch,
    Appeal,
    Check,
    CloseReports,
    CloseRound,
    Defend,
    Draw,
    Note,
    Reveal,
    Settle,
)
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.deadlines import defend_by, reveal_by, secret_by, settles
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
from blockedge_node.core.proving import DrawSecret, Solved, open_reports
from blockedge_node.core.rounds import appeal_by, latest
from blockedge_node.core.unit import UnitView
from blockedge_node.core.watch import Kept
from blockedge_node.core.world import World

SHARE = 4  # the margin before a deadline is this part of its window …
LEAST_BLOCKS = 4  # … and at least so many blocks: one to see it open, two to land, one to spare (§3.3)
PATIENCE = 600  # seconds in which the chain may show a unit under the commitment that was handed in
MOST_WATCHES = 1024  # of one client at a time; more get no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    client: Address
    unit: UnitId
    solved: Solved  # the client's
    heard_at: int
    kept: frozenset[Digest] = frozenset()  # watches that said so: our word is given for each
    heard: DrawSecret = DrawSecret()  # once the client or gossip brought it
    found: Hash | None = None  # what I got from the same program
    unchecked: bool = False  # I could not recompute it, so I do not pay for it
    end: str = ""
    asked: frozenset[Digest] = volatile(frozenset())  # streams wait for our word
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def begin(event: WatchHeard, world: World) -> tuple[Tower, tuple[Note, ...]]:
    """The door has seen the client's signature; the chain will show whether the opening is the unit's."""
    watch = event.watch
    state = Tower(client=event.client, unit=watch.unit, solved=_solved(event), heard_at=world.now)
    return _heard(state, event), (note(watch.unit, "watch.begun", client=event.client),)


def commitment_of(event: WatchHeard, domain: Domain) -> Hash:
    """What the watch opens: its identity here."""
    return _commitment(domain, event.watch.unit, event.client, _solved(event))


def opens(state: Tower, domain: Domain) -> Hash:
    """The commitment that this opening is of."""
    return _commitment(domain, state.unit, state.client, state.solved)


def is_clients(state: Tower, world: World) -> bool:
    """Whether the chain shows the client's own unit, under the commitment that this opening is of."""
    view = state.view
    if view is None or view.terms.worker != state.client:
        return False
    return view.commitment == opens(state, world.domain)


def step(state: Tower, event: Event, world: World) -> tuple[Tower, tuple[Note, ...]]:
    """Total: what is not this unit's changes nothing; the first secret that fits and the first check stand."""
    match event:
        case HeadSeen():
            return _look(state, event)
        case WatchHeard() if commitment_of(event, world.domain) == opens(state, world.domain):
            return _heard(state, event), ()
        case WatchAnswered(watch=watch):
            return replace(state, asked=state.asked - {watch}), ()
        case SecretHeard(unit=state.unit):
            return _learn(state, event.secret, event.guard_r), ()
        case Checked(unit=state.unit, role=Role.WORKER) if not _is_checked(state):
            if event.result is None:
                return _unchecked(state, "no_input")
            story = note(state.unit, "watch.checked", agrees=int(event.result == state.solved.result))
            return replace(state, found=event.result.hash()), (story,)
        case CheckFailed(unit=state.unit, role=Role.WORKER, reason=reason) if not _is_checked(state):
            return _unchecked(state, reason)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return state, (story,)
        case _:
            return state, ()


def due(state: Tower, world: World) -> tuple[Action, ...]:
    answers = tuple(AnswerWatch(kept=Kept(watch=digest)) for digest in sorted(state.asked))
    view = state.view
    if view is None or not is_clients(state, world):
        return answers
    wanted = proving.due(view, state.solved, state.heard, world)
    instead = [
        action for action in wanted if not isinstance(action, Appeal) and _is_late(action, view, world)
    ]
    appeals = [action for action in wanted if isinstance(action, Appeal)]
    return (*answers, *instead, *(act for appeal in appeals for act in _appeal(state, view, appeal, world)))


def finished(state: Tower, world: World) -> bool:
    if state.asked:
        return False
    view = state.view
    if view is None or not is_clients(state, world):
        return world.now > state.heard_at + PATIENCE
    return view.phase.terminal and not open_reports(view)


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def margin(window: int, world: World) -> int:
    """Seconds before the end of a window of so many, in which a tower no longer waits for its client."""
    return max(window // SHARE, LEAST_BLOCKS * world.policy.block_time)


def _is_late(action: Action, view: UnitView, world: World) -> bool:
    """Whether the client, were it awake, would have done this by now."""
    params, now, round = world.params, world.now, latest(view)
    match action:
        case Draw():
            return now > secret_by(view, params) - margin(params.secret, world)
        case Reveal():
            return now > reveal_by(view, params) - margin(params.reveal, world)
        case Settle(secret=secret):
            return settles(view, params, now - 2 * params.grace, shown=secret != NO_SECRET)
        case Defend():
            return now > defend_by(view, params) - margin(params.defend, world)
        case Appeal(case=case) if round:
            return now > appeal_by(case, round, params) - margin(params.appeal, world)
        case CloseRound(case=case) if round:
            return now > appeal_by(case, round, params) + 2 * params.grace
        case CloseReports():
            return now > view.since + 2 * params.grace
        case _:
            return False


def _appeal(state: Tower, view: UnitView, appeal: Appeal, world: World) -> tuple[Action, ...]:
    """A client's word is not enough to pay for: first I look for myself."""
    if state.unchecked or spent(view, world.me) + appeal.value > world.policy.appeal_budget:
        return ()
    if state.found is None:
        return (
            Check(
                unit=state.unit,
                request=view.request,
                shard=view.terms.shard,
                result=state.solved.result,
                output=state.solved.output,
                wall=float(view.terms.vwin),
                role=Role.WORKER,
                holders=(state.client,),
            ),
        )
    right = state.found == state.solved.result.hash()
    return (appeal,) if right and _is_late(appeal, view, world) else ()


def spent(view: UnitView, me: Address) -> int:
    """Wei that I have paid for appeals of this unit."""
    if view.case is None:
        return 0
    fee = view.case.case.fee
    return sum(appeal_cost(r.round, fee) for r in view.case.rounds if r.round and r.funder == me)


# ── what was handed in, what the chain shows ─────────────────────────────────────────────────────────────


def _solved(event: WatchHeard) -> Solved:
    watch = event.watch
    return Solved(result=watch.result, output=event.output, salt=watch.salt, guard_secret=watch.guard_secret)


def _commitment(domain: Domain, unit: UnitId, client: Address, solved: Solved) -> Hash:
    hashed, sworn = solved.result.hash(), guard(solved.guard_secret)
    return commitment(domain, unit, Role.WORKER, client, hashed, solved.salt, guard=sworn)


def _heard(state: Tower, event: WatchHeard) -> Tower:
    """Once more, or with what the client has learnt since. An output that came once is not taken back."""
    output = state.solved.output or event.output
    state = replace(
        state,
        solved=replace(state.solved, output=output),
        kept=state.kept | {event.digest},
        asked=state.asked | {event.digest},
    )
    if event.watch.secret == NO_SECRET or state.heard.secret != NO_SECRET:
        return state
    return replace(state, heard=DrawSecret(secret=event.watch.secret, guard_r=event.watch.guard_r))


def _learn(state: Tower, secret: Secret, guard_r: Hash) -> Tower:
    """The draw secret, if it opens what the requester committed itself to."""
    committed = state.view.terms.draw_commit if state.view else ZERO_HASH
    if committed == ZERO_HASH or draw_commit(secret, guard_r) != committed:
        return state
    return replace(state, heard=DrawSecret(secret=secret, guard_r=guard_r))


def _is_checked(state: Tower) -> bool:
    return state.found is not None or state.unchecked


def _unchecked(state: Tower, reason: str) -> tuple[Tower, tuple[Note, ...]]:
    return replace(state, unchecked=True), (note(state.unit, "watch.unchecked", reason=reason),)


def _look(state: Tower, event: HeadSeen) -> tuple[Tower, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    state = replace(state, view=view)
    if view is None:
        return state, ()
    heard = state.heard
    if heard.secret != NO_SECRET and draw_commit(heard.secret, heard.guard_r) != view.terms.draw_commit:
        state = replace(state, heard=DrawSecret())  # a client's word that opens nothing
    if not view.phase.terminal or state.end:
        return state, ()
    ended = note(state.unit, "watch.over", phase=view.phase.name.lower())
    return replace(state, end="watch.over"), (ended,)
