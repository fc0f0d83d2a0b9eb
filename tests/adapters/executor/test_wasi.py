"""The system a program sees, spoken to like a C library does, over a plain array as memory."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
import wasmtime

from blockedge_node.core.job import ENGINE, MAX_STDERR, TrapCode, WasmJob
from blockedge_node.executor import preview1, tree
from blockedge_node.executor.wasi import Exit, System, Trapped

PATH, VECTOR, OUT, BUFFER = 64, 512, 1024, 4096


class Ram:
    """A Machine with 64 KiB and a purse."""

    def __init__(self) -> None:
        self.bytes = bytearray(64 << 10)
        self.spent = 0

    def size(self) -> int:
        return len(self.bytes)

    def read(self, pointer: int, length: int) -> bytes:
        if pointer + length > len(self.bytes):
            raise Trapped(TrapCode.BAD_POINTER)
        return bytes(self.bytes[pointer : pointer + length])

    def write(self, pointer: int, data: bytes | memoryview) -> None:
        if pointer + len(data) > len(self.bytes):
            raise Trapped(TrapCode.BAD_POINTER)
        self.bytes[pointer : pointer + len(data)] = data

    def charge(self, fuel: int) -> None:
        self.spent += fuel

    def u32(self, pointer: int) -> int:
        return int.from_bytes(self.bytes[pointer : pointer + 4], "little")


def system(files: Mapping[str, bytes] | None = None, **job: object) -> tuple[System, Ram]:
    ram = Ram()
    fields = {
        "argv": ("prog", "é"),
        "stdin": b"abcdefgh",
        "fuel": 1,
        "memory": 1 << 16,
        "stdout_max": 1 << 20,
    }
    return System(WasmJob(engine=ENGINE, wasm=b"", files=files or {}, **(fields | job)), ram), ram  # type: ignore[arg-type]


def read(sys: System, ram: Ram, fd: int, size: int) -> bytes | int:
    ram.write(VECTOR, struct.pack("<II", BUFFER, size))
    errno = sys.fd_read(fd, VECTOR, 1, OUT)
    return errno or ram.read(BUFFER, ram.u32(OUT))


def opened(
    sys: System, ram: Ram, path: str, *, fd: int = 3, oflags: int = 0, rights: int = preview1.READ
) -> int:
    """The new descriptor, or a negative errno."""
    raw = path.encode()
    ram.write(PATH, raw)
    errno = sys.path_open(fd, 0, PATH, len(raw), oflags, rights, 0, 0, OUT)
    return -errno if errno else ram.u32(OUT)


def listing(sys: System, ram: Ram, fd: int, size: int) -> list[tuple[str, int]]:
    """Names and types, read as wasi-libc does: again from the last cookie whenever the buffer was full."""
    entries, cookie = [], 0
    while True:
        assert sys.fd_readdir(fd, BUFFER, size, cookie, OUT) == 0
        used = ram.u32(OUT)
        at = BUFFER
        while at + 24 <= BUFFER + used:
            following, _inode, length, kind = struct.unpack("<QQIBxxx", ram.read(at, 24))
            if at + 24 + length > BUFFER + used:
                break
            entries.append((ram.read(at + 24, length).decode(), kind))
            cookie, at = following, at + 24 + length
        if used < size:
            return entries


TREE = {"b.txt": b"bee", "a/z": b"zed", "a/b/c": b"sea", "a.d": b"", "é": b"e"}


def test_every_function_answers_to_its_signature() -> None:
    sys, _ = system()
    assert set(sys.calls()) == set(preview1.SIGNATURES)
    assert sys.calls()["sock_accept"](0, 0, 0) == preview1.ENOSYS
    assert sys.calls()["path_unlink_file"](3, 0, 0) == preview1.ENOSYS


def test_the_table_of_signatures_is_that_of_a_real_wasi() -> None:
    """wasmtime's own WASI accepts every import exactly as our table types it."""
    names = {"i": "i32", "I": "i64"}
    imports = "".join(
        f'(import "{preview1.MODULE}" "{name}" (func (param {" ".join(names[k] for k in kinds)})'
        f"{'' if name == 'proc_exit' else ' (result i32)'}))"
        for name, kinds in preview1.SIGNATURES.items()
    )
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker.instantiate(store, wasmtime.Module(engine, f"(module {imports})"))


