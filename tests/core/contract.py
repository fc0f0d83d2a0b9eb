"""What the contract does to a unit, in a page of Python: enough of docs/protocol.md §3.3 to drive the machines.

What a court adds is another page: tests/core/trial.py.

No money: every promise is covered. `apply` returns whether the call had an effect; a call that would revert or be
skipped changes nothing and may be tried again. The real bytecode is tests/sim's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Appeal,
    AwardCommit,
    ChainAction,
    CloseReports,
    CloseRound,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
    Defend,
    Demand,
    Draw,
    FineChecker,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    RevealVote,
    Settle,
    ShowJury,
    Supply,
    TimeOut,
)
from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import Ticket
from blockedge_node.core.deadlines import (
    challenge_by,
    report_by,
    result_by,
    reveal_by,
    settle_after,
    timeout_after,
)
from blockedge_node.core.hashing import Domain, hash_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.selection import has_jury, is_court
from blockedge_node.core.task import Request, Result
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import CHECK_MISSED, Phase, ReportView, UnitView
from tests.core.bench import words
from tests.core.trial import Trial

RIGHT, WRONG = 1, 2
Truth = Callable[[Request, int], Result]


class Contract:
    def __init__(self, domain: Domain, params: Params, truth: Truth, tickets: Sequence[Ticket] = ()) -> None:
        self.domain = domain
        self.trial = Trial(domain, params, tickets)
        self.params = params
        self.truth = truth
        self.units: dict[UnitId, UnitView] = {}

    def apply(self, call: ChainAction, sender: Address, now: int) -> bool:
        before = self.units.get(call.unit)
        match call:
            case RegisterAward():
                after = self._register(call.registration, sender, now) if before is None else None
            case AwardCommit():
                fresh = self._register(call.registration, sender, now) if before is None else before
                after = self._commit(fresh, sender, call.commitment, now)
            case CommitResult():
                after = self._commit(self._match(call.target.data, before), sender, call.commitment, now)
            case Reveal():
                after = self._reveal(call, self._match(call.target.data, before), now)
            case CommitVote() | RevealVote() | Appeal():
                after = self.trial.apply(call, before, sender, now) if before else None
            case _:
                target = self._match(call.target.data, before)
                after = self._end(call, target, sender, now) if target else None
        if after is None:
            return False
        self.units[call.unit] = after
        return True

    def _match(self, data: tuple[Hash, ...], view: UnitView | None) -> UnitView | None:
        return view if view and view.data == data else None

    def _register(self, r: Registration, sender: Address, now: int) -> UnitView | None:
        request, bid, award = r.signed.request, r.signed.bid, r.signed.award
        signers = {request.requester: r.signed.award_sig, bid.worker: r.signed.bid_sig}
        if any(bool(sig) == (sender == signer) for signer, sig in signers.items()):
            return None
        last = min(award.not_before + self.params.max_award, request.expiry, bid.expiry)
        if award.bid != bid.digest(self.domain) or not award.not_before < award.register_by <= last:
            return None
        if not award.not_before <= now <= award.register_by:
            return None
        start = award.not_before if sender == bid.worker else r.ack.start_at if r.ack else 0
        terms = terms_of(request, bid, award, self.params)
        return UnitView(
            unit=terms.unit,
            phase=Phase.ASSIGNED,
            since=now,
            request=request,
            terms=terms,
            data=words(_number(start)),
            start_at=start,
        )

    def _commit(self, view: UnitView | None, sender: Address, shown: Hash, now: int) -> UnitView | None:
        if view is None or view.phase is not Phase.ASSIGNED or sender != view.terms.worker:
            return None
        if now > result_by(view, self.params):
            return None
        return replace(
            view, phase=Phase.COMMITTED, since=now, data=words(shown), commitment=shown, committed_at=now
        )

    def _reveal(self, call: Reveal, view: UnitView | None, now: int) -> UnitView | None:
        if view is None or view.phase is not Phase.COMMITTED or now > reveal_by(view, self.params):
            return None
        hashed, worker = call.result.hash(), view.terms.worker
        opened = commitment(self.domain, call.unit, Role.WORKER, worker, hashed, call.salt, guard=call.guard)
        if opened != view.commitment:
            return None
        bare = has_jury(view.terms.kind, self.params) and not call.output
        if not bare and merkle.root(call.output) != call.result.output_root:
            return None
        flags = self.trial.reveal(call, view, now)
        if flags is None:
            return None
        missed = ZERO_HASH
        if flags & CHECK_MISSED and view.draw:
            missed = hash_words(view.draw.seed, view.committed_at)
        return replace(
            view,
            phase=Phase.REVEALED,
            since=now,
            data=words(hashed, call.guard, _number(flags), missed),
            result_hash=hashed,
            guard=call.guard,
            flags=flags,
            result=call.result,
            output=call.output,
        )

    def _end(self, call: ChainAction, view: UnitView, sender: Address, now: int) -> UnitView | None:
        params = self.params
        match call:
            case TimeOut():
                last = timeout_after(view, params)
                if last is None or now <= last:
                    return None
                refused = view.phase in (Phase.ASSIGNED, Phase.REVEALED)
                return replace(view, phase=Phase.REFUSED if refused else Phase.SLASHED, since=now)
            case Settle() if view.phase is Phase.REVEALED and has_jury(view.terms.kind, params):
                return self.trial.settle(call, view, now)
            case Settle() if view.phase is Phase.REVEALED and now > settle_after(view, params):
                return replace(view, phase=self._verdict(view), since=now)
            case CommitReport() if view.phase is Phase.REVEALED and now <= challenge_by(view, params):
                index = 1 + sum(1 for report in view.reports if report.index)
                report = ReportView(index=index, author=sender, hash=call.hash)
                return replace(view, reports=(*view.reports, report))
            case RevealReport() if view.phase is Phase.REVEALED:
                return self._reveal_report(call, view, now)
            case CloseReports() if view.phase.terminal:
                closed = (replace(r, closed=True) if r.index in call.indexes else r for r in view.reports)
                after = replace(view, reports=tuple(closed))
                return after if after != view else None
            case CommitReport() | RevealReport() | CloseReports() | Settle():
                return None
            case (
                Draw()
                | CommitCheck()
                | FineChecker()
                | ShowJury()
                | Defend()
                | Demand()
                | Supply()
                | CloseRound()
            ):
                return self.trial.apply(call, view, sender, now)
            case _:
                return None

    def _reveal_report(self, call: RevealReport, view: UnitView, now: int) -> UnitView | None:
        if not challenge_by(view, self.params) < now <= report_by(view, self.params):
            return None
        court = is_court(view.terms.kind)
        hidden = call.result_hash if court else keccak256(call.evidence)
        role = Role.REPORTER if call.index else Role.CHECKER
        opened = commitment(self.domain, call.unit, role, call.author, hidden, call.salt)
        truth = self.truth(view.request, view.terms.shard)
        verdict = 0 if court else WRONG if view.result != truth else RIGHT
        reports = tuple(
            replace(r, result_hash=hidden, verdict=verdict)
            if (r.index, r.author, r.hash, r.result_hash) == (call.index, call.author, opened, None)
            else r
            for r in view.reports
        )
        if reports == view.reports:
            return None
        self.trial.salts.setdefault(view.unit, []).append(call.salt)
        return replace(view, reports=reports)

    def _verdict(self, view: UnitView) -> Phase:
        shown = [report for report in view.reports if report.result_hash is not None]
        if is_court(view.terms.kind):
            contradicted = any(report.result_hash != view.result_hash for report in shown)
            return Phase.UNRESOLVED if contradicted else Phase.PAID
        return Phase.SLASHED if any(report.verdict == WRONG for report in shown) else Phase.PAID


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")
