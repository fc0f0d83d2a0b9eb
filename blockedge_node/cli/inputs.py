"""From what the user typed to a job's parts, checked: program, limits, one input a shard.

Each refusal is one sentence and ends the command with exit code 2, before anything leaves this machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockedge_node.cli.offer import with_margin
from blockedge_node.core.job import MAX_SHARDS, MAX_STDIN, MAX_WASM
from blockedge_node.errors import ConfigError

if TYPE_CHECKING:
    from blockedge_node.core.job import Outcome

MAGIC = b"\0asm\x01\0\0\0"
MERGES = ("concat", "first", "program")
DEFAULT_SHARDS = 4  # where the input allows it
DEFAULT_FUEL = 10**9
DRY_RUN_FUEL = 10**11
TRIALS = 4  # shards run dry, spread over all, and the largest one
FUEL_PER_NONCE = 1000  # docs/protocol.md §3.3
PICTURES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The arguments of `task submit` that decide what is run."""

    program: str
    inputs: list[Path]
    shards: int | None
    split: str = "even"
    arguments: Sequence[str] | None = None
    params: Sequence[str] | None = None
    merge: str | None = None
    fuel: str | None = None
    challenge: str | None = None
    bits: int = 20
    range: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What goes to the daemon. `inputs`: one a shard, for pow the one data blob; fuel a unit."""

    kind: str
    inputs: list[bytes]
    shards: int
    fuel: int
    label: str
    module: bytes | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)


def prepare(wanted: Wanted) -> Work:
    """Raises ConfigError for whatever is wrong with the program or its inputs."""
    from blockedge_node.programs import names

    if wanted.program == "pow":
        return _search(wanted)
    if wanted.program in names() and not Path(wanted.program).is_file():
        return _guest(wanted)
    return _module(wanted)


def _search(wanted: Wanted) -> Work:
    from blockedge_node.executor.pow import NONCES, Search

    if wanted.params:
        raise ConfigError("pow takes no --param: say --challenge, --bits, --range and --shards")
    if wanted.inputs:
        raise ConfigError("pow takes no --input: say --challenge, --bits, --range and --shards")
    shards = wanted.shards or DEFAULT_SHARDS
    if shards * wanted.range > NONCES:
        raise ConfigError(f"{shards} shards of {wanted.range} nonces do not fit into 64 bits: lower --range")
    try:
        raw = (
            bytes.fromhex(wanted.challenge.removeprefix("0x"))
            if wanted.challenge
            else secrets.token_bytes(32)
        )
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ConfigError(f"--challenge takes 32 bytes of hex, got {wanted.challenge!r}")
    target = min(1 << (256 - wanted.bits), (1 << 256) - 1)
    data = Search(challenge=raw, target=target, range_size=wanted.range).encode()
    return Work(kind="pow", inputs=[data], shards=shards, fuel=FUEL_PER_NONCE * wanted.range, label="pow")


def _guest(wanted: Wanted) -> Work:
    from blockedge_node.programs import guest

    found = guest(wanted.program)
    if wanted.arguments or wanted.merge:
        raise ConfigError(
            f"{found.name} brings its own arguments and merge: --arg and --merge are for .wasm files"
        )
    given = params_of(wanted.params or ())
    params = found.chosen(given)
    if wanted.inputs:
        convert = CONVERTERS.get(found.name, read)
        data = b"".join(convert(path) for path in files_of(wanted.inputs))
    elif found.blank is not None:
        data = found.blank()
    else:
        raise ConfigError(f"{found.name} needs an input: --input FILE or a directory")
    pieces = _cut(found, data, wanted.shards, params)
    _check_sizes(pieces)
    if wanted.fuel in (None, "auto"):
        fuel = found.fuel(max(map(len, pieces)), shards=len(pieces), params=params)
    else:
        fuel = _fuel(wanted.fuel)
    return Work(
        kind="wasm",
        inputs=pieces,
        shards=len(pieces),
        fuel=fuel,
        label=found.name,
        manifest={"name": found.name} | ({"params": given} if given else {}),
    )


def params_of(texts: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE texts as a map. Raises ConfigError for other texts and for a name given twice."""
    params: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--param takes NAME=VALUE, as --param width=800, not {text!r}")
        if name in params:
            raise ConfigError(f"--param {name} is given twice: leave one out")
        params[name] = value
    return params


def _cut(found: Any, data: bytes, shards: int | None, params: Mapping[str, str]) -> list[bytes]:
    """The guest's own cut; without --shards, as many as the input allows, up to a few."""
    if shards is not None:
        return list(found.split(data, shards, params))
    for count in range(DEFAULT_SHARDS, 1, -1):
        try:
            return list(found.split(data, count, params))
        except ConfigError:
            continue
    return list(found.split(data, 1, params))


