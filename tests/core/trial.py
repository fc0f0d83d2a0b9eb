"""What the two contracts do about spot checks, disputes and demands, in Python and without money (§3.3, §6, §10).

Each function takes the unit's view and returns the next one, or None where the call would revert or be skipped. It
goes by the protocol's text, not by the machines' code: what they share are hashes, seats and tallies, which vectors
hold against Solidity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blockedge_node.core.actions import (
    Appeal,
    CloseRound,
    CommitCheck,
    CommitVote,
    Defend,
    Demand,
    Draw,
    FineChecker,
    Reveal,
    RevealVote,
    Settle,
    ShowJury,
    Supply,
)
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.court import (
    Case,
    CaseView,
    DemandView,
    DrawView,
    RoundView,
    Seat,
    Ticket,
    VoteView,
    seat_of,
    snapshot_size,
)
from blockedge_node.core.hashing import Domain, hash_words
from blockedge_node.core.ids import NO_SECRET, ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.jury import case_outcome
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import draw_seed, drawn, jury_seed, round_seed, salts_mix
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import (
    CHECK_MISSED,
    MARKED_DRAWN,
    RULED,
    SECRET_SHOWN,
    Phase,
    ReportView,
    UnitView,
)

CourtCall = (
    Draw
    | CommitCheck
    | FineChecker
    | ShowJury
    | Defend
    | Demand
    | Supply
    | CommitVote
    | RevealVote
    | Appeal
    | CloseRound
)


class Trial:
    """The Court's tickets, and what no view shows: the salts of revealed reports."""

    def __init__(self, domain: Domain, params: Params, tickets: Sequence[Ticket]) -> None:
        self.domain, self.params, self.tickets = domain, params, tuple(tickets)
        self.salts: dict[bytes, list[bytes]] = {}

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

    def opens(self, view: UnitView, secret: bytes, guard_r: Hash) -> bool:
        return draw_commit(secret, guard_r) == view.terms.draw_commit  # type: ignore[arg-type]

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
        if any(not demand.supplied for demand in view.demands):
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
        silent = view.check is not None and view.check.result_hash is None
        if not silent and not any(r.result_hash not in (None, view.result_hash) for r in view.reports):
            return replace(view, phase=Phase.PAID, since=now)
        flags = (view.flags | challenge_by << 8).to_bytes(32, "big")
        return replace(
            view,
            phase=Phase.DISPUTED,
            since=now,
            challenge_by=challenge_by,
            data=words(view.data[0], view.data[1], flags),
        )

    # ── a dispute ────────────────────────────────────────────────────────────────────────────────────────

    def _show(self, call: ShowJury, view: UnitView, now: int) -> UnitView | None:
        if view.phase is not Phase.DISPUTED or view.jury_secret or now > view.since + self.params.defend // 2:
            return None
        if not self.opens(view, call.secret, guard(call.guard_secret)):
            return None
        data = words(*view.data[:3], call.guard_secret)
        return replace(view, jury_secret=call.guard_secret, data=data)

    def _defend(self, call: Defend, view: UnitView, now: int) -> UnitView | None:
        if view.phase is not Phase.DISPUTED or view.defended or now > view.since + self.params.defend:
            return None
        if view.jury_secret is None and now <= view.since + self.params.defend // 2:
            return None
        size = snapshot_size(self.tickets, view.challenge_by, self.params.ticket_age)
        if guard(call.guard_secret) != view.guard or call.tickets != size:
            return None
        mix = salts_mix(self.salts.get(view.unit, []))  # type: ignore[arg-type]
        accusers = [r.author for r in view.reports if r.result_hash not in (None, view.result_hash)]
        case = Case(
            unit=view.unit,
            seed=jury_seed(call.guard_secret, view.jury_secret, mix),
            accused=view.data[0],
            worker=view.terms.worker,
            requester=view.terms.requester,
            accuser=accusers[0] if accusers else ZERO_ADDRESS,
            snapshot=view.challenge_by,
            tickets=size,
            vwin=view.terms.vwin,
            fee=view.terms.check_fee,
        )
        opened = CaseView(case=case, rounds=(RoundView(round=0, since=now, funder=case.accuser),))
        return replace(view, defended=call.guard_secret, case=opened)

    def _jury(self, call: CourtCall, view: UnitView, sender: Address, now: int) -> UnitView | None:
        if (
            view.case is None
            or view.case.closed
            or not isinstance(call, CommitVote | RevealVote | Appeal | CloseRound)
        ):
            return None
        case, round = view.case.case, view.case.rounds[-1]
        hidden = round.since + self.params.jcommit + case.vwin
        shown = hidden + self.params.jreveal
        ends = shown + (self.params.appeal if round.round < 2 else 0)
        if call.case != case:
            return None
        match call:
            case CommitVote() if now <= hidden and call.round == round.round:
                return self._vote(call, view, case, round, sender)
            case RevealVote() if hidden < now <= shown and call.round == round.round:
                return self._open(call, view, round)
            case Appeal() if shown < now <= ends and round.round < 2:
                following = RoundView(round=round.round + 1, since=now, funder=sender)
                return replace(view, case=replace(view.case, rounds=(*view.case.rounds, following)))
            case CloseRound() if now > ends:
                return self._rule(call, view, view.case, now)
            case _:
                return None

    def _vote(
        self, call: CommitVote, view: UnitView, case: Case, round: RoundView, sender: Address
    ) -> UnitView | None:
        parties = {case.worker, case.requester, *(report.author for report in view.reports)}
        seed = round_seed(case.seed, round.round)
        age = self.params.ticket_age
        seat = seat_of(self.tickets, seed, call.seat, case.snapshot, age, parties)
        if seat is None or seat.ticket.owner != sender or seat.proof.attempt != call.attempt:
            return None
        if any(vote.seat == call.seat for vote in round.votes):
            return None
        vote = VoteView(seat=call.seat, ticket=seat.ticket.id, hash=call.hash)
        return _with_round(view, replace(round, votes=(*round.votes, vote)))

    def _open(self, call: RevealVote, view: UnitView, round: RoundView) -> UnitView | None:
        for i, vote in enumerate(round.votes):
            opened = commitment(
                self.domain,
                view.unit,
                Role.JUROR,
                self.tickets[vote.ticket].owner,
                call.result_hash,
                call.salt,
                round=round.round,
                seat=vote.seat,
            )
            if vote.seat == call.seat and vote.result_hash is None and vote.hash == opened:
                shown = replace(vote, result_hash=call.result_hash)
                return _with_round(
                    view, replace(round, votes=(*round.votes[:i], shown, *round.votes[i + 1 :]))
                )
        return None

    def _rule(self, call: CloseRound, view: UnitView, opened: CaseView, now: int) -> UnitView | None:
        outcome = case_outcome(opened.case, opened.rounds)
        if call.final_hash != outcome.right:
            return None
        flags = (int.from_bytes(view.data[2], "big") | RULED).to_bytes(32, "big")
        accuser = opened.case.accuser
        return replace(
            view,
            phase=outcome.phase,
            since=now,
            flags=view.flags | RULED,
            data=words(view.data[0], view.data[1], flags, outcome.right),
            final_hash=outcome.right,
            case=replace(opened, closed=True),
            reports=tuple(
                replace(r, closed=True) if r.index and r.author == accuser else r for r in view.reports
            ),
        )


def _with_round(view: UnitView, round: RoundView) -> UnitView:
    assert view.case is not None
    return replace(view, case=replace(view.case, rounds=(*view.case.rounds[:-1], round)))


def words(*data: bytes) -> tuple[Hash, Hash, Hash, Hash]:
    a, b, c, d = (*map(Hash, data), *(ZERO_HASH,) * (4 - len(data)))
    return a, b, c, d
