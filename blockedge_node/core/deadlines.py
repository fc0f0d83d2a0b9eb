"""Every deadline of a unit (docs/protocol.md §3.3), as seconds of block time.

A call is in time iff t ≤ its deadline, and the call that opens next needs t > the same number: neighbouring
windows neither overlap nor leave a gap. So each figure here is read twice, `t <= x` (still open) and `t > x`
(the next one opens); `opens(x)` is the first time of the latter.
"""

from __future__ import annotations

from blockedge_node.core.court import DemandView
from blockedge_node.core.params import Params
from blockedge_node.core.unit import SECRET_SHOWN as SECRET_SHOWN
from blockedge_node.core.unit import Phase, Terms, UnitView


def opens(deadline: int) -> int:
    """The first second of the window that follows `deadline`."""
    return deadline + 1


def register_by(not_before: int, delay: int, params: Params) -> int:
    """registerBy of a short task's Award: the promised delay and GRACE, within MAX_AWARD (§2.1)."""
    return not_before + min(delay + params.grace, params.max_award)


def resolve_start(start_at: int, since: int, delay: int) -> int:
    """When the worker's promised delay is over; registered late, a unit is due from its registration."""
    return max((start_at or since) + delay, since)


def result_by(view: UnitView, params: Params) -> int:
    """Last time for `commit` of an ASSIGNED unit; then `timeout`."""
    return resolve_start(view.start_at, view.since, view.terms.delay) + params.grace


def secret_by(view: UnitView, params: Params) -> int:
    """Last time for `draw` of a COMMITTED unit; then `reveal` needs no secret."""
    return view.since + params.secret


def check_by(view: UnitView, params: Params) -> int:
    """Last time for a drawn checker's `commitCheck`; at once over if nothing is drawn."""
    return _check_by(view.terms, view.since, params)


def reveal_by(view: UnitView, params: Params) -> int:
    """Last time for `reveal` of a COMMITTED unit; then `timeout` takes the whole deposit."""
    return _check_by(view.terms, view.since, params) + params.reveal


def challenge_by(view: UnitView, params: Params) -> int:
    """Last time for `commitReport` on a REVEALED unit; then reports are revealed, or it is settled."""
    return view.since + view.terms.vwin + params.challenge


def report_by(view: UnitView, params: Params) -> int:
    """Last time for `revealReport`; then `settle`."""
    return challenge_by(view, params) + params.report


def settle_after(view: UnitView, params: Params, *, shown: bool = False) -> int:
    """`settle` of a REVEALED unit needs a later time than this; without the draw secret GRACE more.

    `shown`: the call itself shows the secret, and by it the unit undrawn. A checker's commitment counts as a
    report. Open demands wait longer (`settles`).
    """
    waits_for_reports = report_by(view, params) if view.reports else challenge_by(view, params)
    if view.flags & SECRET_SHOWN or shown:
        return waits_for_reports
    return max(waits_for_reports, challenge_by(view, params) + params.grace)


def settles(view: UnitView, params: Params, now: int, *, shown: bool = False) -> bool:
    """Whether `settle` takes effect at the time `now`; `shown` as in `settle_after`."""
    if view.phase is not Phase.REVEALED or (open_demands(view) and not contradicted(view)):
        return False
    return now > settle_after(view, params, shown=shown)


def open_demands(view: UnitView) -> tuple[DemandView, ...]:
    """Chunks that were asked for and not shown: answered until `by`, then `timeout`; until then no `settle`, but of a
    contradicted unit, whose dispute ends them.
    """
    if view.phase is not Phase.REVEALED:
        return ()
    return tuple(demand for demand in view.demands if not demand.supplied)


def contradicted(view: UnitView) -> bool:
    """Whether a jury will judge this REVEALED unit of a court kind: by what a report shows, or by a check that is not
    shown in time.
    """
    check = view.check
    return _accused(view) or (check is not None and check.result_hash is None)


def _accused(view: UnitView) -> bool:
    shown = (report.result_hash for report in view.reports if report.result_hash is not None)
    return any(
        claimed != view.result_hash for claimed in shown
    )  # judged kinds have no demands, so do not ask


def jury_shown_by(view: UnitView, params: Params) -> int:
    """Last time for `showJury` of a DISPUTED unit; then `defend` needs no s_R."""
    return view.since + params.defend // 2


def defend_by(view: UnitView, params: Params) -> int:
    """Last time for `defend`; then `timeout` is a default judgment."""
    return view.since + params.defend


def timeout_after(view: UnitView, params: Params) -> int | None:
    """`timeout` needs a later time than this; None where a phase has no such exit."""
    match view.phase:
        case Phase.ASSIGNED:
            return result_by(view, params)
        case Phase.COMMITTED:
            return reveal_by(view, params)
        case Phase.REVEALED:
            if _accused(view):  # no unanswered demand ends it any more (§10)
                return None
            return min((demand.by for demand in open_demands(view)), default=None)
        case Phase.DISPUTED if view.defended is None:
            return defend_by(view, params)
        case _:
            return None


def too_short(params: Params, block_interval: float, conf: int) -> tuple[str, ...]:
    """The inequalities between windows and block time that a deployment violates, in words; empty if none.

    A daemon sees a block, sends, misses one block and lands in the next, with one to spare: 4 blocks a
    window. `block_interval` in seconds, `conf` in blocks.
    """
    four = 4 * block_interval
    least = {
        "GRACE": (params.grace, four),
        "SECRET": (params.secret, (conf + 4) * block_interval),
        "VWIN_BASE": (params.vwin_base, four),
        "REVEAL": (params.reveal, four),
        "CHALLENGE": (params.challenge, four),
        "REPORT": (params.report, four),
        "DEFEND": (params.defend, 2 * four),
        "JCOMMIT": (params.jcommit, four),
        "JREVEAL": (params.jreveal, four),
        "APPEAL": (params.appeal, four),
        "DA_WINDOW": (params.da_window, four),
    }
    short = [
        f"{name} is {seconds} s, needs {need:g} s at {block_interval:g} s blocks and CONF {conf}"
        for name, (seconds, need) in least.items()
        if seconds < need
    ]
    return (*short, *_unbond_faults(params))


def longest_duty(params: Params) -> int:
    """Seconds for which a ticket may have to answer: a check, and three rounds of a jury (§7.2)."""
    once = params.secret + params.reveal + params.challenge + params.report + params.defend
    a_round = params.jcommit + params.vwin_max + params.jreveal + params.appeal
    return once + 2 * params.vwin_max + 3 * a_round


def _unbond_faults(params: Params) -> list[str]:
    """A promise must not outlive the money behind it."""
    least = {
        "MAX_AWARD": params.max_award,
        "a ticket's longest duty": longest_duty(params) + params.da_window,
    }
    return [
        f"UNBOND is {params.unbond} s, must exceed {name} of {seconds} s"
        for name, seconds in least.items()
        if params.unbond <= seconds
    ]


def _check_by(terms: Terms, since: int, params: Params) -> int:
    return since if terms.spot_bps == 0 else since + params.secret + terms.vwin
