"""The golden table on this machine; `make test-arm` asks the same of aarch64."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parents[2] / "golden" / "build.py"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("referee", [[], ["--interpreter"]], ids=["compiled", "interpreted"])
def test_this_machine_gives_every_row_of_the_golden_table(referee: list[str]) -> None:
    """In a process of its own, exactly as on aarch64: nothing of the tests' environment may matter."""
    done = subprocess.run(
        [sys.executable, "-B", str(TABLE), "--check", *referee], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differ" in done.stdout
