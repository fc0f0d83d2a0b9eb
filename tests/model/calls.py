"""What goes into a call, as plain records: the same shapes as the contracts' calldata, with names.

A `Call` is one transaction. It is complete in itself (all signatures and secrets are in it), so that a schedule of
calls can be played again with some of them left out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Ack, Award, Bid, Request, Result
from blockedge_node.core.unit import Terms


class Sig(bytes):
    """An EIP-2098 signature, 64 bytes: two words in calldata."""


UNSIGNED = Sig(64)  # where the signer is the sender
GAS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How every call after `award` names its unit: all its terms, and its phase's four words (§3.2)."""

    terms: Terms
    data: tuple[Hash, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardItem:
    request: int  # index into the call's requests
    bids: tuple[Bid, ...]  # the winner's first
    bid_sigs: tuple[Sig, ...]
    award: Award
    award_sig: Sig = UNSIGNED
    ack: Ack
    ack_sig: Sig = UNSIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Opens a worker's commitment."""

    result: Result
    salt: bytes
    guard: bytes
    secret: bytes = ZERO_HASH
    guard_r: bytes = ZERO_HASH
    output: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The requester's draw secret with `settle`; zeros: not shown."""

    secret: bytes = ZERO_HASH
    guard_r: bytes = ZERO_HASH

    @property
    def given(self) -> bool:
        return self != NOT_SHOWN


NOT_SHOWN = Shown()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOpening:
    author: Address
    result_hash: bytes
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a judge needs; all empty for court kinds."""

    request: Request
    data: bytes
    result: Result
    output: bytes
    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One transaction: `name` with `args` to `to`."""

    sender: Address
    name: str
    args: tuple[Any, ...] = ()
    value: int = 0
    gas: int = GAS
    to: str = "BlockEdge"

    def __str__(self) -> str:
        return f"{self.sender.hex()[:6]} {self.name}{f' with {self.value} wei' if self.value else ''}"


def plain(value: Any) -> Any:
    """Records as the nested tuples that an ABI encoder takes."""
    if isinstance(value, Struct):
        return value.values()
    if isinstance(value, Sig):
        return value[:32], value[32:]
    if is_dataclass(value):
        return tuple(plain(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


NO_REQUEST = Request(
    requester=ZERO_ADDRESS,
    nonce=0,
    kind=0,
    shards=0,
    input_root=ZERO_HASH,  # type: ignore[arg-type]
    fuel=0,
    max_price=0,
    min_deposit=0,
    max_delay=0,
    rep_max=0,
    w_price=0,
    w_delay=0,
    w_rep=0,
    expiry=0,
)
NO_RESULT = Result(exit=0, output_root=ZERO_HASH)  # type: ignore[arg-type]
NO_PROOF = Proof(request=NO_REQUEST, data=b"", result=NO_RESULT, output=b"", evidence=b"")
