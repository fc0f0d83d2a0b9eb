"""What goes wrong, one sentence each, with the exit code that says whose turn it is. Never a traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from blockedge_node.cli.app import main
from blockedge_node.errors import Transient
from tests.adapters.api.memory import MemoryBackend
from tests.cli.conftest import CSVSTATS, Cli

USAGE, FAILURE, UNREACHABLE, TIMEOUT, CHAIN = 2, 1, 3, 4, 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("fly", "No such command"),
        ("status --nope", "No such option"),
        ("task", "Usage"),
        (
            "task submit nope",
            "there is no program 'nope': name one of frames, classify, csvstats, spectrum, render, powsearch, pow",
        ),
        ("task submit missing.wasm", "there is no file missing.wasm"),
        ("task submit frames", "frames needs an input"),
        ("task submit frames --input missing.ppm", "there is no file missing.ppm"),
        ("task submit pow --challenge 12", "--challenge takes 32 bytes of hex"),
        ("task submit pow --bits 999", "less than or equal to 256"),
        ("task submit pow --shards 4096", "less than or equal to 1024"),
        ("task submit pow --weights 1,2", "--weights takes three whole numbers"),
        ("task submit pow --price 0.1", "not a whole number of wei"),
        ("task submit pow --input x", "pow takes no --input"),
        ("task submit pow --range 9223372036854775807 --shards 8", "do not fit into 64 bits"),
        ("task submit pow -o /nowhere/x", "no directory /nowhere"),
        ("wallet fund lots", "not an amount"),
        ("wallet fund 1.5", "not a whole number of wei"),
        ("task result abcd --json", "name a file with -o"),
        ("status --timeout soon", "valid number"),
    ],
)
def test_wrong_arguments_end_with_2(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    text: str,
) -> None:
    """In this process: there are many, and none of them gets as far as a daemon."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["blockedge", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == USAGE
    captured = capsys.readouterr()
    assert text in captured.err + captured.out


async def test_a_dead_daemon_ends_with_3(cli: Cli, home: Path) -> None:
    for words in ("status", "task list", "wallet balance", "logs", "audit", "task show abcd"):
        done = await cli(*words.split())
        assert (done.code, done.out) == (UNREACHABLE, "")
        assert "no daemon answers at" in done.err
        assert "blockedge-node run" in done.err
    assert (await cli("status", "--json")).error["code"] == "unreachable"
    (home / "api.sock").write_text("")  # a file, not a socket
    assert (await cli("status")).code == UNREACHABLE
    assert (await cli("status", "--api", "http://127.0.0.1:1")).code == USAGE  # no token file there


async def test_a_wrong_setting_ends_with_2(cli: Cli, home: Path) -> None:
    (home / "node.toml").write_text("[policy]\nprise_floor = 1")
    done = await cli("status", "--config", home / "node.toml", without="BLOCKEDGE_API")
    assert done.code == USAGE
    assert "the nearest valid key is 'policy.price_floor'" in done.err
    assert (await cli("status", "--config", home / "none", without="BLOCKEDGE_API")).code == USAGE


async def test_a_slow_daemon_ends_with_4(cli: Cli, home: Path, nursery: trio.Nursery) -> None:
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(home / "api.sock"))
    listener.listen(8)  # it is there, and never answers
    done = await cli("status", "--timeout", "0.5")
    listener.close()
    assert done.code == TIMEOUT
    assert "did not answer within" in done.err


async def test_a_job_that_takes_too_long_ends_with_4(cli: Cli, node: MemoryBackend) -> None:
    node.solves = False
    done = await cli("task", "submit", "pow", "--wait", "--timeout", "1")
    assert done.code == TIMEOUT
    assert "0 of 4 shards done" in done.err
    assert "it goes on" in done.err


async def test_an_unfunded_wallet_ends_with_5(cli: Cli, node: MemoryBackend) -> None:
    node.free = 0
    done = await cli("task", "submit", "pow")
    assert done.code == CHAIN
    assert "blockedge wallet fund" in done.err
    assert (await cli("wallet", "fund", "9 ether")).code == CHAIN
    assert (await cli("wallet", "withdraw", "--json")).error["code"] == "chain"


async def test_a_file_that_is_not_wasm(cli: Cli, home: Path, node: MemoryBackend) -> None:
    (home / "script.wasm").write_text("#!/bin/sh")
    done = await cli("task", "submit", home / "script.wasm")
    assert done.code == USAGE
    assert "is not a WebAssembly module" in done.err
    (home / "text.wasm").write_text("(module)")
    assert "wat2wasm" in (await cli("task", "submit", home / "text.wasm")).err
    (home / "big.wasm").write_bytes(b"\0asm\x01\0\0\0")
    with (home / "big.wasm").open("r+b") as file:
        file.truncate(33 * 2**20)
    done = await cli("task", "submit", home / "big.wasm")
    assert done.code == USAGE
    assert f"a program may have {32 * 2**20} at most" in done.err
    (home / "junk.wasm").write_bytes(b"\0asm\x01\0\0\0junk")
    for words in (("task", "submit"), ("program", "check")):
        done = await cli(*words, home / "junk.wasm")
        assert done.code == USAGE
        assert "is not a program that nodes can run" in done.err
    assert not node.done


