"""Keccak, ABI words and EIP-712 struct hashes: the same bytes as contracts/src/Hashing.sol.

Only static types occur in our signed structs, so an encoded struct is its words in order, 32 bytes each;
the one dynamic field (`KeyCard.peerId`) enters as its hash, as EIP-712 says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_hash.auto import keccak

from blockedge_node.core.ids import Address, Digest, Hash


def keccak256(data: bytes) -> Hash:
    return Hash(keccak(data))


def word(value: int | bytes) -> bytes:
    """One ABI word: unsigned integers right-aligned, addresses (20 bytes) too, bytes32 as they are."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if len(value) == 20:
        return bytes(12) + value
    if len(value) != 32:
        raise ValueError(f"an ABI word takes 20 or 32 bytes, not {len(value)}")
    return value


def abi_words(*values: int | bytes) -> bytes:
    """abi.encode of static values."""
    return b"".join(map(word, values))


def hash_words(*values: int | bytes) -> Hash:
    """keccak256(abi.encode(values…)) for static values."""
    return keccak256(abi_words(*values))


DOMAIN_TYPEHASH = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one chain and one BlockEdge contract (docs/protocol.md §2.1)."""

    chain_id: int
    contract: Address

    @property
    def separator(self) -> Hash:
        return _separator(self.chain_id, self.contract)

    def digest(self, struct_hash: Hash) -> Digest:
        """The 32 bytes that are signed for a struct."""
        return Digest(keccak256(b"\x19\x01" + self.separator + struct_hash))


@cache  # asked for with every digest, and a node knows few domains
def _separator(chain_id: int, contract: Address) -> Hash:
    return hash_words(DOMAIN_TYPEHASH, keccak256(b"BlockEdge"), keccak256(b"1"), chain_id, contract)
