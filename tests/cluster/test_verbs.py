"""Every verb of the CLI against real daemons, as a new user would try them, and all that can go wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from blockedge_node import programs
from blockedge_node.devnet import anvil, photos
from blockedge_node.executor.local import local_run
from tests.cluster.conftest import Cluster

ETHER = 10**18


@dataclass(frozen=True)
class Cli:
    """`blockedge` as a process, pointed at one node."""

    socket: str

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "blockedge_node.cli.app", "--api", self.socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def ok(self, *arguments: str) -> Any:
        """The answer of a verb that must succeed."""
        done = self.run("--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["data"]

    def fails(self, code: int, *arguments: str) -> str:
        """The sentence of a verb that must fail with this exit code."""
        done = self.run(*arguments)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def cli(network: Cluster) -> Cli:
    return Cli(str(network.devnet.node(1).socket))


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = []
    for number, tile in enumerate(photos.tiles()[:3]):
        path = tmp_path / f"tile{number}.ppm"
        path.write_bytes(tile)
        paths.append(str(path))
    return paths


def inputs(paths: Sequence[str]) -> list[str]:
    return [part for path in paths for part in ("--input", path)]


def test_a_job_from_handing_in_to_its_story(cli: Cli, pictures: list[str], tmp_path: Path) -> None:
    out = tmp_path / "thumbnails.bin"
    done = cli.run(
        "task", "submit", "frames", *inputs(pictures), "--shards", "3", "--wait-settled", "-o", str(out)
    )
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(b"P6\n")

    (job,) = cli.ok("task", "list")
    assert (job["state"], job["shards_settled"]) == ("settled", 3)
    shown = cli.ok("task", "show", job["id"][:10])
    units = [unit for task in shown["tasks"] for unit in task["units"]]
    assert {unit["phase"] for unit in units} == {"paid"}
    assert all(0 < unit["negotiation"] < 30 for unit in units)

    story = cli.run("task", "explain", job["id"][:10]).stdout
    for words in ("request published", "acknowledged", "PAID", "price part"):
        assert words.lower() in story.lower(), words
    assert cli.ok("task", "list", "--stuck") == []

    again = tmp_path / "again.bin"
    assert cli.run("task", "result", job["id"][:10], "-o", str(again)).returncode == 0
    assert again.read_bytes() == out.read_bytes()


def test_a_search_prints_its_nonce(cli: Cli) -> None:
    done = cli.run("task", "submit", "pow", "--bits", "12", "--range", "50000", "--wait")
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout


def test_micro_tasks_share_a_unit(cli: Cli, network: Cluster, tmp_path: Path) -> None:
    """Eight small tables, one of them bad: each has its own answer, and all of them together one unit."""
    tables = [tmp_path / f"{number}.csv" for number in range(8)]
    for number, table in enumerate(tables):
        table.write_bytes(b"a,%d.5\nb,2\n" % number)
    tables[3].write_bytes(b"a,no number\n")
    with network.client(1) as api, api.follow() as events:
        done = cli.run("--json", "task", "map", "csvstats", *map(str, tables))
        heard = _answers_before_the_result(events)
    assert done.returncode == 1, "one of them failed"
    jobs = json.loads(done.stdout)["data"]
    assert len({job["bundle"] for job in jobs}) == 1
    assert [job["place"] for job in jobs] == list(range(8))
    assert [job["exit"] == 0 for job in jobs] == [number != 3 for number in range(8)]
    for number in (0, 7):
        answer = tmp_path / "answer"
        cli.ok("task", "result", jobs[number]["id"], "-o", str(answer))
        assert answer.read_bytes() == _summed_here(tables[number].read_bytes())
        assert heard[jobs[number]["id"]] == answer.read_bytes(), "the worker told it before it committed"
    story = cli.ok("task", "explain", jobs[5]["id"])
    codes = [line["code"] for line in story["notes"]]
    assert {"job.began", "job.bundled", "job.done", "award.made"} <= set(codes)
    bundle = network.ask(1, f"/api/v1/jobs/{jobs[0]['bundle']}")
    assert (bundle["items"], bundle["shards"]) == (8, 1)
    assert "shares a unit" in cli.fails(1, "--yes", "task", "cancel", jobs[0]["id"])


def _answers_before_the_result(events: Iterator[dict[str, Any] | None]) -> dict[str, bytes]:
    heard = {}
    for event in events:
        if event and "provisional" in event:
            heard[event["job"]] = base64.b64decode(event["output"])
        elif event and event["state"] == "done":
            break
    return heard


def _summed_here(table: bytes) -> bytes:
    guest = programs.guest("csvstats")
    found = local_run(guest.manifest([table]), guest.wasm(), [table])
    return found.outcomes[0].output


def test_looking_around(cli: Cli, network: Cluster) -> None:
    status = cli.ok("status")
    assert status["ready"]
    assert status["peers"] == 4
    assert {service["ok"] for service in status["services"]} == {True}
    assert len(cli.ok("peers", "list")) == 4
    assert cli.ok("id")["address"] == network.devnet.node(1).address
    assert cli.ok("rep", "show", network.devnet.node(2).address)["score"] <= 1_000_000
    assert cli.ok("audit")["holds"]
    assert {"frames", "csvstats"} <= {program["name"] for program in cli.ok("program", "list")}
    assert any(row["key"] == "policy.bid_window" for row in cli.ok("settings", "list"))
    assert cli.run("logs").stdout
    assert cli.run("version").returncode == 0


def test_money_goes_in_and_comes_out_after_unbonding(cli: Cli, network: Cluster) -> None:
    before = cli.ok("wallet", "balance")
    cli.ok("wallet", "fund", "1 ether")
    funded = cli.ok("wallet", "balance")
    assert int(funded["account"]["free"]) == int(before["account"]["free"]) + ETHER

    cli.ok("wallet", "exit", "2 ether")
    assert "not before" in cli.fails(5, "wallet", "withdraw")
    anvil.rpc(network.devnet.rpc, "evm_increaseTime", 601)
    anvil.rpc(network.devnet.rpc, "evm_mine")
    cli.ok("wallet", "withdraw")
    after = cli.ok("wallet", "balance")
    assert int(after["account"]["free"]) == int(funded["account"]["free"]) - 2 * ETHER
    assert after["account"]["exit_amount"] == "0"


def test_paused_node_makes_no_bids_until_it_resumes(cli: Cli) -> None:
    cli.ok("pause")
    assert cli.ok("status")["paused"]
    cli.ok("resume")
    assert not cli.ok("status")["paused"]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────


def test_wrong_arguments(cli: Cli, pictures: list[str]) -> None:
    assert "no-such" in cli.fails(2, "task", "submit", "no-such-program", "--input", pictures[0])
    assert "nowhere" in cli.fails(2, "task", "submit", "frames", "--input", "/nowhere/at-all.ppm")
    assert "monkeys" in cli.fails(2, "wallet", "fund", "12 monkeys")
    cli.fails(2, "task", "submit", "frames", *inputs(pictures), "--shards", "9")


def test_a_program_that_is_not_wasm(cli: Cli, tmp_path: Path, pictures: list[str]) -> None:
    script = tmp_path / "run.wasm"
    script.write_text("#!/bin/sh\n")
    assert "not a WebAssembly" in cli.fails(2, "task", "submit", str(script), "--input", pictures[0])


def test_a_program_that_nobody_can_run_is_refused_by_the_daemon_too(cli: Cli) -> None:
    """Whoever speaks to the API has no CLI that looks at the module first."""
    transport = httpx.HTTPTransport(uds=cli.socket)
    with httpx.Client(transport=transport, base_url="http://blockedge/api/v1", timeout=60) as api:
        wasm = api.post("/blobs", content=b"no module").json()["root"]
        program = api.post("/programs", json={"wasm": wasm, "fuel": 1_000_000}).json()["program"]
        spec = {
            "kind": "wasm",
            "program": program,
            "inputs": [wasm],
            "shards": 1,
            "fuel": 1_000_000,
            "max_price": str(10**15),
            "max_delay": 60,
        }
        answer = api.post("/jobs", json=spec)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-data")
        assert "not a WebAssembly module" in answer.json()["detail"]
        answer = api.post("/jobs", json=spec | {"fuel": 2_000_000})
        assert "grants 1000000 fuel" in answer.json()["detail"]


def test_more_than_the_balance(cli: Cli, pictures: list[str]) -> None:
    words = cli.fails(5, "task", "submit", "frames", *inputs(pictures), "--max-price", "50 ether")
    assert "fund" in words or "price" in words


def test_unknown_and_dead(cli: Cli, tmp_path: Path) -> None:
    cli.fails(1, "task", "show", "ffffffffffff")
    gone = Cli(str(tmp_path / "nobody.sock"))
    assert "no daemon answers" in gone.fails(3, "status")


def test_second_daemon_on_the_same_data_is_refused(network: Cluster) -> None:
    directory = network.devnet.node(2).data_dir
    done = subprocess.run(
        [sys.executable, "-m", "blockedge_node.daemon", "run", "--data-dir", str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(network.devnet.node(2).process.pid) in done.stderr
