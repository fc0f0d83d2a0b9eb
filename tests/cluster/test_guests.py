"""Every program that comes along, by its one line from the README, over real data and several nodes: the merged
result is that of a run on one machine, byte for byte. So is a user's own program, after docs/programs.md."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blockedge_node import programs
from blockedge_node.core.merkle import root
from blockedge_node.executor.local import local_run
from blockedge_node.programs.samples import real
from blockedge_node.wire.manifest import Manifest
from tests.cluster.conftest import Cluster

SHARDS = 6
POLICY = {
    "max_units": 2
}  # six shards need three workers, however late the others' bids come on a busy machine
WORDCOUNT = Path(__file__).parents[1] / "programs" / "wordcount.wasm"
TEXT = Path(__file__).parents[2] / "docs" / "protocol.md"


def submit(network: Cluster, program: str, *options: str) -> Any:
    """`blockedge task submit …`, waited for: the job as the daemon shows it."""
    socket = str(network.devnet.node(1).socket)
    command = [
        sys.executable,
        "-m",
        "blockedge_node.cli.app",
        "--api",
        socket,
        "--json",
        "task",
        "submit",
        program,
    ]
    done = subprocess.run(
        [*command, "--shards", str(SHARDS), *options],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["data"]


def workers(job: Any) -> set[str]:
    return {unit["worker"] for task in job["tasks"] for unit in task["units"]}


@pytest.mark.cluster
@pytest.mark.anvil
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("frames", {}),
        ("classify", {}),
        ("csvstats", {}),
        ("spectrum", {}),
        ("render", {"width": "300", "height": "200"}),
        ("powsearch", {"bits": "14", "range": "60000"}),
    ],
)
def test_a_guest_on_the_network_equals_a_run_on_one_machine(
    network: Cluster, tmp_path: Path, name: str, params: Mapping[str, str]
) -> None:
    guest = programs.guest(name)
    data = real(name) if name != "render" else b""
    options = ["-o", str(tmp_path / "result")]
    if data:
        (tmp_path / "data").write_bytes(data)
        options += ["--input", str(tmp_path / "data")]
    for key, value in params.items():
        options += ["--param", f"{key}={value}"]

    job = submit(network, name, *options)

    whole = guest.split(data, 1, params)
    local = local_run(guest.manifest(whole, params), guest.wasm(), whole, files=guest.files()).output
    assert local is not None
    assert (tmp_path / "result").read_bytes() == local
    assert len(workers(job)) >= 3


@pytest.mark.cluster
@pytest.mark.anvil
def test_the_guides_program_does_too(network: Cluster, tmp_path: Path) -> None:
    result = tmp_path / "result"
    options = [
        "--input",
        str(TEXT),
        "--split",
        "lines",
        "--merge",
        "program",
        "--fuel",
        "auto",
        "-o",
        str(result),
    ]

    job = submit(network, str(WORDCOUNT), *options)

    wasm = WORDCOUNT.read_bytes()
    local = local_run(Manifest(wasm=root(wasm), argv=("wordcount",)), wasm, [TEXT.read_bytes()]).output
    assert result.read_bytes() == local
    assert len(workers(job)) >= 3
