"""A golden table: rows of what runs must give, written and compared by running them in this process.

A row: the module's SHA-256; `exit` (kind << 16 | code) and for a run that ended by itself the SHA-256 of its
stdout, its fuel and its memory hash. For programs that hit the stack meter: the least fuel with which they do.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cases import Case

from blockedge_node.core.job import ENGINE, Ending, Outcome, TrapCode, WasmJob, exit_word
from blockedge_node.executor import runtime

TOO_DEEP: Final = exit_word(Ending.TRAPPED, TrapCode.STACK_TOO_DEEP)
NO_FUEL: Final = exit_word(Ending.TRAPPED, TrapCode.OUT_OF_FUEL)

Row = dict[str, str | int]
Execute = Callable[[WasmJob], Outcome]


@contextmanager
def executor(*, interpreter: bool = False) -> Iterator[Execute]:
    """Runs jobs in this process, on a stack as large as a child's; compiles each module once."""
    engine = runtime.new_engine(interpreter=interpreter)
    compiled: dict[bytes, bytes | str] = {}

    def run(job: WasmJob) -> Outcome:
        if job.wasm not in compiled:
            compiled[job.wasm] = runtime.native_code(engine, job)
        native = compiled[job.wasm]
        return runtime.run(engine, job, native if isinstance(native, bytes) else b"")

    before = threading.stack_size(runtime.THREAD_STACK)
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(int).result()  # the thread starts now, with the size set now
        threading.stack_size(before)
        yield lambda job: pool.submit(run, job).result()


def row(case: Case, execute: Execute) -> Row:
    """The case's row, found by running it."""
    digest = hashlib.sha256(case.wasm).hexdigest()
    if case.hostile:
        return {"wasm": digest, "exit": TOO_DEEP, "least_fuel": least_fuel(case, execute)}
    outcome = execute(case.job())
    found: Row = {"wasm": digest, "exit": outcome.result.exit}
    if outcome.result.exit >> 16 > Ending.FAILED:
        return found
    return found | {
        "stdout": hashlib.sha256(outcome.output).hexdigest(),
        "fuel": outcome.result.fuel_used,
        "memory": outcome.result.memory_hash.hex(),
    }


def least_fuel(case: Case, execute: Execute) -> int:
    """The least fuel with which a hostile case reaches the meter. RuntimeError if it never does."""
    below, enough = 0, case.fuel
    while enough - below > 1:
        middle = (below + enough) // 2
        match execute(case.job(fuel=middle)).result.exit:
            case exit if exit == TOO_DEEP:
                enough = middle
            case exit if exit == NO_FUEL:
                below = middle
            case exit:
                raise RuntimeError(f"ended with {exit:#x} instead of hitting the meter")
    return enough


def differences(case: Case, expected: Row, execute: Execute) -> list[str]:
    """What this machine computes otherwise than the row says; empty if all is equal."""
    if expected["wasm"] != hashlib.sha256(case.wasm).hexdigest():
        return ["the module is another one: after a rebuild of the guests, write the table anew"]
    if not case.hostile:
        found = row(case, execute)
        keys = sorted(found.keys() | expected.keys())
        return [
            f"{key} is {found.get(key)}, not {expected.get(key)}"
            for key in keys
            if found.get(key) != expected.get(key)
        ]
    least = int(expected["least_fuel"])
    ends = [execute(case.job(fuel=fuel)).result.exit for fuel in (least, least - 1)]
    return (
        []
        if ends == [TOO_DEEP, NO_FUEL]
        else [f"around {least} fuel it ends with {ends[0]:#x} and {ends[1]:#x}"]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of rows and the cases that it is about."""

    path: Path
    cases: Mapping[str, Case]

    def write(self) -> None:
        """Run every case and write its row."""
        rows = {}
        with executor() as execute:
            for name, case in self.cases.items():
                rows[name] = row(case, execute)
                print(name, rows[name].get("fuel", rows[name].get("least_fuel", "-")), flush=True)
        self.path.write_text(json.dumps({"engine": ENGINE, "rows": rows}, indent=1) + "\n")
        print(f"{self.path.name}: {len(rows)} rows")

    def check(self, *, interpreter: bool = False) -> int:
        """Run every row and say how it went; the number of rows that differ."""
        machine = platform.machine() + (" (interpreter)" if interpreter else "")
        print(f"{ENGINE} on {machine}, Python {platform.python_version()}")
        rows = self._read()
        strangers = sorted(rows.keys() ^ self.cases.keys())
        for name in strangers:
            print(f"DIFFERS  {name}: in the table or among the cases, not in both")
        bad = len(strangers)
        with executor(interpreter=interpreter) as execute:
            for name, case in self.cases.items():
                if name in rows:
                    wrong = differences(case, rows[name], execute)
                    bad += bool(wrong)
                    print(f"DIFFERS  {name}: {'; '.join(wrong)}" if wrong else f"equal  {name}", flush=True)
        print(f"{len(rows)} rows, {bad} differ")
        return bad

    def main(self) -> None:
        """The command line: `--check`, perhaps with `--interpreter`; nothing to write the table."""
        match sys.argv[1:]:
            case []:
                self.write()
            case ["--check", *rest] if set(rest) <= {"--interpreter"}:
                sys.exit(1 if self.check(interpreter=bool(rest)) else 0)
            case _:
                sys.exit(f"usage: {sys.argv[0]} [--check [--interpreter]]")

    def _read(self) -> dict[str, Row]:
        table = json.loads(self.path.read_text())
        if table["engine"] != ENGINE:
            sys.exit(f"{self.path.name} is of {table['engine']}, this is {ENGINE}: write it anew")
        rows: dict[str, Row] = table["rows"]
        return rows
