"""The stack meter: where recursion ends, that nothing gets around it, and that it changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node import programs
from blockedge_node.core.ids import ZERO_HASH
from blockedge_node.core.job import Ending, TrapCode, exit_word
from blockedge_node.core.task import Result
from blockedge_node.executor import runtime, stackmeter
from blockedge_node.executor.module import MAGIC, MAX_BODY, InvalidModule, Reader, sections

TOO_DEEP = Result(exit=exit_word(Ending.TRAPPED, TrapCode.STACK_TOO_DEEP), output_root=ZERO_HASH)
INVALID = exit_word(Ending.INVALID)
MEMORY, START = '(memory (export "memory") 1)', '(func (export "_start"))'


def admitted(engine: wasmtime.Engine, text: str) -> bytes:
    return runtime.admit(engine, bytes(wasmtime.wat2wasm(text)), memory_limit=1 << 20)


def kinds(wasm: bytes) -> list[int]:
    return [kind for kind, _ in sections(wasm)]


# -- where it ends


def countdown(locals: str = "", padding: str = "") -> str:
    """A function that calls itself as often as its argument says."""
    return (
        f"(func $f (param i32) {locals} {padding}"
        "(if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))))"
    )


@pytest.mark.parametrize(
    ("locals", "nops", "body"),
    [("", 0, 15), ("(local i64 i64 f32)", 0, 19), ("", 400, 415), ("(local v128 externref)", 100, 119)],
)
def test_the_depth_is_what_the_costs_say(execute: Any, make: Any, locals: str, nops: int, body: int) -> None:
    extra = countdown(locals, "(nop)" * nops)
    inner = stackmeter.cost(
        params=1, locals=len(locals.replace("(", " ").replace(")", " ").split()[1:]), body=body
    )
    start = stackmeter.cost(params=0, locals=0, body=8)
    deepest = (stackmeter.LIMIT - start) // inner - 1  # calls below the first one
    assert execute(make(f"(call $f (i32.const {deepest}))", extra=extra)).result.exit == 0
    assert execute(make(f"(call $f (i32.const {deepest + 1}))", extra=extra)).result == TOO_DEEP


def test_the_height_comes_down_again(execute: Any, make: Any) -> None:
    body = "(local $i i32) (loop (call $f (i32.const 9000)) (local.set $i (i32.add (local.get $i) (i32.const 1)))"
    body += "(br_if 0 (i32.lt_u (local.get $i) (i32.const 50))))"
    assert execute(make(body, extra=countdown())).result.exit == 0


def test_a_programs_own_unreachable_is_not_the_meters(execute: Any, make: Any) -> None:
    once_less = "(call $f (i32.sub (local.get 0) (i32.const 1)))"
    extra = f"(func $f (param i32) (if (local.get 0) (then {once_less}) (else unreachable)))"
    outcome = execute(make("(call $f (i32.const 5000))", extra=extra))
    assert outcome.result.exit == exit_word(Ending.TRAPPED, TrapCode.UNREACHABLE)


def test_the_largest_frames_hit_the_meter_before_the_native_stack(execute: Any, make: Any) -> None:
    # 6,000 values live across the call: each has a slot of its own in the frame
    loads = "".join(f"(i64.load offset={8 * i} (i32.const 0))" for i in range(6000))
    extra = f"(func $f (result i64) {loads} (call $f) {'(i64.add)' * 6000})"
    assert execute(make("(drop (call $f))", extra=extra)).result == TOO_DEEP


def test_many_results_through_many_functions(execute: Any, make: Any) -> None:
    chain = "".join(f"(func $f{i} (result i32) (call $f{i + 1}))" for i in range(2000))
    extra = f"{chain} (func $f2000 (result i32) (i32.const 7))"
    outcome = execute(make("(call $proc_exit (call $f0))", imports="proc_exit", extra=extra))
    assert outcome.result.exit == exit_word(Ending.FAILED, 7)


# -- nothing gets around it


def raw(code: str, *, functions: str = "01 00", extra: str = "") -> bytes:
    """A command whose bodies are these bytes: indices that no assembler would let through."""

    def section(kind: int, content: bytes) -> bytes:
        return bytes((kind,)) + stackmeter.unsigned(len(content)) + content

    export = b"\2\6memory\2\0\6_start\0\0"
    return (
        MAGIC
        + section(1, bytes.fromhex("01 60 00 00"))
        + section(3, bytes.fromhex(functions))
        + section(5, bytes.fromhex("01 00 01"))
        + (section(6, bytes.fromhex(extra)) if extra else b"")
        + section(7, export)
        + section(10, bytes.fromhex(code))
    )


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("01 04 00 10 01 0b", ""),  # call 1: the first body's new index
        ("01 06 00 41 00 24 00 0b", ""),  # global.set 0: the height, in a module without globals
        ("01 06 00 41 00 24 01 0b", "01 7f 01 41 00 0b"),  # global.set 1: the height, behind one of its own
        ("01 05 00 23 00 1a 0b", ""),  # global.get 0
        ("01 05 00 d2 01 1a 0b", ""),  # ref.func 1
    ],
)
def test_naming_what_the_meter_adds_is_invalid(execute: Any, make: Any, code: str, extra: str) -> None:
    outcome = execute(make(wasm=raw(code, extra=extra)))
    assert outcome.result.exit == INVALID
    assert "does not validate" in outcome.stderr.decode()
    # … and would have been valid behind it:
    if "d2" not in code:
        metered = stackmeter.meter(raw(code, extra=extra))
        wasmtime.Module.validate(runtime.new_engine(), metered)


def test_the_same_bytes_with_an_index_that_exists_are_fine(execute: Any, make: Any) -> None:
    assert execute(make(wasm=raw("01 06 00 41 00 24 00 0b", extra="01 7f 01 41 00 0b"))).result.exit == 0


@pytest.mark.parametrize(
    "extra",
    [
        "(func $f (call $f)) (start $f)",
        "(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f) (func $f (call_indirect (type $t) (i32.const 0)))"
        "(start $f)",
        "(type $t (func)) (table 1 funcref) (elem declare func $f)"
        "(func $f (table.set 0 (i32.const 0) (ref.func $f)) (call_indirect (type $t) (i32.const 0))) (start $f)",
        "(type $t (func)) (table 1 funcref) (global $g funcref (ref.func $f))"
        "(func $f (table.set 0 (i32.const 0) (global.get $g)) (call_indirect (type $t) (i32.const 0))) (start $f)",
        "(func $f (call $g)) (func $g (call $f)) (start $f)",
    ],
)
def test_every_way_to_call_is_counted(execute: Any, make: Any, extra: str) -> None:
    assert execute(make(extra=extra)).result == TOO_DEEP


# -- what it changes, and what not


def test_bodies_stay_as_they_are_behind_their_wrappers(engine: wasmtime.Engine) -> None:
    original = bytes(wasmtime.wat2wasm(f"(module {MEMORY} {countdown()} {START})"))
    metered = stackmeter.meter(original)

    def bodies(wasm: bytes) -> list[bytes]:
        section = next(reader for kind, reader in sections(wasm) if kind == 10)
        return [section.take(section.u32()).rest() for _ in range(section.u32())]

    assert bodies(metered)[2:] == bodies(original)
    assert stackmeter.wrappers(original) == range(2)


def test_sections_keep_their_order_and_custom_ones_go(engine: wasmtime.Engine) -> None:
    text = f"""(module {MEMORY} (table 2 funcref) {START} (func $a) (start $a) (elem (i32.const 0) $a)
        (data $d "x") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))) (@custom "note" "hello"))"""
    metered = admitted(engine, text)
    assert kinds(metered) == [1, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
    assert b"hello" not in metered
    wasmtime.Module.validate(engine, metered)


def test_an_own_global_keeps_its_index(execute: Any, make: Any) -> None:
    extra = "(global $mine (mut i32) (i32.const 41))"
    body = (
        "(global.set $mine (i32.add (global.get $mine) (i32.const 1))) (call $proc_exit (global.get $mine))"
    )
    assert execute(make(body, imports="proc_exit", extra=extra)).result.exit == exit_word(Ending.FAILED, 42)


def test_locals_of_references_in_their_long_form_are_read(
    engine: wasmtime.Engine, execute: Any, make: Any
) -> None:
    # (local (ref null func)): 63 70 in place of 70
    assert execute(make(wasm=raw("01 05 01 01 63 70 0b"))).result.exit in (0, INVALID)
    reader = Reader(bytes.fromhex("6370 6f"), 0, 3)
    assert [reader.value_type(), reader.value_type()] == [0x63, 0x6F]


def test_a_call_costs_its_wrapper_and_nothing_else(execute: Any, make: Any) -> None:
    empty = execute(make()).result.fuel_used
    one = execute(make("(call $f)", extra="(func $f)")).result.fuel_used
    three = execute(
        make("(call $f (i32.const 1) (i32.const 2))", extra="(func $f (param i32 i32))")
    ).result.fuel_used
    assert (empty, one - empty, three - one) == (15, 16, 4)  # two constants, two parameters passed on


@pytest.mark.parametrize("name", programs.names())
def test_metering_twice_gives_a_valid_module_too(engine: wasmtime.Engine, name: str) -> None:
    wasm = programs.guest(name).wasm()
    metered = runtime.admit(engine, wasm, memory_limit=1 << 30)
    wasmtime.Module.validate(engine, metered)
    wasmtime.Module.validate(engine, stackmeter.meter(metered))
    assert len(metered) < 2 * len(wasm)


@given(st.integers(0, 1 << 31))
def test_numbers_are_written_as_they_are_read(value: int) -> None:
    raw = stackmeter.unsigned(value)
    assert Reader(raw, 0, len(raw)).u32() == value
    signed = stackmeter.signed(value)
    total = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(signed))
    assert total == value
    assert not signed[-1] & 0x40


@given(st.binary(max_size=200))
def test_what_is_no_module_is_refused_not_metered(engine: wasmtime.Engine, tail: bytes) -> None:
    with pytest.raises(InvalidModule):
        runtime.admit(engine, MAGIC + tail, memory_limit=1 << 20)


def test_limits_hold_with_room_to_spare() -> None:
    """The argument of the module's docstring, in figures."""
    largest = stackmeter.cost(params=0, locals=0, body=MAX_BODY)
    frames = stackmeter.LIMIT // largest + 1
    assert frames * MAX_BODY * 16 // 2 < runtime.WASM_STACK
    assert stackmeter.LIMIT // stackmeter.CALL * 1024 < runtime.WASM_STACK
    assert (stackmeter.LIMIT // 1000 + 1) * 1000 * 16 * 4 < runtime.WASM_STACK
