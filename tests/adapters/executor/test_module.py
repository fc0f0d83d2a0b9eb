"""Section reader: any bytes at all give a shape or an InvalidModule, quickly."""

from __future__ import annotations

from contextlib import suppress

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.executor import probe
from blockedge_node.executor.module import MAGIC, InvalidModule, Shape, read_shape

LIMIT = 1 << 30


def test_reads_what_a_module_declares() -> None:
    wasm = bytes(
        wasmtime.wat2wasm(
            '(module (import "a" "b" (func)) (memory 3 9) (table 7 funcref) (table 1 2 externref)'
            "(func) (func nop nop))"
        )
    )
    assert read_shape(wasm, memory_limit=LIMIT) == Shape(
        functions=2, largest_body=4, memory=3 << 16, tables=(7, 1)
    )


@given(st.binary(max_size=300))
def test_any_sections_are_read_or_refused(tail: bytes) -> None:
    with suppress(InvalidModule):
        read_shape(MAGIC + tail, memory_limit=LIMIT)


@given(st.integers(8, len(probe.MODULE) - 1), st.integers(1, 255))
def test_a_damaged_module_is_read_or_refused(at: int, flip: int) -> None:
    damaged = bytearray(probe.MODULE)
    damaged[at] ^= flip
    with suppress(InvalidModule):
        read_shape(bytes(damaged), memory_limit=LIMIT)


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ("0a ffffffff 7f", "longer than 32 bits"),
        ("05 04 01 00 80", "cut off"),
        ("05 03 01 03 01", "shared or 64-bit"),
        ("05 03 01 04 01", "shared or 64-bit"),
        ("05 03 02 00 01", "2 memories"),
        ("05 05 01 00 808004", "4294967296 bytes of memory"),
        ("04 04 01 64 00 01", "typed references"),
        ("04 01 05", "5 tables"),
        ("04 06 01 70 00 a18d06", "100001 table elements"),
        ("03 03 e1d403", "60001 functions"),
        ("02 02 e907", "1001 imports"),
        ("0a 05 01 818010 0b", "cut off"),
    ],
)
def test_what_costs_too_much_is_refused_unseen_by_the_compiler(sections: str, why: str) -> None:
    with pytest.raises(InvalidModule, match=why):
        read_shape(MAGIC + bytes.fromhex(sections.replace(" ", "")), memory_limit=LIMIT)
