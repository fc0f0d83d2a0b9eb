"""Every verb, as a user would type it: its answer, its JSON, its exit code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
import trio
from PIL import Image

from blockedge_node.api.models import LogLine
from blockedge_node.api.server import serve
from blockedge_node.programs.frames import encode
from tests.adapters.api.memory import ME, TASK, MemoryBackend
from tests.cli.conftest import CSVSTATS, Cli

FRAMES = [encode(4, 4, bytes([shade]) * 48) for shade in (10, 20, 30)]


def pictures(home: Path) -> Path:
    directory = home / "photos"
    directory.mkdir()
    for number, picture in enumerate(FRAMES):
        (directory / f"{number}.ppm").write_bytes(picture)
    return directory


# ── the node ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_status_says_whether_it_is_ready(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("status")
    assert done.code == 0
    for text in ("0x" + ME.hex(), "ready", "block 7", "1 ether free", "14.0 %", "1 connected"):
        assert text in done.out
    node.ready = False
    assert "chain: no block yet" in (await cli("status")).out
    assert (await cli("status", "--json")).data["ready"] is False


async def test_global_flags_stand_anywhere_and_have_variables(cli: Cli, node: MemoryBackend) -> None:
    for done in (
        await cli("--json", "status"),
        await cli("status", "--json"),
        await cli("status", env={"BLOCKEDGE_JSON": "1"}),
    ):
        assert done.data["peer_id"] == "12D3KooWMe"


@pytest.mark.parametrize(
    ("words", "text", "key"),
    [
        ("id", "12D3KooWMe", "listen"),
        ("peers list", "12D3KooWA", None),
        ("peers add /ip4/127.0.0.1/tcp/9/p2p/12D3KooWNew", "connected to 12D3KooWNew", "peer_id"),
        ("wallet balance", "3 ether", "account"),
        ("wallet exit 5gwei", "", None),
        ("rep show", "n/m = 0/3", "score"),
        ("rep show 0x2222222222222222222222222222222222222222", "21.0 %", "score"),
        ("audit", "the books balance", "holds"),
        ("settings list", "policy.price_floor", None),
        ("pause", "paused", "paused"),
        ("resume", "bidding again", "paused"),
        ("task list", "no jobs", None),
        ("task list --stuck", "nothing is stuck", None),
        ("logs -n 5", "node started", None),
    ],
)
async def test_verbs(cli: Cli, node: MemoryBackend, words: str, text: str, key: str | None) -> None:
    arguments = [word.replace("5gwei", "5 gwei") for word in words.split()]
    done = await cli(*arguments)
    assert done.code == 0, done.err
    assert text in done.out
    if words != "logs -n 5":
        data = (await cli(*arguments, "--json")).data
        assert key is None or key in data


async def test_money_moves_and_says_what_it_cost(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("wallet", "fund", "0.5 ether")
    assert (done.code, node.free) == (0, 15 * 10**17)
    assert "funded 0.5 ether" in done.out
    assert "block 8, 45000 gas" in done.out
    assert (await cli("wallet", "fund", "0.5 ether", "--json")).data["call"] == "fund"
    assert "in 10 min" in (await cli("wallet", "exit", "5 gwei")).out
    assert "5 gwei, can be taken in 10 min" in (await cli("wallet", "balance")).out


async def test_logs_follow_until_stopped(environment: dict[str, str], node: MemoryBackend) -> None:
    command = [sys.executable, "-m", "blockedge_node.cli.app", "logs", "-f"]
    process = await trio.lowlevel.open_process(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    seen = b""
    try:
        with trio.fail_after(60):
            while b"node started" not in seen:
                seen += await process.stdout.receive_some()
            node.lines.append(LogLine(number=2, line={"event": "later", "tx": "0x" + "ab" * 32}))
            while b"later tx=0xabababab" not in seen:
                seen += await process.stdout.receive_some()
    finally:
        process.kill()
        await process.wait()


async def test_program_list_and_version_need_no_daemon(cli: Cli) -> None:
    listed = [item["name"] for item in (await cli("program", "list", "--json")).data]
    assert listed == ["frames", "classify", "csvstats", "spectrum", "render", "powsearch"]
    assert "pow" in (await cli("program", "list")).out
    assert (await cli("program", "check", CSVSTATS, "--json")).data["runs"] is True
    assert (await cli("version")).out.startswith("blockedge ")


async def test_tcp_with_the_nodes_token(cli: Cli, home: Path, nursery: trio.Nursery) -> None:
    async def start(task_status: trio.TaskStatus[list[str]]) -> None:
        token, path = home / "api.token", home / "api.sock"
        await serve(MemoryBackend(), path=path, tcp="127.0.0.1:0", token_file=token, task_status=task_status)

    _, url = await nursery.start(start)
    done = await cli("status", "--api", url, "--data-dir", home, "--json")
    assert done.data["peer_id"] == "12D3KooWMe"
    (home / "api.token").write_text("wrong")
    refused = await cli("status", "--api", url, "--data-dir", home, "--json")
    assert (refused.code, refused.error["code"]) == (1, "unauthorized")


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_photo_job_from_a_directory(cli: Cli, home: Path, node: MemoryBackend) -> None:
    target = home / "out.bin"
    done = await cli("task", "submit", "frames", "--input", pictures(home), "--wait", "-o", target)
    assert done.code == 0, done.err
    assert target.read_bytes() == b"".join(FRAMES)
    assert "3 of 3 shards done" in done.out
    spec = next(iter(node.specs.values()))
    assert (spec.shards, spec.kind, spec.no_demand, spec.label) == (3, "wasm", True, "frames")


async def test_inputs_as_a_shell_expands_them(cli: Cli, home: Path, node: MemoryBackend) -> None:
    files = sorted(pictures(home).iterdir())
    done = await cli("task", "submit", "frames", "--input", *files, "--shards", "2", "--json", "--label", "x")
    assert done.code == 0, done.err
    assert done.data["shards"] == 2
    assert done.data["label"] == "x"


async def test_a_wasm_file_gets_its_input_cut(cli: Cli, home: Path, node: MemoryBackend) -> None:
    shutil.copyfile(CSVSTATS, home / "my.wasm")
    (home / "data").write_bytes(b"a\nbb\nccc\n")
    words = (
        "task",
        "submit",
        home / "my.wasm",
        "--input",
        home / "data",
        "--shards",
        "2",
        "--split",
        "lines",
    )
    done = await cli(
        *words, "--fuel", "5000000", "--price", "0.002 ether", "--weights", "1,1,0", "--rep-min", "0.1"
    )
    assert done.code == 0, done.err
    spec = next(iter(node.specs.values()))
    assert [node.blobs[root] for root in spec.inputs] == [b"a\nbb\n", b"ccc\n"]
    assert (spec.fuel, spec.max_price, spec.rep_min) == (5_000_000, 2 * 10**15, 100_000)
    assert spec.weights.model_dump() == {"price": 5000, "delay": 5000, "rep": 0}


async def test_a_sample_is_classified(cli: Cli, home: Path, node: MemoryBackend) -> None:
    done = await cli("program", "sample", "classify", "-o", home / "digits")
    assert done.code == 0, done.err
    done = await cli("task", "submit", "classify", "--input", home / "digits", "--shards", "3")
    assert done.code == 0, done.err
    spec = next(iter(node.specs.values()))
    assert [len(node.blobs[root]) for root in spec.inputs] == [120 * 74] * 3
    assert "needs no input" in (await cli("program", "sample", "render", "-o", home / "x")).err


async def test_a_program_with_parameters_needs_no_input(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("task", "submit", "render", "--param", "width=64", "-p", "height=48", "--shards", "3")
    assert done.code == 0, done.err
    spec = next(iter(node.specs.values()))
    assert [node.blobs[root] for root in spec.inputs] == [b""] * 3
    assert 10**6 < spec.fuel < 10**8
    assert (await cli("task", "submit", "powsearch", "-p", "bits=9", "-p", "range=4000")).code == 0


async def test_digits_and_sounds_are_converted(cli: Cli, home: Path, node: MemoryBackend) -> None:
    (home / "digits").mkdir()
    for name, size in (("a.png", (8, 8)), ("b.png", (83, 40)), ("c.jpg", (5, 3))):
        Image.new("L", size, 200).save(home / "digits" / name)
    done = await cli("task", "submit", "classify", "-i", home / "digits", "--shards", "1")
    assert done.code == 0, done.err
    with wave.open(str(home / "s.wav"), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\1\2\0\0" * 4096)
    done = await cli("task", "submit", "spectrum", "-i", home / "s.wav")
    assert done.code == 0, done.err
    first, second = node.specs.values()
    digits = node.blobs[first.inputs[0]]
    assert len(digits) == 3 * 75
    assert digits.count(bytes([200])) == 3 * 64
    assert [node.blobs[root] for root in second.inputs] == [b"\1\2" * 1024] * 4


async def test_a_check_with_input_says_what_it_costs(cli: Cli, home: Path) -> None:
    (home / "data").write_text("a,1\nb,2\n" * 50)
    done = await cli("program", "check", CSVSTATS, "--input", home / "data", "--json")
    assert done.code == 0, done.err
    assert 0 < done.data["fuel_used"] < done.data["fuel"]
    assert (done.data["output"], done.data["stderr"]) == (
        len("a,50,50.000000,1.000000,1.000000\n") * 2 + 1,
        "",
    )
    assert "as one unit: --fuel" in (await cli("program", "check", CSVSTATS, "-i", home / "data")).out


async def test_fuel_auto_runs_the_program_here_first(cli: Cli, home: Path, node: MemoryBackend) -> None:
    (home / "data").write_text("a,1\nb,2\n" * 50)
    done = await cli("task", "submit", CSVSTATS, "-i", home / "data", "--fuel", "auto")
    assert done.code == 0, done.err
    spec = next(iter(node.specs.values()))
    assert 10**6 < spec.fuel < 10**8


async def test_a_search_says_its_target(cli: Cli, node: MemoryBackend) -> None:
    words = (
        "task",
        "submit",
        "pow",
        "--challenge",
        "11" * 32,
        "--bits",
        "12",
        "--range",
        "5000",
        "--shards",
        "2",
    )
    done = await cli(*words, "--wait")
    assert done.code == 0, done.err
    spec = next(iter(node.specs.values()))
    data = node.blobs[spec.inputs[0]]
    assert (data[:32], int.from_bytes(data[32:64], "big"), int.from_bytes(data[64:], "big")) == (
        b"\x11" * 32,
        1 << 244,
        5000,
    )
    assert (spec.kind, spec.shards, spec.fuel) == ("pow", 2, 5_000_000)
    assert "found nonces" in done.out


async def test_the_same_key_makes_one_job(cli: Cli, node: MemoryBackend) -> None:
    words = ("task", "submit", "pow", "--challenge", "11" * 32, "--key", "k", "--json")
    assert (await cli(*words)).data["id"] == (await cli(*words)).data["id"]
    assert len(node.done) == 1


async def test_show_explain_result_and_cancel(cli: Cli, home: Path, node: MemoryBackend) -> None:
    job = (await cli("task", "submit", "pow", "--json")).data["id"]
    listed = await cli("task", "list")
    assert job[:10] in listed.out
    shown = await cli("task", "show", job[:12])
    assert "paid" in shown.out
    assert "200000" in shown.out
    assert (await cli("task", "show", "0x" + TASK.hex()[:8], "--json")).data["id"] == job
    story = await cli("task", "explain", job)
    for text in ("request published for 1 shards", "something.new figure=3", "PRICE PART", "won"):
        assert text in story.out
    assert (await cli("task", "explain", TASK.hex(), "--json")).data["kind"] == "task"
    assert len((await cli("task", "result", job)).raw) == 96
    written = await cli("task", "result", job, "-o", home / "r", "--wait", "--json")
    assert (written.data["bytes"], (home / "r").stat().st_size) == (96, 96)
    assert (await cli("task", "cancel", job, "--yes", "--json")).data["state"] == "cancelled"


# ── init ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_init_makes_a_node_and_never_overwrites_one(cli: Cli, home: Path) -> None:
    from blockedge_node.config import load
    from blockedge_node.store import keystore

    example = Path(__file__).resolve().parents[2] / "config" / "coalition.example.toml"
    done = await cli("init", "--data-dir", home / "node", "--light", "--coalition", example, "--json")
    assert done.code == 0, done.err
    config = load(data_dir=home / "node", env={})
    assert config.file == home / "node" / "node.toml"
    password = keystore.password(config.password_file)
    assert keystore.payment_key(config.payment_key, password)
    assert "0x" + keystore.payment_address(config.payment_key).hex() == done.data["address"]
    assert len(keystore.network_key(config.network_key)) == 32
    assert config.coalition_file.read_text() == example.read_text()
    before = config.payment_key.read_bytes()
    again = await cli("init", "--data-dir", home / "node", "--light")
    assert again.code == 2
    assert "never overwritten" in again.err
    assert config.payment_key.read_bytes() == before


async def test_init_tells_a_person_to_back_up(cli: Cli, home: Path) -> None:
    done = await cli("init", "--light")
    assert done.code == 0, done.err
    assert "Back up" in done.out
    assert (home / "config" / "blockedge" / "node.toml").exists()
    assert (home / "state" / "blockedge" / "keys" / "payment.json").exists()