def _module(wanted: Wanted) -> Work:
    from blockedge_node.programs import names

    if wanted.params:
        raise ConfigError("--param is for built-in programs: give a .wasm file its arguments with --arg")
    path = Path(wanted.program)
    if not path.exists() and path.suffix != ".wasm" and "/" not in wanted.program:
        known = ", ".join((*names(), "pow"))
        raise ConfigError(f"there is no program {wanted.program!r}: name one of {known}, or a .wasm file")
    module = read_module(path)
    if wanted.merge is not None and wanted.merge not in MERGES:
        raise ConfigError(f"--merge is one of {', '.join(MERGES)}, not {wanted.merge!r}")
    pieces = pieces_of([read(file) for file in files_of(wanted.inputs)], wanted.shards, wanted.split)
    _check_sizes(pieces)
    argv = [path.stem, *(wanted.arguments or ())]
    given = None if wanted.fuel == "auto" else _fuel(wanted.fuel)
    refuse_unrunnable(path, module)
    return Work(
        kind="wasm",
        inputs=pieces,
        shards=len(pieces),
        fuel=given or _measured(module, argv, pieces, wanted.merge or "concat"),
        label=path.name,
        module=module,
        manifest={"argv": argv, "merge": wanted.merge or "concat"},
    )


def read_module(path: Path) -> bytes:
    """A .wasm file's bytes. Raises ConfigError for anything else."""
    module = read(path, MAX_WASM, "a program")
    if not module.startswith(MAGIC):
        is_text = module.lstrip().startswith(b"(")
        why = "it is WebAssembly text: compile it with wat2wasm" if is_text else "it does not begin like one"
        raise ConfigError(f"{path} is not a WebAssembly module: {why}")
    return module


def refuse_unrunnable(path: Path, module: bytes) -> None:
    """Compile the module here, as workers will: an invalid one would be paid for and give nothing."""
    from blockedge_node.core.merkle import root
    from blockedge_node.executor.local import check
    from blockedge_node.wire.manifest import Manifest

    why = check(Manifest(wasm=root(module), argv=("check",)), module)
    if why is not None:
        raise ConfigError(f"{path} is not a program that nodes can run: {why}{_remedy(why)}")


def _remedy(why: str) -> str:
    """What to change, where the engine's own sentence does not say so yet."""
    if "bytes of memory" in why:
        return ": give it smaller static arrays, or a lower --initial-memory when linking"
    if "the limit is" in why:
        return ": build it smaller, for instance with -Os or fewer libraries, or split the function"
    if "cut off" in why or "longer than 32 bits" in why:
        return ": the file is damaged, build or download it again"
    return ""


def pieces_of(inputs: list[bytes], shards: int | None, how: str) -> list[bytes]:
    """One input a shard. Several files are one shard each; one file is cut as `how` says; none is empty input.

    Raises ConfigError if the numbers do not fit.
    """
    if how not in ("even", "lines", "same"):
        raise ConfigError(f"--split is one of even, lines or same, not {how!r}")
    if len(inputs) > 1:
        if shards not in (None, len(inputs)):
            raise ConfigError(
                f"{len(inputs)} inputs make {len(inputs)} shards, not {shards}: leave --shards out"
            )
        return inputs
    count = shards or 1
    data = inputs[0] if inputs else b""
    if count == 1 or how == "same" or not inputs:
        return [data] * count
    edges = [len(data) * i // count for i in range(count + 1)]
    if how == "lines":
        edges[1:-1] = [data.find(b"\n", max(0, edge - 1)) + 1 or len(data) for edge in edges[1:-1]]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    if not all(pieces):
        raise ConfigError(
            f"the input has too few {'lines' if how == 'lines' else 'bytes'} for {count} shards"
        )
    return pieces


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Files as given, directories as the files in them by name. Raises ConfigError if one is not there."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")
            )
            if not inside:
                raise ConfigError(f"the directory {path} holds no files")
            files += inside
        else:
            files.append(path)
    return files


