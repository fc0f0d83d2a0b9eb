"""Names for the scalar types of the protocol (docs/protocol.md §0, §2).

Addresses and hashes are plain `bytes` inside the node (20 and 32 long) and 0x-hex only at the edges.
Money is integer wei, ratios are ppm (1e6 = 1) or bps (1e4 = 1), chain time is whole seconds.
"""

from __future__ import annotations

from typing import NewType

Address = NewType("Address", bytes)  # 20 bytes
Digest = NewType("Digest", bytes)  # 32 bytes, an EIP-712 digest
TaskId = NewType("TaskId", bytes)  # 32 bytes, digest of the Request
UnitId = NewType("UnitId", bytes)  # 32 bytes, keccak256(abi.encode(task, shard))
Root = NewType("Root", bytes)  # 32 bytes, content address of a blob (§2.3)
Hash = NewType("Hash", bytes)  # any other 32-byte hash
Secret = NewType("Secret", bytes)  # 32 random bytes: never logged, journalled before use
Signature = NewType("Signature", bytes)  # 64 bytes, EIP-2098; empty where the signer is the sender
Wei = NewType("Wei", int)
Seconds = NewType("Seconds", int)

ZERO_ADDRESS = Address(bytes(20))
ZERO_HASH = Hash(bytes(32))
NO_SECRET = Secret(bytes(32))  # where a secret may be shown and is not


def short(value: bytes) -> str:
    """The first 4 bytes as hex: what people see and type as a unique prefix."""
    return value[:4].hex()
