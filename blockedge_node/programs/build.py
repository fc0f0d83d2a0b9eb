"""Builds the guests from their C source, or checks that the modules in the repository are what the source
says.

    python -m blockedge_node.programs.build            build all *.c, write *.wasm and SHA256SUMS
    python -m blockedge_node.programs.build --check    build elsewhere and compare with what is checked in
    python -m blockedge_node.programs.build --verify   only compare hashes: no compiler (part of `make check`)
    python -m blockedge_node.programs.build --native FOLDER   the same sources as programs of this machine (gcc -O2)
    python -m blockedge_node.programs.build --ratio    how much longer the modules take than those (`ratio.py`)

The compiler is zig's clang for wasm32-wasi from PyPI (extra `guests`, 411 MB, pinned), which gives the same
bytes in any directory on any machine. A module's bytes are its content address, so a rebuild that changes
them is a new program for every node: commit it on purpose.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from blockedge_node.programs import ratio

HERE: Final = Path(__file__).parent
SUMS: Final = HERE / "SHA256SUMS"
ZIG: Final = "0.17.1"
FLAGS: Final = "-target wasm32-wasi -std=c17 -O2 -s -Wall -Wextra -Werror".split()


NATIVE: Final = "-std=gnu17 -O2 -Wall -Wextra -Werror".split()


def sources() -> list[Path]:
    return sorted(HERE.glob("*.c"))


def build(target: Path) -> None:
    """Compile every guest into `target`. SystemExit if the compiler is missing, another one, or complains."""
    if find_spec("ziglang") is None:
        sys.exit(f"the compiler is missing: pip install ziglang=={ZIG} (extra `guests`)")
    zig = [sys.executable, "-m", "ziglang"]
    found = subprocess.run([*zig, "version"], capture_output=True, text=True, check=True).stdout.strip()
    if not found.startswith(ZIG):
        sys.exit(f"zig {found} is installed, but the guests are built with {ZIG}: pip install ziglang=={ZIG}")
    for source in sources():
        wasm = target / source.with_suffix(".wasm").name
        done = subprocess.run(
            [*zig, "cc", *FLAGS, "-o", str(wasm), source.name, "-lm"], cwd=HERE, check=False
        )
        if done.returncode:
            sys.exit(f"{source.name} does not compile")
        wasm.chmod(0o644)


def build_native(target: Path) -> None:
    """Compile every guest for this machine: for measuring, never for results. SystemExit if gcc complains."""
    for source in sources():
        command = ["gcc", *NATIVE, "-o", str(target / source.stem), source.name, "-lm"]
        try:
            done = subprocess.run(command, cwd=HERE, check=False)
        except FileNotFoundError:
            sys.exit("gcc is missing: install it, for instance with apt install gcc")
        if done.returncode:
            sys.exit(f"{source.name} does not compile natively")


def digests(wasm_folder: Path = HERE) -> dict[str, str]:
    """SHA-256 of every source, module and weights file by name: a source changed without a rebuild shows too."""
    files = [
        *HERE.glob("*.[ch]"),
        *HERE.glob("*.weights"),
        *(wasm_folder / source.with_suffix(".wasm").name for source in sources()),
    ]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files) if path.exists()
    }


def recorded() -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in SUMS.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def compare(found: dict[str, str], what: str) -> None:
    """SystemExit(1), naming each file, unless `found` is what SHA256SUMS records."""
    expected = recorded()
    changed = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if changed:
        sys.exit(
            f"{what}: {', '.join(changed)} differ from SHA256SUMS; rebuild with `make guests` or restore them"
        )
    print(f"{what}: {len(found)} files match SHA256SUMS")


def main() -> None:
    parser = argparse.ArgumentParser(prog="build", description="Build or check the guest programs.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="rebuild elsewhere and compare")
    mode.add_argument("--verify", action="store_true", help="only compare hashes; needs no compiler")
    mode.add_argument("--native", metavar="FOLDER", type=Path, help="build for this machine, with gcc")
    mode.add_argument("--ratio", action="store_true", help="measure modules against native programs")
    options = parser.parse_args()
    if options.verify:
        compare(digests(), "checked in")
    elif options.native:
        build_native(options.native)
    elif options.ratio:
        with tempfile.TemporaryDirectory() as folder:
            build_native(Path(folder))
            ratio.report(Path(folder))
    elif options.check:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder))
            compare(digests(Path(folder)), "rebuilt")
    else:
        build(HERE)
        SUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in digests().items()))
        print(SUMS.read_text(), end="")


if __name__ == "__main__":
    main()
