"""Writes tests/golden/guests.json: what every node on the network must get, whatever its processor.

    python tests/golden/build.py            write the table anew
    python tests/golden/build.py --check    change nothing; exit 1, naming each row, if one differs
                                 … --interpreter    … with the referee: wasmtime's interpreter, no native code

pytest checks it on the machine at hand, scripts/test_arm.sh on aarch64. A row that changes without a new
engine id or a rebuilt guest splits the network: change ENGINE first (core/job.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))  # the package, from any directory

from cases import PROGRAMS, cases  # noqa: E402
from table import Table  # noqa: E402


def main() -> None:
    every = cases()
    named = {name.split("/")[1].split()[0] for name in every}
    missing = sorted(path.stem for path in PROGRAMS.glob("*.wasm") if path.stem not in named)
    if missing:
        sys.exit(f"guests without a row: {', '.join(missing)}; add them to cases.py")
    Table(path=HERE / "guests.json", cases=every).main()


if __name__ == "__main__":
    main()
