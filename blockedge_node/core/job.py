"""What an executor is asked to run, and what comes back: a `Job` in, an `Outcome` out.

    WasmJob (kind 2: a program, its input, its limits) ─┐
                                                        ├─▶ executor ─▶ Outcome
    PowJob  (kind 1: proof-of-work search, one shard)  ─┘

Only `Outcome.result` is hashed, committed and compared (docs/protocol.md §2.2). A run that the *machine*
spoiled (time, memory, a killed process) has no Outcome at all: the executor raises a fault and nobody
commits to anything.

`Result.exit` is `kind << 16 | code`, a pure function of program, input and limits:

| kind    | code                    | output | fuel, memory hash | meaning                                |
|---------|-------------------------|--------|-------------------|----------------------------------------|
| OK      | 0                       | kept   | kept              | the program ended with exit code 0     |
| FAILED  | the exit code, ≤ 65 535 | kept   | kept              | any other exit code; 2 means bad input |
| TRAPPED | `TrapCode`              | empty  | zero              | stopped: where exactly is not shown    |
| INVALID | 0                       | empty  | zero              | not a module that this engine runs     |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from blockedge_node.core.ids import ZERO_HASH, TaskId
from blockedge_node.core.task import Result

ENGINE = "be-det-1/wasmtime-50.0.1"  # changes with any change of fuel, limits, imports or trap codes

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

MAX_SHARDS = 1024
MAX_FUEL = 1 << 62  # what an engine can count; a deployment's own cap is far lower (docs/protocol.md §7.3)
MAX_MEMORY = GIB
MAX_STDIN = 256 * MIB
MAX_FILES = 256 * MIB  # all files of a task together
MAX_STDOUT = 64 * MIB
MAX_STDERR = 64 * KIB
MAX_WASM = 32 * MIB
MAX_FUNCTIONS = 60_000  # of a module
MAX_ARGS = 64 * KIB  # argv and environment together, with their terminating zeros


class Ending(IntEnum):
    """The upper half of `Result.exit`: how a run ended."""

    OK = 0
    FAILED = 1
    TRAPPED = 2
    INVALID = 3


class TrapCode(IntEnum):
    """Why a program was stopped; part of the result, so a number never changes its meaning."""

    OUT_OF_FUEL = 1
    UNREACHABLE = 2
    MEMORY_OUT_OF_BOUNDS = 3
    TABLE_OUT_OF_BOUNDS = 4
    INDIRECT_CALL_TO_NULL = 5
    BAD_SIGNATURE = 6
    INTEGER_OVERFLOW = 7
    INTEGER_DIVISION_BY_ZERO = 8
    BAD_CONVERSION_TO_INTEGER = 9
    BAD_POINTER = 10  # a pointer given to a host call lies outside of the program's memory
    OUTPUT_TOO_LARGE = 11  # more on stdout than the manifest allows
    STACK_TOO_DEEP = 12  # more calls within calls than the stack meter allows


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmJob:
    """One shard of a task with a program: `wasm` run over `stdin`, `files` as a read-only tree at `/`.

    `task` and `shard` seed the program's random numbers; `fuel` is in wasm fuel, sizes are in bytes. With `mapped`
    the program runs once for each item of `stdin`, all within these limits (core/items.py).
    """

    engine: str
    wasm: bytes
    argv: tuple[str, ...]
    stdin: bytes
    fuel: int
    memory: int
    stdout_max: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    shard: int = 0
    shards: int = 1
    task: TaskId = TaskId(ZERO_HASH)
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PowJob:
    """One shard of a proof-of-work search; `data` is the ABI blob of docs/protocol.md §6.1."""

    data: bytes
    shard: int


Job = WasmJob | PowJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished run. `stderr` (≤ 64 KiB) and `cpu_seconds` are for people: unhashed, unverified."""

    result: Result
    output: bytes
    stderr: bytes = b""
    cpu_seconds: float = 0.0


def exit_word(ending: Ending, code: int = 0) -> int:
    """`Result.exit` of a run that ended so; a program's own exit code is capped at 65 535."""
    return ending << 16 | min(code, 0xFFFF)


def ending_of(exit: int) -> tuple[int, int]:
    """The two halves of `Result.exit`; the first is an `Ending` unless a peer made it up."""
    return exit >> 16, exit & 0xFFFF


def describe(exit: int) -> str:
    """`Result.exit` in words, for people."""
    kind, code = ending_of(exit)
    match kind:
        case Ending.OK if code == 0:
            return "ok"
        case Ending.FAILED:
            return f"exited with code {code}" + (" (bad input)" if code == 2 else "")
        case Ending.TRAPPED if code in TrapCode._value2member_map_:
            return "trapped: " + TrapCode(code).name.lower().replace("_", " ")
        case Ending.INVALID if code == 0:
            return "invalid program"
        case _:
            return f"unknown exit word {exit:#x}"
