"""Who wins, what it does to a name, and until when: selection.json, reputation.json, deadlines.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from columns import NOW, PARAMS, Json, Source, a_bid, a_request, a_terms, camel, row_of, table

from blockedge_node.core import deadlines, reputation, selection
from blockedge_node.core.ids import Hash
from blockedge_node.core.task import Bid, Request
from blockedge_node.core.unit import Phase, ReportView, UnitView


def selections() -> Json:
    return {"seat": str(PARAMS.seat), "eligible": eligibility(), "score": scores(), "rank": ranks()}


def eligibility() -> Json:
    source = Source("eligible")
    low = {"max_price": 10**15, "min_deposit": 10**15, "rep_min": 100_000, "rep_max": 900_000}
    rows = []

    def add(request: Request, bid: Bid) -> None:
        reason = selection.why_ineligible(request, bid, PARAMS, at=0)
        rows.append(pair(request, bid) | {"eligible": reason is None, "reason": reason or ""})

    for kind in (1, 2):
        request = a_request(source, kind=kind, max_delay=60, **low)
        good = a_bid(source, request, price=10**14, deposit=2 * 10**15, rep=140_000)
        add(request, good)
        for changes in (
            {"worker": request.requester},
            {"price": 0},
            {"price": 1, "deposit": 10**15},
            {"price": 10**15, "deposit": 2 * 10**16},
            {"price": 10**15 + 1, "deposit": 3 * 10**16},
            {"delay": 0},
            {"delay": 60},
            {"delay": 61},
            {"deposit": 2 * 10**15 - 1},
            {"price": 1, "deposit": 10**15 - 1},
            {"deposit": 10 * PARAMS.seat},
            {"deposit": 10 * PARAMS.seat + 1},
            {"rep": 99_999},
            {"rep": 100_000},
            {"rep": 900_000},
            {"rep": 900_001},
        ):
            add(request, replace(good, **changes))
        add(replace(request, rep_max=(1 << 32) - 1), replace(good, rep=1_000_001))
        add(replace(request, rep_max=1_000_000), replace(good, rep=1_000_000))
    for _ in range(24):
        request = a_request(source)
        add(request, a_bid(source, request, shard=0))
    return table(rows)


def pair(request: Request, bid: Bid) -> dict[str, Any]:
    """What §5 looks at in a request and a bid."""
    names = "requester kind max_price min_deposit check_fee max_delay rep_min rep_max w_price w_delay w_rep".split()
    mine = {camel(name): getattr(request, name) for name in names}
    return mine | {camel(n): getattr(bid, n) for n in "worker price deposit delay rep".split()}


def scores() -> Json:
    source = Source("score")
    rows = []

    def add(request: Request, bid: Bid) -> None:
        row = {k: v for k, v in pair(request, bid).items() if k in SCORED}
        rows.append(row | {"score": selection.score(request, bid).total})

    for weights in ((10_000, 0, 0), (0, 10_000, 0), (0, 0, 10_000), (3_333, 3_333, 3_334)):
        w_price, w_delay, w_rep = weights
        for top, delay in ((1, 1), (3, 7), ((1 << 96) - 1, 604_800)):
            request = a_request(
                source, max_price=top, max_delay=delay, w_price=w_price, w_delay=w_delay, w_rep=w_rep
            )
            add(request, a_bid(source, request, price=top, delay=delay, rep=0))
            add(request, a_bid(source, request, price=1, delay=1, rep=1_000_000))
            add(request, a_bid(source, request))
    for _ in range(32):
        request = a_request(source)
        add(request, a_bid(source, request))
    return table(rows)


SCORED = "maxPrice maxDelay wPrice wDelay wRep price delay rep".split()


def ranks() -> Json:
    """Pairs of bids for one shard: `aFirst` iff a wins over b."""
    source = Source("rank")
    rows = []
    for i in range(36):
        request = a_request(source, w_price=5_000, w_delay=5_000, w_rep=0, max_price=10**6, max_delay=10**4)
        a = a_bid(source, request, shard=0)
        b = a_bid(source, request, shard=0)
        if i % 3 == 1:  # equal scores by construction: one of price for one of delay
            a, b = replace(a, price=500_000, delay=5_000), replace(b, price=510_000, delay=4_900)
        if i % 3 == 2:
            b = replace(b, price=a.price, delay=a.delay, rep=a.rep)
        rows.append(
            {k: v for k, v in pair(request, a).items() if k in SCORED[:5]}
            | {"task": a.task, "shard": a.shard}
            | {f"a{k[0].upper()}{k[1:]}": v for k, v in ranked_fields(request, a).items()}
            | {f"b{k[0].upper()}{k[1:]}": v for k, v in ranked_fields(request, b).items()}
            | {"aFirst": selection.ranked(request, (a, b))[0] == a}
        )
    return table(rows)


def ranked_fields(request: Request, bid: Bid) -> dict[str, Any]:
    return {
        "worker": bid.worker,
        "price": bid.price,
        "delay": bid.delay,
        "rep": bid.rep,
        "score": selection.score(request, bid).total,
        "tie": selection.tie_break(bid),
    }


OPS = ("paid", "paidSecretless", "slashed", "refused")


def after(op: str, record: reputation.Record, now: int, price: int, deposit: int) -> reputation.Record:
    match op:
        case "slashed":
            return reputation.after_slashed(record, now, price, deposit)
        case "refused":
            return reputation.after_refused(record, now, price, deposit)
        case _:
            return reputation.after_paid(record, now, price, deposit, PARAMS, shown=op == "paid")


def reputations() -> Json:
    source = Source("reputation")
    week = NOW // reputation.WEEK
    full = reputation.Record(
        good=reputation.U32,
        bad=reputation.U32,
        week=week,
        n=reputation.U24,
        m=reputation.U24,
        t=reputation.U64,
        s=reputation.U64,
    )
    records = [reputation.Record(), full, replace(full, week=week - 1), replace(full, week=week - 40)]
    records += [reputation.Record(good=7, bad=9, week=week - weeks) for weeks in (0, 1, 31, 32, 33)]
    for _ in range(16):
        n, s = source.below(50), source.below(10**12)
        records.append(
            reputation.Record(
                good=source.below(40_000),
                bad=source.below(4_000),
                week=week - source.below(6),
                n=n,
                m=n + source.below(500),
                t=s + source.below(10**12),
                s=s,
            )
        )
    money = [
        (1, 20),
        (10**9 - 1, 20 * 10**9),
        (10**17, 2 * 10**18),
        (10**15, 10**21),
        (10**19, (1 << 96) - 1),
    ]
    updates = []
    for i, record in enumerate(records * 2):
        op, (price, deposit) = OPS[(i + i // len(records)) % 4], money[i % len(money)]
        result = after(op, record, NOW, price, deposit)
        updates.append(
            {camel("before_" + name): value for name, value in row_of(record).items()}
            | {"now": NOW, "op": OPS.index(op), "price": price, "deposit": deposit}
            | {"fee": reputation.protocol_fee(price, PARAMS)}
            | {camel("after_" + name): value for name, value in row_of(result).items()}
            | {"score": reputation.score(result, NOW, PARAMS)}
        )
    return {
        "seat": str(PARAMS.seat),
        "feeUnit": str(PARAMS.fee_unit),
        "feeBps": PARAMS.fee_bps,
        "score": table(
            [row_of(r) | {"now": NOW, "score": reputation.score(r, NOW, PARAMS)} for r in records]
        ),
        "update": table(updates),
    }


def deadline_tables() -> Json:
    source = Source("deadlines")
    rows = []
    for i in range(32):
        request = a_request(source)
        terms = replace(
            a_terms(source),
            delay=source.below(604_800),
            vwin=PARAMS.vwin(request.fuel),
            spot_bps=0 if i % 2 else 1_000,
        )
        since = NOW + source.below(1000)
        view = UnitView(
            unit=terms.unit,
            phase=Phase.ASSIGNED,
            since=since,
            request=request,
            terms=terms,
            data=(Hash(bytes(32)),) * 4,
            start_at=0 if i % 3 == 0 else since - source.below(100),
            flags=0 if i % 4 == 0 else deadlines.SECRET_SHOWN,
            reports=(ReportView(index=1, author=source.address(), hash=source.word()),) * (i % 2),
        )
        rows.append(
            {
                "since": view.since,
                "startAt": view.start_at,
                "delay": terms.delay,
                "vwin": terms.vwin,
                "spotBps": terms.spot_bps,
                "flags": view.flags,
                "reports": len(view.reports),
                "resultBy": deadlines.result_by(view, PARAMS),
                "checkBy": deadlines.check_by(view, PARAMS),
                "revealBy": deadlines.reveal_by(view, PARAMS),
                "challengeBy": deadlines.challenge_by(view, PARAMS),
                "reportBy": deadlines.report_by(view, PARAMS),
                "settleAfter": deadlines.settle_after(view, PARAMS),
                "juryShownBy": deadlines.jury_shown_by(view, PARAMS),
                "defendBy": deadlines.defend_by(view, PARAMS),
            }
        )
    fuels = [0, 1, 333_333_333, 333_333_334, 10**9, PARAMS.fuel_cap]
    return {
        "grace": PARAMS.grace,
        "secret": PARAMS.secret,
        "reveal": PARAMS.reveal,
        "challenge": PARAMS.challenge,
        "report": PARAMS.report,
        "defend": PARAMS.defend,
        "refFuel": PARAMS.ref_fuel,
        "vwinBase": PARAMS.vwin_base,
        "vwinMax": PARAMS.vwin_max,
        "unit": table(rows),
        "vwin": table([{"fuel": fuel, "vwin": PARAMS.vwin(fuel)} for fuel in fuels]),
    }
