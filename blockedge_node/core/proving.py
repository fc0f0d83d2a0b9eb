"""What a worker does for a unit from its commitment to its end: reveal, answer, defend, be paid (protocol §4).

| view      | what holds                              | due                        | from … until              |
|-----------|-----------------------------------------|----------------------------|---------------------------|
| COMMITTED | nothing is drawn in this kind           | Reveal                     | … revealBy                |
| COMMITTED | a secret shows it undrawn               | Reveal, with the secret    | … revealBy                |
| COMMITTED | a secret shows it drawn, it is unmarked | Draw, if nobody else does  | half of SECRET … secretBy |
| COMMITTED | drawn, and a check is committed         | Reveal                     | … revealBy                |
| COMMITTED | drawn, and none is                      | Reveal                     | checkBy … revealBy        |
| COMMITTED | no secret                               | Reveal                     | secretBy … revealBy       |
| REVEALED  | a chunk of its output is asked for      | Supply                     | … its time                |
| REVEALED  |                                         | Settle, with the secret    | its windows …             |
| DISPUTED  | s_R is shown, or half of DEFEND over    | Defend                     | … defendBy                |
| DISPUTED  | a round as it stands does not acquit me | Appeal                     | revealBy … appealBy       |
| DISPUTED  | the case's rounds are over              | CloseRound                 | appealBy …                |
| terminal  | a report still has a bond               | CloseReports               | –                         |

A drawn unit waits for its checker's commitment, which a view of a confirmed head shows CONF deep: a result that is
seen before it is copied, not checked. A unit whose secret never comes is paid without points: so a worker that knows
the secret marks a drawn unit itself. Not to defend costs what being convicted costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.actions import Action, CloseReports, Defend, Draw, Reveal, Settle, Supply
from blockedge_node.core.commitment import guard
from blockedge_node.core.court import NO_INPUT, snapshot_size
from blockedge_node.core.deadlines import (
    check_by,
    defend_by,
    jury_shown_by,
    open_demands,
    reveal_by,
    secret_by,
    settles,
)
from blockedge_node.core.dispute import AGAINST_WORKER, appeal, close_round
from blockedge_node.core.ids import NO_SECRET, ZERO_ADDRESS, ZERO_HASH, Hash, Secret
from blockedge_node.core.spotcheck import shows_drawn
from blockedge_node.core.task import Result
from blockedge_node.core.unit import SECRET_SHOWN, Phase, ReportView, UnitView
from blockedge_node.core.world import World

REPORTS_A_CALL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """The answer, and the two secrets that belong to it and to this Award alone."""

    result: Result
    output: bytes  # inline if ≤ 1 KiB, else empty: it is in the blob store
    salt: Secret
    guard_secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSecret:
    """The requester's secret as it was heard: it opens the Award's drawCommit. NO_SECRET: not yet."""

    secret: Secret = NO_SECRET
    guard_r: Hash = ZERO_HASH

    def shows_undrawn(self, view: UnitView) -> bool:
        return self.secret != NO_SECRET and not shows_drawn(view, self.secret)

    def shows_drawn(self, view: UnitView) -> bool:
        return self.secret != NO_SECRET and shows_drawn(view, self.secret)


def due(view: UnitView, mine: Solved | None, heard: DrawSecret, world: World) -> tuple[Action, ...]:
    """`mine`: the answer behind the unit's commitment; None if it is not mine."""
    match view.phase:
        case Phase.COMMITTED if mine:
            return (*_mark(view, heard, world), *_reveal(view, mine, heard, world))
        case Phase.REVEALED:
            supplies = _supply(view, world) if mine else ()
            return (*supplies, *_settle(view, heard, world))
        case Phase.DISPUTED if mine:
            defence = _defend(view, mine, world)
            return (*defence, *appeal(view, AGAINST_WORKER, world), *close_round(view, world))
        case phase if phase.terminal and (indexes := open_reports(view)):
            return (CloseReports(unit=view.unit, target=view.on_chain, indexes=indexes),)
        case _:
            return ()


