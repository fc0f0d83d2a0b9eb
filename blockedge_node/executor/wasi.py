"""The system a program sees: our own subset of WASI preview 1, in which nothing differs from node to node.

| asked for           | answer                                                                            |
|---------------------|-----------------------------------------------------------------------------------|
| arguments, env      | the manifest's argv; BLOCKEDGE_SHARD and BLOCKEDGE_SHARDS                         |
| stdin               | the shard's input                                                                 |
| stdout              | the result; more than the manifest allows stops the program                       |
| stderr              | the first 64 KiB, shown to people, hashed by nobody                               |
| files               | a read-only tree at /, if the manifest names files                                |
| clocks              | one virtual clock: 0 at the start, 1 ms later at each look                        |
| random numbers      | SHAKE-256 of task, shard and the number of the call                               |
| anything else       | ENOSYS, so that libraries take their fallback                                     |

Every call costs CALL_COST fuel, about what its 10 µs of host time are worth, and every byte moved 1 more:
without that a program could buy hours of host time for little fuel. This file knows no engine: it speaks to
`Machine`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from blockedge_node.core.job import MAX_ARGS, MAX_STDERR, TrapCode, WasmJob
from blockedge_node.executor import tree
from blockedge_node.executor.module import InvalidModule
from blockedge_node.executor.preview1 import (
    ALL_READING,
    CREAT,
    DIRECTORY,
    EBADF,
    EINVAL,
    EISDIR,
    EMFILE,
    ENOENT,
    ENOSYS,
    ENOTDIR,
    EROFS,
    ESPIPE,
    EXCL,
    MUST_BE_DIR,
    OK,
    READ,
    REGULAR,
    ROOT_FD,
    SIGNATURES,
    TRUNC,
    UNKNOWN,
    WRITE,
)

CALL_COST: Final = 20_000
MAX_IOVECS: Final = 1024
MAX_OPEN: Final = 256

Call = Callable[..., int]


class Exit(Exception):
    """The program ended by itself, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Trapped(Exception):
    """A host call stops the program."""

    def __init__(self, code: TrapCode) -> None:
        super().__init__(code.name)
        self.code = code


class Machine(Protocol):
    """What a host call may do to the running program. Pointers outside of its memory raise Trapped."""

    def size(self) -> int: ...

    def read(self, pointer: int, length: int) -> bytes: ...

    def write(self, pointer: int, data: bytes | memoryview) -> None: ...

    def charge(self, fuel: int) -> None:
        """Take `fuel` away, or stop the program with OUT_OF_FUEL."""


class _Open:
    """An open file or directory of the tree, and how far it has been read."""

    def __init__(self, node: tree.Node) -> None:
        self.node = node
        self.position = 0