def read(path: Path, limit: int = MAX_STDIN * MAX_SHARDS, what: str = "an input") -> bytes:
    """A file's bytes. Raises ConfigError if it cannot be read or is over the limit."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a directory, {what} is a file")
        found = path.stat().st_size
        if found > limit:
            raise ConfigError(f"{path} has {found} bytes; {what} may have {limit} at most")
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None


def _frame(path: Path) -> bytes:
    """A picture for frames: PPM as it is; other formats through Pillow, if it is installed."""
    from blockedge_node.programs.frames import encode

    if path.suffix.lower() not in PICTURES:
        return read(path)
    picture = _picture(path, "PPM").convert("RGB")
    return encode(picture.width, picture.height, picture.tobytes())


def _digit(path: Path) -> bytes:
    """A picture for classify: PGM as it is; other formats in grey, shrunk to 8x8, through Pillow."""
    from blockedge_node.programs.classify import SIDE, encode

    if path.suffix.lower() not in PICTURES:
        return read(path)
    picture = _picture(path, "PGM").convert("L")
    return encode(
        picture.reduce((max(1, picture.width // SIDE), max(1, picture.height // SIDE)))
        .resize((SIDE, SIDE))
        .tobytes()
    )


def _picture(path: Path, wanted: str) -> Any:
    """A picture, opened with Pillow."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ConfigError(
            f"{path} is not a {wanted} picture: install Pillow (pip install pillow) or convert it first"
        ) from None
    read(path)  # for its sentences about missing and unreadable files
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (UnidentifiedImageError, OSError) as error:
        raise ConfigError(f"{path} is not a picture that can be read: {error}") from None


def _signal(path: Path) -> bytes:
    """A signal for spectrum: the samples of a .wav file's first channel, anything else as it is."""
    data = read(path)
    if path.suffix.lower() != ".wav":
        return data
    import io
    import wave

    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width = sound.getnchannels(), sound.getsampwidth()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise ConfigError(f"{path} is not a WAV file that can be read: {error}") from None
    if width != 2:
        raise ConfigError(f"{path} has samples of {8 * width} bits: convert it to 16 bits first")
    return memoryview(frames).cast("h")[::channels].tobytes()


# How a file becomes the input of a guest; of the others, as it is.
CONVERTERS: Mapping[str, Callable[[Path], bytes]] = {
    "frames": _frame,
    "classify": _digit,
    "spectrum": _signal,
}


def _check_sizes(pieces: Sequence[bytes]) -> None:
    if len(pieces) > MAX_SHARDS:
        raise ConfigError(f"{len(pieces)} shards are more than {MAX_SHARDS}: give fewer, larger inputs")
    largest = max(map(len, pieces))
    if largest > MAX_STDIN:
        raise ConfigError(f"a shard's input has {largest} bytes; {MAX_STDIN} are allowed: raise --shards")


def _fuel(text: str | None) -> int:
    if text is None:
        return DEFAULT_FUEL
    digits = text.replace("_", "")
    if not digits.isdecimal() or not 0 < int(digits) < 2**62:
        raise ConfigError(f'--fuel takes a whole number or "auto", not {text!r}')
    return int(digits)


def _measured(module: bytes, argv: list[str], pieces: Sequence[bytes], merge: str) -> int:
    """Fuel for a unit: run a few shards here, on the executor that workers use, and add a margin.

    A merging program gets the same fuel, so it is tried too, over as many outputs as there will be.
    """
    outcomes = trials(module, argv, pieces)
    if merge == "program":
        outputs = [outcomes[shard % len(outcomes)].output for shard in range(len(pieces))]
        listed = b"".join(len(output).to_bytes(4, "big") + output for output in outputs)
        outcomes += trials(module, [argv[0], "merge"], [listed])
    return with_margin(max(outcome.result.fuel_used for outcome in outcomes))


def trials(module: bytes, argv: list[str], pieces: Sequence[bytes]) -> list[Outcome]:
    """A few shards, the largest among them, run here as a worker would. Raises ConfigError if one does not end
    well."""
    from blockedge_node.core.job import describe
    from blockedge_node.core.merkle import root
    from blockedge_node.executor.local import local_run
    from blockedge_node.wire.manifest import Manifest

    template = Manifest(wasm=root(module), argv=tuple(argv), fuel=DRY_RUN_FUEL)
    last = len(pieces) - 1
    largest = max(range(len(pieces)), key=lambda shard: len(pieces[shard]))
    outcomes = []
    for shard in sorted({largest, *(last * i // (TRIALS - 1) for i in range(TRIALS))}):
        manifest = replace(template, argv=template.arguments(shard, len(pieces)))
        outcome = local_run(manifest, module, [pieces[shard]], slots=1).outcomes[0]
        if outcome.result.exit != 0:
            said = outcome.stderr.decode(errors="replace").strip().replace("\n", " / ")[:300]
            raise ConfigError(
                f"the dry run ended badly ({describe(outcome.result.exit)}{': ' + said if said else ''}): "
                "mend the program or its input, or say --fuel yourself"
            )
        outcomes.append(outcome)
    return outcomes