def may_reveal(view: UnitView, heard: DrawSecret, world: World) -> bool:
    """Whether `reveal` takes effect now: the check, if there is one, is not to be disturbed by it (§3.3)."""
    if view.terms.spot_bps == 0:
        return True
    if view.draw:
        return view.check is not None or world.now > check_by(view, world.params)
    return heard.shows_undrawn(view) or world.now > secret_by(view, world.params)


def _reveal(view: UnitView, mine: Solved, heard: DrawSecret, world: World) -> tuple[Action, ...]:
    if world.now > reveal_by(view, world.params) or not may_reveal(view, heard, world):
        return ()
    shown = heard if not view.draw and heard.shows_undrawn(view) else DrawSecret()
    return (
        Reveal(
            unit=view.unit,
            target=view.on_chain,
            result=mine.result,
            salt=mine.salt,
            guard=guard(mine.guard_secret),
            output=mine.output,
            secret=shown.secret,
            guard_r=shown.guard_r,
        ),
    )


def _mark(view: UnitView, heard: DrawSecret, world: World) -> tuple[Action, ...]:
    last = secret_by(view, world.params)
    if view.draw or not heard.shows_drawn(view) or not (view.since + last) // 2 < world.now <= last:
        return ()
    return (Draw(unit=view.unit, target=view.on_chain, secret=heard.secret, guard_r=heard.guard_r),)


def _supply(view: UnitView, world: World) -> tuple[Action, ...]:
    if view.result is None:
        return ()
    return tuple(
        Supply(unit=view.unit, target=view.on_chain, revealed=view.result, chunk=demand.chunk)
        for demand in open_demands(view)
        if world.now <= demand.by
    )


def _settle(view: UnitView, heard: DrawSecret, world: World) -> tuple[Action, ...]:
    unsaid = not view.flags & SECRET_SHOWN and heard.shows_undrawn(view)
    if not settles(view, world.params, world.now, shown=unsaid):
        return ()
    shown = heard if unsaid else DrawSecret()
    return (Settle(unit=view.unit, target=view.on_chain, secret=shown.secret, guard_r=shown.guard_r),)


def _defend(view: UnitView, mine: Solved, world: World) -> tuple[Action, ...]:
    if view.defended is not None or world.now > defend_by(view, world.params):
        return ()
    if view.jury_secret is None and world.now <= jury_shown_by(view, world.params):
        return ()
    size = snapshot_size(world.tickets, view.challenge_by, world.params.ticket_age)
    return (Defend(unit=view.unit, target=view.on_chain, guard_secret=mine.guard_secret, tickets=size),)


# ── bonds of an ended unit ───────────────────────────────────────────────────────────────────────────────


def open_reports(view: UnitView) -> tuple[int, ...]:
    """Reports whose bonds, or whose ticket's fine, `closeReports` still moves; as many as a call takes."""
    open_ = (r.index for r in view.reports if not r.closed and (r.index or _owes(view, r)))
    return tuple(open_)[:REPORTS_A_CALL]


def _owes(view: UnitView, check: ReportView) -> bool:
    """Whether the drawn ticket still answers for a check: a false accusation, an agreement, or silence (§6.3)."""
    if view.result_hash is None or view.phase is Phase.REFUSED:
        return False  # never revealed, or refused: that asks nothing of a checker
    innocent = view.phase is Phase.PAID and view.final_hash != NO_INPUT
    if check.result_hash is None:
        paid = (
            view.case is not None and view.case.case.accuser == ZERO_ADDRESS
        )  # α, for the jury that it called
        return not paid or innocent
    agrees = check.result_hash == view.result_hash
    if view.phase is Phase.PAID:
        return not agrees and innocent
    return view.phase is Phase.SLASHED and view.final_hash is not None and agrees
