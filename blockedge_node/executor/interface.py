"""What joins a module to this engine: its imports, against the exact table of WASI's signatures, and the two
exports that make it a command.

Read from the bytes of a module that is valid already, and before it is compiled: a program that cannot run
here is refused in milliseconds, with a sentence that says what to change.
"""

from __future__ import annotations

from typing import Final

from blockedge_node.executor import preview1
from blockedge_node.executor.module import EXPORT, FUNCTION, IMPORT, TYPE, InvalidModule, Reader, sections

_FUNC, _MEMORY = 0, 2  # kinds of imports and exports
_TYPES: Final = {"i": 0x7F, "I": 0x7E}  # the letters of preview1.SIGNATURES


def check(wasm: bytes) -> None:
    """Raises InvalidModule unless valid `wasm` imports nothing but WASI, as WASI defines it, and is a command."""
    found = {kind: section for kind, section in sections(wasm) if kind in (TYPE, IMPORT, FUNCTION, EXPORT)}
    types = [section.function_type() for section in _entries(found.get(TYPE))]
    functions = [_import(item, types) for item in _entries(found.get(IMPORT))]
    functions += [types[section.u32()] for section in _entries(found.get(FUNCTION))]
    _check_exports(found.get(EXPORT), functions)


def _entries(section: Reader | None) -> list[Reader]:
    """The section's cursor, once for every entry of its vector: each use must read its entry to the end."""
    return [] if section is None else [section] * section.u32()


def _import(item: Reader, types: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Read one import; its type if it is one of WASI's functions."""
    module, name, kind = item.name(), item.name(), item.byte()
    if module != preview1.MODULE or name not in preview1.SIGNATURES:
        raise InvalidModule(
            f"imports {module}.{name}, which this engine does not have{_remedy(module, name)}"
        )
    params = bytes(_TYPES[letter] for letter in preview1.SIGNATURES[name])
    results = b"" if name == "proc_exit" else bytes((_TYPES["i"],))
    if kind != _FUNC or types[index := item.u32()] != (params, results):
        raise InvalidModule(f"imports {module}.{name} with another signature than WASI's")
    return types[index]


def _remedy(module: str, name: str) -> str:
    if name == "memory" or module == "wasi":
        return ": build without threads"
    if module.startswith("wasi:"):
        return ": build for WASI preview 1 (wasm32-wasip1)"
    if module in ("env", "wbg", "go", "gojs", "a") or module.startswith("./"):
        return ": it expects a browser or another host; build a WASI command (wasm32-wasip1)"
    return f": only {preview1.MODULE} is there"


def _check_exports(section: Reader | None, functions: list[tuple[bytes, bytes]]) -> None:
    exports = {}
    for item in _entries(section):
        name = item.name()
        exports[name] = (item.byte(), item.u32())
    if exports.get("memory", (-1, 0))[0] != _MEMORY:
        raise InvalidModule("does not export its memory as `memory`")
    kind, index = exports.get("_start", (-1, 0))
    if kind != _FUNC or functions[index] != (b"", b""):
        reactor = ": it is a reactor or library; build a command, with a `main`" if kind < 0 else ""
        raise InvalidModule(f"does not export a function `_start` without parameters and results{reactor}")
