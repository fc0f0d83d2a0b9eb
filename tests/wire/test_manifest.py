"""The manifest: one encoding, strict limits, arguments filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core.ids import Root
from blockedge_node.core.job import ENGINE
from blockedge_node.errors import PeerError
from blockedge_node.wire.manifest import MAX_MANIFEST, Manifest, ManifestError

ROOT = Root(bytes(range(32)))
PLAIN = Manifest(wasm=ROOT, argv=("frames",), fuel=1_000_000_000)


def fields(**changes: Any) -> dict[str, Any]:
    return cbor2.loads(PLAIN.encode()) | changes


def test_a_manifest_survives_the_wire() -> None:
    assert Manifest.decode(PLAIN.encode()) == PLAIN
    assert PLAIN.engine == ENGINE


def test_the_order_of_files_does_not_change_the_bytes() -> None:
    one = replace(PLAIN, files={"a": ROOT, "lib/b.py": ROOT})
    two = replace(PLAIN, files={"lib/b.py": ROOT, "a": ROOT})
    assert one.encode() == two.encode()


def test_the_encoding_is_fixed_for_ever() -> None:
    # a change here changes the address of every program on every chain
    assert PLAIN.encode().hex() == (
        "a96176016461726776816666" "72616d6573" "646675656c1a3b9aca00" "647761736d5820" + ROOT.hex()
        + "6566696c6573a0" "656d6572676566636f6e636174" "66656e67696e65" "7818" + ENGINE.encode().hex()
        + "666d656d6f72791a10000000" "697374646f75744d61781a01000000"
    )  # fmt: skip


@given(
    st.builds(
        Manifest,
        wasm=st.just(ROOT),
        argv=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
                      min_size=1, max_size=5).map(tuple),
        files=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.just(ROOT), max_size=5),
        fuel=st.integers(1, 1 << 62),
        memory=st.integers(1, 1 << 14).map(lambda pages: pages << 16),
        stdout_max=st.integers(0, 1 << 26),
        merge=st.sampled_from(["concat", "first", "program"]),
        mapped=st.booleans(),
    )
)  # fmt: skip
def test_any_manifest_survives_the_wire(manifest: Manifest) -> None:
    assert Manifest.decode(manifest.encode()) == manifest


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ManifestError):
        Manifest.decode(raw)


@given(st.integers(0, len(PLAIN.encode()) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_makes_another_manifest(at: int, flip: int) -> None:
    raw = bytearray(PLAIN.encode())
    raw[at] ^= flip
    try:
        other = Manifest.decode(bytes(raw))
    except ManifestError:
        return
    assert other != PLAIN


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"v": 2}, "version 1"),
        ({"v": True}, "v must be"),
        ({"v": 1.0}, "v must be"),
        ({"engine": ""}, "engine"),
        ({"engine": 7}, "engine"),
        ({"wasm": bytes(31)}, "wasm"),
        ({"wasm": "0" * 32}, "wasm"),
        ({"argv": []}, "argv"),
        ({"argv": "frames"}, "argv"),
        ({"argv": [b"frames"]}, "argv"),
        ({"argv": ["a\0b"]}, "argv"),
        ({"argv": ["x" * 40_000]}, "argv takes"),
        ({"files": {"../etc/passwd": ROOT}}, "plain path"),
        ({"files": {"/etc/passwd": ROOT}}, "plain path"),
        ({"files": {"a//b": ROOT}}, "plain path"),
        ({"files": {"a/./b": ROOT}}, "plain path"),
        ({"files": {"a\nb": ROOT}}, "plain path"),
        ({"files": {"": ROOT}}, "plain path"),
        ({"files": {"a": b"short"}}, "content address"),
        ({"files": {"a": ROOT, "a/b": ROOT}}, "inside of another file"),
        ({"files": {str(n): ROOT for n in range(1025)}}, "1025 paths"),
        ({"files": []}, "files must be a map"),
        ({"fuel": 0}, "fuel"),
        ({"fuel": 1 << 63}, "fuel"),
        ({"fuel": 1e9}, "fuel"),
        ({"fuel": True}, "fuel"),
        ({"memory": 65_537}, "memory"),
        ({"memory": 2 << 30}, "memory"),
        ({"memory": 0}, "memory"),
        ({"stdoutMax": -1}, "stdoutMax"),
        ({"stdoutMax": (64 << 20) + 1}, "stdoutMax"),
        ({"merge": "sum"}, "merge"),
        ({"extra": 1}, "keys"),
    ],
)
def test_bad_fields_are_refused_with_their_name(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        Manifest.decode(cbor2.dumps(fields(**changes), canonical=True))


def test_a_missing_key_is_refused() -> None:
    partial = fields()
    del partial["merge"]
    with pytest.raises(ManifestError, match="keys"):
        Manifest.decode(cbor2.dumps(partial, canonical=True))


def test_the_same_data_in_another_order_is_refused() -> None:
    shuffled = dict(reversed(list(fields().items())))
    with pytest.raises(ManifestError, match="deterministic"):
        Manifest.decode(cbor2.dumps(shuffled))


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(ManifestError):
        Manifest.decode(PLAIN.encode() + b"\0")


def test_an_oversized_manifest_is_refused_unread() -> None:
    with pytest.raises(ManifestError, match="limit"):
        Manifest.decode(bytes(MAX_MANIFEST + 1))


def test_a_bad_manifest_counts_as_a_peers_fault() -> None:
    assert issubclass(ManifestError, PeerError)


def test_arguments_are_filled_in() -> None:
    manifest = replace(PLAIN, argv=("render", "{shard}/{shards}", "{param:width}", "{other}", "{"))
    bound = manifest.bind({"width": "800"})
    assert bound.arguments(3, 8) == ("render", "3/8", "800", "{other}", "{")


def test_a_parameter_cannot_smuggle_in_another_placeholder_of_the_requester() -> None:
    # one pass: a value that looks like a placeholder is not expanded again
    bound = replace(PLAIN, argv=("{param:a}", "{param:b}")).bind({"a": "{param:b}", "b": "2"})
    assert bound.argv == ("{param:b}", "2")


def test_missing_and_unknown_parameters_are_errors() -> None:
    manifest = replace(PLAIN, argv=("render", "{param:width}"))
    with pytest.raises(ManifestError, match="missing parameters: width"):
        manifest.bind({})
    with pytest.raises(ManifestError, match="unknown parameters: height"):
        manifest.bind({"width": "1", "height": "2"})
    with pytest.raises(ManifestError, match=r"still holds the parameter \{param:width\}"):
        manifest.arguments(0, 1)


@pytest.mark.parametrize(("shard", "shards"), [(1, 1), (-1, 4), (0, 0), (0, 1025)])
def test_impossible_shards_are_refused(shard: int, shards: int) -> None:
    with pytest.raises(ManifestError, match="shard"):
        PLAIN.arguments(shard, shards)


def test_roots_name_each_blob_once() -> None:
    other = Root(bytes(32))
    manifest = replace(PLAIN, files={"b": other, "a": ROOT, "c": other})
    assert manifest.roots() == (ROOT, other)


def test_a_job_needs_exactly_the_named_files() -> None:
    manifest = replace(PLAIN, files={"model.bin": ROOT})
    with pytest.raises(ManifestError, match="files"):
        manifest.job(wasm=b"", stdin=b"", shard=0, shards=1)
    job = manifest.job(wasm=b"w", stdin=b"in", shard=1, shards=2, files={"model.bin": b"m"})
    assert (job.argv, job.files, job.shard) == (("frames",), {"model.bin": b"m"}, 1)


def test_concat_joins_in_shard_order() -> None:
    assert PLAIN.merged([b"a", b"", b"c"]) == b"ac"


def test_first_takes_the_lowest_shard_that_found_something() -> None:
    search = replace(PLAIN, merge="first")
    assert search.merged([b"none\n", b"7\n", b"9\n"]) == b"7\n"
    assert search.merged([b"none\n", b"none\n"]) == b"none\n"


def test_the_merge_job_is_the_same_program_over_a_list_of_outputs() -> None:
    stats = replace(PLAIN, argv=("csvstats", "{shard}"), merge="program")
    assert stats.merged([b"a", b"bc"]) is None
    job = stats.merge_job([b"a", b"bc"], wasm=b"w")
    assert job.argv == ("csvstats", "merge")
    assert job.stdin == b"\0\0\0\1a\0\0\0\2bc"


def test_map_is_in_the_bytes_only_where_it_is_one() -> None:
    mapped = replace(PLAIN, mapped=True)
    assert "map" not in fields()
    assert cbor2.loads(mapped.encode())["map"] == 1
    assert mapped.job(wasm=b"", stdin=b"", shard=0, shards=1).mapped
    for odd in (0, 2, True, "1", None):
        with pytest.raises(ManifestError, match="map is 1 or absent"):
            Manifest.decode(cbor2.dumps(fields(map=odd), canonical=True))