class System:
    """One program's world. Every public method below `calls` is the WASI function of the same name: unsigned
    arguments in the order of SIGNATURES, an errno out."""

    def __init__(self, job: WasmJob, machine: Machine) -> None:
        self.machine = machine
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._stdout_max = job.stdout_max
        self._stdin = memoryview(job.stdin)
        self._read = 0
        self._args = [text.encode() + b"\0" for text in job.argv]
        self._env = [
            f"BLOCKEDGE_SHARD={job.shard}\0".encode(),
            f"BLOCKEDGE_SHARDS={job.shards}\0".encode(),
        ]
        if sum(map(len, self._args + self._env)) > MAX_ARGS:
            raise InvalidModule(f"arguments and environment take more than {MAX_ARGS} bytes")
        self._seed = hashlib.sha256(job.task + job.shard.to_bytes(4, "big")).digest()
        self._draws = 0
        self._now = 0  # ns
        self._fds: dict[int, _Open] = {ROOT_FD: _Open(tree.build(job.files))} if job.files else {}

    def calls(self) -> dict[str, Call]:
        """The functions this system has; every other name of SIGNATURES answers ENOSYS."""
        return {name: getattr(self, name, _unsupported) for name in SIGNATURES}

    # -- the process

    def args_sizes_get(self, count: int, size: int) -> int:
        return self._sizes(self._args, count, size)

    def args_get(self, pointers: int, texts: int) -> int:
        return self._texts(self._args, pointers, texts)

    def environ_sizes_get(self, count: int, size: int) -> int:
        return self._sizes(self._env, count, size)

    def environ_get(self, pointers: int, texts: int) -> int:
        return self._texts(self._env, pointers, texts)

    def proc_exit(self, code: int) -> NoReturn:
        raise Exit(code)

    def sched_yield(self) -> int:
        return OK

    def clock_res_get(self, clock: int, out: int) -> int:
        return self._put(out, "<Q", 1_000_000) if clock < 4 else EINVAL

    def clock_time_get(self, clock: int, _precision: int, out: int) -> int:
        if clock > 3:
            return EINVAL
        self._now += 1_000_000
        return self._put(out, "<Q", self._now)

    def random_get(self, out: int, length: int) -> int:
        if length > self.machine.size():
            raise Trapped(TrapCode.BAD_POINTER)
        self.machine.charge(length)
        stream = hashlib.shake_256(self._seed + self._draws.to_bytes(8, "big"))
        self._draws += 1
        self.machine.write(out, stream.digest(length))
        return OK

    # -- descriptors

    def fd_read(self, fd: int, vectors: int, count: int, out: int) -> int:
        spans = self._vectors(vectors, count)
        if spans is None:
            return EINVAL
        if fd == 0:
            done = self._scatter(self._stdin, self._read, spans)
            self._read += done
            return self._put(out, "<I", done)
        file = self._fds.get(fd)
        if file is None:
            return EBADF
        if file.node.data is None:
            return EISDIR
        done = self._scatter(memoryview(file.node.data), file.position, spans)
        file.position += done
        return self._put(out, "<I", done)

    def fd_pread(self, fd: int, vectors: int, count: int, offset: int, out: int) -> int:
        spans = self._vectors(vectors, count)
        file = self._fds.get(fd)
        if spans is None:
            return EINVAL
        if file is None:
            return ESPIPE if fd < 3 else EBADF
        if file.node.data is None:
            return EISDIR
        return self._put(out, "<I", self._scatter(memoryview(file.node.data), offset, spans))

    def fd_write(self, fd: int, vectors: int, count: int, out: int) -> int:
        spans = self._vectors(vectors, count)
        if spans is None:
            return EINVAL
        if fd not in (1, 2):
            return EBADF
        total = sum(length for _, length in spans)
        self.machine.charge(total)
        if fd == 1 and len(self.stdout) + total > self._stdout_max:
            raise Trapped(TrapCode.OUTPUT_TOO_LARGE)
        for pointer, length in spans:
            if fd == 1:
                self.stdout += self.machine.read(pointer, length)
            else:  # beyond the cap the text is dropped, but a bad pointer still counts
                kept = min(length, MAX_STDERR - len(self.stderr))
                self.stderr += self.machine.read(pointer, length)[:kept]
        return self._put(out, "<I", total)

    def fd_close(self, fd: int) -> int:
        return OK if fd < 3 or self._fds.pop(fd, None) is not None else EBADF

    def fd_seek(self, fd: int, offset: int, whence: int, out: int) -> int:
        file = self._fds.get(fd)
        if file is None:
            return ESPIPE if fd < 3 else EBADF
        if file.node.is_dir or whence > 2:
            return EINVAL
        signed = offset - (1 << 64) if offset >> 63 else offset
        position = (0, file.position, file.node.size)[whence] + signed
        if not 0 <= position < 1 << 63:
            return EINVAL
        file.position = position
        return self._put(out, "<Q", position)

    def fd_tell(self, fd: int, out: int) -> int:
        return self.fd_seek(fd, 0, 1, out)

    def fd_fdstat_get(self, fd: int, out: int) -> int:
        if fd < 3:
            kind, rights = UNKNOWN, READ if fd == 0 else WRITE
        elif fd in self._fds:
            kind, rights = _kind(self._fds[fd].node), ALL_READING
        else:
            return EBADF
        return self._put(out, "<BxHxxxxQQ", kind, 0, rights, rights)

    def fd_filestat_get(self, fd: int, out: int) -> int:
        if fd < 3:
            return self._put(out, "<QQB7xQQQQQ", 0, fd, UNKNOWN, 1, 0, 0, 0, 0)
        file = self._fds.get(fd)
        return self._stat(file.node, out) if file else EBADF

    def fd_prestat_get(self, fd: int, out: int) -> int:
        return self._put(out, "<BxxxI", 0, 1) if fd == ROOT_FD and fd in self._fds else EBADF

    def fd_prestat_dir_name(self, fd: int, out: int, length: int) -> int:
        if fd != ROOT_FD or fd not in self._fds:
            return EBADF
        self.machine.write(out, b"/"[:length])
        return OK

    def fd_readdir(self, fd: int, out: int, length: int, cookie: int, used: int) -> int:
        file = self._fds.get(fd)
        if file is None:
            return EBADF
        if not file.node.is_dir:
            return ENOTDIR
        listing = bytearray()
        for at, (name, node) in enumerate(file.node.children.items()):
            if at >= cookie and len(listing) < length:
                raw = name.encode()
                listing += struct.pack("<QQIBxxx", at + 1, node.inode, len(raw), _kind(node)) + raw
        del listing[length:]  # a full buffer tells the program to ask again from the last cookie it saw whole
        self.machine.charge(len(listing) + len(file.node.children))
        self.machine.write(out, bytes(listing))
        return self._put(used, "<I", len(listing))

    # -- paths

    def path_open(
        self,
        fd: int,
        _lookup: int,
        path: int,
        length: int,
        oflags: int,
        rights: int,
        _: int,
        _fd: int,
        out: int,
    ) -> int:
        node = self._at(fd, path, length)
        if isinstance(node, int):
            return EROFS if node == ENOENT and oflags & CREAT else node
        if oflags & (EXCL | TRUNC) or (rights & WRITE and not node.is_dir):
            return EROFS
        if oflags & MUST_BE_DIR and not node.is_dir:
            return ENOTDIR
        if len(self._fds) >= MAX_OPEN:
            return EMFILE
        new = next(n for n in range(ROOT_FD, ROOT_FD + MAX_OPEN + 1) if n not in self._fds)
        self._fds[new] = _Open(node)
        return self._put(out, "<I", new)

    def path_filestat_get(self, fd: int, _lookup: int, path: int, length: int, out: int) -> int:
        node = self._at(fd, path, length)
        return node if isinstance(node, int) else self._stat(node, out)

    def path_readlink(self, fd: int, path: int, length: int, _out: int, _size: int, _used: int) -> int:
        node = self._at(fd, path, length)
        return node if isinstance(node, int) else EINVAL  # there are no links

    # -- helpers

    def _put(self, pointer: int, layout: str, *values: int) -> int:
        self.machine.write(pointer, struct.pack(layout, *values))
        return OK

    def _sizes(self, texts: list[bytes], count: int, size: int) -> int:
        self._put(count, "<I", len(texts))
        return self._put(size, "<I", sum(map(len, texts)))

    def _texts(self, texts: list[bytes], pointers: int, at: int) -> int:
        self.machine.charge(sum(map(len, texts)))
        starts = [at + sum(map(len, texts[:n])) for n in range(len(texts))]
        self.machine.write(at, b"".join(texts))
        return self._put(pointers, f"<{len(starts)}I", *(start & 0xFFFFFFFF for start in starts))

    def _vectors(self, pointer: int, count: int) -> list[tuple[int, int]] | None:
        """(pointer, length) pairs of a read or write; None if they are too many or exceed the memory together."""
        if count > MAX_IOVECS:
            return None
        raw = self.machine.read(pointer, 8 * count)
        spans = [(start, length) for start, length in struct.iter_unpack("<II", raw)]
        return spans if sum(length for _, length in spans) <= self.machine.size() else None

    def _scatter(self, source: memoryview, start: int, spans: list[tuple[int, int]]) -> int:
        """Copy from `source` into the spans, as far as both reach; the number of bytes."""
        total = max(0, min(len(source) - start, sum(length for _, length in spans)))
        self.machine.charge(total)
        done = 0
        for pointer, length in spans:
            part = source[start + done : start + done + min(length, total - done)]
            self.machine.write(pointer, part)
            done += len(part)
        return done

    def _at(self, fd: int, path: int, length: int) -> tree.Node | int:
        file = self._fds.get(fd)
        if file is None:
            return EBADF
        if not file.node.is_dir:
            return ENOTDIR
        if length > 4096:
            return EINVAL
        self.machine.charge(length)
        try:
            text = self.machine.read(path, length).decode()
        except UnicodeDecodeError:
            return EINVAL
        return tree.lookup(file.node, text) or ENOENT

    def _stat(self, node: tree.Node, out: int) -> int:
        return self._put(out, "<QQB7xQQQQQ", 0, node.inode, _kind(node), 1, node.size, 0, 0, 0)


def _kind(node: tree.Node) -> int:
    return DIRECTORY if node.is_dir else REGULAR


def _unsupported(*_arguments: int) -> int:
    return ENOSYS
