"""How runs end, and that nothing but program, input and limits decides it. Hostile programs included."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core.ids import ZERO_HASH, TaskId
from blockedge_node.core.job import Ending, Outcome, TrapCode, WasmJob, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result
from blockedge_node.executor import probe, runtime
from blockedge_node.executor.runtime import Fault

SAY_OK = '(data (i32.const 0) "\\08\\00\\00\\00\\03\\00\\00\\00ok\\n")'
WRITE = "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))"
EXIT = "(call $proc_exit (i32.const {}))"


def trapped(code: TrapCode) -> Result:
    return Result(exit=exit_word(Ending.TRAPPED, code), output_root=ZERO_HASH)


INVALID = Result(exit=exit_word(Ending.INVALID), output_root=ZERO_HASH)


def assert_invalid(outcome: Outcome, why: str) -> None:
    assert outcome.result == INVALID
    assert outcome.output == b""
    assert why in outcome.stderr.decode()


# -- endings


def test_a_program_that_returns_is_ok(execute: Any, make: Any) -> None:
    outcome = execute(make(WRITE, imports="fd_write", extra=SAY_OK))
    assert outcome.output == b"ok\n"
    assert outcome.result.exit == 0
    assert outcome.result.output_root == root(b"ok\n")
    assert 20_000 < outcome.result.fuel_used < 20_100


def test_the_memory_hash_skips_pages_of_zeros_and_names_the_others(execute: Any, make: Any) -> None:
    outcome = execute(make("(i32.store8 (i32.const 131073) (i32.const 7))", memory="4"))
    page = bytes([0, 7]) + bytes((64 << 10) - 2)
    assert outcome.result.memory_hash == hashlib.sha256((2).to_bytes(4, "big") + page).digest()


def test_an_untouched_memory_hashes_like_no_pages_at_all(execute: Any, make: Any) -> None:
    assert execute(make(memory="3")).result.memory_hash == hashlib.sha256(b"").digest()


def test_an_exit_code_keeps_the_output(execute: Any, make: Any) -> None:
    outcome = execute(make(WRITE + EXIT.format(2), imports="fd_write proc_exit", extra=SAY_OK))
    assert outcome.result.exit == exit_word(Ending.FAILED, 2)
    assert outcome.output == b"ok\n"
    assert outcome.result.output_root == root(b"ok\n")
    assert outcome.result.fuel_used > 40_000


@pytest.mark.parametrize(("code", "word"), [(0, 0), (1, 0x10001), (65_535, 0x1FFFF), (-1, 0x1FFFF)])
def test_exit_codes_fit_into_16_bits(execute: Any, make: Any, code: int, word: int) -> None:
    assert execute(make(EXIT.format(code), imports="proc_exit")).result.exit == word


def test_a_program_may_end_in_its_start_section(execute: Any, make: Any) -> None:
    extra = f"(func $begin {EXIT.format(5)}) (start $begin)"
    assert execute(make("unreachable", imports="proc_exit", extra=extra)).result.exit == 0x10005


ZERO = "(i32.const 0)"
TABLE = "(type $none (func)) (table 2 funcref) (func $one (param i32)) (elem (i32.const 0) $one)"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("unreachable", TrapCode.UNREACHABLE),
        ("(loop (br 0))", TrapCode.OUT_OF_FUEL),
        (f"(drop (i32.div_u {ZERO} {ZERO}))", TrapCode.INTEGER_DIVISION_BY_ZERO),
        ("(drop (i32.div_s (i32.const -2147483648) (i32.const -1)))", TrapCode.INTEGER_OVERFLOW),
        ("(drop (i32.trunc_f64_s (f64.const nan)))", TrapCode.BAD_CONVERSION_TO_INTEGER),
        ("(drop (i32.load (i32.const 65536)))", TrapCode.MEMORY_OUT_OF_BOUNDS),
        ("(drop (i32.load (i32.const -1)))", TrapCode.MEMORY_OUT_OF_BOUNDS),
        ("(call_indirect (type $none) (i32.const 9))", TrapCode.TABLE_OUT_OF_BOUNDS),
        ("(call_indirect (type $none) (i32.const 1))", TrapCode.INDIRECT_CALL_TO_NULL),
        ("(call_indirect (type $none) (i32.const 0))", TrapCode.BAD_SIGNATURE),
    ],
)
def test_a_trap_shows_its_kind_and_nothing_else(execute: Any, make: Any, body: str, code: TrapCode) -> None:
    outcome = execute(make(WRITE + body, imports="fd_write", extra=SAY_OK + TABLE))
    assert outcome.result == trapped(code)
    assert outcome.output == b""
    assert code.name in outcome.stderr.decode()


def test_the_numbers_of_traps_never_change() -> None:
    assert [code.name for code in TrapCode] == (
        "OUT_OF_FUEL UNREACHABLE MEMORY_OUT_OF_BOUNDS TABLE_OUT_OF_BOUNDS INDIRECT_CALL_TO_NULL BAD_SIGNATURE "
        "INTEGER_OVERFLOW INTEGER_DIVISION_BY_ZERO BAD_CONVERSION_TO_INTEGER BAD_POINTER OUTPUT_TOO_LARGE "
        "STACK_TOO_DEEP"
    ).split()
    assert list(TrapCode) == list(range(1, 13))


def test_what_a_trapped_program_wrote_to_stderr_is_shown_to_people(execute: Any, make: Any) -> None:
    body = WRITE.replace("(i32.const 1)", "(i32.const 2)", 1) + "unreachable"
    outcome = execute(make(body, imports="fd_write", extra=SAY_OK))
    assert outcome.stderr == b"ok\n[blockedge] trapped: UNREACHABLE\n"


# -- programs that eat the machine


def test_an_endless_loop_in_the_start_section_runs_out_of_fuel(execute: Any, make: Any) -> None:
    outcome = execute(make(extra="(func $begin (loop (br 0))) (start $begin)"))
    assert outcome.result == trapped(TrapCode.OUT_OF_FUEL)


def test_memory_grows_to_the_limit_and_no_further(execute: Any, make: Any) -> None:
    body = (
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))(call $proc_exit (memory.size))"
    )
    assert execute(make(body, imports="proc_exit", memory_limit=10 << 16)).result.exit == 0x1000A


def test_a_module_that_starts_above_its_memory_limit_is_invalid(execute: Any, make: Any) -> None:
    assert_invalid(execute(make(memory="17", memory_limit=16 << 16)), "needs 1114112 bytes of memory")


def test_tables_grow_to_the_limit_and_no_further(execute: Any, make: Any) -> None:
    body = (
        "(loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 9999)) (i32.const -1))))"
        "(call $proc_exit (i32.div_u (table.size $t) (i32.const 9999)))"
    )
    assert execute(make(body, imports="proc_exit", extra="(table $t 1 funcref)")).result.exit == 0x1000A


@pytest.mark.parametrize("tables", ["(table 100001 funcref)", "(table 0 funcref)" * 5])
def test_big_or_many_tables_are_invalid(execute: Any, make: Any, tables: str) -> None:
    assert_invalid(execute(make(extra=tables)), "the limit is")


def test_output_is_cut_at_the_manifests_limit(execute: Any, make: Any) -> None:
    # 64 KiB a turn, for 1 GiB; the limit is 1 MiB
    extra = '(data (i32.const 0) "\\00\\00\\00\\00\\00\\00\\01\\00")'
    outcome = execute(make(f"(loop {WRITE} (br 0))", imports="fd_write", extra=extra, fuel=10**10))
    assert outcome.result == trapped(TrapCode.OUTPUT_TOO_LARGE)


def test_output_may_be_as_large_as_the_limit(execute: Any, make: Any) -> None:
    job = make(WRITE, imports="fd_write", extra=SAY_OK)
    assert execute(replace(job, stdout_max=3)).output == b"ok\n"
    assert execute(replace(job, stdout_max=2)).result == trapped(TrapCode.OUTPUT_TOO_LARGE)


def test_bytes_moved_cost_fuel(execute: Any, make: Any) -> None:
    extra = '(data (i32.const 0) "\\00\\00\\00\\00\\00\\80\\00\\00")'
    outcome = execute(make(WRITE, imports="fd_write", extra=extra))
    assert 20_000 + 32_768 < outcome.result.fuel_used < 20_100 + 32_768


@pytest.mark.parametrize("call", ["(drop (call $sched_yield))", WRITE])
def test_host_calls_are_paid_for(execute: Any, make: Any, call: str) -> None:
    outcome = execute(make(f"(loop {call} (br 0))", imports="sched_yield fd_write"))  # 5000 calls of it
    assert outcome.result == trapped(TrapCode.OUT_OF_FUEL)
    assert outcome.cpu_seconds < 60


def test_bulk_memory_is_charged_by_the_byte(execute: Any, make: Any) -> None:
    fill = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576))"
    once = execute(make(fill, memory="16"))
    assert once.result.fuel_used > 1 << 20
    assert execute(make(f"(loop {fill} (br 0))", memory="16")).result == trapped(TrapCode.OUT_OF_FUEL)


def test_a_native_stack_overflow_is_never_a_result(big_stack: ThreadPoolExecutor, make: Any) -> None:
    # The stack meter leaves no way to it, except on a native stack that is far too small.
    engine = runtime.new_engine(stack=256 << 10)
    job = make("(call $deep)", extra="(func $deep (call $deep))", fuel=10**10)
    with pytest.raises(Fault, match="stack"):
        big_stack.submit(runtime.run, engine, job).result()


# -- programs that point where they should not


@pytest.mark.parametrize(
    "call",
    [
        "(call $fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 16))",  # vectors half outside
        "(call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 16))",  # vectors at the very end
        "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 65533))",  # count half outside
        "(call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const -1))",
        "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 65529))",
        "(call $random_get (i32.const 65535) (i32.const 2))",
        "(call $random_get (i32.const 0) (i32.const -1))",  # 4 GiB of random numbers
        "(call $args_get (i32.const 0) (i32.const 65535))",
        "(call $args_get (i32.const 65535) (i32.const 0))",
    ],
)
def test_pointers_outside_of_the_memory_trap(execute: Any, make: Any, call: str) -> None:
    outcome = execute(make(f"(drop {call})", imports="fd_write fd_read clock_time_get random_get args_get"))
    assert outcome.result == trapped(TrapCode.BAD_POINTER)


@pytest.mark.parametrize(
    ("vector", "count"),
    [("\\00\\00\\00\\00\\00\\00\\00\\80", 1), ("\\00\\00\\00\\00\\00\\00\\00\\00", 1025)],
)
def test_absurd_vectors_are_refused(execute: Any, make: Any, vector: str, count: int) -> None:
    call = f"(call $fd_write (i32.const 1) (i32.const 0) (i32.const {count}) (i32.const 16))"
    outcome = execute(
        make(
            f"(call $proc_exit {call})",
            imports="fd_write proc_exit",
            extra=f'(data (i32.const 0) "{vector}")',
        )
    )
    assert outcome.result.exit == exit_word(Ending.FAILED, 28)  # EINVAL


def test_a_vector_that_leaves_the_memory_traps(execute: Any, make: Any) -> None:
    extra = '(data (i32.const 0) "\\ff\\ff\\00\\00\\02\\00\\00\\00")'
    assert execute(make(WRITE, imports="fd_write", extra=extra)).result == trapped(TrapCode.BAD_POINTER)


# -- modules that are no programs of ours

MEMORY, START = '(memory (export "memory") 1)', '(func (export "_start"))'
IMPORT = '(import "wasi_snapshot_preview1" "{}" {})'


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (f"(module (memory 1) {START})", "export its memory"),
        (f'(module (global (export "memory") i32 (i32.const 0)) {START})', "export its memory"),
        (f"(module {MEMORY})", "`_start`"),
        (f'(module {MEMORY} (func (export "_start") (param i32)))', "`_start`"),
        (f'(module {MEMORY} (func (export "_start") (result i32) (i32.const 0)))', "`_start`"),
        (f'(module {MEMORY} (global (export "_start") i32 (i32.const 0)))', "`_start`"),
        (f'(module (import "env" "abort" (func)) {MEMORY} {START})', "imports env.abort"),
        (f'(module (import "wasi_unstable" "fd_write" (func)) {MEMORY} {START})', "wasi_unstable.fd_write"),
        (f"(module {IMPORT.format('fd_open', '(func)')} {MEMORY} {START})", "preview1.fd_open"),
        (f"(module {IMPORT.format('proc_exit', '(func)')} {MEMORY} {START})", "another signature"),
        (
            f"(module {IMPORT.format('proc_exit', '(func (param i64))')} {MEMORY} {START})",
            "another signature",
        ),
        (f"(module {IMPORT.format('sched_yield', '(func)')} {MEMORY} {START})", "another signature"),
        (f"(module {IMPORT.format('fd_write', '(global i32)')} {MEMORY} {START})", "another signature"),
        (f'(module (import "env" "memory" (memory 1)) {START})', "env.memory"),
        (f'(module (import "env" "memory" (memory 1)) {START})', "build without threads"),
        (f'(module (import "wasi" "thread-spawn" (func)) {MEMORY} {START})', "build without threads"),
        (f'(module (import "wasi:io/poll@0.2.0" "poll" (func)) {MEMORY} {START})', "preview 1"),
        (f'(module (import "wbg" "__wbindgen_throw" (func)) {MEMORY} {START})', "a browser or another host"),
        (f'(module {MEMORY} (func (export "_initialize")))', "it is a reactor or library"),
    ],
)
def test_wrong_imports_and_exports_are_invalid(execute: Any, make: Any, module: str, why: str) -> None:
    assert_invalid(execute(make(module=module)), why)


@pytest.mark.parametrize(
    "feature",
    [
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
        "(func (drop (i32.atomic.load (i32.const 0))))",
        "(func (result i32 i32) (i32.const 0) (i32.const 0))",
        "(func $f (return_call $f))",
        "(tag $e) (func (throw $e))",
        "(type (struct (field i32)))",
        "(memory 1)",
        "(func (param (ref func)))",
        "(func (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0))))",
    ],
)
def test_features_that_are_off_make_a_module_invalid(execute: Any, make: Any, feature: str) -> None:
    assert execute(make(extra=feature)).result == INVALID


@pytest.mark.parametrize(
    ("feature", "remedy"),
    [
        (
            "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
            "-mno-relaxed",
        ),
        ("(func (drop (i32.atomic.load (i32.const 0))))", "build without threads"),
        ("(func (result i32 i32) (i32.const 0) (i32.const 0))", "-mno-multivalue"),
        ("(func $f (return_call $f))", "-mno-tail-call"),
        ("(tag $e) (func (throw $e))", "-fno-exceptions"),
        ("(func (block (try_table)))", "-fno-exceptions"),
        ("(type (struct (field i32)))", "garbage-collected"),
    ],
)
def test_a_refusal_says_what_to_change(execute: Any, make: Any, feature: str, remedy: str) -> None:
    assert_invalid(execute(make(extra=feature)), remedy)


def test_a_refusal_comes_before_the_compiler(
    execute: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "compile", lambda *_: pytest.fail("compiled"))
    assert_invalid(
        execute(make(module=f'(module (import "env" "abort" (func)) {MEMORY} {START})')), "env.abort"
    )
    assert_invalid(execute(make(module=f"(module {MEMORY})")), "`_start`")


def test_a_module_of_many_mebibytes_of_data_is_welcome(execute: Any, make: Any) -> None:
    data = "\\01" * (24 << 20)
    outcome = execute(make(memory="400", extra=f'(data (i32.const 0) "{data}")', memory_limit=32 << 20))
    assert outcome.result.exit == 0
    assert outcome.result.fuel_used > 24 << 20  # paid by the byte


@pytest.mark.parametrize("memory", ["1 1 shared", "i64 1", "1 (pagesize 1)"])
def test_other_kinds_of_memory_are_invalid(execute: Any, make: Any, memory: str) -> None:
    assert execute(make(memory=memory)).result == INVALID


def test_simd_without_the_relaxed_part_is_welcome(execute: Any, make: Any) -> None:
    body = "(drop (f32x4.add (v128.const f32x4 1 2 3 4) (v128.const f32x4 1 2 3 4)))"
    assert execute(make(body)).result.exit == 0


@pytest.mark.parametrize("wasm", [b"", b"\0asm", b"\x7fELF" + bytes(100), b"(module)", b"\0asm\x0d\0\1\0"])
def test_bytes_that_are_no_module_are_invalid(execute: Any, make: Any, wasm: bytes) -> None:
    assert_invalid(execute(make(wasm=wasm)), "not a WebAssembly module")


def test_a_module_cut_inside_of_a_section_is_invalid(execute: Any, make: Any) -> None:
    lengths = range(8, len(probe.MODULE))
    valid = [n for n in lengths if execute(make(wasm=probe.MODULE[:n])).result != INVALID]
    assert valid == [129]  # behind the code section


def test_native_code_from_a_peer_is_never_loaded(engine: wasmtime.Engine, execute: Any, make: Any) -> None:
    forged = bytes(wasmtime.Module(engine, probe.MODULE).serialize())
    assert_invalid(execute(make(wasm=forged)), "not a WebAssembly module")


def test_a_huge_function_is_invalid(execute: Any, make: Any) -> None:
    job = make("(nop)" * (256 << 10))
    assert_invalid(execute(job), "bytes in one function")


def test_too_many_functions_are_invalid(execute: Any, make: Any) -> None:
    assert_invalid(execute(make(extra="(func)" * 60_001)), "the limit is 60000")


def test_arguments_beyond_64_KiB_are_invalid(execute: Any, make: Any) -> None:
    assert_invalid(execute(make(argv=("x" * 70_000,))), "65536 bytes")


# -- what could differ from node to node


def show(address: int, size: int) -> str:
    """WAT that prints `size` bytes of memory at `address`."""
    return f"(i32.store (i32.const 0) (i32.const {address})) (i32.store (i32.const 4) (i32.const {size})) {WRITE}"


def test_nans_have_one_payload(execute: Any, make: Any) -> None:
    payload = "(v128.const i64x2 0x7ff8000000001234 0xfff8000000005678)"
    body = (
        "(local $z f32) (local $d f64)"
        "(f32.store (i32.const 32) (f32.div (local.get $z) (local.get $z)))"
        "(f64.store (i32.const 36) (f64.sqrt (f64.const -1)))"
        f"(v128.store (i32.const 44) (f64x2.min {payload} {payload}))" + show(32, 28)
    )
    canonical = "000000000000f87f"
    assert execute(make(body, imports="fd_write")).output.hex() == "0000c07f" + canonical * 3


def test_the_clock_is_virtual(execute: Any, make: Any) -> None:
    look = "(drop (call $clock_time_get (i32.const {}) (i64.const 0) (i32.const {})))"
    body = look.format(0, 32) + look.format(1, 40) + look.format(3, 48) + show(32, 24)
    first, second = (execute(make(body, imports="fd_write clock_time_get")) for _ in range(2))
    assert first.output == b"".join(ms.to_bytes(8, "little") for ms in (1_000_000, 2_000_000, 3_000_000))
    assert first.result == second.result


def test_random_numbers_belong_to_the_task_and_the_shard(execute: Any, make: Any) -> None:
    body = "(drop (call $random_get (i32.const 32) (i32.const 8)))" * 2 + show(32, 8)
    job = make(body, imports="fd_write random_get")
    seed = hashlib.sha256(bytes(32) + bytes(4)).digest()
    assert execute(job).output == hashlib.shake_256(seed + (1).to_bytes(8, "big")).digest(8)
    assert execute(job).result == execute(job).result
    others = [replace(job, shard=1, shards=2), replace(job, task=TaskId(bytes(31) + b"\1"))]
    assert len({execute(other).output for other in (job, *others)}) == 3


@pytest.mark.parametrize(("job", "result"), probe.CASES)
def test_the_probes_give_what_they_give_everywhere(execute: Any, job: WasmJob, result: Result) -> None:
    assert execute(job).result == result


def test_the_probe_stops_at_the_very_call_that_is_too_deep(execute: Any) -> None:
    job = replace(probe.DEEP_JOB, fuel=probe.DEEP_JOB.fuel - 1)
    assert execute(job).result == trapped(TrapCode.OUT_OF_FUEL)


def test_two_runs_are_equal_to_the_last_unit_of_fuel(execute: Any, make: Any) -> None:
    body = (
        "(local $i i32) (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        "(i32.store (i32.and (local.get $i) (i32.const 65532)) (i32.mul (local.get $i) (i32.const 2654435761)))"
        "(br_if 0 (i32.lt_u (local.get $i) (i32.const 100000))))"
    )
    assert execute(make(body)).result == execute(make(body)).result


def test_data_segments_cost_the_same_with_and_without_pages_of_their_own(execute: Any, make: Any) -> None:
    # With copy-on-write initialisation a segment would be free on some systems and charged for on others.
    outcome = execute(make(extra='(data (i32.const 0) "\\01\\02\\03\\04\\05")'))
    assert outcome.result.fuel_used == 8 + 14  # the meter of one call


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(8, len(probe.MODULE) - 1), st.integers(1, 255)), min_size=1, max_size=4)
)
def test_a_damaged_module_ends_like_any_other(
    engine: wasmtime.Engine, big_stack: ThreadPoolExecutor, flips: list[tuple[int, int]]
) -> None:
    damaged = bytearray(probe.MODULE)
    for at, flip in flips:
        damaged[at] ^= flip
    job = replace(probe.JOB, wasm=bytes(damaged))
    first, second = (big_stack.submit(runtime.run, engine, job).result() for _ in range(2))
    assert first.result == second.result
    assert first.result.exit >> 16 in list(Ending)
