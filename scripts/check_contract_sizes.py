"""No deployed contract is larger than 22,000 bytes (the EVM's limit is 24,576; the rest is room to grow).

Reads `forge build --sizes --json`. A contract that comes near the gate is split into linked libraries before
it gets there, not after: addresses and storage would move.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parent.parent / "contracts"
LIMIT = 22_000


def sizes() -> dict[str, int]:
    """Contract → runtime bytes, for the contracts of src/ (tests and mocks may be any size)."""
    # forge exits with an error when a test contract is over the EVM's limit; its table is complete anyway
    built = subprocess.run(
        ["bin/forge", "build", "--sizes", "--json"],
        cwd=CONTRACTS,
        capture_output=True,
        text=True,
        check=False,
    )
    own = {path.stem for path in (CONTRACTS / "src").rglob("*.sol")}
    try:
        rows = json.loads(built.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"forge build --sizes failed:\n{built.stdout}{built.stderr}") from None
    return {name: int(row["runtime_size"]) for name, row in rows.items() if name in own}


def main() -> int:
    measured = sizes()
    for name, size in sorted(measured.items(), key=lambda item: -item[1]):
        if size > 100:  # interfaces and libraries without code of their own
            print(f"  {name:24} {size:6} B{'   over the gate' if size > LIMIT else ''}")
    over = [name for name, size in measured.items() if size > LIMIT]
    return 1 if over or not measured else 0


if __name__ == "__main__":
    sys.exit(main())
