"""How much longer a guest takes as a module under the real engine (fuel, canonical NaNs, limits) than natively.

    python -m blockedge_node.programs.build --ratio

CPU seconds of one thread, the best of several runs; from both sides the time of a tiny run is taken off, so that
starting a process and compiling a module do not count. Outputs of both are compared: where they differ, that is
said (`spectrum` uses the C library's sin and cos, and glibc's are not musl's).
"""

from __future__ import annotations

import hashlib
import math
import resource
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from blockedge_node import programs
from blockedge_node.core.job import Outcome
from blockedge_node.executor import runtime
from blockedge_node.programs import frames

RUNS: Final = 5
FUEL: Final = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run that takes a good part of a second, and one that takes next to nothing."""

    data: bytes = b""
    tiny_data: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)
    tiny_params: Mapping[str, str] = field(default_factory=dict)


def _cases() -> dict[str, Case]:
    picture = frames.encode(640, 480, hashlib.shake_256(b"vga").digest(640 * 480 * 3))
    lines = programs.GUESTS["csvstats"].sample()
    digits = programs.GUESTS["classify"].sample()
    signal = programs.GUESTS["spectrum"].sample()
    challenge = programs.GUESTS["powsearch"].sample()[0]
    return {
        "frames": Case(data=picture * 20, tiny_data=programs.GUESTS["frames"].sample()[0]),
        "classify": Case(data=b"".join(digits) * 100, tiny_data=digits[0]),
        "csvstats": Case(data=b"".join(lines) * 400, tiny_data=lines[0]),
        "spectrum": Case(data=b"".join(signal) * 4096, tiny_data=signal[0]),
        "render": Case(tiny_params={"width": "1", "height": "1"}),
        "powsearch": Case(
            data=challenge,
            tiny_data=challenge,
            params={"bits": "255", "range": "1000000"},
            tiny_params={"bits": "255", "range": "1"},
        ),
    }


def _native(folder: Path, name: str, data: bytes, params: Mapping[str, str]) -> tuple[bytes, float]:
    """Output and CPU seconds of the program built by gcc."""
    guest = programs.guest(name)
    job = replace(guest.manifest([data], params), fuel=FUEL).job(
        wasm=guest.wasm(), stdin=data, shard=0, shards=1, files=guest.files()
    )
    for path, content in guest.files().items():
        (folder / path).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [folder / name, *job.argv[1:]], cwd=folder, input=data, stdout=subprocess.PIPE, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _module(name: str, data: bytes, params: Mapping[str, str]) -> tuple[bytes, float]:
    """Output and CPU seconds of the module, compiling included; on this thread, which needs a large stack."""
    guest = programs.guest(name)
    job = replace(guest.manifest([data], params), fuel=FUEL).job(
        wasm=guest.wasm(), stdin=data, shard=0, shards=1, files=guest.files()
    )
    outcome: Outcome = runtime.run(runtime.new_engine(), job)
    if outcome.result.exit:
        raise RuntimeError(f"{name} failed: {outcome.stderr.decode(errors='replace')}")
    return outcome.output, outcome.cpu_seconds


def _best(run: Callable[[bytes, Mapping[str, str]], tuple[bytes, float]], case: Case) -> tuple[bytes, float]:
    """Output of the large run, and its seconds beyond the tiny one."""
    large = [run(case.data, case.params) for _ in range(RUNS)]
    tiny = [run(case.tiny_data, case.tiny_params) for _ in range(RUNS)]
    return large[0][0], min(seconds for _, seconds in large) - min(seconds for _, seconds in tiny)


def measure(folder: Path) -> dict[str, tuple[float, float, bool]]:
    """For each guest: native seconds, module's seconds, and whether both gave the same bytes. `folder` holds the
    native programs."""
    stack = threading.stack_size(runtime.THREAD_STACK)
    found = {}
    with ThreadPoolExecutor(1) as executor:
        for name, case in _cases().items():
            native, native_seconds = _best(partial(_native, folder, name), case)
            module, seconds = executor.submit(_best, partial(_module, name), case).result()
            found[name] = (native_seconds, seconds, native == module)
    threading.stack_size(stack)
    return found


def report(folder: Path) -> None:
    """Print a table and the geometric mean."""
    found = measure(folder)
    print(f"{'guest':<10} {'native s':>9} {'wasm s':>9} {'ratio':>6}  same bytes")
    for name, (native, module, same) in found.items():
        print(f"{name:<10} {native:>9.3f} {module:>9.3f} {module / native:>6.2f}  {'yes' if same else 'no'}")
    mean = math.exp(sum(math.log(module / native) for native, module, _ in found.values()) / len(found))
    print(f"geometric mean {mean:.2f}")
