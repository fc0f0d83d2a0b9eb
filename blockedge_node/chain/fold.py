"""One record, one unit's view: what each event of BlockEdge and its Court changes. Pure.

The four data words are the preimage of the contract's slot, and follow the phase (docs/protocol.md §3.2):

    ASSIGNED   startAt                       –                   –                          –
    COMMITTED  commitment                    drawSeed, if drawn  –                          –
    REVEALED   resultHash                    guard               flags                      missed, see below
    DISPUTED   resultHash                    guard               flags | challengeBy << 8   s_R, once shown
    ended      as in the phase before; by a jury: flags with RULED, and finalHash

`missed` is what the reveal left open: with CHECK_MISSED keccak256(abi.encode(drawSeed, time of the commitment)), by
which the drawn checker is fined; with no flags the commitment, which a secret shown later is held against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from blockedge_node.chain.court_events import (
    Appealed,
    CaseClosed,
    CaseOpened,
    CaseRecord,
    Voted,
    VoteRevealed,
)
from blockedge_node.chain.events import (
    CheckCommitted,
    CheckMissed,
    Committed,
    Defended,
    Demanded,
    Disputed,
    Drawn,
    JuryShown,
    ReportClosed,
    Reported,
    ReportRevealed,
    Revealed,
    Ruled,
    Settled,
    Supplied,
)
from blockedge_node.core.court import CaseView, DemandView, DrawView, RoundView, VoteView
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_HASH, Hash
from blockedge_node.core.sortition import draw_seed
from blockedge_node.core.unit import CHECK_MISSED, RULED, Phase, ReportView, UnitView

Words = tuple[Hash, Hash, Hash, Hash]
Folded = (
    Committed
    | Drawn
    | CheckCommitted
    | CheckMissed
    | Revealed
    | Reported
    | ReportRevealed
    | ReportClosed
    | Demanded
    | Supplied
    | Disputed
    | JuryShown
    | Defended
    | Ruled
    | Settled
    | CaseRecord
)


def fold(view: UnitView, record: Folded, time: int) -> UnitView:
    """The view after `record`, of a block with timestamp `time`. Total: what an honest log cannot say changes
    nothing, and the comparison with the slot will tell.
    """
    match record:
        case Committed() | Drawn() | CheckCommitted() | Revealed():
            return _answered(view, record, time)
        case Reported() | ReportRevealed() | ReportClosed() | Demanded() | Supplied():
            return _questioned(view, record)
        case Disputed() | JuryShown() | Defended() | Ruled():
            return _disputed(view, record, time)
        case CheckMissed():
            return replace(view, check_fined=True)
        case Settled():  # the slot's digest stays as it was
            return replace(view, phase=record.phase, since=time, paid=record.paid, slashed=record.slashed)
        case CaseOpened():
            return replace(view, case=_opened(record, time))
        case _:
            return view if view.case is None else replace(view, case=_tried(view.case, record, time))


def words(*first: bytes | int) -> Words:
    """The data words that begin like this; the others are zero."""
    plain = [w.to_bytes(32, "big") if isinstance(w, int) else w for w in first]
    a, b, c, d = (*plain, ZERO_HASH, ZERO_HASH, ZERO_HASH)[:4]
    return Hash(a), Hash(b), Hash(c), Hash(d)


# ── the worker's answer and its check ────────────────────────────────────────────────────────────────────


def _answered(view: UnitView, record: Committed | Drawn | CheckCommitted | Revealed, time: int) -> UnitView:
    match record:
        case Committed(commitment=commitment):
            return replace(
                view,
                phase=Phase.COMMITTED,
                since=time,
                data=words(commitment),
                commitment=commitment,
                committed_at=time,
            )
        case Drawn():
            if view.commitment is None:
                return view
            seed = draw_seed(record.secret, view.commitment)
            draw = DrawView(secret=record.secret, guard_r=record.guard_r, seed=seed)
            return replace(view, data=words(view.commitment, seed), draw=draw)
        case CheckCommitted():
            report = ReportView(index=0, author=record.author, hash=record.hash)
            return replace(view, checker_ticket=record.ticket, reports=(report, *view.reports))
        case Revealed():
            missed = ZERO_HASH
            if record.flags & CHECK_MISSED and view.draw is not None:
                missed = hash_words(view.draw.seed, view.committed_at)
            elif not record.flags and view.commitment is not None:
                missed = view.commitment
            return replace(
                view,
                phase=Phase.REVEALED,
                since=time,
                data=words(record.result_hash, record.guard, record.flags, missed),
                result_hash=record.result_hash,
                guard=record.guard,
                flags=record.flags,
                result=record.result,
                output=record.output,
            )


# ── what others say of it ────────────────────────────────────────────────────────────────────────────────


def _questioned(
    view: UnitView, record: Reported | ReportRevealed | ReportClosed | Demanded | Supplied
) -> UnitView:
    match record:
        case Reported():
            report = ReportView(index=record.index, author=record.author, hash=record.hash)
            return replace(view, reports=(*view.reports, report))
        case ReportRevealed():
            return _with_report(
                view,
                record.index,
                lambda r: replace(r, result_hash=record.result_hash, verdict=record.verdict),
            )
        case ReportClosed():
            return _with_report(view, record.index, lambda r: replace(r, closed=True))
        case Demanded():
            demand = DemandView(chunk=record.chunk, by=record.by)
            return replace(view, demands=(*view.demands, demand))
        case Supplied():
            demands = list(view.demands)
            for i, asked in enumerate(demands):  # the same chunk may have been asked for twice
                if asked.chunk == record.chunk and not asked.supplied:
                    demands[i] = replace(asked, supplied=True)
                    break
            return replace(view, demands=tuple(demands))


def _with_report(view: UnitView, index: int, change: Callable[[ReportView], ReportView]) -> UnitView:
    return replace(view, reports=tuple(change(r) if r.index == index else r for r in view.reports))


# ── a dispute ────────────────────────────────────────────────────────────────────────────────────────────


def _disputed(view: UnitView, record: Disputed | JuryShown | Defended | Ruled, time: int) -> UnitView:
    result_hash, guard, third, _ = view.data
    match record:
        case Disputed(challenge_by=challenge_by, flags=flags):
            return replace(
                view,
                phase=Phase.DISPUTED,
                since=time,
                data=words(result_hash, guard, flags | challenge_by << 8),
                flags=flags,
                challenge_by=challenge_by,
            )
        case JuryShown(s_r=s_r):
            return replace(view, data=words(result_hash, guard, third, s_r), jury_secret=s_r)
        case Defended(s_w=s_w):
            return replace(view, defended=s_w)
        case Ruled(final_hash=final_hash):
            flags = view.flags | RULED
            return replace(
                view,
                data=words(result_hash, guard, flags | view.challenge_by << 8, final_hash),
                flags=flags,
                final_hash=final_hash,
            )


def _opened(record: CaseOpened, time: int) -> CaseView:
    first = RoundView(round=0, since=time, funder=record.case.accuser)
    return CaseView(case=record.case, rounds=(first,))


def _tried(case: CaseView, record: Voted | VoteRevealed | Appealed | CaseClosed, time: int) -> CaseView:
    match record:
        case Voted():
            vote = VoteView(seat=record.seat, ticket=record.ticket, hash=record.commitment)
            return _with_round(case, record.round, lambda r: replace(r, votes=(*r.votes, vote)))
        case VoteRevealed():
            return _with_round(
                case,
                record.round,
                lambda r: replace(
                    r,
                    votes=tuple(
                        replace(v, result_hash=record.result_hash) if v.seat == record.seat else v
                        for v in r.votes
                    ),
                ),
            )
        case Appealed():
            new = RoundView(round=record.round, since=time, funder=record.funder)
            return replace(case, rounds=(*case.rounds, new))
        case CaseClosed():
            return replace(case, closed=True)


def _with_round(case: CaseView, round: int, change: Callable[[RoundView], RoundView]) -> CaseView:
    return replace(case, rounds=tuple(change(r) if r.round == round else r for r in case.rounds))
