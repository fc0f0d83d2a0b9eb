"""The manifest: what a program is, byte for byte, so that everybody who runs it runs the same thing.

A Request names its program by the content address of a manifest (docs/protocol.md §2.2, §2.3). The manifest
names the engine, the module and the read-only files (by their own content addresses, so that peers can serve
them), the arguments, the limits, and how the outputs of the shards become one:

    {v: 1, engine, wasm, argv, files: {path: root}, fuel, memory, stdoutMax, merge}     and perhaps map: 1

It is deterministic CBOR (RFC 8949 §4.2), so equal manifests have equal addresses; any other encoding of the
same data is refused. A worker decodes it before bidding: whatever passes here can be run.

`map`, which is absent otherwise, has the program run once for each item of a shard's input (core/items.py).

`argv` is a template: `{shard}` and `{shards}` are filled in for each run; `{param:NAME}` is filled in once,
by the requester, before the manifest gets its address (`bind`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import cbor2

from blockedge_node.core.ids import ZERO_HASH, Root, TaskId
from blockedge_node.core.job import (
    ENGINE,
    KIB,
    MAX_ARGS,
    MAX_FILES,
    MAX_FUEL,
    MAX_MEMORY,
    MAX_SHARDS,
    MAX_STDIN,
    MAX_STDOUT,
    MAX_WASM,
    MIB,
    WasmJob,
)
from blockedge_node.errors import PeerError

MAX_MANIFEST: Final = 128 * KIB
MAX_PATHS: Final = 1024
PAGE: Final = 64 * KIB  # of WebAssembly memory
MERGES: Final = ("concat", "first", "program")
NOTHING: Final = b"none\n"  # what a shard prints that found nothing, for `first`
KEYS: Final = ("v", "engine", "wasm", "argv", "files", "fuel", "memory", "stdoutMax", "merge")

MAP: Final = "map"  # a key that is there only with the value 1: other programs keep their addresses

NO_TASK: Final = TaskId(ZERO_HASH)

_PLACEHOLDER = re.compile(r"\{(?:(shard|shards)|param:([A-Za-z0-9_.-]{1,64}))\}")
# one or more names joined by "/": no empty name, no "." or "..", no control character
_PATH = re.compile(r"(?!(?:.*/)?\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]{1,255}(?:/[^/\x00-\x1f\x7f]{1,255}){0,15}")


class ManifestError(PeerError):
    """The manifest, or what it was given to run with, breaks a rule; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A program as requesters publish it. Sizes in bytes, fuel in wasm fuel per shard, roots 32 bytes.

    Raises ManifestError when a field is out of range, so every Manifest that exists is a valid one.
    """

    wasm: Root
    argv: tuple[str, ...]
    files: Mapping[str, Root] = field(default_factory=dict)
    fuel: int = 10**10
    memory: int = 256 * MIB
    stdout_max: int = 16 * MIB
    merge: str = "concat"
    mapped: bool = False
    engine: str = ENGINE
    v: int = 1

    def __post_init__(self) -> None:
        _need(self.v == 1, f"v is {self.v!r}: this node reads version 1")
        _need(_is_text(self.engine, 64), "engine must be a printable text of 1 to 64 letters")
        _need(_is_root(self.wasm), "wasm must be a 32-byte content address")
        _need(1 <= len(self.argv) <= 1024, "argv must hold 1 to 1024 texts")
        for arg in self.argv:
            _need(_is_text(arg) and "\0" not in arg, "argv must hold texts without NUL")
        size = sum(len(arg.encode()) + 1 for arg in self.argv)
        _need(size <= MAX_ARGS // 2, f"argv takes {size} bytes; the limit is {MAX_ARGS // 2}")
        self._check_files()
        _need(_is_int(self.fuel, 1, MAX_FUEL), f"fuel must be a whole number from 1 to {MAX_FUEL}")
        _need(
            _is_int(self.memory, PAGE, MAX_MEMORY) and self.memory % PAGE == 0,
            f"memory must be a multiple of {PAGE} from {PAGE} to {MAX_MEMORY}",
        )
        _need(_is_int(self.stdout_max, 0, MAX_STDOUT), f"stdoutMax must be from 0 to {MAX_STDOUT}")
        _need(self.merge in MERGES, f"merge must be one of {', '.join(MERGES)}")

    def _check_files(self) -> None:
        _need(len(self.files) <= MAX_PATHS, f"files holds {len(self.files)} paths; the limit is {MAX_PATHS}")
        for path, root in self.files.items():
            _need(_is_text(path) and bool(_PATH.fullmatch(path)), f"files: {path!r} is not a plain path")
            _need(_is_root(root), f"files: {path!r} must map to a 32-byte content address")
            parents = ("/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1))
            _need(not any(p in self.files for p in parents), f"files: {path!r} lies inside of another file")

    # -- encoding

    def encode(self) -> bytes:
        """Deterministic CBOR; the content address of these bytes is the Request's `program`."""
        raw = cbor2.dumps(
            {
                "v": self.v,
                "engine": self.engine,
                "wasm": bytes(self.wasm),
                "argv": list(self.argv),
                "files": {path: bytes(root) for path, root in self.files.items()},
                "fuel": self.fuel,
                "memory": self.memory,
                "stdoutMax": self.stdout_max,
                "merge": self.merge,
                **({MAP: 1} if self.mapped else {}),
            },
            canonical=True,
        )
        _need(len(raw) <= MAX_MANIFEST, f"the manifest takes {len(raw)} bytes; the limit is {MAX_MANIFEST}")
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """The manifest in these bytes; ManifestError unless they are the one encoding of one."""
        _need(len(raw) <= MAX_MANIFEST, f"the manifest takes {len(raw)} bytes; the limit is {MAX_MANIFEST}")
        try:
            fields: Any = cbor2.loads(raw, max_depth=4, allow_indefinite=False, allow_duplicate_keys=False)
        except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ManifestError(f"the manifest is not valid CBOR: {error}") from error
        is_map = isinstance(fields, dict) and set(fields) - {MAP} == set(KEYS)
        _need(is_map, f"a manifest is a map with the keys {', '.join(KEYS)}, and perhaps {MAP}")
        mapped = fields.get(MAP, 0)
        _need(MAP not in fields or _is_int(mapped, 1, 1), f"{MAP} is 1 or absent")
        _need(isinstance(fields["argv"], list), "argv must be a list")
        _need(isinstance(fields["files"], dict), "files must be a map")
        _need(type(fields["v"]) is int, "v must be a whole number")
        manifest = cls(
            v=fields["v"],
            engine=fields["engine"],
            wasm=fields["wasm"],
            argv=tuple(fields["argv"]),
            files=fields["files"],
            fuel=fields["fuel"],
            memory=fields["memory"],
            stdout_max=fields["stdoutMax"],
            merge=fields["merge"],
            mapped=mapped == 1,
        )
        _need(manifest.encode() == raw, "the manifest is not deterministic CBOR (RFC 8949 §4.2)")
        return manifest

    # -- use

    def roots(self) -> tuple[Root, ...]:
        """The content addresses a node needs before it can run the program: the module, then the files."""
        return tuple(dict.fromkeys((self.wasm, *(self.files[path] for path in sorted(self.files)))))

    def bind(self, params: Mapping[str, str]) -> Manifest:
        """The manifest with `{param:NAME}` filled in; ManifestError names what is missing or unknown."""
        wanted = {match[2] for arg in self.argv for match in _PLACEHOLDER.finditer(arg) if match[2]}
        _need(not wanted - set(params), f"missing parameters: {', '.join(sorted(wanted - set(params)))}")
        _need(not set(params) - wanted, f"unknown parameters: {', '.join(sorted(set(params) - wanted))}")
        argv = tuple(_PLACEHOLDER.sub(lambda m: params[m[2]] if m[2] else m[0], arg) for arg in self.argv)
        return replace(self, argv=argv)

    def arguments(self, shard: int, shards: int) -> tuple[str, ...]:
        """argv of one run. ManifestError if a `{param:NAME}` was never filled in."""
        if not 0 <= shard < shards <= MAX_SHARDS:
            raise ManifestError(
                f"no shard {shard} of {shards}: they count from 0, and {MAX_SHARDS} is the limit"
            )

        def fill(match: re.Match[str]) -> str:
            _need(match[2] is None, f"argv still holds the parameter {match[0]}")
            return str(shard if match[1] == "shard" else shards)

        return tuple(_PLACEHOLDER.sub(fill, arg) for arg in self.argv)

    def job(
        self,
        *,
        wasm: bytes,
        stdin: bytes,
        shard: int,
        shards: int,
        files: Mapping[str, bytes] | None = None,
        task: TaskId = NO_TASK,
    ) -> WasmJob:
        """One shard, ready for the executor. `wasm` and `files` (path → content) were fetched by `roots()`
        and checked by whoever fetched them; here only sizes are checked."""
        contents = dict(files or {})
        _need(len(wasm) <= MAX_WASM, f"the module takes {len(wasm)} bytes; the limit is {MAX_WASM}")
        _need(contents.keys() == self.files.keys(), "the given files are not those that the manifest names")
        size = sum(map(len, contents.values()))
        _need(size <= MAX_FILES, f"the files take {size} bytes; the limit is {MAX_FILES}")
        _need(
            len(stdin) <= MAX_STDIN, f"the input takes {len(stdin)} bytes; the limit is {MAX_STDIN} a shard"
        )
        return WasmJob(
            engine=self.engine,
            wasm=wasm,
            argv=self.arguments(shard, shards),
            files=contents,
            stdin=stdin,
            fuel=self.fuel,
            memory=self.memory,
            stdout_max=self.stdout_max,
            shard=shard,
            shards=shards,
            task=task,
            mapped=self.mapped,
        )

    def merged(self, outputs: Sequence[bytes]) -> bytes | None:
        """The task's output from its shards' outputs in shard order; None where `merge_job` has to make it."""
        if self.merge == "concat":
            return b"".join(outputs)
        if self.merge == "first":
            return next((output for output in outputs if output != NOTHING), NOTHING)
        return None

    def merge_job(
        self, outputs: Sequence[bytes], *, wasm: bytes, files: Mapping[str, bytes] | None = None
    ) -> WasmJob:
        """The last step of a task with `merge = "program"`: the same module with the argument "merge" over
        the shards' outputs in shard order, each with its length (u32, big-endian) in front."""
        stdin = b"".join(len(output).to_bytes(4, "big") + output for output in outputs)
        merger = replace(self, argv=(*self.argv[:1], "merge"), mapped=False)
        return merger.job(wasm=wasm, stdin=stdin, shard=0, shards=1, files=files)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ManifestError(message)


def _is_int(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high  # `type`, because True is an int to isinstance


def _is_text(value: object, longest: int | None = None) -> bool:
    """Any text, or one line of 1 to `longest` letters."""
    if longest is None:
        return isinstance(value, str)
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def _is_root(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32