async def test_an_input_that_is_too_large(cli: Cli, home: Path, node: MemoryBackend) -> None:
    shutil.copyfile(CSVSTATS, home / "my.wasm")
    (home / "data").write_bytes(bytes(1_000_001))  # the daemon of these tests takes 1 000 000
    done = await cli("task", "submit", home / "my.wasm", "--input", home / "data")
    assert done.code == USAGE
    assert "1000000 bytes at most" in done.err
    with (home / "data").open("r+b") as file:
        file.truncate(257 * 2**20)
    done = await cli("task", "submit", home / "my.wasm", "--input", home / "data")
    assert done.code == USAGE
    assert "raise --shards" in done.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--input data --shards 20", "too few bytes for 20 shards"),
        ("--input data --split words", "--split is one of"),
        ("--input data --merge sum", "--merge is one of"),
        ("--input data --fuel much", '--fuel takes a whole number or "auto"'),
        ("--input data --input data --shards 3", "2 inputs make 2 shards, not 3"),
        ("--input empty", "holds no files"),
        ("--fuel auto --input data", "the dry run ended badly"),
    ],
)
async def test_a_program_and_its_input_must_fit(cli: Cli, home: Path, words: str, text: str) -> None:
    shutil.copyfile(CSVSTATS, home / "my.wasm")
    (home / "data").write_bytes(b"0123456789")
    (home / "empty").mkdir()
    arguments = [str(home / word) if word in ("data", "empty") else word for word in words.split()]
    done = await cli("task", "submit", home / "my.wasm", *arguments)
    assert done.code == USAGE, done.err
    assert text in done.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("render --param width", "--param takes NAME=VALUE"),
        ("render --param width=0", "takes a whole number from 1 to 32768"),
        ("render -p width=9 -p width=8", "given twice"),
        ("render --param zoom=2", "no parameter 'zoom': it takes width=800"),
        ("render --input data", "takes no --input"),
        ("frames --param x=1 --input data", "no parameter 'x': it takes none"),
        ("classify", "classify needs an input"),
        ("classify --arg x --input data", "brings its own arguments"),
        ("classify --input data", "not a binary PGM picture"),
        ("spectrum --input data", "0 windows of 1024 samples cannot be cut"),
        ("spectrum --input sound.wav", "not a WAV file"),
        ("powsearch --input data", "a challenge has 32 bytes, not 10"),
        ("pow --param bits=3", "pow takes no --param"),
        ("my.wasm --param bits=3", "give a .wasm file its arguments with --arg"),
    ],
)
async def test_parameters_and_inputs_of_guests_must_fit(cli: Cli, home: Path, words: str, text: str) -> None:
    shutil.copyfile(CSVSTATS, home / "my.wasm")
    for name in ("data", "sound.wav"):
        (home / name).write_bytes(b"0123456789")
    files = ("data", "sound.wav", "my.wasm")
    done = await cli("task", "submit", *(home / word if word in files else word for word in words.split()))
    assert done.code == USAGE, done.err
    assert text in done.err


async def test_a_picture_that_is_none(cli: Cli, home: Path) -> None:
    for name in ("photo.ppm", "photo.jpg"):
        (home / name).write_text("hello")
        done = await cli("task", "submit", "frames", "--input", home / name)
        assert done.code == USAGE
        assert "picture" in done.err


async def test_ids(cli: Cli, node: MemoryBackend) -> None:
    for _ in range(2):
        await cli("task", "submit", "pow")
    done = await cli("task", "show", "ab01")  # two jobs share the memory backend's one task
    assert done.code == USAGE
    assert "write more digits" in done.err
    assert "task 0xab01" in done.err
    assert (await cli("task", "show", "hello")).code == USAGE
    unknown = await cli("task", "show", "dead", "--json")
    assert (unknown.code, unknown.error["code"]) == (FAILURE, "not-found")


async def test_what_the_daemon_cannot_do_ends_with_1(cli: Cli, node: MemoryBackend) -> None:
    node.solves = False
    job = (await cli("task", "submit", "pow", "--json")).data["id"]
    early = await cli("task", "result", job)
    assert (early.code, early.raw) == (FAILURE, b"")
    assert "shards are done" in early.err
    far = await cli("peers", "add", "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWFar")
    assert far.code == FAILURE
    assert "no answer" in far.err
    node.break_with = Transient("the chain is away")
    assert (await cli("status")).code == FAILURE
    node.break_with = KeyError("x")
    assert "blockedge logs" in (await cli("status")).err


async def test_a_result_never_leaves_half_a_file(cli: Cli, home: Path, node: MemoryBackend) -> None:
    node.solves = False
    job = (await cli("task", "submit", "pow", "--json")).data["id"]
    assert (await cli("task", "result", job, "-o", home / "r")).code == FAILURE
    assert sorted(path.name for path in home.iterdir()) == ["api.sock"]


def test_help_and_status_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['blockedge', *sys.argv[1:]]\n"
        "from blockedge_node.cli.app import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = 'web3 libp2p wasmtime fastapi hypercorn eth_account sqlite3'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    for words in (["--help"], ["status", "--api", "/nowhere/api.sock"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.splitlines()[-1] == "HEAVY []"
