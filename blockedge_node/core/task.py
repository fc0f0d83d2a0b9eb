"""The signed messages of a task's life: Request → Bid → Award → Ack → Receipt (docs/protocol.md §2.1).

Money in wei, delays in seconds, ratios in ppm or bps, times in unix seconds of the chain's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar

from blockedge_node.core.hashing import Domain, hash_words, keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Digest, Hash, Root, TaskId, UnitId
from blockedge_node.core.structs import Struct


class Kind(IntEnum):
    """How right and wrong are decided."""

    POW = 1  # proof-of-work search: a judge contract gives the verdict
    WASM = 2  # deterministic program: recomputed by the requester, and by jurors once there is a court


class Mode(IntFlag):
    ONCHAIN = 1
    NO_DEMAND = 2  # output may stay off the chain, at the requester's risk (§10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Struct):
    """What a requester wants done, and the bids it will consider."""

    TYPE: ClassVar[str] = (
        "Request(address requester,uint64 nonce,address ue,uint8 kind,uint8 mode,uint16 shards,uint16 spotBps,"
        "bytes32 program,bytes32 inputRoot,bytes32 acl,uint64 fuel,uint96 maxPrice,uint96 minDeposit,"
        "uint96 checkFee,uint32 maxDelay,uint32 repMin,uint32 repMax,uint16 wPrice,uint16 wDelay,uint16 wRep,"
        "uint40 expiry)"
    )
    requester: Address
    nonce: int
    ue: Address = ZERO_ADDRESS
    kind: int
    mode: int = 0
    shards: int
    spot_bps: int = 0
    program: Root = Root(ZERO_HASH)
    input_root: Root
    acl: Hash = ZERO_HASH
    fuel: int
    max_price: int
    min_deposit: int
    check_fee: int = 0
    max_delay: int
    rep_min: int = 0
    rep_max: int = 1_000_000
    w_price: int
    w_delay: int
    w_rep: int
    expiry: int

    def task(self, domain: Domain) -> TaskId:
        return TaskId(self.digest(domain))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid(Struct):
    """A worker's promise for one shard: price, deposit, delay, and the R it read of itself."""

    TYPE: ClassVar[str] = (
        "Bid(bytes32 task,uint16 shard,address worker,uint96 price,uint96 deposit,uint32 delay,uint32 rep,"
        "uint40 expiry)"
    )
    task: TaskId
    shard: int
    worker: Address
    price: int
    deposit: int
    delay: int
    rep: int
    expiry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Award(Struct):
    TYPE: ClassVar[str] = (
        "Award(bytes32 task,uint16 shard,bytes32 bid,bytes32 drawCommit,uint40 notBefore,uint40 registerBy)"
    )
    task: TaskId
    shard: int
    bid: Digest
    draw_commit: Hash = ZERO_HASH
    not_before: int
    register_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(Struct):
    TYPE: ClassVar[str] = "Ack(bytes32 award,uint40 startAt)"
    award: Digest
    start_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Struct):
    TYPE: ClassVar[str] = "Commit(bytes32 unit,bytes32 termsHash,bytes32 commitment)"
    unit: UnitId
    terms_hash: Hash
    commitment: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Struct):
    TYPE: ClassVar[str] = "Receipt(bytes32 unit,bytes32 resultHash)"
    unit: UnitId
    result_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCard(Struct):
    """Which libp2p peer speaks for an address. The only struct with a dynamic field; see wire/messages.py."""

    TYPE: ClassVar[str] = "KeyCard(address owner,bytes peerId,bytes32 hpkeKey,uint64 seq,uint40 expiry)"
    owner: Address
    peer_id: bytes
    hpke_key: Hash = ZERO_HASH
    seq: int
    expiry: int

    def hash(self) -> Hash:
        return hash_words(
            keccak256(self.TYPE.encode()),
            self.owner,
            keccak256(self.peer_id),  # EIP-712: a dynamic field enters as its hash
            self.hpke_key,
            self.seq,
            self.expiry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Struct):
    """What a run ended with (§2.2): exit = kind·2^16 + code, root of the output, fuel used, hash of the memory."""

    TYPE: ClassVar[str] = "Result(uint32 exit,bytes32 outputRoot,uint64 fuelUsed,bytes32 memoryHash)"
    exit: int
    output_root: Root
    fuel_used: int = 0
    memory_hash: Hash = ZERO_HASH


def unit_id(task: TaskId, shard: int) -> UnitId:
    """keccak256(abi.encode(task, shard)): the key of a unit's slot."""
    return UnitId(hash_words(task, shard))
