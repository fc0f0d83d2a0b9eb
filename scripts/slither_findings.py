"""Compares slither's findings with those that docs/decisions/0009-slither.md argues are none.

Every high or medium finding must be in ACCEPTED, and every entry of ACCEPTED must still be found: an exception
that no longer applies is one that a later mistake could hide behind. Low findings are counted only.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

GATED = ("High", "Medium")

# (detector, where it strikes); the arguments are in the decision, under the detector's name
ACCEPTED = {
    ("uninitialized-state", "State._dockets"),
    ("uninitialized-state", "State._reports"),
    ("uninitialized-state", "State._demands"),
    ("uninitialized-state", "State._firstOf"),
    ("uninitialized-state", "State._reporters"),
    ("uninitialized-state", "State._announcements"),
    ("uninitialized-state", "State._auctions"),
    ("uninitialized-storage", "_openDemand.found"),
    ("uninitialized-local", "reveal.flags"),
    ("uninitialized-local", "reveal.fourth"),
    ("incorrect-exp", "Hashing.root"),
    ("msg-value-in-nonpayable", "Disputes._payDues"),
    ("reentrancy-no-eth", "Bonds._closeReports"),
    ("write-after-write", "_settleContested.words"),
    ("arbitrary-send-eth", "Tickets._send"),
    ("divide-before-multiply", "Reputation._scoreOfRep"),
    ("divide-before-multiply", "Selection.score"),
    ("unused-return", "Units._requireSigner"),
}


def place(finding: dict[str, Any]) -> tuple[str, str]:
    """The detector's name, and `Contract.member` of the first element that it points at."""
    element = finding["elements"][0]
    parent = element.get("type_specific_fields", {}).get("parent", {}).get("name", "")
    return finding["check"], f"{parent}.{element['name']}"


def main(path: str) -> int:
    """Exit code 0 if the findings are exactly the accepted ones."""
    report = json.loads(Path(path).read_text())
    if not report["success"]:
        print(f"slither failed: {report['error']}", file=sys.stderr)
        return 1
    findings = report["results"].get("detectors", [])
    gated = [finding for finding in findings if finding["impact"] in GATED]
    new = [finding for finding in gated if place(finding) not in ACCEPTED]
    gone = ACCEPTED - {place(finding) for finding in gated}
    for finding in new:
        print(f"new {finding['impact'].lower()} finding: {finding['description'].strip()}", file=sys.stderr)
    for detector, where in sorted(gone):
        print(f"accepted, but no longer found: {detector} at {where}", file=sys.stderr)
    if new or gone:
        print("fix it, or argue it in docs/decisions/0009-slither.md and ACCEPTED", file=sys.stderr)
        return 1
    low = Counter(finding["check"] for finding in findings if finding["impact"] == "Low")
    counted = ", ".join(f"{number} {check}" for check, number in sorted(low.items())) or "none"
    print(f"no high or medium finding beyond the {len(ACCEPTED)} argued ones; low: {counted}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
