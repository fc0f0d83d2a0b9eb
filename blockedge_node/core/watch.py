"""What a node gives to a tower, so that its unit meets its deadlines while the node is away (docs/protocol.md §4).

Everything that revealing, defending and appealing take, and no key: whoever holds a Watch can finish its unit as its
worker would, and can do nothing else with the worker's money. What a tower learns early is what the commitment
hides: the result, its salt and s_W (docs/operations.md says what a dishonest one could make of that).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Address, Digest, Hash, Root, Secret, UnitId
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Struct):
    """One unit's opening, for one tower. Signed by its worker; an output of ≤ 1 KiB travels beside it."""

    TYPE: ClassVar[str] = (
        "Watch(address tower,bytes32 unit,uint32 exit,bytes32 outputRoot,uint64 fuelUsed,bytes32 memoryHash,"
        "bytes32 salt,bytes32 guardSecret,bytes32 secret,bytes32 guardR)"
    )
    tower: Address
    unit: UnitId
    exit: int
    output_root: Root
    fuel_used: int
    memory_hash: Hash
    salt: Secret
    guard_secret: Secret  # s_W
    secret: Secret = NO_SECRET  # the draw's, with guard_r; zero while the worker does not know it
    guard_r: Hash = ZERO_HASH

    @property
    def result(self) -> Result:
        return Result(
            exit=self.exit,
            output_root=self.output_root,
            fuel_used=self.fuel_used,
            memory_hash=self.memory_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Struct):
    """A tower's word that a Watch is on its disk."""

    TYPE: ClassVar[str] = "Kept(bytes32 watch)"
    watch: Digest
