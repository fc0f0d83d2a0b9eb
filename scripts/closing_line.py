"""Prints how many tests ran in one line: forge's and pytest's, from what `make test` left in build/."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

BUILD = Path(__file__).resolve().parent.parent / "build"
FORGE_TOTAL = re.compile(r"(\d+) tests passed, (\d+) failed, (\d+) skipped \(\d+ total tests\)")


def forge_counts(log: str) -> tuple[int, int, int]:
    """(passed, failed, skipped) of the last total in forge's output; zeros if there is none."""
    totals = FORGE_TOTAL.findall(log)
    passed, failed, skipped = totals[-1] if totals else (0, 0, 0)
    return int(passed), int(failed), int(skipped)


def pytest_counts(report: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of pytest's JUnit file; an error counts as a failure."""
    passed = failed = skipped = 0
    for suite in ElementTree.parse(report).iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left_out = int(suite.get("skipped", 0))
        passed += int(suite.get("tests", 0)) - bad - left_out
        failed += bad
        skipped += left_out
    return passed, failed, skipped


def main() -> int:
    forge = forge_counts((BUILD / "forge.log").read_text())
    python = pytest_counts(BUILD / "pytest.xml")
    passed, failed, skipped = (a + b for a, b in zip(forge, python, strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