def test_arguments_and_environment() -> None:
    sys, ram = system(shard=2, shards=7)
    assert sys.args_sizes_get(OUT, OUT + 4) == 0
    assert (ram.u32(OUT), ram.u32(OUT + 4)) == (2, 8)
    assert sys.args_get(OUT, BUFFER) == 0
    assert ram.read(BUFFER, 8) == b"prog\0\xc3\xa9\0"
    assert (ram.u32(OUT), ram.u32(OUT + 4)) == (BUFFER, BUFFER + 5)
    assert sys.environ_sizes_get(OUT, OUT + 4) == 0
    assert sys.environ_get(OUT, BUFFER) == 0
    assert ram.read(BUFFER, ram.u32(OUT + 4) - BUFFER) == b"BLOCKEDGE_SHARD=2\0"
    assert b"BLOCKEDGE_SHARDS=7\0" in ram.bytes


def test_exit_carries_the_code() -> None:
    sys, _ = system()
    with pytest.raises(Exit) as exit:
        sys.proc_exit(42)
    assert exit.value.code == 42


def test_stdin_is_read_once_and_ends() -> None:
    sys, ram = system()
    assert [read(sys, ram, 0, 5) for _ in range(3)] == [b"abcde", b"fgh", b""]
    assert sys.fd_seek(0, 0, 0, OUT) == preview1.ESPIPE


def test_a_read_fills_vector_after_vector() -> None:
    sys, ram = system()
    ram.write(VECTOR, struct.pack("<6I", BUFFER, 2, BUFFER + 100, 0, BUFFER + 200, 3))
    assert sys.fd_read(0, VECTOR, 3, OUT) == 0
    assert (ram.u32(OUT), ram.read(BUFFER, 2), ram.read(BUFFER + 200, 3)) == (5, b"ab", b"cde")
    assert ram.spent == 5


def test_stderr_is_kept_up_to_64_KiB() -> None:
    sys, ram = system()
    ram.write(VECTOR, struct.pack("<II", 0, 40_000))
    for _ in range(3):
        assert sys.fd_write(2, VECTOR, 1, OUT) == 0
        assert ram.u32(OUT) == 40_000
    assert len(sys.stderr) == MAX_STDERR
    assert sys.stdout == b""


@pytest.mark.parametrize("fd", [0, 3, 4, 2**32 - 1])
def test_only_stdout_and_stderr_are_written(fd: int) -> None:
    sys, _ = system(TREE)
    assert sys.fd_write(fd, VECTOR, 0, OUT) == preview1.EBADF


def test_without_files_there_is_no_directory() -> None:
    sys, ram = system()
    assert sys.fd_prestat_get(3, OUT) == preview1.EBADF
    assert opened(sys, ram, "b.txt") == -preview1.EBADF


def test_the_tree_is_announced_at_slash() -> None:
    sys, ram = system(TREE)
    assert sys.fd_prestat_get(3, OUT) == 0
    assert (ram.bytes[OUT], ram.u32(OUT + 4)) == (0, 1)
    assert sys.fd_prestat_dir_name(3, BUFFER, 1) == 0
    assert ram.bytes[BUFFER] == ord("/")
    assert sys.fd_prestat_get(4, OUT) == preview1.EBADF


