"""What the contract does to a unit, in a page of Python: enough of docs/protocol.md §3.3 to drive the machines.

No money: every promise is covered. `apply` returns whether the call had an effect; a call that would revert or be
skipped changes nothing and may be tried again. The real bytecode is tests/sim's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    AwardCommit,
    ChainAction,
    CloseReports,
    CommitReport,
    CommitResult,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    Settle,
    TimeOut,
)
from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.deadlines import (
    SECRET_SHOWN,
    challenge_by,
    report_by,
    result_by,
    reveal_by,
    settle_after,
    timeout_after,
)
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.selection import is_court
from blockedge_node.core.task import Request, Result
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import Phase, ReportView, UnitView

RIGHT, WRONG = 1, 2
Truth = Callable[[Request, int], Result]


class Contract:
    def __init__(self, domain: Domain, params: Params, truth: Truth) -> None:
        self.domain = domain
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
            data=_words(_number(start)),
            start_at=start,
        )

    def _commit(self, view: UnitView | None, sender: Address, shown: Hash, now: int) -> UnitView | None:
        if view is None or view.phase is not Phase.ASSIGNED or sender != view.terms.worker:
            return None
        if now > result_by(view, self.params):
            return None
        return replace(view, phase=Phase.COMMITTED, since=now, data=_words(shown), commitment=shown)

    def _reveal(self, call: Reveal, view: UnitView | None, now: int) -> UnitView | None:
        if view is None or view.phase is not Phase.COMMITTED or now > reveal_by(view, self.params):
            return None
        hashed, worker = call.result.hash(), view.terms.worker
        opened = commitment(self.domain, call.unit, Role.WORKER, worker, hashed, call.salt, guard=call.guard)
        if opened != view.commitment or merkle.root(call.output) != call.result.output_root:
            return None
        return replace(
            view,
            phase=Phase.REVEALED,
            since=now,
            data=_words(hashed, call.guard, _number(SECRET_SHOWN)),
            result_hash=hashed,
            guard=call.guard,
            flags=SECRET_SHOWN,
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
                refused = view.phase is Phase.ASSIGNED
                return replace(view, phase=Phase.REFUSED if refused else Phase.SLASHED, since=now)
            case Settle() if view.phase is Phase.REVEALED and now > settle_after(view, params):
                return replace(view, phase=self._verdict(view), since=now)
            case CommitReport() if view.phase is Phase.REVEALED and now <= challenge_by(view, params):
                report = ReportView(index=len(view.reports) + 1, author=sender, hash=call.hash)
                return replace(view, reports=(*view.reports, report))
            case RevealReport() if view.phase is Phase.REVEALED:
                return self._reveal_report(call, view, now)
            case CloseReports() if view.phase.terminal:
                closed = (replace(r, closed=True) if r.index in call.indexes else r for r in view.reports)
                after = replace(view, reports=tuple(closed))
                return after if after != view else None
            case _:
                return None

    def _reveal_report(self, call: RevealReport, view: UnitView, now: int) -> UnitView | None:
        if not challenge_by(view, self.params) < now <= report_by(view, self.params):
            return None
        court = is_court(view.terms.kind)
        hidden = call.result_hash if court else keccak256(call.evidence)
        opened = commitment(self.domain, call.unit, Role.REPORTER, call.author, hidden, call.salt)
        truth = self.truth(view.request, view.terms.shard)
        verdict = 0 if court else WRONG if view.result != truth else RIGHT
        reports = tuple(
            replace(r, result_hash=hidden, verdict=verdict)
            if (r.index, r.author, r.hash, r.result_hash) == (call.index, call.author, opened, None)
            else r
            for r in view.reports
        )
        return replace(view, reports=reports) if reports != view.reports else None

    def _verdict(self, view: UnitView) -> Phase:
        shown = [report for report in view.reports if report.result_hash is not None]
        if is_court(view.terms.kind):
            contradicted = any(report.result_hash != view.result_hash for report in shown)
            return Phase.UNRESOLVED if contradicted else Phase.PAID
        return Phase.SLASHED if any(report.verdict == WRONG for report in shown) else Phase.PAID


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _words(*data: bytes) -> tuple[Hash, Hash, Hash, Hash]:
    a, b, c, d = (*map(Hash, data), *(ZERO_HASH,) * (4 - len(data)))
    return a, b, c, d
