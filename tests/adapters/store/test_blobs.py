"""Blobs on real files: whole or not there, checked, and gone when nobody needs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import merkle
from blockedge_node.core.ids import Root
from blockedge_node.errors import PeerError, Transient
from blockedge_node.store.blobs import Blobs
from blockedge_node.store.transfers import Partial

BIG = bytes(i * 31 % 251 for i in range(5 * merkle.CHUNK + 17))


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def blobs(tmp_path: Path, clock: Clock) -> Blobs:
    return Blobs(tmp_path, clock=clock)


@pytest.mark.parametrize("data", [b"", b"x", bytes(1024), bytes(1025), BIG], ids=len)
def test_blob_comes_back_by_its_address(blobs: Blobs, data: bytes, tmp_path: Path) -> None:
    root = blobs.put(data)
    assert root == merkle.root(data)
    for store in (blobs, Blobs(tmp_path)):
        assert store.get(root) == data
        assert store.has(root)
        assert store.size(root) == len(data)
        assert store.leaves(root) == merkle.leaves(data)
        path = store.path(root)
        assert path is not None
        assert path.read_bytes() == data
    assert blobs.put(data) == root


def test_what_is_not_there_is_none(blobs: Blobs) -> None:
    root = Root(bytes(32))
    assert (blobs.get(root), blobs.path(root), blobs.size(root), blobs.leaves(root)) == (None,) * 4
    assert not blobs.has(root)
    assert blobs.chunks(root, 0, 5) == b""


def test_chunks_are_served_from_anywhere(blobs: Blobs) -> None:
    root = blobs.put(BIG)
    assert blobs.chunks(root, 0, 2) == BIG[:2048]
    assert blobs.chunks(root, 4, 64) == BIG[4096:]
    assert blobs.chunks(root, 6, 1) == b""


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_upload_in_pieces_is_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    with blobs.upload() as upload:
        for piece in pieces:
            upload.write(piece)
        root = upload.finish()
    assert root == merkle.root(b"".join(pieces))
    assert blobs.get(root) == b"".join(pieces)


def test_upload_that_fails_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    def broken() -> None:
        with blobs.upload() as upload:
            upload.write(BIG)
            raise RuntimeError("client went away")

    with pytest.raises(RuntimeError, match="client went away"):
        broken()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.used == 0


CHUNKS = list(merkle.chunks(BIG))
ROOT, LEAVES = merkle.root(BIG), merkle.leaves(BIG)


def download(blobs: Blobs, upto: int) -> Partial:
    """A download of BIG, begun or resumed, that has come as far as chunk `upto`."""
    partial = blobs.partial(ROOT, len(BIG), LEAVES)
    while partial.next < upto:
        partial.add(CHUNKS[partial.next])
    return partial


def test_broken_download_resumes_where_it_ended(blobs: Blobs, tmp_path: Path) -> None:
    download(blobs, 2).close()
    assert blobs.partial(ROOT, len(BIG), LEAVES).next == 2
    assert not blobs.has(ROOT)
    restarted = Blobs(tmp_path)
    resumed = restarted.partial(ROOT, len(BIG), LEAVES)
    assert (resumed.next, resumed.complete) == (2, False)
    with pytest.raises(ValueError, match="lacks chunks from 2"):
        resumed.finish()
    download(restarted, len(CHUNKS)).finish()
    assert restarted.get(ROOT) == BIG
    assert list((tmp_path / "partial").iterdir()) == []


@pytest.mark.parametrize("damage", [lambda raw: raw[:1500], lambda raw: raw[:1030] + b"\xff" + raw[1031:]])
def test_torn_download_resumes_at_its_last_good_chunk(
    blobs: Blobs, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    download(blobs, 4).close()
    file = tmp_path / "partial" / ROOT.hex()
    file.write_bytes(damage(file.read_bytes()))
    restarted = Blobs(tmp_path)
    assert restarted.partial(ROOT, len(BIG), LEAVES).next == 1
    download(restarted, len(CHUNKS)).finish()
    assert Blobs(tmp_path).get(ROOT) == BIG


def test_false_leaves_on_disk_are_not_believed(blobs: Blobs, tmp_path: Path) -> None:
    download(blobs, 2).close()
    (tmp_path / "partial" / f"{ROOT.hex()}.leaves").write_bytes(bytes(6 * 32))
    assert Blobs(tmp_path).partial(ROOT, len(BIG), LEAVES).next == 0


@pytest.mark.parametrize("chunk", [b"", CHUNKS[0], CHUNKS[2], CHUNKS[1][:-1], CHUNKS[1] + b"x"])
def test_false_chunk_is_its_senders_fault_and_spoils_nothing(blobs: Blobs, chunk: bytes) -> None:
    partial = download(blobs, 1)
    with pytest.raises(PeerError, match="chunk 1 of blob"):
        partial.add(chunk)
    partial.close()
    partial = download(blobs, len(CHUNKS))
    with pytest.raises(PeerError):
        partial.add(b"")
    partial.finish()
    assert blobs.get(ROOT) == BIG


def test_false_size_of_one_peer_does_not_spoil_what_others_send(blobs: Blobs, tmp_path: Path) -> None:
    """The leaf hashes fit any size of as many chunks; only the last chunk tells."""
    assert merkle.fits(LEAVES, ROOT, len(BIG) + 5)
    blobs.partial(ROOT, len(BIG) + 5, LEAVES).close()
    for store in (blobs, Blobs(tmp_path)):
        partial = download(store, len(CHUNKS))
        partial.close()
        assert partial.complete
    download(Blobs(tmp_path), len(CHUNKS)).finish()
    assert Blobs(tmp_path).get(ROOT) == BIG


def test_quota_drops_the_longest_unused_first(tmp_path: Path, clock: Clock) -> None:
    blobs = Blobs(tmp_path, quota=3000, clock=clock)
    roots = []
    for i in range(3):
        clock.now += 1
        roots.append(blobs.put(bytes([i]) * 1000))
    clock.now += 1
    blobs.get(roots[0])  # used again
    newest = blobs.put(b"\x09" * 1000)
    assert [blobs.has(root) for root in (*roots, newest)] == [True, False, True, True]
    assert blobs.used == 3000


def test_pinned_blobs_stay_and_a_full_store_says_so(tmp_path: Path, clock: Clock) -> None:
    blobs = Blobs(tmp_path, quota=2000, clock=clock)
    root = blobs.put(bytes(1000))
    blobs.pin(root)
    with pytest.raises(Transient, match="blob store is full"):
        blobs.put(b"\x01" * 1001)
    with pytest.raises(Transient, match="blob store is full"):
        blobs.partial(Root(bytes(32)), 1 << 20, ())
    assert blobs.has(root)
    assert list((tmp_path / "partial").iterdir()) == []
    blobs.unpin(root)
    assert blobs.get(blobs.put(b"\x01" * 1001)) is not None
    assert not blobs.has(root)


def test_prune_by_age_spares_what_is_used_pinned_or_kept(blobs: Blobs, clock: Clock, tmp_path: Path) -> None:
    old, used, pinned, kept = (blobs.put(bytes([i]) * 2000) for i in range(4))
    blobs.pin(pinned)
    clock.now += 100
    blobs.path(used)
    assert blobs.prune(50, keep=[kept]) == 2000 + 64
    assert [blobs.has(root) for root in (old, used, pinned, kept)] == [False, True, True, True]
    assert blobs.used == Blobs(tmp_path).used == 3 * 2064


def test_prune_forgets_abandoned_downloads(blobs: Blobs, clock: Clock, tmp_path: Path) -> None:
    download(blobs, 1).close()
    long_ago = clock.now - 100
    for file in (tmp_path / "partial").iterdir():
        os.utime(file, (long_ago, long_ago))
    blobs.prune(50)
    assert list((tmp_path / "partial").iterdir()) == []
    assert blobs.partial(ROOT, len(BIG), LEAVES).next == 0


WRITER = """
import sys
from pathlib import Path
from blockedge_node.store.blobs import Blobs
blobs = Blobs(Path(sys.argv[1]))
for i in range(100_000):
    print(blobs.put(i.to_bytes(4, "big") * 4000).hex(), flush=True)
"""


def test_killed_writer_leaves_no_half_blob(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(8)]
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.read().split("\n")[:-1]
    blobs = Blobs(tmp_path)
    names = [path.name for path in (tmp_path / "blobs").glob("*/*") if len(path.name) == 64]
    assert set(told) <= set(names)
    for name in names:
        data = blobs.get(Root(bytes.fromhex(name)))
        assert data is not None
        assert merkle.root(data).hex() == name
        assert blobs.leaves(Root(bytes.fromhex(name))) == merkle.leaves(data)
