"""A dispute and its jury, in Python and without money (docs/protocol.md §6.2, §6.5): see tests/core/trial.py."""

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
    RevealVote,
    ShowJury,
    Supply,
)
from blockedge_node.core.commitment import Role, commitment, draw_commit, guard
from blockedge_node.core.court import (
    Case,
    CaseView,
    RoundView,
    Ticket,
    VoteView,
    seat_of,
    snapshot_size,
)
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.jury import case_outcome
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import jury_seed, round_seed, salts_mix
from blockedge_node.core.unit import (
    RULED,
    Phase,
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


class Bench:
    """The Court's tickets, and what no view shows: the salts of revealed reports."""

    def __init__(self, domain: Domain, params: Params, tickets: Sequence[Ticket]) -> None:
        self.domain, self.params, self.tickets = domain, params, tuple(tickets)
        self.salts: dict[bytes, list[bytes]] = {}

    def opens(self, view: UnitView, secret: bytes, guard_r: Hash) -> bool:
        return draw_commit(secret, guard_r) == view.terms.draw_commit  # type: ignore[arg-type]

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
