"""The demo itself, as `make demo` runs it: it ends with an error unless every figure is as it must be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_demo_tells_its_whole_story(tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "net"
    command = [sys.executable, "-m", "blockedge_node.cli.app", "--json", "devnet", "demo"]
    done = subprocess.run(
        [*command, "--dir", str(home), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)["data"]
    assert len(told["photos"]["workers"]) >= 3
    assert int(told["fabricated"]["requester"]) * 2 == int(told["fabricated"]["deposit"])
    assert int(told["refused"]["fine"]) * 10 == int(told["refused"]["deposit"])
    assert told["judged"]["rounds"] >= 1
    assert told["judged"]["wei"]["n4"] == f"-{told['judged']['deposit']}"
    assert told["reputation"]["winners"][0] == "n4"
    assert told["audit"]["sum"] == told["audit"]["balance"]
    assert (out / "photos.png").read_bytes().startswith(b"\x89PNG")
    assert not (home / "devnet.json").exists(), "the demo must leave nothing running"
