"""What must have happened, and how often at least, for an agreement of contracts and model to mean something.

    call: result at-least · …   `done`, the error that it reverts with, or `skips` and the error
    accused:                    who took a unit to the jury
    end:                        rows of endings.py
    bond:                       rows of §6.4's table: how reports, and checks, were let go

The figures are a third of what the fixed seeds bring.
"""

from __future__ import annotations

from collections.abc import Mapping

WITHOUT_COURT = """
    award: BadLength 14 · BadMode 11 · BadSignature 46 · BadTerms(acl) 9 · BadTerms(bid) 3 · BadTerms(bids) 10
    award: BadTerms(checkFee) 14 · BadTerms(drawCommit) 3 · BadTerms(fuel) 17 · BadTerms(kind) 6
    award: BadTerms(maxDelay) 17 · BadTerms(maxPrice) 8 · BadTerms(registerBy) 32 · BadTerms(shard) 4
    award: BadTerms(spotBps) 26 · BadTerms(task) 5 · BadTerms(weights) 16 · Ineligible(delay) 48
    award: Ineligible(deposit) 82 · Ineligible(expiry) 27 · Ineligible(price) 44 · Ineligible(rep) 31
    award: Ineligible(shard) 28 · Ineligible(task) 22 · Ineligible(worker) 25 · Panic 13 · Unranked 56 · done 1209
    award: skips BadPhase 68 · skips Insolvent 136 · skips TooEarly 32 · skips TooLate 297
    awardCommit: BadLength 44 · BadMode 5 · BadSignature 56 · BadTerms(acl) 5 · BadTerms(bid) 1 · BadTerms(bids) 6
    awardCommit: BadTerms(checkFee) 9 · BadTerms(drawCommit) 3 · BadTerms(fuel) 11 · BadTerms(kind) 2
    awardCommit: BadTerms(maxDelay) 9 · BadTerms(maxPrice) 7 · BadTerms(registerBy) 23 · BadTerms(shard) 6
    awardCommit: BadTerms(spotBps) 15 · BadTerms(task) 3 · BadTerms(weights) 10 · Ineligible(delay) 23
    awardCommit: Ineligible(deposit) 46 · Ineligible(expiry) 15 · Ineligible(price) 24 · Ineligible(rep) 20
    awardCommit: Ineligible(shard) 13 · Ineligible(task) 13 · Ineligible(worker) 17 · Panic 4 · Unranked 22
    awardCommit: done 562 · skips BadPhase 14 · skips BadUnit 2 · skips Insolvent 54 · skips TooEarly 12
    awardCommit: skips TooLate 146
    bond: agreed 88 · never revealed 352 · of an unresolved unit 211 · right 103 · wrong 153
    closeReports: BadLength 18 · BadPhase 74 · BadUnit 42 · done 821 · skips BadPhase 410
    commit: BadLength 14 · BadSignature 23 · done 496 · skips BadPhase 104 · skips BadUnit 5 · skips TooLate 17
    commitReport: BadPhase 59 · BadUnit 83 · Ineligible(worker) 96 · Insolvent 66 · NotCourt 121 · TooLate 223
    commitReport: done 908
    end: PAID in time 414 · REFUSED after an Ack 66 · REFUSED trusted 3 · REFUSED without an Ack 6
    end: SLASHED by evidence 43 · SLASHED withheld 78 · UNRESOLVED without a court 77
    exit: done 61
    flushBurn: done 71
    fund: BadTerms(value) 2 · done 99
    reveal: BadLength 16 · BadOpening(commitment) 93 · BadOpening(output) 5 · BadOpening(secret) 4 · done 528
    reveal: skips BadPhase 2 · skips BadUnit 5 · skips TooLate 19
    revealReport: BadOpening(evidence) 2 · BadOpening(output) 4 · BadOpening(report) 23 · BadOpening(request) 1
    revealReport: BadOpening(result) 3 · BadPhase 48 · BadUnit 14 · LowGas 5 · TooEarly 32 · TooLate 3 · done 556
    settle: BadLength 32 · BadOpening(secret) 29 · done 765 · skips BadPhase 68 · skips BadUnit 18
    settle: skips TooEarly 328
    timeout: done 328 · skips BadPhase 104 · skips BadUnit 9 · skips TooEarly 112
    withdraw: NotExiting 65 · TooEarly 43 · done 22
"""
WITH_COURT = """
    accused: by a reporter 64 · by silence 33 · by the checker 9
    appeal: BadCase 8 · BadPhase 40 · BadValue 12 · NoAppeal 4 · TooEarly 8 · done 126
    award: BadLength 14 · BadMode 49 · BadSignature 80 · BadTerms(acl) 11 · BadTerms(bid) 7 · BadTerms(bids) 19
    award: BadTerms(checkFee) 38 · BadTerms(drawCommit) 11 · BadTerms(fuel) 12 · BadTerms(kind) 28
    award: BadTerms(maxDelay) 47 · BadTerms(maxPrice) 19 · BadTerms(registerBy) 52 · BadTerms(shard) 20
    award: BadTerms(spotBps) 65 · BadTerms(task) 10 · BadTerms(weights) 10 · Ineligible(delay) 82
    award: Ineligible(deposit) 167 · Ineligible(expiry) 44 · Ineligible(price) 110 · Ineligible(rep) 69
    award: Ineligible(shard) 54 · Ineligible(task) 31 · Ineligible(worker) 29 · Panic 17 · Unranked 91 · done 2036
    award: skips BadPhase 87 · skips Insolvent 160 · skips TooEarly 46 · skips TooLate 697
    awardCommit: BadLength 107 · BadMode 34 · BadSignature 97 · BadTerms(acl) 8 · BadTerms(bid) 2
    awardCommit: BadTerms(bids) 15 · BadTerms(checkFee) 21 · BadTerms(drawCommit) 6 · BadTerms(fuel) 6
    awardCommit: BadTerms(kind) 15 · BadTerms(maxDelay) 28 · BadTerms(maxPrice) 13 · BadTerms(registerBy) 28
    awardCommit: BadTerms(shard) 10 · BadTerms(spotBps) 46 · BadTerms(task) 4 · BadTerms(weights) 6
    awardCommit: Ineligible(delay) 44 · Ineligible(deposit) 94 · Ineligible(expiry) 23 · Ineligible(price) 59
    awardCommit: Ineligible(rep) 40 · Ineligible(shard) 29 · Ineligible(task) 16 · Ineligible(worker) 25 · Panic 11
    awardCommit: Unranked 47 · done 1009 · skips BadPhase 28 · skips BadUnit 5 · skips Insolvent 68
    awardCommit: skips TooEarly 16 · skips TooLate 414
    bond: accuser, right in SLASHED 9 · accuser, right in UNRESOLVED 3 · accuser, wrong in PAID 21
    bond: accuser, wrong in SLASHED 2 · accuser, wrong in UNRESOLVED 27 · agreed 155 · check agreed with a lie 2
    bond: check right 45 · check silent 35 · check silent, charged before 15 · check without a result 20
    bond: check silent, and the worker innocent 15 · check wrong 1 · never revealed 484 · of a refused unit 38
    bond: of an unresolved unit 67 · right 184
    bond: right by default 67 · wrong 215 · wrong as well 7 · wrong, but nobody could see 1
    closeReports: BadLength 34 · BadPhase 113 · BadUnit 75 · done 1438 · skips BadPhase 838
    closeRound: BadCase 19 · BadOpening(finalHash) 11 · BadPhase 30 · BadUnit 2 · TooEarly 13 · done 107
    collect: BadValue 51 · NotOwner 31 · done 54
    commit: BadLength 17 · BadSignature 31 · done 685 · skips BadPhase 101 · skips BadUnit 5 · skips TooLate 46
    commitCheck: BadPhase 86 · BadSnapshot 11 · BadUnit 7 · NotDrawn 7 · NotSeat 13 · TooLate 1 · done 138
    commitReport: BadPhase 98 · BadUnit 108 · Ineligible(worker) 189 · Insolvent 98 · TooLate 352 · done 1285
    commitVote: BadCase 32 · BadPhase 133 · NotSeat 139 · TooLate 3 · done 2061
    defend: BadOpening(defended) 4 · BadOpening(guard) 13 · BadPhase 76 · BadSnapshot 13 · BadUnit 7 · TooEarly 1
    defend: TooLate 17 · done 107
    demand: BadLength 1 · BadMode 6 · BadOpening(output) 2 · BadOpening(result) 13 · BadPhase 64 · BadUnit 8
    demand: Ineligible(requester) 7 · NotCourt 11 · TooLate 2 · done 92
    draw: BadOpening(drawn) 30 · BadOpening(secret) 56 · BadPhase 93 · BadUnit 12 · TooLate 15 · done 191
    end: PAID by a jury of 11 6 · PAID by a jury of 23 16 · PAID by a jury of 23 without input 1
    end: PAID by a jury of 5 8 · PAID by a jury of 5 without input 1 · PAID in time 410 · PAID secretless 65
    end: REFUSED a demand unanswered 25 · REFUSED after an Ack 100 · REFUSED without an Ack 13
    end: SLASHED by a jury of 11 2 · SLASHED by a jury of 23 10 · SLASHED by a jury of 5 3 · SLASHED by default 63
    end: SLASHED by evidence 69 · SLASHED withheld 107 · SLASHED withheld from a checker 11
    end: UNRESOLVED by a jury of 11 11 · UNRESOLVED by a jury of 23 25 · UNRESOLVED by a jury of 5 21
    exit: done 185
    fineChecker: BadOpening(draw) 7 · BadPhase 42 · BadSnapshot 2 · BadUnit 3 · NotDrawn 54 · NotSeat 17 · done 20
    flushBurn: done 203
    fund: BadTerms(value) 9 · done 244
    open: NotBlockEdge 15
    reveal: BadLength 21 · BadOpening(commitment) 112 · BadOpening(output) 8 · BadOpening(secret) 8 · done 1491
    reveal: skips BadPhase 1 · skips BadUnit 9 · skips CheckPending 708 · skips TooEarly 102 · skips TooLate 74
    revealReport: BadOpening(data) 2 · BadOpening(evidence) 2 · BadOpening(output) 2 · BadOpening(report) 38
    revealReport: BadOpening(request) 4 · BadOpening(result) 3 · BadPhase 75 · BadUnit 18 · LowGas 7 · TooEarly 20
    revealReport: TooLate 2 · done 827
    revealVote: BadCase 20 · BadOpening(vote) 76 · BadPhase 87 · NotSeat 2 · TooEarly 6 · done 1198
    rule: NotCourt 15
    settle: BadLength 44 · BadOpening(secret) 40 · done 1054 · skips BadPhase 88 · skips BadUnit 29
    settle: skips DemandOpen 4 · skips TooEarly 415
    showJury: BadOpening(secret) 33 · BadOpening(shown) 27 · BadPhase 72 · BadUnit 11 · TooLate 9 · done 103
    stake: BadValue 34 · done 591
    supply: BadOpening(chunk) 14 · BadOpening(demand) 32 · BadOpening(result) 3 · BadPhase 66 · BadUnit 5
    supply: TooLate 4 · done 64
    take: NotBlockEdge 17
    timeout: done 624 · skips BadPhase 116 · skips BadUnit 30 · skips TooEarly 218
    unstake: NotOwner 37 · TicketGone 3 · done 107
    withdraw: NotExiting 151 · TooEarly 148 · done 62
    withdrawTicket: NotOwner 34 · TicketIn 23 · TooEarly 37 · done 46
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
