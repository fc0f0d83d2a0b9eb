"""Writes tests/vectors/*.json from blockedge_node.core: one formula, two languages, one file (invariant 17).

    python tests/vectors/build.py            write what has changed
    python tests/vectors/build.py --check    change nothing; exit 1 if a file is not what it would write

README.md describes the format. Cases are the corners by hand, then some by a counter under keccak: the same
at every run. test_vectors.py reads the files back and recomputes every figure, the digests by a second
implementation.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))  # the package, from any directory

from columns import Json  # noqa: E402
from judging import pow_searches, sortitions  # noqa: E402
from juries import juries  # noqa: E402
from rules import deadline_tables, reputations, selections  # noqa: E402
from signing import commitments, eip712, merkle_trees  # noqa: E402

FILES: dict[str, Callable[[], Json]] = {
    "eip712.json": eip712,
    "commitment.json": commitments,
    "merkle.json": merkle_trees,
    "selection.json": selections,
    "reputation.json": reputations,
    "deadlines.json": deadline_tables,
    "pow.json": pow_searches,
    "sortition.json": sortitions,
    "jury.json": juries,
}


def text_of(build: Callable[[], Json]) -> str:
    return json.dumps(build(), indent=1) + "\n"


def main(arguments: list[str]) -> int:
    stale = []
    for name, build in FILES.items():
        path, text = HERE / name, text_of(build)
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text)
    if "--check" in arguments and stale:
        print(f"vectors out of date: {', '.join(stale)}; run `make vectors` and look at the difference")
        return 1
    print(
        f"vectors: {len(FILES)} files, {len(stale)} written" if stale else f"vectors: {len(FILES)} up to date"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
