"""Eight actors and all that they keep to themselves: keys, secrets, openings, outputs.

Each is requester, worker, reporter, juror and stranger in turn. One mind knows it all, so that it can make the calls
that would go through.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from random import Random

from blockedge_node.core.commitment import guard
from blockedge_node.core.hashing import abi_words, keccak256
from blockedge_node.core.ids import Address, Hash, Root, Secret, UnitId
from blockedge_node.core.merkle import root
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Request, Result
from blockedge_node.wire.eip712 import LocalSigner
from tests.model.calls import UNSIGNED, AwardItem, Opening, ReportOpening, Sig
from tests.model.world import World

ETHER = 10**18
RICH = 1 << 98  # wei: everybody's purse, more than BlockEdge takes
FUNDS = 1_000 * ETHER  # of it in the contract to begin with
HUGE = 1 << 94  # what giants have there
SHARDS = 4
CHALLENGE, TARGET, RANGE = keccak256(b"challenge"), 1 << 252, 256  # one nonce in 16 is a solution
DATA = abi_words(CHALLENGE, TARGET, RANGE)


@dataclass(slots=True)
class Job:
    """What was agreed for one unit, all of it signed, and what its worker will find."""

    request: Request
    item: AwardItem
    opening: Opening
    diligent: bool  # its worker lets no deadline pass
    mood: str = ""  # of the jury, should there be one


@dataclass(frozen=True, slots=True)
class Claim:
    """What opens somebody's hash: a report's, a check's."""

    opening: ReportOpening
    evidence: bytes = b""


class People:
    def __init__(self, seed: int, world: World) -> None:
        self.chance = Random(seed)
        self.world = world
        self.signers = {
            signer.address: signer
            for signer in (LocalSigner(sha256(b"actor %d" % i).digest(), world.domain) for i in range(8))
        }
        self.actors = list(self.signers)
        self.reliable = self.actors[0]  # never errs, or nobody would get to R ≥ 0.8
        self.giants = self.actors[1:3]  # who deal in amounts that fill the contract's words
        self.poor = self.actors[7]
        self.jobs: dict[UnitId, Job] = {}
        self.openings: dict[Hash, Opening] = {}  # by the commitment that each opens
        self.claims: dict[Hash, Claim] = {}  # by the hash of a report or check
        self.votes: dict[Hash, tuple[tuple[int, ...], Hash, bytes]] = {}  # place, resultHash, salt
        self.draws: dict[Hash, tuple[Secret, Secret]] = {}  # secret and s_R, by drawCommit
        self.guarded: dict[Hash, Secret] = {}  # s_W, by guard
        self.outputs: dict[Root, bytes] = {}
        self.nonce = 0

    def _anybody(self, *but: Address) -> Address:
        return self.chance.choice([who for who in self.actors if who not in but])

    def _sometimes(self, chance: float) -> bool:
        return self.chance.random() < chance

    def _secret(self) -> Secret:
        return Secret(self.chance.randbytes(32))

    def _guard(self) -> Hash:
        secret = self._secret()
        hidden = guard(secret)
        self.guarded[hidden] = secret
        return hidden

    def _sign(self, who: Address, struct: Struct) -> Sig:
        signer = self.signers.get(who)
        return Sig(signer.sign(struct)) if signer else UNSIGNED

    def _result(self, output: bytes) -> Result:
        name = root(output)
        self.outputs[name] = output
        return Result(exit=0, output_root=name)


def solutions(shard: int) -> tuple[bytes, ...]:
    """The three smallest nonces of a shard that meet the target."""
    nonces = (n.to_bytes(8, "big") for n in range(shard * RANGE, (shard + 1) * RANGE))
    good = [n for n in nonces if int.from_bytes(sha256(CHALLENGE + n).digest(), "big") < TARGET]
    return tuple(good[:3])


SOLUTIONS = [solutions(shard) for shard in range(SHARDS)]
