"""The program that docs/programs.md teaches to write does what the guide says.

`wordcount.wasm` was built from the guide's text by the guide's command; `wordcount.sha256` binds the two, so that a
change of the text asks for a new build, and the test needs no compiler.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from blockedge_node.cli.inputs import pieces_of
from blockedge_node.core.job import describe
from blockedge_node.core.merkle import root
from blockedge_node.executor.local import check, local_run, run_local
from blockedge_node.wire.manifest import Manifest

HERE = Path(__file__).parent
GUIDE = HERE.parents[1] / "docs" / "programs.md"
TEXT = (HERE.parents[1] / "docs" / "protocol.md").read_bytes()


@pytest.fixture(scope="module")
def wasm() -> bytes:
    return (HERE / "wordcount.wasm").read_bytes()


@pytest.fixture(scope="module")
def manifest(wasm: bytes) -> Manifest:
    return Manifest(wasm=root(wasm), argv=("wordcount",), merge="program")


def reference(text: bytes) -> bytes:
    words = Counter(re.findall(rb"[a-z]+", text.lower()))
    return b"".join(b"%s %d\n" % pair for pair in sorted(words.items()))


def test_the_module_is_the_guides_text(wasm: bytes) -> None:
    found = re.search(r"```c\n(.*?)```", GUIDE.read_text(), re.S)
    assert found is not None
    digests = {"wordcount.c": hashlib.sha256(found[1].encode()), "wordcount.wasm": hashlib.sha256(wasm)}
    recorded = dict(line.split()[::-1] for line in (HERE / "wordcount.sha256").read_text().splitlines())
    assert recorded == {name: digest.hexdigest() for name, digest in digests.items()}, (
        "the guide's program changed: build it again as the guide says, and record both hashes"
    )


def test_nodes_would_run_it(wasm: bytes, manifest: Manifest) -> None:
    assert check(manifest, wasm) is None


async def test_eight_shards_merged_equal_a_whole_run_and_the_reference(
    wasm: bytes, manifest: Manifest
) -> None:
    whole = await run_local(manifest, wasm, [TEXT])
    parts = pieces_of([TEXT], 8, "lines")
    assert len(parts) == 8
    split = await run_local(manifest, wasm, parts)
    assert split.output == whole.output == reference(TEXT)
    assert reference(TEXT).count(b"\n") > 1000


def test_bad_input_is_an_answer_too(wasm: bytes, manifest: Manifest) -> None:
    found = local_run(manifest, wasm, [b"a" * 64])
    assert describe(found.outcomes[0].result.exit) == "exited with code 2 (bad input)"
