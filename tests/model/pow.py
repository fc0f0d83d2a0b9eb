"""The judge of kind 1 (§6.1): is this the smallest nonce of the shard's range whose hash is below the target?"""

from __future__ import annotations

from hashlib import sha256

from blockedge_node.core.task import Request, Result

UNKNOWN, RIGHT, WRONG = 0, 1, 2


def verdict(request: Request, shard: int, data: bytes, result: Result, output: bytes, evidence: bytes) -> int:
    if len(data) != 96:
        return UNKNOWN
    challenge = data[:32]
    target, size = (int.from_bytes(data[i : i + 32], "big") for i in (32, 64))
    if size >= 1 << 64 or request.shards * size > 1 << 64:
        return UNKNOWN  # workers refuse such a task
    nonces = range(shard * size, shard * size + size)

    def solves(encoded: bytes) -> bool:
        found = len(encoded) == 8 and int.from_bytes(encoded, "big") in nonces
        return found and int.from_bytes(sha256(challenge + encoded).digest(), "big") < target

    if (result.exit, result.fuel_used, result.memory_hash) != (0, 0, bytes(32)):
        return WRONG
    if output and not solves(output):
        return WRONG
    claimed = int.from_bytes(output, "big") if output else nonces.stop  # empty says: none in the range
    if solves(evidence) and int.from_bytes(evidence, "big") < claimed:
        return WRONG
    return RIGHT if claimed == nonces.start else UNKNOWN
