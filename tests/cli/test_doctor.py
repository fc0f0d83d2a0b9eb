"""`blockedge doctor`: every precondition is a row, every row that fails has a remedy."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockedge_node.cli import doctor
from blockedge_node.cli.context import Session
from blockedge_node.cli.doctor import Row, examine
from blockedge_node.executor import admission, pool

COALITION = """
chain_id = {chain_id}
contract = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
rpc = ["{rpc}"]
"""


@pytest.fixture
def rpc() -> Iterator[tuple[str, dict[str, Any]]]:
    """An endpoint on loopback that answers what the test puts into its table."""
    answers: dict[str, Any] = {
        "eth_chainId": "0x7a69",
        "eth_getBlockByNumber": {"timestamp": hex(int(time.time()))},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": answers[asked["method"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


def rows(data_dir: Path) -> dict[str, Row]:
    return {row.check: row for row in examine(Session(data_dir=data_dir))}


def test_a_fresh_machine_is_told_what_is_missing(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert {"python", "overcommit", "memory", "cgroup", "bubblewrap", "uid", "landlock", "seccomp"} <= set(
        found
    )
    assert found["self-test"].verdict == "ok"
    assert found["limits"].verdict == "ok"
    assert "blockedge init" in found["settings"].remedy
    assert "coalition" in found["chain"].remedy
    assert all(row.remedy for row in found.values() if row.verdict != "ok")


def test_strict_overcommit_and_little_memory_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "memory_warning", lambda: "vm.overcommit_memory is 2")
    monkeypatch.setattr(admission, "total", lambda: 100 << 20)
    found = {row.check: row for row in doctor._memory()}
    assert found["overcommit"].verdict == found["memory"].verdict == "fail"
    assert "sysctl" in found["overcommit"].remedy


def test_a_layer_that_must_stand_and_cannot_is_a_failed_self_test(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('[executor]\nbubblewrap = "off"\nlandlock = "off"\n')
    found = rows(tmp_path)
    assert (found["landlock"].verdict, found["landlock"].found) == ("warn", "switched off")
    assert found["self-test"].verdict == "ok"


def test_wrong_settings_are_a_row_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("[executor]\nslotz = 1\n")
    found = rows(tmp_path)
    assert found["settings"].verdict == "fail"
    assert "slotz" in found["settings"].found


@pytest.mark.parametrize(
    ("chain_id", "age", "verdict", "words"),
    [
        (31337, 1, "ok", "answers"),
        (5, 1, "fail", "chain 31337"),
        (31337, 900, "warn", "s old"),
        (31337, -300, "warn", "is -"),
    ],
)
def test_the_chain_and_the_clock(
    tmp_path: Path, rpc: tuple[str, dict[str, Any]], chain_id: int, age: int, verdict: str, words: str
) -> None:
    url, answers = rpc
    answers["eth_getBlockByNumber"] = {"timestamp": hex(int(time.time()) - age)}
    (tmp_path / "coalition.toml").write_text(COALITION.format(chain_id=chain_id, rpc=url))
    row = doctor._clock_and_chain(Session(data_dir=tmp_path).config)
    assert (row.verdict, words in row.found) == (verdict, True), row


def test_an_endpoint_that_is_away_or_is_something_else(
    tmp_path: Path, rpc: tuple[str, dict[str, Any]]
) -> None:
    url, answers = rpc
    answers["eth_getBlockByNumber"] = None
    (tmp_path / "coalition.toml").write_text(COALITION.format(chain_id=31337, rpc=url))
    assert "no blocks" in doctor._clock_and_chain(Session(data_dir=tmp_path).config).found
    (tmp_path / "coalition.toml").write_text(COALITION.format(chain_id=31337, rpc="http://127.0.0.1:1"))
    assert doctor._clock_and_chain(Session(data_dir=tmp_path).config).verdict == "fail"
