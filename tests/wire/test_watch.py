"""A watch travels with its signature and output, and a tower's word fits the watch that it is about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import merkle
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, Digest, Hash, Root, Secret, UnitId
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import PeerError, Rejected
from blockedge_node.wire import codec, streams
from blockedge_node.wire.eip712 import LocalSigner

DOMAIN = Domain(31337, Address(b"\x0b" * 20))
WORKER = LocalSigner(b"\x01" * 32, DOMAIN)
TOWER = LocalSigner(b"\x02" * 32, DOMAIN)
EVE = LocalSigner(b"\x03" * 32, DOMAIN)
AT = 1_790_000_000_000
OUTPUT = b"a short output"
WATCH = Watch(
    tower=TOWER.address,
    unit=UnitId(b"\x04" * 32),
    exit=0x20000,
    output_root=merkle.root(OUTPUT),
    fuel_used=7,
    memory_hash=Hash(b"\x05" * 32),
    salt=Secret(b"\x06" * 32),
    guard_secret=Secret(b"\x07" * 32),
    secret=Secret(b"\x08" * 32),
    guard_r=Hash(b"\x09" * 32),
)
KEPT = Kept(watch=WATCH.digest(DOMAIN))


def built(watch: Watch = WATCH, output: bytes = OUTPUT) -> bytes:
    return streams.build_watch(DOMAIN, watch, output, WORKER.sign(watch), AT)


@pytest.mark.parametrize("output", [OUTPUT, b""])
def test_a_watch_names_who_signed_it(output: bytes) -> None:
    message = streams.open_watch(built(output=output), DOMAIN)
    assert (message.client, message.watch, message.output) == (WORKER.address, WATCH, output)
    assert message.digest == WATCH.digest(DOMAIN)
    assert message.watch.result.output_root == merkle.root(OUTPUT)


def test_an_output_that_the_watch_does_not_name_is_refused() -> None:
    with pytest.raises(PeerError, match="not the one it names"):
        streams.open_watch(built(output=b"another"), DOMAIN)


def test_an_output_above_a_kibibyte_is_refused() -> None:
    large = bytes(streams.MAX_INLINE + 1)
    with pytest.raises(PeerError, match="too large"):
        streams.open_watch(built(replace(WATCH, output_root=merkle.root(large)), large), DOMAIN)


def test_a_watch_is_of_one_deployment() -> None:
    with pytest.raises(PeerError, match="another deployment"):
        streams.open_watch(built(), Domain(1, DOMAIN.contract))


def test_a_changed_watch_is_somebody_elses() -> None:
    """Nobody's, in truth: its signer is no client of any tower."""
    raw = streams.build_watch(
        DOMAIN, replace(WATCH, unit=UnitId(b"\x0a" * 32)), OUTPUT, WORKER.sign(WATCH), AT
    )
    assert streams.open_watch(raw, DOMAIN).client != WORKER.address


def test_the_towers_word_fits_its_watch() -> None:
    raw = streams.build_kept(DOMAIN, KEPT, TOWER.sign(KEPT), AT)
    assert streams.open_kept(raw, DOMAIN, WATCH) == KEPT


@pytest.mark.parametrize(
    ("kept", "signer"), [(KEPT, EVE), (Kept(watch=Digest(bytes(32))), TOWER)], ids=["signer", "watch"]
)
def test_another_word_is_refused(kept: Kept, signer: LocalSigner) -> None:
    raw = streams.build_kept(DOMAIN, kept, signer.sign(kept), AT)
    with pytest.raises(PeerError, match="not the tower's"):
        streams.open_kept(raw, DOMAIN, WATCH)


def test_a_tower_may_refuse() -> None:
    with pytest.raises(Rejected, match=r"not\.client"):
        streams.open_kept(streams.build_refusal(DOMAIN, "not.client", AT), DOMAIN, WATCH)


@settings(max_examples=200)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_garbage_is_refused_and_never_more(garbage: bytes, at: int) -> None:
    whole = built()
    for raw in (garbage, whole[:at], whole[:at] + garbage, codec.encode({"v": 1})):
        if raw == whole:
            continue
        try:
            message = streams.open_watch(raw, DOMAIN)
        except PeerError:
            continue
        assert message.client != WORKER.address or message.watch == WATCH


def test_the_largest_watch_fits_an_exchange() -> None:
    output = bytes(streams.MAX_INLINE)
    raw = built(replace(WATCH, output_root=Root(merkle.root(output))), output)
    assert len(raw) < codec.EXCHANGE_LIMIT
