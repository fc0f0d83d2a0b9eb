"""A module's outer form, read section by section before the compiler sees it.

The caps here bound what compiling and instantiating may cost, and refuse memories and tables that would
make instantiation fail for reasons that only the machine knows. Whether the bodies are valid is the
engine's business.

Binary format: WebAssembly core specification 2.0, §5.5 (modules). Only the sections that carry a size are
read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"\0asm\x01\0\0\0"
PAGE: Final = 64 << 10

MAX_FUNCTIONS: Final = 60_000
MAX_BODY: Final = 256 << 10  # bytes of one function; bounds a native frame, and the compiler's worst case
MAX_TABLES: Final = 4
MAX_TABLE_ELEMENTS: Final = 100_000
MAX_IMPORTS: Final = 1_000

_TABLE, _MEMORY, _IMPORT, _FUNCTION, _CODE = 4, 5, 2, 3, 10
_REFERENCES = (0x70, 0x6F)  # funcref, externref


class InvalidModule(Exception):
    """These bytes are not a program of this engine, on any node; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Counts and sizes that the sections declare; memory in bytes."""

    functions: int
    largest_body: int
    memory: int
    tables: tuple[int, ...]


class _Reader:
    """A cursor over bytes; running over the end is an InvalidModule."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

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

    def take(self, size: int) -> _Reader:
        """The next `size` bytes as a reader of their own."""
        if size > self.end - self.at:
            raise InvalidModule("the module is cut off")
        self.at += size
        return _Reader(self.data, self.at - size, self.at)

    def limits(self, what: str) -> int:
        """The minimum of a memory or table; flags beyond "has a maximum" mean shared, 64-bit or odd pages."""
        flags = self.byte()
        if flags > 1:
            raise InvalidModule(f"a shared or 64-bit {what} is not supported")
        minimum = self.u32()
        if flags:
            self.u32()
        return minimum


def read_shape(wasm: bytes, *, memory_limit: int) -> Shape:
    """What `wasm` declares, with the caps of this engine applied; `memory_limit` in bytes, from the manifest.

    Raises InvalidModule. The text format is refused too: the binding would compile it silently.
    """
    if not wasm.startswith(MAGIC):
        raise InvalidModule("not a WebAssembly module (version 1, binary format)")
    functions = largest = pages = 0
    tables: tuple[int, ...] = ()
    reader = _Reader(wasm, len(MAGIC), len(wasm))
    while reader.at < reader.end:
        kind = reader.byte()
        section = reader.take(reader.u32())
        if kind == _IMPORT:
            _cap("imports", section.u32(), MAX_IMPORTS)
        elif kind == _FUNCTION:
            functions = _cap("functions", section.u32(), MAX_FUNCTIONS)
        elif kind == _TABLE:
            tables = _tables(section)
        elif kind == _MEMORY:
            if _cap("memories", section.u32(), 1):
                pages = section.limits("memory")
        elif kind == _CODE:
            for _ in range(_cap("function bodies", section.u32(), MAX_FUNCTIONS)):
                body = section.take(section.u32())
                largest = max(largest, _cap("bytes in one function", body.end - body.at, MAX_BODY))
    if pages * PAGE > memory_limit:
        raise InvalidModule(f"needs {pages * PAGE} bytes of memory; its manifest allows {memory_limit}")
    return Shape(functions=functions, largest_body=largest, memory=pages * PAGE, tables=tables)


def _tables(section: _Reader) -> tuple[int, ...]:
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
