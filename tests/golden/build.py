"""Writes tests/golden/guests.json: what every node on the network must get, whatever its processor.

    python tests/golden/build.py            write the table anew
    python tests/golden/build.py --check    change nothing; exit 1, naming each row, if one differs

pytest checks it on the machine at hand, scripts/test_arm.sh on aarch64. A row that changes without a new
engine id splits the network: change ENGINE first (core/job.py), and say in docs/execution.md why.

A row: the module's SHA-256; `exit` (kind << 16 | code) and for a run that ended by itself the SHA-256 of its
stdout, its fuel and its memory hash. For programs that hit the stack meter: the least fuel with which they do.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent))  # the package, from any directory

from cases import PROGRAMS, Case, cases  # noqa: E402

from blockedge_node.core.job import ENGINE, Ending, Outcome, TrapCode, WasmJob, exit_word  # noqa: E402
from blockedge_node.executor import runtime  # noqa: E402

TABLE: Final = HERE / "guests.json"
TOO_DEEP: Final = exit_word(Ending.TRAPPED, TrapCode.STACK_TOO_DEEP)
NO_FUEL: Final = exit_word(Ending.TRAPPED, TrapCode.OUT_OF_FUEL)
MOST_FUEL: Final = 1_000_000_000

Row = dict[str, str | int]
Execute = Callable[[WasmJob], Outcome]


@contextmanager
def executor() -> Iterator[Execute]:
    """Runs jobs in this process, on a stack as large as a child's; compiles each module once."""
    engine = runtime.new_engine()
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
    below, enough = 0, MOST_FUEL
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


def read() -> dict[str, Row]:
    """The table by row. SystemExit unless it was written for this engine and holds exactly our cases."""
    table = json.loads(TABLE.read_text())
    if table["engine"] != ENGINE:
        sys.exit(
            f"{TABLE.name} is of {table['engine']}, this is {ENGINE}: write it anew with {Path(__file__).name}"
        )
    rows: dict[str, Row] = table["rows"]
    return rows


def uncovered() -> list[str]:
    """Guests without a row."""
    named = {name.split("/")[1].split()[0] for name in cases() if name.startswith("guests/")}
    return sorted(path.stem for path in PROGRAMS.glob("*.wasm") if path.stem not in named)


def check() -> int:
    """Run every row and say how it went; the number of rows that differ."""
    print(f"{ENGINE} on {platform.machine()}, Python {platform.python_version()}")
    bad, rows, every = 0, read(), cases()
    for name in sorted(rows.keys() ^ every.keys()) + uncovered():
        print(f"DIFFERS  {name}: in the table or among the cases, not in both")
        bad += 1
    with executor() as execute:
        for name in (name for name in every if name in rows):
            wrong = differences(every[name], rows[name], execute)
            bad += bool(wrong)
            print(
                f"{'DIFFERS' if wrong else 'equal'}  {name}{': ' if wrong else ''}{'; '.join(wrong)}",
                flush=True,
            )
    print(f"{len(rows)} rows, {bad} differ")
    return bad


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        sys.exit(1 if check() else 0)
    with executor() as execute:
        rows = {}
        for name, case in cases().items():
            rows[name] = row(case, execute)
            print(name, rows[name].get("fuel", rows[name].get("least_fuel", "-")), flush=True)
    TABLE.write_text(json.dumps({"engine": ENGINE, "rows": rows}, indent=1) + "\n")
    print(f"{TABLE.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
