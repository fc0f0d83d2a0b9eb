#!/usr/bin/env python3
"""Write what the node needs of the compiled contracts: blockedge_node/chain/abi/<Name>.json.

Each file is {"abi": …, "bytecode": "0x…", "deployedBytecode": "0x…"}, compiled under the default profile.
Run by `make abi`; with --check it only compares and exits 1 if a file is stale.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).resolve().parent.parent
TARGET = CONTRACTS.parent / "blockedge_node" / "chain" / "abi"
NAMES = ("Auctions", "BlockEdge", "Court", "Disputes", "PowJudge", "Reports")


def artifact(name: str) -> dict[str, Any]:
    """forge's output for the contract `name`, which lies in a file of the same name."""
    loaded: dict[str, Any] = json.loads((CONTRACTS / "out" / f"{name}.sol" / f"{name}.json").read_text())
    return loaded


def exported(name: str) -> str:
    compiled = artifact(name)
    abi = compiled["abi"]
    if name == "BlockEdge":
        # The interface names every parameter, also of the calls that its siblings execute, and lists
        # their errors, which solc does not see in BlockEdge's own code.
        interface = artifact("IBlockEdge")["abi"]
        declared = {(entry["type"], entry.get("name")) for entry in interface}
        abi = interface + [entry for entry in abi if (entry["type"], entry.get("name")) not in declared]
    files = {
        "abi": sorted(abi, key=lambda entry: (entry["type"], entry.get("name", ""))),
        "bytecode": compiled["bytecode"]["object"],
        "deployedBytecode": compiled["deployedBytecode"]["object"],
    }
    return json.dumps(files, indent=1) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if a file is stale")
    check: bool = parser.parse_args().check

    subprocess.run(["bin/forge", "build", "--skip", "test"], cwd=CONTRACTS, check=True)
    stale = []
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        path, text = TARGET / f"{name}.json", exported(name)
        if not path.exists() or path.read_text() != text:
            stale.append(path.name)
            if not check:
                path.write_text(text)
    if stale and check:
        sys.stderr.write(f"stale: {', '.join(stale)}; run `make abi`\n")
        return 1
    sys.stdout.write(f"{'checked' if check else 'written'}: {', '.join(NAMES)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
