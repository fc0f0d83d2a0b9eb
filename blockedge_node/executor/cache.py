"""Compiled programs on disk. Machine code runs as it is, so none is ever taken from anybody but ourselves.

Where it comes from: a child that compiles and never runs anything, so that no program has had a say in it;
children that run programs cannot write here. What a program's author could at most spoil is the code of that very
program, which is as untrusted as its source.

How it is known again: by a MAC whose key exists in the node's memory alone, over the engine, the processor, the
module's hash and the code. The key dies with the node, so files of an earlier start are waste and are removed: a
program is compiled once in each life of the node. A file that is cut off, foreign or forged is removed too, and
the program is compiled again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from blockedge_node.core.job import ENGINE, MIB
from blockedge_node.executor import sandbox
from blockedge_node.executor.frames import MAX_NATIVE

SIZE: Final = 512 * MIB  # of all files; the ones used longest ago go first
_MAC: Final = 32


class Cache:
    """Machine code by module, at most `size` bytes of it in `directory`. Calls block for as long as the disk."""

    def __init__(self, directory: Path, *, size: int = SIZE) -> None:
        """Makes `directory` ours alone and empties it. Raises OSError if that is not possible."""
        self._directory = directory
        self._size = size
        self._key = secrets.token_bytes(32)
        self._host = f"{ENGINE} {sandbox.describe_host()}".encode()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{directory} is not a directory of this user: remove it")
        directory.chmod(0o700)
        for path in directory.iterdir():
            path.unlink()

    def get(self, wasm: bytes) -> bytes | None:
        """The module's code as it was put here, or None."""
        name = self._name(wasm)
        path = self._directory / name.hex()
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(handle, "rb") as file:
            data = file.read(_MAC + MAX_NATIVE + 1)
        code = data[_MAC:]
        if len(data) <= _MAC or not hmac.compare_digest(data[:_MAC], self._mac(name, code)):
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):
            os.utime(path)
        return code

    def put(self, wasm: bytes, code: bytes) -> None:
        """Keep the code, if it fits and the disk takes it: a cache may forget anything."""
        if not 0 < len(code) <= min(MAX_NATIVE, self._size - _MAC):
            return
        name = self._name(wasm)
        path = self._directory / name.hex()
        new = path.with_suffix(".new")
        try:
            with open(new, "xb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
                file.write(self._mac(name, code))
                file.write(code)
            new.replace(path)
            self._shrink()
        except OSError:
            new.unlink(missing_ok=True)

    def forget(self, wasm: bytes) -> None:
        """Drop code that turned out not to load."""
        (self._directory / self._name(wasm).hex()).unlink(missing_ok=True)

    def _shrink(self) -> None:
        files = sorted(
            ((found.stat(), found.path) for found in os.scandir(self._directory)),
            key=lambda pair: pair[0].st_mtime_ns,
        )
        total = sum(found.st_size for found, _ in files)
        for found, path in files:
            if total <= self._size:
                return
            os.unlink(path)
            total -= found.st_size

    def _name(self, wasm: bytes) -> bytes:
        return hashlib.sha256(self._host + b"\0" + hashlib.sha256(wasm).digest()).digest()

    def _mac(self, name: bytes, code: bytes) -> bytes:
        return hmac.digest(self._key, name + code, "sha256")
