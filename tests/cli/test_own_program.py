"""A program of one's own with what it may have: files, memory, arguments; and the warning that few will take it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from blockedge_node.cli.failures import USAGE
from blockedge_node.cli.module import files_of_program, parse_size
from blockedge_node.core.job import MIB
from blockedge_node.errors import ConfigError
from tests.adapters.api.memory import MemoryBackend
from tests.cli.conftest import Cli

# Prints its file "words/greeting"; without it, exits with 1. Wants 300 MiB of memory at once if {pages} says so.
PRINTS_ITS_FILE = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") {pages})
  (data (i32.const 0) "words/greeting")
  (data (i32.const 32) "\\00\\01\\00\\00\\80\\00\\00\\00")
  (func (export "_start")
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 14) (i32.const 0)
                    (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 48)) (then (call $exit (i32.const 1))))
    (drop (call $read (i32.load (i32.const 48)) (i32.const 32) (i32.const 1) (i32.const 36)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 52)))))"""


@pytest.fixture
def greeter(home: Path) -> Path:
    (home / "greeter.wasm").write_bytes(wasmtime.wat2wasm(PRINTS_ITS_FILE.format(pages=1)))
    (home / "hello.txt").write_text("hello")
    return home / "greeter.wasm"


async def test_a_program_reads_the_files_that_it_is_given(cli: Cli, home: Path, greeter: Path) -> None:
    (home / "nothing").write_bytes(b"")
    words = ("program", "check", greeter, "--input", home / "nothing")
    assert "exited with code 1" in (await cli(*words)).err
    found = await cli(*words, "--file", f"words/greeting={home / 'hello.txt'}", "--json")
    assert found.code == 0, found.err
    assert (found.data["output"], found.data["warning"]) == (5, "")


async def test_files_and_memory_go_into_the_manifest(
    cli: Cli, home: Path, greeter: Path, node: MemoryBackend
) -> None:
    file = f"words/greeting={home / 'hello.txt'}"
    done = await cli(
        "task", "submit", greeter, "--file", file, "--memory", "300MiB", "--fuel", "auto", "--arg", "{shard}"
    )
    assert done.code == 0, done.err
    assert (
        "warning: few nodes take on programs of this size: memory 314572800 (by default 268435456)"
        in done.err
    )
    (job,) = node.specs.values()
    assert job.program is not None
    made: dict[str, Any] = json.loads(node.blobs[job.program])
    assert (made["memory"], made["argv"]) == (300 * MIB, ["greeter", "{shard}"])
    root = bytes.fromhex(made["files"]["words/greeting"].removeprefix("0x"))
    assert node.blobs[root] == b"hello"  # type: ignore[index]


async def test_memory_that_a_program_needs_is_said(cli: Cli, home: Path) -> None:
    (home / "large.wasm").write_bytes(wasmtime.wat2wasm(PRINTS_ITS_FILE.format(pages=4800)))
    refused = await cli("program", "check", home / "large.wasm")
    assert (refused.code, "allow it more with --memory" in refused.err) == (USAGE, True)
    found = await cli("program", "check", home / "large.wasm", "--memory", "300MiB")
    assert found.code == 0, found.err
    assert "but few nodes take on" in found.out


async def test_built_in_programs_bring_their_own(cli: Cli, home: Path, greeter: Path) -> None:
    done = await cli("task", "submit", "render", "--file", f"x={greeter}")
    assert (done.code, "--file" in done.err) == (USAGE, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--memory lots", "--memory takes a size like 512MiB"),
        ("--memory 2GiB", "memory must be a multiple of 65536"),
        ("--memory 100", "memory must be a multiple of 65536"),
        ("--file =x", "--file takes NAME=PATH"),
        ("--file x=/nowhere/x", "there is no file /nowhere/x"),
        ("--file ../x=/dev/null", "is not a plain path"),
    ],
)
async def test_what_no_manifest_may_have(cli: Cli, greeter: Path, words: str, text: str) -> None:
    done = await cli("program", "check", greeter, *words.split())
    assert (done.code, done.out) == (USAGE, "")
    assert text in done.err


def test_sizes_and_names(tmp_path: Path) -> None:
    assert [parse_size(text) for text in ("65536", "64KiB", "1MiB", "1 GiB")] == [65536, 65536, MIB, 1 << 30]
    (tmp_path / "weights").write_bytes(b"w")
    assert files_of_program([str(tmp_path / "weights")]) == {"weights": b"w"}
    assert files_of_program([f"/m/w={tmp_path / 'weights'}"]) == {"m/w": b"w"}
    with pytest.raises(ConfigError, match="given twice"):
        files_of_program([str(tmp_path / "weights")] * 2)
