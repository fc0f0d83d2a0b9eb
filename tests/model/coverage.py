"""What must have happened, and how often at least, for an agreement of contracts and model to mean something.

    call: result at-least · …   `done`, the error that it reverts with, or `skips` and the error
    accused:                    who took a unit to the jury
    auction:                    what became of shards for sale, and of the units that were sold
    end:                        rows of endings.py
    bond:                       rows of §6.4's table: how reports, and checks, were let go

The figures are a third of what the fixed seeds bring.
"""

from __future__ import annotations

from collections.abc import Mapping

WITHOUT_COURT = """
    announce: BadLength 13 · BadPhase 6 · BadSignature 6 · BadTerms(checkFee) 2 · BadTerms(maxDelay) 2
    announce: BadTerms(spotBps) 6 · Insolvent 19 · TooLate 2 · done 98
    auction: announced 98 · ended PAID 50 · ended REFUSED 10 · ended SLASHED 9 · ended UNRESOLVED 11
    auction: lapsed without a bid 102 · lapsed, too late 10 · led 160 · outbid 68
    award: BadLength 8 · BadMode 109 · BadSignature 31 · BadTerms(acl) 14 · BadTerms(bid) 6 · BadTerms(bids) 9
    award: BadTerms(checkFee) 12 · BadTerms(drawCommit) 2 · BadTerms(fuel) 26 · BadTerms(kind) 10
    award: BadTerms(maxDelay) 24 · BadTerms(maxPrice) 2 · BadTerms(registerBy) 27 · BadTerms(shard) 4
    award: BadTerms(spotBps) 17 · BadTerms(task) 4 · BadTerms(weights) 7 · Ineligible(delay) 51
    award: Ineligible(deposit) 83 · Ineligible(expiry) 21 · Ineligible(price) 45 · Ineligible(rep) 46
    award: Ineligible(shard) 19 · Ineligible(task) 23 · Ineligible(worker) 18 · Panic 8 · Unranked 32
    award: done 916 · skips BadPhase 42 · skips Insolvent 77 · skips TooEarly 18 · skips TooLate 266
    awardCommit: BadLength 51 · BadMode 61 · BadSignature 45 · BadTerms(acl) 8 · BadTerms(bid) 4
    awardCommit: BadTerms(bids) 4 · BadTerms(checkFee) 7 · BadTerms(drawCommit) 1 · BadTerms(fuel) 12
    awardCommit: BadTerms(kind) 5 · BadTerms(maxDelay) 10 · BadTerms(maxPrice) 1 · BadTerms(registerBy) 13
    awardCommit: BadTerms(shard) 3 · BadTerms(spotBps) 12 · BadTerms(task) 2 · BadTerms(weights) 4
    awardCommit: Ineligible(delay) 28 · Ineligible(deposit) 48 · Ineligible(expiry) 10 · Ineligible(price) 19
    awardCommit: Ineligible(rep) 19 · Ineligible(shard) 10 · Ineligible(task) 15 · Ineligible(worker) 21
    awardCommit: Panic 4 · Unranked 21 · done 478 · skips BadPhase 10 · skips BadUnit 3 · skips Insolvent 41
    awardCommit: skips TooEarly 5 · skips TooLate 159
    bond: agreed 75 · never revealed 270 · of an unresolved unit 196 · right 87 · wrong 145
    closeAuction: BadOpening(drawCommits) 11 · BadPhase 23 · BadTerms(shard) 17 · TooEarly 2 · done 195
    closeReports: BadLength 27 · BadPhase 81 · BadUnit 48 · done 845 · skips BadPhase 511
    commit: BadLength 9 · BadSignature 17 · done 381 · skips BadPhase 83 · skips BadUnit 2 · skips TooLate 18
    commitReport: BadPhase 65 · BadUnit 77 · Ineligible(worker) 77 · Insolvent 52 · NotCourt 118 · TooLate 241
    commitReport: done 775
    end: PAID in time 292 · REFUSED after an Ack 44 · REFUSED trusted 3 · REFUSED without an Ack 6
    end: SLASHED by evidence 32 · SLASHED withheld 42 · UNRESOLVED without a court 67
    exit: done 56
    flushBurn: done 66
    fund: BadTerms(value) 3 · done 94
    postBid: BadPhase 8 · BadSignature 24 · BadTerms(shard) 4 · Ineligible(delay) 4 · Ineligible(deposit) 3
    postBid: Ineligible(expiry) 2 · Ineligible(price) 9 · Ineligible(rep) 53 · Ineligible(task) 4
    postBid: Insolvent 15 · TooEarly 2 · TooLate 92 · Unranked 109 · done 160
    reveal: BadLength 14 · BadOpening(commitment) 88 · BadOpening(output) 2 · BadOpening(secret) 3 · done 394
    reveal: skips BadPhase 3 · skips BadUnit 4 · skips TooLate 11
    revealReport: BadOpening(data) 1 · BadOpening(evidence) 3 · BadOpening(output) 1 · BadOpening(report) 29
    revealReport: BadOpening(request) 2 · BadOpening(result) 1 · BadPhase 56 · BadUnit 13 · LowGas 5
    revealReport: TooEarly 35 · TooLate 3 · done 505
    settle: BadLength 23 · BadOpening(secret) 21 · done 612 · skips BadPhase 55 · skips BadUnit 14
    settle: skips TooEarly 268
    timeout: done 254 · skips BadPhase 93 · skips BadUnit 8 · skips TooEarly 80
    withdraw: NotExiting 67 · TooEarly 49 · done 16
"""
WITH_COURT = """
    accused: by a reporter 59 · by silence 34 · by the checker 7
    announce: BadLength 34 · BadMode 3 · BadPhase 11 · BadSignature 16 · BadTerms(acl) 2
    announce: BadTerms(checkFee) 3 · BadTerms(drawCommit) 7 · BadTerms(fuel) 2 · BadTerms(kind) 1
    announce: BadTerms(maxPrice) 2 · BadTerms(shards) 4 · BadTerms(spotBps) 9 · Insolvent 51 · TooLate 7
    announce: done 247
    appeal: BadCase 5 · BadPhase 22 · BadValue 16 · NoAppeal 2 · TooEarly 3 · done 117
    auction: announced 247 · ended PAID 108 · ended REFUSED 28 · ended SLASHED 40 · ended UNRESOLVED 9
    auction: lapsed without a bid 260 · lapsed, too late 41 · led 418 · outbid 190
    award: BadLength 18 · BadMode 317 · BadSignature 77 · BadTerms(acl) 17 · BadTerms(bid) 8
    award: BadTerms(bids) 21 · BadTerms(checkFee) 47 · BadTerms(drawCommit) 3 · BadTerms(fuel) 21
    award: BadTerms(kind) 14 · BadTerms(maxDelay) 39 · BadTerms(maxPrice) 16 · BadTerms(registerBy) 62
    award: BadTerms(shard) 13 · BadTerms(spotBps) 67 · BadTerms(task) 3 · BadTerms(weights) 25
    award: Ineligible(delay) 96 · Ineligible(deposit) 138 · Ineligible(expiry) 64 · Ineligible(price) 112
    award: Ineligible(rep) 54 · Ineligible(shard) 33 · Ineligible(task) 41 · Ineligible(worker) 38 · Panic 16
    award: Unranked 104 · done 1932 · skips BadPhase 67 · skips Insolvent 113 · skips TooEarly 41
    award: skips TooLate 746
    awardCommit: BadLength 100 · BadMode 169 · BadSignature 82 · BadTerms(acl) 12 · BadTerms(bid) 3
    awardCommit: BadTerms(bids) 11 · BadTerms(checkFee) 21 · BadTerms(drawCommit) 2 · BadTerms(fuel) 12
    awardCommit: BadTerms(kind) 6 · BadTerms(maxDelay) 25 · BadTerms(maxPrice) 10 · BadTerms(registerBy) 41
    awardCommit: BadTerms(shard) 8 · BadTerms(spotBps) 42 · BadTerms(task) 2 · BadTerms(weights) 11
    awardCommit: Ineligible(delay) 48 · Ineligible(deposit) 80 · Ineligible(expiry) 29 · Ineligible(price) 62
    awardCommit: Ineligible(rep) 22 · Ineligible(shard) 19 · Ineligible(task) 24 · Ineligible(worker) 32
    awardCommit: Panic 11 · Unranked 63 · done 965 · skips BadPhase 20 · skips BadUnit 2 · skips Insolvent 54
    awardCommit: skips TooEarly 17 · skips TooLate 430
    bond: accuser, right in SLASHED 7 · accuser, right in UNRESOLVED 3 · accuser, wrong in PAID 20
    bond: accuser, wrong in SLASHED 3 · accuser, wrong in UNRESOLVED 25 · agreed 163
    bond: check agreed with a lie 2 · check right 50 · check silent 28
    bond: check silent, and the worker innocent 10 · check silent, charged before 24
    bond: check without a result 13 · check wrong 3 · never revealed 506 · of a refused unit 25
    bond: of an unresolved unit 63 · right 173 · right by default 51 · wrong 273 · wrong as well 1
    bond: wrong, but nobody could see 2
    closeAuction: BadOpening(drawCommits) 35 · BadPhase 52 · BadTerms(shard) 28 · TooEarly 8 · done 487
    closeReports: BadLength 43 · BadPhase 107 · BadUnit 97 · done 1823 · skips BadPhase 1202
    closeRound: BadCase 12 · BadOpening(finalHash) 12 · BadPhase 15 · BadUnit 2 · TooEarly 9 · done 101
    collect: BadValue 21 · NotOwner 20 · done 26
    commit: BadLength 23 · BadSignature 27 · done 762 · skips BadPhase 118 · skips BadUnit 7
    commit: skips TooLate 40
    commitCheck: BadPhase 108 · BadSnapshot 16 · BadUnit 8 · NotDrawn 9 · NotSeat 17 · TooLate 1 · done 132
    commitReport: BadPhase 121 · BadUnit 123 · Ineligible(worker) 207 · Insolvent 110 · TooLate 363
    commitReport: done 1320
    commitVote: BadCase 27 · BadPhase 92 · NotSeat 125 · TooLate 1 · done 1954
    defend: BadOpening(defended) 3 · BadOpening(guard) 18 · BadPhase 74 · BadSnapshot 12 · BadUnit 7
    defend: TooEarly 1 · TooLate 10 · done 101
    demand: BadLength 3 · BadMode 4 · BadOpening(output) 5 · BadOpening(result) 18 · BadPhase 74 · BadUnit 8
    demand: Ineligible(requester) 8 · NotCourt 19 · TooLate 5 · done 107
    draw: BadOpening(drawn) 35 · BadOpening(secret) 61 · BadPhase 100 · BadUnit 16 · NotDrawn 1 · TooLate 23
    draw: done 187
    end: PAID by a jury of 11 3 · PAID by a jury of 23 20 · PAID by a jury of 23 without input 2
    end: PAID by a jury of 5 6 · PAID by a jury of 5 without input 2 · PAID in time 445 · PAID secretless 58
    end: REFUSED a demand unanswered 16 · REFUSED after an Ack 112 · REFUSED without an Ack 8
    end: SLASHED by a jury of 11 2 · SLASHED by a jury of 23 8 · SLASHED by a jury of 5 3
    end: SLASHED by default 56 · SLASHED by evidence 63 · SLASHED withheld 103
    end: SLASHED withheld from a checker 10 · UNRESOLVED by a jury of 11 12 · UNRESOLVED by a jury of 23 18
    end: UNRESOLVED by a jury of 5 20
    exit: done 175
    fineChecker: BadOpening(draw) 6 · BadPhase 60 · BadSnapshot 5 · BadUnit 8 · NotDrawn 47 · NotSeat 15
    fineChecker: done 25
    flushBurn: done 207
    fund: BadTerms(value) 7 · done 290
    open: NotBlockEdge 7
    postBid: BadPhase 22 · BadSignature 68 · BadTerms(shard) 9 · Ineligible(delay) 21 · Ineligible(deposit) 14
    postBid: Ineligible(expiry) 9 · Ineligible(price) 22 · Ineligible(rep) 155 · Ineligible(task) 11
    postBid: Insolvent 36 · TooEarly 4 · TooLate 218 · Unranked 345 · done 418
    reveal: BadLength 25 · BadOpening(commitment) 119 · BadOpening(output) 5 · BadOpening(secret) 8
    reveal: done 1404 · skips BadPhase 5 · skips BadUnit 8 · skips CheckPending 639 · skips TooEarly 87
    reveal: skips TooLate 60
    revealReport: BadOpening(data) 5 · BadOpening(evidence) 6 · BadOpening(output) 4 · BadOpening(report) 52
    revealReport: BadOpening(request) 4 · BadOpening(result) 3 · BadPhase 98 · BadUnit 18 · LowGas 5
    revealReport: TooEarly 24 · TooLate 3 · done 847
    revealVote: BadCase 21 · BadOpening(vote) 75 · BadPhase 63 · NotSeat 1 · TooEarly 5 · TooLate 1
    revealVote: done 1228
    rule: NotCourt 6
    settle: BadLength 38 · BadOpening(secret) 48 · done 1129 · skips BadPhase 118 · skips BadUnit 35
    settle: skips DemandOpen 2 · skips TooEarly 441
    showJury: BadOpening(secret) 26 · BadOpening(shown) 28 · BadPhase 97 · BadUnit 7 · TooLate 8 · done 96
    stake: BadValue 20 · done 473
    supply: BadOpening(chunk) 18 · BadOpening(demand) 29 · BadOpening(result) 5 · BadPhase 67 · BadUnit 5
    supply: TooLate 3 · done 81
    take: NotBlockEdge 8
    timeout: done 627 · skips BadPhase 125 · skips BadUnit 25 · skips TooEarly 237
    unstake: NotOwner 17 · TicketGone 2 · done 54
    withdraw: NotExiting 179 · TooEarly 145 · done 63
    withdrawTicket: NotOwner 17 · TicketIn 15 · TooEarly 13 · done 19
"""


def lacking(coverage: Mapping[str, int], table: str) -> list[str]:
    """What did not happen often enough. A line of the table: `call: result count · result count …`."""
    short = []
    for line in table.strip().splitlines():
        call, _, results = line.strip().partition(": ")
        for entry in results.split(" · "):
            result, _, least = entry.rpartition(" ")
            count = coverage.get(f"{call}: {result}", 0)
            if count < int(least):
                short.append(f"{call}: {result}: {count} times, not {least}")
    return short
