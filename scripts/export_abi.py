"""Writes blockedge_node/chain/abi/<Contract>.json from forge's output: all that Python knows of them.

Each file holds the ABI and the creation bytecode, so that devnet and simulator run exactly what was compiled,
without needing forge. `--check` compares instead of writing and exits 1 on a difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "contracts" / "out"
TARGET = ROOT / "blockedge_node" / "chain" / "abi"

# What is deployed. Interfaces are not exported: their members are part of these.
DEPLOYED = ("BlockEdge", "PowJudge", "Court")


def exported(name: str) -> str:
    """The file's text for one contract. Raises SystemExit if forge has not built it."""
    path = OUT / f"{name}.sol" / f"{name}.json"
    if not path.exists():
        raise SystemExit(f"{path.relative_to(ROOT)} is missing; run: make abi")
    built = json.loads(path.read_text())
    if built["bytecode"].get("linkReferences"):
        raise SystemExit(f"{name} needs linked libraries, which this export does not know how to place")
    abi = sorted(
        built["abi"], key=lambda item: (item["type"], item.get("name", ""), len(item.get("inputs", [])))
    )
    return (
        json.dumps({"contract": name, "abi": abi, "bytecode": built["bytecode"]["object"]}, indent=1) + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="export ABIs and bytecode for Python")
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    check = parser.parse_args().check
    stale = []
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in DEPLOYED:
        if not (ROOT / "contracts" / "src" / f"{name}.sol").exists():
            continue  # a contract of a later stage
        path, text = TARGET / f"{name}.json", exported(name)
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(path.relative_to(ROOT))
        else:
            path.write_text(text)
    for path in stale:
        print(f"{path} differs from the contracts; run: make abi")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
