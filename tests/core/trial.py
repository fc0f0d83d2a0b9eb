"""What the two contracts do about spot checks, disputes and demands, in Python and without money (§3.3, §6, §10).

Each function takes the unit's view and returns the next one, or None where the call would revert or be skipped. It
goes by the protocol's text, not by the machines' code: what they share are hashes, seats and tallies, which vectors
hold against Solidity.
"""

from __future__ import annotations

from dataclasses import replace

from blockedge_node.core.actions import (
    CommitCheck,
    Defend,
    Demand,
    Draw,
    FineChecker,
    Reveal,
    Settle,
    ShowJury,
    Supply,
)
from blockedge_node.core.court import (
    DemandView,
    DrawView,
    Seat,
    seat_of,
)
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import NO_SECRET, Address
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import (
    CHECK_MISSED,
    MARKED_DRAWN,
    SECRET_SHOWN,
    Phase,
    ReportView,
    UnitView,
)
from tests.core.bench import Bench, CourtCall, words


class Trial(Bench):
    """What the contracts do with each call, by its kind."""

    def apply(self, call: CourtCall, view: UnitView, sender: Address, now: int) -> UnitView | None:
        match call:
            case Draw():
                return self._draw(call, view, now)
            case CommitCheck():
                return self._check(call, view, sender, now)
            case FineChecker():
                return self._fine(call, view)
            case Demand():
                return self._demand(call, view, sender, now)
            case Supply():
                return self._supply(call, view, now)
            case ShowJury():
                return self._show(call, view, now)
            case Defend():
                return self._defend(call, view, now)
            case _:
                return self._jury(call, view, sender, now)

    # ── the spot check ───────────────────────────────────────────────────────────────────────────────────

    def _draw(self, call: Draw, view: UnitView, now: int) -> UnitView | None:
        if view.phase is not Phase.COMMITTED or view.draw or now > view.since + self.params.secret:
            return None
        if not self.opens(view, call.secret, call.guard_r) or not self.is_drawn(view, call.secret):
            return None
        assert view.commitment is not None
        seed = draw_seed(call.secret, view.commitment)
        draw = DrawView(secret=call.secret, guard_r=call.guard_r, seed=seed)
        return replace(view, draw=draw, data=words(view.commitment, seed))

    def _check(self, call: CommitCheck, view: UnitView, sender: Address, now: int) -> UnitView | None:
        if view.phase is not Phase.COMMITTED or view.draw is None or view.check or now > self.check_by(view):
            return None
        seat = self._drawn(view)
        if seat is None or seat.ticket.owner != sender or seat.proof != call.proof:
            return None
        report = ReportView(index=0, author=sender, hash=call.hash)
        return replace(view, checker_ticket=seat.ticket.id, reports=(report, *view.reports))

    def _fine(self, call: FineChecker, view: UnitView) -> UnitView | None:
        seat = self._drawn(view)
        named = view.data[3] == hash_words(call.draw_seed, call.committed_at)
        late = view.phase >= Phase.REVEALED and view.phase is not Phase.DISPUTED
        if not late or not named or view.check_fined or seat is None or seat.proof != call.proof:
            return None
        return replace(view, check_fined=True)

    def reveal(self, call: Reveal, view: UnitView, now: int) -> int | None:
        """The flags with which the reveal is taken; None if it is not, yet or ever."""
        if view.terms.spot_bps == 0:
            return SECRET_SHOWN
        if view.draw is not None:
            if view.check:
                return MARKED_DRAWN | SECRET_SHOWN
            return MARKED_DRAWN | SECRET_SHOWN | CHECK_MISSED if now > self.check_by(view) else None
        late = now > view.since + self.params.secret
        if call.secret == NO_SECRET:
            return 0 if late else None
        if not self.opens(view, call.secret, call.guard_r):
            return None
        if self.is_drawn(view, call.secret):
            return 0 if late else None
        return SECRET_SHOWN

    def check_by(self, view: UnitView) -> int:
        if view.terms.spot_bps == 0:
            return view.since
        return view.since + self.params.secret + view.terms.vwin

    def is_drawn(self, view: UnitView, secret: bytes) -> bool:
        assert view.commitment is not None
        return drawn(draw_seed(secret, view.commitment), view.terms.spot_bps)  # type: ignore[arg-type]

    def _drawn(self, view: UnitView) -> Seat | None:
        if view.draw is None:
            return None
        parties = (view.terms.worker, view.terms.requester)
        return seat_of(self.tickets, view.draw.seed, 0, view.committed_at, self.params.ticket_age, parties)

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────

    def _demand(self, call: Demand, view: UnitView, sender: Address, now: int) -> UnitView | None:
        last = view.since + view.terms.vwin + self.params.challenge
        if view.phase is not Phase.REVEALED or now > last or sender != view.terms.requester:
            return None
        if view.terms.mode & Mode.NO_DEMAND or len(view.demands) >= 3 or call.revealed != view.result:
            return None
        asked = DemandView(chunk=call.chunk, by=now + self.params.da_window)
        return replace(view, demands=(*view.demands, asked))

    def _supply(self, call: Supply, view: UnitView, now: int) -> UnitView | None:
        if view.phase is not Phase.REVEALED or call.revealed != view.result:
            return None
        for i, asked in enumerate(view.demands):
            if asked.chunk == call.chunk and not asked.supplied and now <= asked.by:
                answered = (*view.demands[:i], replace(asked, supplied=True), *view.demands[i + 1 :])
                return replace(view, demands=answered)
        return None

    # ── the end of the report windows ────────────────────────────────────────────────────────────────────

    def settle(self, call: Settle, view: UnitView, now: int) -> UnitView | None:
        challenge_by = view.since + view.terms.vwin + self.params.challenge
        silent = view.check is not None and view.check.result_hash is None
        contradicted = silent or any(r.result_hash not in (None, view.result_hash) for r in view.reports)
        if any(not demand.supplied for demand in view.demands) and not contradicted:
            return None
        shown = bool(view.flags & SECRET_SHOWN)
        if call.secret != NO_SECRET:
            if not self.opens(view, call.secret, call.guard_r):
                return None
            shown |= not self.is_drawn(view, call.secret)
        closes = challenge_by + (self.params.report if view.reports else 0)
        if not shown:
            closes = max(closes, challenge_by + self.params.grace)
        if now <= closes:
            return None
        if not contradicted:
            return replace(view, phase=Phase.PAID, since=now)
        flags = (view.flags | challenge_by << 8).to_bytes(32, "big")
        return replace(
            view,
            phase=Phase.DISPUTED,
            since=now,
            challenge_by=challenge_by,
            data=words(view.data[0], view.data[1], flags),
        )
