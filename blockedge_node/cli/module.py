"""A program of the user's own: a .wasm file and what it may have, looked at and tried here before it is paid for.

    given(path, …) ─▶ Own ─▶ refuse_unrunnable   compile it, as every node will
                       ├───▶ trials              run some shards, as a worker would
                       ├───▶ measured            … and allow a margin of fuel
                       └───▶ beyond_defaults     what few nodes would take on

Each refusal is one sentence and ends the command with exit code 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from blockedge_node.cli.files import read
from blockedge_node.cli.offer import with_margin
from blockedge_node.core.job import KIB, MAX_FILES, MAX_WASM, MIB
from blockedge_node.errors import ConfigError, PeerError

if TYPE_CHECKING:
    from blockedge_node.core.job import Outcome
    from blockedge_node.wire.manifest import Manifest

MAGIC = b"\0asm\x01\0\0\0"
DRY_RUN_FUEL = 10**11
TRIALS = 4  # shards run dry, spread over all, and the largest one
SIZES = {"": 1, "KiB": KIB, "MiB": MIB, "GiB": 1 << 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """`files`: path as the program sees it → content. `memory` in bytes, None for the manifest's default."""

    path: Path
    module: bytes
    argv: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    memory: int | None = None

    def manifest(self) -> Manifest:
        """With fuel for a dry run. Raises ConfigError for arguments, paths or memory that no manifest may have."""
        from blockedge_node.core.merkle import root
        from blockedge_node.wire.manifest import Manifest

        plain = Manifest(wasm=root(self.module), argv=("program",), fuel=DRY_RUN_FUEL)
        try:
            return replace(
                plain,
                argv=tuple(self.argv),
                files={name: root(data) for name, data in self.files.items()},
                memory=self.memory or plain.memory,
            )
        except PeerError as error:
            raise ConfigError(str(error)) from None


def given(
    path: Path,
    *,
    arguments: Iterable[str] = (),
    files: Iterable[str] = (),
    memory: str | None = None,
) -> Own:
    """What the user typed, read. Raises ConfigError."""
    return Own(
        path=path,
        module=read_module(path),
        argv=(path.stem, *arguments),
        files=files_of_program(files),
        memory=None if memory is None else parse_size(memory),
    )


def read_module(path: Path) -> bytes:
    """A .wasm file's bytes. Raises ConfigError for anything else."""
    module = read(path, MAX_WASM, "a program")
    if not module.startswith(MAGIC):
        is_text = module.lstrip().startswith(b"(")
        why = "it is WebAssembly text: compile it with wat2wasm" if is_text else "it does not begin like one"
        raise ConfigError(f"{path} is not a WebAssembly module: {why}")
    return module


def files_of_program(texts: Iterable[str]) -> dict[str, bytes]:
    """NAME=PATH texts, or plain paths that keep their last name, as the program's files. Raises ConfigError."""
    files: dict[str, bytes] = {}
    for text in texts:
        name, equals, place = text.partition("=")
        path = Path(place if equals else text)
        name = (name if equals else path.name).removeprefix("/")
        if not name or (equals and not place):
            raise ConfigError(f"--file takes NAME=PATH, as --file model.bin=./weights.bin, not {text!r}")
        if name in files:
            raise ConfigError(f"--file {name} is given twice: leave one out")
        files[name] = read(path, MAX_FILES, "a program's file")
    total = sum(map(len, files.values()))
    if total > MAX_FILES:
        raise ConfigError(f"the files have {total} bytes together; {MAX_FILES} are allowed")
    return files


def parse_size(text: str) -> int:
    """Bytes from 65536, 64KiB, 256MiB or 1GiB. Raises ConfigError."""
    number = text.rstrip("KMGiB")
    unit = SIZES.get(text[len(number) :].strip())
    if not number.strip().isdecimal() or unit is None:
        raise ConfigError(f"--memory takes a size like 512MiB, not {text!r}")
    return int(number) * unit


def refuse_unrunnable(own: Own) -> None:
    """Compile the module here, as workers will: an invalid one would be paid for and give nothing."""
    from blockedge_node.executor.local import check

    why = check(own.manifest(), own.module)
    if why is not None:
        raise ConfigError(f"{own.path} is not a program that nodes can run: {why}{_remedy(why)}")


def _remedy(why: str) -> str:
    """What to change, where the engine's own sentence does not say so yet."""
    if "bytes of memory" in why:
        return ": allow it more with --memory, or give it smaller static arrays"
    if "the limit is" in why:
        return ": build it smaller, for instance with -Os or fewer libraries, or split the function"
    if "cut off" in why or "longer than 32 bits" in why:
        return ": the file is damaged, build or download it again"
    return ""


def beyond_defaults(own: Own, *, stdin: int = 0) -> str:
    """What a node takes on only if its operator allows more than by default ([programs] of node.toml), or ""."""
    from blockedge_node.config.schema import ProgramsSection
    from blockedge_node.executor.module import functions_of

    caps, memory = ProgramsSection(), own.manifest().memory
    found = {
        "wasm": (len(own.module), caps.wasm),
        "functions": (functions_of(own.module), caps.functions),
        "memory": (memory, caps.memory),
        "stdin": (stdin, caps.stdin),
        "files": (sum(map(len, own.files.values())), caps.files),
    }
    over = [f"{what} {size} (by default {cap})" for what, (size, cap) in found.items() if size > cap]
    if not over:
        return ""
    return "few nodes take on programs of this size: " + ", ".join(over)


def measured(own: Own, pieces: Sequence[bytes], merge: str) -> int:
    """Fuel for a unit: run a few shards here, on the executor that workers use, and add a margin.

    A merging program gets the same fuel, so it is tried too, over as many outputs as there will be.
    """
    outcomes = trials(own, pieces)
    if merge == "program":
        outputs = [outcomes[shard % len(outcomes)].output for shard in range(len(pieces))]
        listed = b"".join(len(output).to_bytes(4, "big") + output for output in outputs)
        outcomes += trials(replace(own, argv=(own.argv[0], "merge")), [listed])
    return with_margin(max(outcome.result.fuel_used for outcome in outcomes))


def trials(own: Own, pieces: Sequence[bytes]) -> list[Outcome]:
    """A few shards, the largest among them, run here as a worker would. Raises ConfigError if one does not end
    well."""
    from blockedge_node.core.job import describe
    from blockedge_node.executor.local import local_run

    template = own.manifest()
    last = len(pieces) - 1
    largest = max(range(len(pieces)), key=lambda shard: len(pieces[shard]))
    outcomes = []
    for shard in sorted({largest, *(last * i // (TRIALS - 1) for i in range(TRIALS))}):
        manifest = replace(template, argv=template.arguments(shard, len(pieces)))
        outcome = local_run(manifest, own.module, [pieces[shard]], files=own.files, slots=1).outcomes[0]
        if outcome.result.exit != 0:
            said = outcome.stderr.decode(errors="replace").strip().replace("\n", " / ")[:300]
            raise ConfigError(
                f"the dry run ended badly ({describe(outcome.result.exit)}{': ' + said if said else ''}): "
                "mend the program or its input, or say --fuel yourself"
            )
        outcomes.append(outcome)
    return outcomes
