"""A module's outer form, read section by section before the compiler sees it.

The caps here bound what compiling and instantiating may cost, and refuse memories and tables that would
make instantiation fail for reasons that only the machine knows. Whether the bodies are valid is the
engine's business; what a program must import and export is `interface.py`'s.

Binary format: WebAssembly core specification 2.0, §5.5 (modules). `Reader` is what all readers of modules
share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blockedge_node.core.job import MAX_FUNCTIONS

MAGIC: Final = b"\0asm\x01\0\0\0"
PAGE: Final = 64 << 10

MAX_BODY: Final = 256 << 10  # bytes of one function; bounds a native frame, and the compiler's worst case
MAX_TABLES: Final = 4
MAX_TABLE_ELEMENTS: Final = 100_000
MAX_IMPORTS: Final = 1_000

TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, CODE = 1, 2, 3, 4, 5, 6, 7, 10  # ids of sections
COMPONENT: Final = b"\0asm\x0d\0\x01\0"
_REFERENCES = (0x70, 0x6F)  # funcref, externref
_LONG_REFERENCES = (0x63, 0x64)  # (ref null heaptype), (ref heaptype)
_FUNCTION_TYPE = 0x60


class InvalidModule(Exception):
    """These bytes are not a program of this engine, on any node; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Counts and sizes that the sections declare; memory in bytes."""

    functions: int
    largest_body: int
    memory: int
    tables: tuple[int, ...]


class Reader:
    """A cursor over bytes; running over the end is an InvalidModule."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    @property
    def size(self) -> int:
        """Bytes that are left."""
        return self.end - self.at

    def fork(self) -> Reader:
        """Another cursor at the same place: reading it does not move this one."""
        return Reader(self.data, self.at, self.end)

    def rest(self) -> bytes:
        """The bytes that are left."""
        return self.data[self.at : self.end]

    def byte(self) -> int:
        if self.at >= self.end:
            raise InvalidModule("the module is cut off")
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        """Unsigned LEB128 of at most 32 bits."""
        value = 0
        for shift in (0, 7, 14, 21, 28):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 32:
                    break
                return value
        raise InvalidModule("a number in the module is longer than 32 bits")

    def take(self, size: int) -> Reader:
        """The next `size` bytes as a reader of their own."""
        if size > self.size:
            raise InvalidModule("the module is cut off")
        self.at += size
        return Reader(self.data, self.at - size, self.at)

    def limits(self, what: str) -> int:
        """The minimum of a memory or table; flags beyond "has a maximum" mean shared, 64-bit or odd pages."""
        flags = self.byte()
        if flags > 1:
            raise InvalidModule(
                f"a shared or 64-bit {what} is not supported: build without threads, for wasm32"
            )
        minimum = self.u32()
        if flags:
            self.u32()
        return minimum

    def name(self) -> str:
        """A name, as the specification encodes it; bytes that are no UTF-8 show as replacement characters."""
        return self.take(self.u32()).rest().decode(errors="replace")

    def value_type(self) -> int:
        """The first byte of a value type. References may have a long form, with a heap type behind it."""
        kind = self.byte()
        if kind in _LONG_REFERENCES:
            while self.byte() >= 0x80:
                pass
        return kind

    def function_type(self) -> tuple[bytes, bytes]:
        """Parameters and results of a function type, one byte each."""
        if self.byte() != _FUNCTION_TYPE:
            raise InvalidModule("a type that is not a function's is not supported")
        params = bytes(self.value_type() for _ in range(self.u32()))
        return params, bytes(self.value_type() for _ in range(self.u32()))


def sections(wasm: bytes) -> Iterator[tuple[int, Reader]]:
    """(id, content) of every section in the order of the file. Raises InvalidModule where it is cut off."""
    reader = Reader(wasm, len(MAGIC), len(wasm))
    while reader.size:
        kind = reader.byte()
        yield kind, reader.take(reader.u32())


def read_shape(wasm: bytes, *, memory_limit: int, max_functions: int = MAX_FUNCTIONS) -> Shape:
    """What `wasm` declares, with the caps of this engine applied; `memory_limit` in bytes, from the manifest;
    `max_functions` lower where it is a node's own wish.

    Raises InvalidModule. The text format is refused too: the binding would compile it silently.
    """
    if wasm.startswith(COMPONENT):
        raise InvalidModule("not a WebAssembly module but a component: build for wasm32-wasip1 (preview 1)")
    if not wasm.startswith(MAGIC):
        raise InvalidModule("not a WebAssembly module (version 1, binary format)")
    functions = largest = pages = 0
    tables: tuple[int, ...] = ()
    for kind, section in sections(wasm):
        if kind == IMPORT:
            _cap("imports", section.u32(), MAX_IMPORTS)
        elif kind == FUNCTION:
            functions = _cap("functions", section.u32(), max_functions)
        elif kind == TABLE:
            tables = _tables(section)
        elif kind == MEMORY:
            if _cap("memories", section.u32(), 1):
                pages = section.limits("memory")
        elif kind == CODE:
            for _ in range(_cap("function bodies", section.u32(), MAX_FUNCTIONS)):
                body = section.take(section.u32())
                largest = max(largest, _cap("bytes in one function", body.size, MAX_BODY))
    if pages * PAGE > memory_limit:
        raise InvalidModule(f"needs {pages * PAGE} bytes of memory; its manifest allows {memory_limit}")
    return Shape(functions=functions, largest_body=largest, memory=pages * PAGE, tables=tables)


def functions_of(wasm: bytes) -> int:
    """How many functions a module that `read_shape` accepts defines."""
    return next((section.u32() for kind, section in sections(wasm) if kind == FUNCTION), 0)


def _tables(section: Reader) -> tuple[int, ...]:
    minima = []
    for _ in range(_cap("tables", section.u32(), MAX_TABLES)):
        if section.byte() not in _REFERENCES:
            raise InvalidModule("a table of typed references is not supported")
        minima.append(_cap("table elements", section.limits("table"), MAX_TABLE_ELEMENTS))
    return tuple(minima)


def _cap(what: str, found: int, limit: int) -> int:
    if found > limit:
        raise InvalidModule(f"{found} {what}; the limit is {limit}")
    return found
