"""Machine code is kept only if we made it: whatever else lies in the directory is compiled again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blockedge_node.core.job import Ending, ending_of
from blockedge_node.executor import probe
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.pool import Pool


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "native"


def test_what_was_put_is_found(place: Path) -> None:
    cache = Cache(place)
    assert cache.get(b"module") is None
    cache.put(b"module", b"code")
    assert cache.get(b"module") == b"code"
    assert cache.get(b"another") is None
    cache.forget(b"module")
    assert cache.get(b"module") is None


def test_only_we_can_look(place: Path) -> None:
    place.mkdir(mode=0o777)
    cache = Cache(place)
    cache.put(b"module", b"code")
    assert place.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in place.iterdir()] == [0o600]


def test_a_directory_that_is_a_link_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="remove it"):
        Cache(place)


@pytest.mark.parametrize(
    "forge",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: bytes(32) + data[32:],
        lambda data: data[:31],
        lambda data: b"",
    ],
    ids=["cut", "longer", "flipped", "no-mac", "short", "empty"],
)
def test_a_file_that_was_touched_is_removed(place: Path, forge: Any) -> None:
    cache = Cache(place)
    cache.put(b"module", b"machine code")
    (file,) = place.iterdir()
    file.write_bytes(forge(file.read_bytes()))
    assert cache.get(b"module") is None
    assert not file.exists()


def test_a_file_of_another_node_or_program_does_not_pass(place: Path, tmp_path: Path) -> None:
    cache, foreign = Cache(place), Cache(tmp_path / "foreign")
    foreign.put(b"module", b"evil")
    (file,) = (tmp_path / "foreign").iterdir()
    (place / file.name).write_bytes(file.read_bytes())
    assert cache.get(b"module") is None

    cache.put(b"one", b"one's code")
    (one,) = place.iterdir()
    cache.put(b"two", b"two's code")
    (two,) = set(place.iterdir()) - {one}
    two.write_bytes(one.read_bytes())
    assert cache.get(b"two") is None
    assert cache.get(b"one") == b"one's code"


def test_a_link_is_not_followed(place: Path, tmp_path: Path) -> None:
    cache = Cache(place)
    cache.put(b"module", b"code")
    (file,) = place.iterdir()
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert cache.get(b"module") is None


def test_an_earlier_life_leaves_nothing(place: Path) -> None:
    Cache(place).put(b"module", b"code")
    assert Cache(place).get(b"module") is None
    assert list(place.iterdir()) == []


def test_the_longest_unused_goes_first(place: Path) -> None:
    cache = Cache(place, size=3 * 132)
    for at, name in enumerate((b"a", b"b", b"c")):
        cache.put(name, bytes(100))
        for file in place.iterdir():
            os.utime(file, (at, at)) if file.stat().st_mtime > 10 else None
    assert cache.get(b"a") is not None  # now used last
    cache.put(b"d", bytes(100))
    assert cache.get(b"b") is None
    assert {name for name in (b"a", b"c", b"d") if cache.get(name)} == {b"a", b"c", b"d"}
    cache.put(b"e", bytes(1000))  # more than the cache takes
    assert cache.get(b"e") is None


async def test_a_program_is_compiled_once_and_gives_the_same(place: Path) -> None:
    async with Pool(slots=1, cache=Cache(place)) as pool:
        first = await pool.run(probe.JOB, wall=60)
        (file,) = place.iterdir()
        written = file.stat().st_ino
        again = await pool.run(probe.JOB, wall=60)
        assert first.result == again.result == probe.RESULT
        assert file.stat().st_ino == written


async def test_a_poisoned_cache_changes_no_result(place: Path, make: Any) -> None:
    """Someone writes the machine code of another program, or noise, under this one's name."""
    async with Pool(slots=1, cache=Cache(place)) as pool:
        await pool.run(probe.JOB, wall=60)
        (ours,) = place.iterdir()
        await pool.run(make("unreachable"), wall=60)
        (other,) = set(place.iterdir()) - {ours}
        for poison in (other.read_bytes(), os.urandom(10_000), ours.read_bytes()[:5000]):
            ours.write_bytes(poison)
            assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_limits_belong_to_the_job_not_to_the_cached_code(place: Path, make: Any) -> None:
    async with Pool(slots=1, cache=Cache(place)) as pool:
        large = make(memory="32", memory_limit=2 << 20)
        assert (await pool.run(large, wall=60)).result.exit == 0
        small = replace(large, memory=1 << 20)
        assert ending_of((await pool.run(small, wall=60)).result.exit)[0] == Ending.INVALID
        assert "memory" in str(await pool.check(small))
        assert "bytes" in str(await pool.check(replace(large, argv=("x" * 70_000,))))
        assert await pool.check(large) is None
