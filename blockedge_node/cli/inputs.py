"""From what the user typed to a job's parts, checked: program, limits, one input a shard.

Each refusal is one sentence and ends the command with exit code 2, before anything leaves this machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from blockedge_node.cli.files import CONVERTERS, files_of, read
from blockedge_node.cli.module import beyond_defaults, given, measured, refuse_unrunnable
from blockedge_node.core.job import MAX_SHARDS, MAX_STDIN
from blockedge_node.errors import ConfigError

MERGES = ("concat", "first", "program")
DEFAULT_SHARDS = 4  # where the input allows it
DEFAULT_FUEL = 10**9
FUEL_PER_NONCE = 1000  # docs/protocol.md §3.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The arguments of `task submit` that decide what is run."""

    program: str
    inputs: list[Path]
    shards: int | None
    split: str = "even"
    arguments: Sequence[str] | None = None
    params: Sequence[str] | None = None
    files: Sequence[str] | None = None
    memory: str | None = None
    merge: str | None = None
    fuel: str | None = None
    challenge: str | None = None
    bits: int = 20
    range: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What goes to the daemon. `inputs`: one a shard, for pow the one data blob; fuel a unit; `files` as the
    program names them. `warning` is for the user, who may go on."""

    kind: str
    inputs: list[bytes]
    shards: int
    fuel: int
    label: str
    module: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""


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
    if wanted.arguments or wanted.merge or wanted.files or wanted.memory:
        raise ConfigError(
            f"{found.name} brings its own arguments, files, memory and merge: "
            "--arg, --file, --memory and --merge are for .wasm files"
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
    own = given(path, arguments=wanted.arguments or (), files=wanted.files or (), memory=wanted.memory)
    merge = wanted.merge or "concat"
    if merge not in MERGES:
        raise ConfigError(f"--merge is one of {', '.join(MERGES)}, not {merge!r}")
    pieces = pieces_of([read(file) for file in files_of(wanted.inputs)], wanted.shards, wanted.split)
    _check_sizes(pieces)
    fuel = None if wanted.fuel == "auto" else _fuel(wanted.fuel)
    refuse_unrunnable(own)
    fuel = fuel or measured(own, pieces, merge)
    manifest = {"argv": list(own.argv), "merge": merge}
    return Work(
        kind="wasm",
        inputs=pieces,
        shards=len(pieces),
        fuel=fuel,
        label=path.name,
        module=own.module,
        files=own.files,
        manifest=manifest if own.memory is None else {**manifest, "memory": own.memory},
        warning=beyond_defaults(own, stdin=max(map(len, pieces))),
    )


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
