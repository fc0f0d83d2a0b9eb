"""Signatures: deterministic, low s, and total on hostile bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Digest
from blockedge_node.core.task import Ack
from blockedge_node.errors import PeerError
from blockedge_node.wire.eip712 import HALF_ORDER, PARITY, LocalSigner, address_of, recover, sign

ORDER = 2 * HALF_ORDER + 1
KEY = b"\x01" * 32
DIGEST = Digest(keccak256(b"some struct"))

keys = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)


@given(keys, digests)
def test_signer_is_recovered(key: bytes, digest: Digest) -> None:
    sig = sign(key, digest)
    assert len(sig) == 64
    assert recover(digest, sig) == address_of(key)
    assert sign(key, digest) == sig
    assert int.from_bytes(sig[32:], "big") & (PARITY - 1) <= HALF_ORDER


@given(st.binary(max_size=80) | st.binary(min_size=64, max_size=64), digests)
def test_any_bytes_are_an_address_or_a_peer_error(sig: bytes, digest: Digest) -> None:
    with contextlib.suppress(PeerError):
        assert len(recover(digest, sig)) == 20


def test_high_s_is_refused() -> None:
    """The twin (r, n − s) is a valid signature too: accepted, it would give one message a second id."""
    r = sign(KEY, DIGEST)[:32]
    for s in (HALF_ORDER + 1, PARITY - 1):
        with pytest.raises(PeerError, match="high s"):
            recover(DIGEST, r + s.to_bytes(32, "big"))


@given(digests)
def test_nobody_makes_a_second_signature_of_ours(digest: Digest) -> None:
    """Most twins do not even fit EIP-2098: what is left of them is nobody's, or somebody else's."""
    sig = sign(KEY, digest)
    packed = int.from_bytes(sig[32:], "big")
    twin = (ORDER - (packed & (PARITY - 1))) ^ ((packed ^ PARITY) & PARITY)
    with contextlib.suppress(PeerError):
        assert recover(digest, sig[:32] + (twin % (1 << 256)).to_bytes(32, "big")) != address_of(KEY)


@pytest.mark.parametrize("sig", [b"", bytes(63), bytes(65), bytes(64), b"\xff" * 64])
def test_malformed_signature_is_the_senders_fault(sig: bytes) -> None:
    with pytest.raises(PeerError):
        recover(DIGEST, sig)


def test_signer_signs_structs_of_its_domain() -> None:
    here, elsewhere = Domain(1, b"\x02" * 20), Domain(2, b"\x02" * 20)
    ack = Ack(award=DIGEST, start_at=1)
    signer = LocalSigner(KEY, here)
    assert signer.address == address_of(KEY)
    assert recover(ack.digest(here), signer.sign(ack)) == signer.address
    assert recover(ack.digest(elsewhere), signer.sign(ack)) != signer.address


def test_key_is_never_shown() -> None:
    assert KEY.hex() not in repr(LocalSigner(KEY, Domain(1, bytes(20))))