def test_files_are_read_and_sought() -> None:
    sys, ram = system(TREE)
    fd = opened(sys, ram, "a/b/c")
    assert fd == 4
    assert [read(sys, ram, fd, 2) for _ in range(3)] == [b"se", b"a", b""]
    assert sys.fd_seek(fd, 2**64 - 2, 2, OUT) == 0  # two before the end
    assert read(sys, ram, fd, 9) == b"ea"
    assert sys.fd_tell(fd, OUT) == 0
    assert ram.u32(OUT) == 3
    assert sys.fd_seek(fd, 2**64 - 4, 2, OUT) == preview1.EINVAL
    assert sys.fd_seek(fd, 100, 0, OUT) == 0
    assert read(sys, ram, fd, 9) == b""
    ram.write(VECTOR, struct.pack("<II", BUFFER, 9))
    assert sys.fd_pread(fd, VECTOR, 1, 1, OUT) == 0
    assert ram.read(BUFFER, ram.u32(OUT)) == b"ea"


def test_closed_descriptors_are_used_again() -> None:
    sys, ram = system(TREE)
    first, second = opened(sys, ram, "b.txt"), opened(sys, ram, "a")
    assert (first, second) == (4, 5)
    assert sys.fd_close(4) == 0
    assert sys.fd_close(4) == preview1.EBADF
    assert opened(sys, ram, "z", fd=second) == 4


def test_open_files_are_counted() -> None:
    sys, ram = system(TREE)
    assert [opened(sys, ram, "b.txt") for _ in range(256)] == [*range(4, 259), -preview1.EMFILE]


@pytest.mark.parametrize(
    ("path", "oflags", "rights", "errno"),
    [
        ("nope", 0, preview1.READ, preview1.ENOENT),
        ("b.txt/x", 0, preview1.READ, preview1.ENOENT),
        ("new", preview1.CREAT, preview1.WRITE, preview1.EROFS),
        ("b.txt", preview1.TRUNC, preview1.WRITE, preview1.EROFS),
        ("b.txt", 0, preview1.READ | preview1.WRITE, preview1.EROFS),
        ("b.txt", preview1.MUST_BE_DIR, preview1.READ, preview1.ENOTDIR),
    ],
)
def test_nothing_is_written_or_made_up(path: str, oflags: int, rights: int, errno: int) -> None:
    sys, ram = system(TREE)
    assert opened(sys, ram, path, oflags=oflags, rights=rights) == -errno


@pytest.mark.parametrize("size", [30, 40, 200, 4096])
def test_directories_are_listed_in_byte_order_whatever_the_buffer(size: int) -> None:
    sys, ram = system(TREE)
    assert listing(sys, ram, 3, size) == [("a", 3), ("a.d", 4), ("b.txt", 4), ("é", 4)]
    assert listing(sys, ram, opened(sys, ram, "a"), size) == [("b", 3), ("z", 4)]


def test_stat_shows_size_and_kind_and_nothing_of_the_host() -> None:
    sys, ram = system(TREE)
    ram.write(PATH, b"b.txt")
    assert sys.path_filestat_get(3, 0, PATH, 5, OUT) == 0
    _dev, inode, kind, links, size, *times = struct.unpack("<QQB7xQQQQQ", ram.read(OUT, 64))
    assert (kind, links, size, times) == (4, 1, 3, [0, 0, 0])
    assert inode == tree.build({"b.txt": b"other"}).children["b.txt"].inode
    assert sys.fd_filestat_get(1, OUT) == 0
    assert ram.bytes[OUT + 16] == 0


@pytest.mark.parametrize("path", ["..", "../..", "a/../../..", ".", ""])
def test_no_path_leads_out_of_the_tree(path: str) -> None:
    assert tree.lookup(tree.build(TREE), path) == tree.build(TREE)


def test_a_path_that_is_no_text_is_refused() -> None:
    sys, ram = system(TREE)
    ram.write(PATH, b"\xff\xfe")
    assert sys.path_filestat_get(3, 0, PATH, 2, OUT) == preview1.EINVAL
    assert sys.path_filestat_get(3, 0, PATH, 5000, OUT) == preview1.EINVAL
