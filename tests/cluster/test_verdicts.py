"""Four of the cheats that `devnet verdicts` plays, on ten real daemons: a jury for and against, and two timeouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockedge_node.devnet import commands

ONLY = ("fabricated", "false-accusation", "withheld-reveal", "refusal-after-ack")


@pytest.mark.timeout(420)  # ten daemons start in a minute on two busy cores; a jury takes another
def test_cheats_end_as_they_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict or an account that is not as it must be raises."""
    told = commands.verdicts(dir=tmp_path / "net", only=ONLY)
    rows = {row["name"]: row for row in told["verdicts"]}
    assert set(rows) == set(ONLY)
    assert rows["fabricated"]["rounds"] >= 1
    assert "4 of 4 verdicts as expected" in capsys.readouterr().out
    assert not (tmp_path / "net" / "devnet.json").exists(), "the verdicts must leave nothing running"
