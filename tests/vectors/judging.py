"""Who is right, and who is asked: pow.json, sortition.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from columns import Json, Source, row_of, table

from blockedge_node.core import merkle, sortition
from blockedge_node.core.task import Result
from blockedge_node.executor.pow import Search

UNKNOWN, RIGHT, WRONG = 0, 1, 2


def verdict(search: Search, shards: int, shard: int, result: Result, output: bytes, evidence: bytes) -> int:
    """§6.1 in words of its own, for the contract's judge to agree with."""
    if shards * search.range_size > 1 << 64:
        return UNKNOWN
    if result.exit or result.fuel_used or any(result.memory_hash):
        return WRONG
    span = search.span(shard)

    def solution(raw: bytes) -> int | None:
        nonce = int.from_bytes(raw, "big")
        return nonce if len(raw) == 8 and nonce in span and search.wins(nonce) else None

    claimed, shown = solution(output), solution(evidence)
    if output and claimed is None:
        return WRONG
    if shown is not None and (claimed is None or shown < claimed):
        return WRONG
    return RIGHT if claimed == span.start else UNKNOWN


def pow_searches() -> Json:
    source = Source("pow")
    rows = []

    def add(
        search: Search, shards: int, shard: int, output: bytes, evidence: bytes = b"", **bad: Any
    ) -> None:
        result = replace(Result(exit=0, output_root=merkle.root(output)), **bad)
        rows.append(
            {
                "data": search.encode(),
                "shards": shards,
                "shard": shard,
                **row_of(result),
                "output": output,
                "evidence": evidence,
                "verdict": verdict(search, shards, shard, result, output, evidence),
            }
        )

    for bits, size in ((6, 256), (7, 64), (12, 100), (4, 1)):
        search = Search(challenge=source.word(), target=1 << (256 - bits), range_size=size)
        for shard in range(3):
            span = search.span(shard)
            wins = [n.to_bytes(8, "big") for n in span if search.wins(n)]
            right = wins[0] if wins else b""
            later = wins[1] if len(wins) > 1 else b""
            loser = next((n for n in span if not search.wins(n)), span.start).to_bytes(8, "big")
            outside = span.stop.to_bytes(8, "big")
            add(search, 3, shard, right)
            add(search, 3, shard, b"", right)
            add(search, 3, shard, later, right)
            add(search, 3, shard, right, later)
            add(search, 3, shard, right, loser)
            add(search, 3, shard, loser)
            add(search, 3, shard, outside)
            add(search, 3, shard, right, outside)
            add(search, 3, shard, right + b"\x00")
            add(search, 3, shard, b"\x00")
            add(search, 3, shard, right, fuel_used=1)
            add(search, 3, shard, right, exit=1 << 16)
            add(search, 3, shard, right, memory_hash=source.word())
    everything = Search(challenge=source.word(), target=(1 << 256) - 1, range_size=1 << 63)
    add(everything, 2, 1, (1 << 63).to_bytes(8, "big"))
    add(everything, 3, 1, (1 << 63).to_bytes(8, "big"))
    add(replace(everything, target=0, range_size=4), 1, 0, b"")
    return {"verdict": table(rows)}


def sortitions() -> Json:
    source = Source("sortition")
    draws, juries, seats = [], [], []
    for i in range(24):
        secret, committed = source.secret(), source.word()
        seed = sortition.draw_seed(secret, committed)
        bps = (0, 1_000, 5_000, 10_000)[i % 4]
        draws.append(
            {
                "secret": secret,
                "commitment": committed,
                "spotBps": bps,
                "seed": seed,
                "drawn": sortition.drawn(seed, bps),
            }
        )
    for count in (0, 1, 2, 3, 8):
        s_w, salts = source.secret(), [source.secret() for _ in range(count)]
        s_r = None if count == 2 else source.secret()
        mix = sortition.salts_mix(salts)
        seed = sortition.jury_seed(s_w, s_r, mix)
        juries.append(
            {
                "guardSecretW": s_w,
                "guardSecretR": s_r or bytes(32),
                "salts": b"".join(salts),
                "seedAcc": mix,
                "seed0": sortition.round_seed(seed, 0),
                "seed1": sortition.round_seed(seed, 1),
                "seed2": sortition.round_seed(seed, 2),
            }
        )
        for seat in range(3):
            for attempt in range(2):
                n_snap = 1 + source.below(1000)
                seats.append(
                    {
                        "seed": seed,
                        "seat": seat,
                        "attempt": attempt,
                        "nSnap": n_snap,
                        "ticket": sortition.ticket_index(seed, seat, attempt, n_snap),
                    }
                )
    return {"draw": table(draws), "jury": table(juries), "seat": table(seats)}
