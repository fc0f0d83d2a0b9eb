"""What hides a result until it may be seen, and binds it to one author and one place (docs/protocol.md §2.2).

A commitment names chain, contract, unit, role, round, seat and author besides the result and a fresh salt:
replayed by anybody else, or anywhere else, it never opens (invariant 6). Mirrors contracts/src/Hashing.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from blockedge_node.core.hashing import Domain, hash_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Secret, UnitId
from blockedge_node.core.task import Result


class Role(IntEnum):
    WORKER = 0
    CHECKER = 1
    REPORTER = 2
    JUROR = 3


COMMITMENT_TYPEHASH = keccak256(
    b"Commitment(uint256 chainId,address blockEdge,bytes32 unit,uint8 role,uint8 round,uint8 seat,"
    b"address author,bytes32 resultHash,bytes32 salt,bytes32 guard)"
)


def result_hash(result: Result) -> Hash:
    """keccak256(abi.encode(RESULT_TYPEHASH, exit, outputRoot, fuelUsed, memoryHash))."""
    return result.hash()


def evidence_hash(evidence: bytes) -> Hash:
    """What stands in for the resultHash in a report against a judged kind."""
    return keccak256(evidence)


def guard(secret: Secret) -> Hash:
    """Commits to a side's second secret, s_W or s_R, which only a dispute brings to light (§6.2)."""
    return keccak256(secret)


def draw_commit(secret: Secret, guard_r: Hash) -> Hash:
    """The requester's commitment in its Award; an Award without a spot check has ZERO_HASH instead."""
    return hash_words(secret, guard_r)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSecrets:
    """A requester's two secrets, fresh for every Award: one shows the draw, s_R enters a jury's seed (§6.2)."""

    secret: Secret
    guard_secret: Secret  # s_R

    @property
    def guard_r(self) -> Hash:
        return guard(self.guard_secret)

    @property
    def commit(self) -> Hash:
        """The Award's drawCommit."""
        return draw_commit(self.secret, self.guard_r)


def commitment(
    domain: Domain,
    unit: UnitId,
    role: Role,
    author: Address,
    result_hash: Hash,
    salt: Secret,
    *,
    guard: Hash = ZERO_HASH,
    round: int = 0,
    seat: int = 0,
) -> Hash:
    """The hash to publish before `result_hash` may be known. `guard`: workers; `round`, `seat`: jurors."""
    return hash_words(
        COMMITMENT_TYPEHASH,
        domain.chain_id,
        domain.contract,
        unit,
        role,
        round,
        seat,
        author,
        result_hash,
        salt,
        guard,
    )


def slot_digest(terms_hash: Hash, data: Sequence[Hash]) -> bytes:
    """trunc208(keccak256(abi.encode(termsHash, data))), 26 bytes: a unit's terms in its slot (§3.2)."""
    return hash_words(terms_hash, *data)[-26:]
