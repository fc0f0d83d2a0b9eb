"""Signatures: secp256k1 in EIP-2098's 64 bytes, low s, over EIP-712 digests (docs/protocol.md §2.1).

Deterministic (RFC 6979), so the same struct always gives the same bytes and a message keeps its identity when
it is sent again. The contract refuses a high s; so do we, or a relayed copy of a message could carry a second
id.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey

from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Address, Digest, Signature
from blockedge_node.core.structs import Struct
from blockedge_node.errors import PeerError

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
PARITY = 1 << 255  # EIP-2098 keeps the recovery bit where a low s has none


def address_of(private_key: bytes) -> Address:
    """The address whose messages this 32-byte key signs."""
    return _address(PrivateKey(private_key).public_key)


def sign(private_key: bytes, digest: Digest) -> Signature:
    """r ‖ (parity << 255 | s), 64 bytes."""
    return _sign(PrivateKey(private_key), digest)


def recover(digest: Digest, sig: bytes) -> Address:
    """Whose signature it is. Raises PeerError if malformed; a wrong digest yields some other address."""
    if len(sig) != 64:
        raise PeerError(f"a signature has 64 bytes, not {len(sig)}")
    packed = int.from_bytes(sig[32:], "big")
    s = packed & (PARITY - 1)
    if s > HALF_ORDER:
        raise PeerError("the signature has a high s")
    raw = sig[:32] + s.to_bytes(32, "big") + bytes([packed >> 255])
    try:
        return _address(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except ValueError as error:  # coincurve says this for r or s out of range, or no point at r
        raise PeerError("the signature is not valid for any key") from error


class LocalSigner:
    """ports.Signer with the key in this process: one address, one domain."""

    def __init__(self, private_key: bytes, domain: Domain) -> None:
        self._key = PrivateKey(private_key)
        self._domain = domain
        self.address = _address(self._key.public_key)

    def sign(self, struct: Struct) -> Signature:
        return _sign(self._key, struct.digest(self._domain))

    def __repr__(self) -> str:
        return f"LocalSigner(0x{self.address.hex()})"  # never the key


def _sign(key: PrivateKey, digest: Digest) -> Signature:
    raw = key.sign_recoverable(digest, hasher=None)  # libsecp256k1 normalises to low s
    packed = int.from_bytes(raw[32:64], "big") | raw[64] << 255
    return Signature(raw[:32] + packed.to_bytes(32, "big"))


def _address(key: PublicKey) -> Address:
    return Address(keccak256(key.format(compressed=False)[1:])[12:])
