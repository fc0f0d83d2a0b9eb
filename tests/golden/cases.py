"""What the golden table runs: every guest over small inputs, and programs that only an engine can get wrong.

Inputs come out of SHAKE-256 or a formula: no library's opinion about a picture format is part of a row, and
the standard library is enough to make them, also on another processor (scripts/test_arm.sh).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import wasmtime

from blockedge_node.core.ids import TaskId
from blockedge_node.core.items import join
from blockedge_node.core.job import ENGINE, MIB, WasmJob
from blockedge_node.executor import probe

PROGRAMS: Final = Path(__file__).resolve().parents[2] / "blockedge_node" / "programs"
WASI: Final = "wasi_snapshot_preview1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row: `wasm` run over `stdin`. `hostile` ones hit the stack meter, and their row is the least fuel
    with which they do."""

    wasm: bytes
    argv: tuple[str, ...]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    hostile: bool = False
    fuel: int = 1_000_000_000
    memory: int = 64 * MIB
    mapped: bool = False

    def job(self, *, fuel: int | None = None) -> WasmJob:
        return WasmJob(
            engine=ENGINE,
            wasm=self.wasm,
            argv=self.argv,
            stdin=self.stdin,
            files=self.files,
            fuel=self.fuel if fuel is None else fuel,
            memory=self.memory,
            stdout_max=4 * MIB,
            shard=2,
            shards=3,
            task=TaskId(hashlib.sha256(b"golden").digest()),
            mapped=self.mapped,
        )


def noise(name: str, size: int) -> bytes:
    return hashlib.shake_256(name.encode()).digest(size)


def guest(name: str, *arguments: str, stdin: bytes = b"", weights: bool = False) -> Case:
    files = {"weights": (PROGRAMS / f"{name}.weights").read_bytes()} if weights else {}
    wasm = (PROGRAMS / f"{name}.wasm").read_bytes()
    return Case(wasm=wasm, argv=(name, *arguments), stdin=stdin, files=files)


def wat(text: str, *, hostile: bool = False) -> Case:
    return Case(wasm=bytes(wasmtime.wat2wasm(text)), argv=("golden",), hostile=hostile)


def cases() -> dict[str, Case]:
    """Every row by name. Each guest in blockedge_node/programs has one at least: `guests/<module>…`."""
    return guests() | engine() | meter() | maps()


# -- guests


def guests() -> dict[str, Case]:
    gradient = bytes(min(255, x * 6 + y * 2 + 40 * c) for y in range(33) for x in range(37) for c in range(3))
    pictures = b"P6\n40 32\n255\n" + noise("picture", 40 * 32 * 3) + b"P6\n37 33\n255\n" + gradient
    digits = b"".join(b"P5\n8 8\n16\n" + bytes(b & 15 for b in noise(f"digit {i}", 64)) for i in range(6))
    summaries = [
        b"a,2,3.000000,1.000000,2.000000\n",
        b"a,1,-5.000000,-5.000000,-5.000000\nb,1,0.000000,0.000000,0.000000\n",
    ]
    return {
        "guests/frames": guest("frames", stdin=pictures),
        "guests/frames bad input": guest("frames", stdin=b"P5\n4 4\n255\n" + bytes(16)),
        "guests/csvstats": guest("csvstats", stdin=measurements(2000)),
        "guests/csvstats merge": guest(
            "csvstats", "merge", stdin=b"".join(len(part).to_bytes(4, "big") + part for part in summaries)
        ),
        "guests/powsearch": guest("powsearch", "10", "1", "3", "6000", stdin=noise("challenge", 32)),
        "guests/classify": guest("classify", stdin=digits, weights=True),
        "guests/render": guest("render", "1", "3", "48", "36", "200", "-0.75", "0", "3", "mandelbrot"),
        "guests/render julia": guest("render", "0", "1", "40", "30", "90", "0", "0", "3.2", "-0.8,0.156"),
        "guests/spectrum": guest("spectrum", "256", "16", stdin=signal(1024)),
    }


def measurements(count: int) -> bytes:
    lines = ["sensor,value"]
    for index in range(count):
        draw = int.from_bytes(noise(f"measurement {index}", 8), "big")
        whole, behind = draw % 200_000 - 100_000, draw >> 20
        lines.append(f"{'αxyz'[draw >> 60 & 3]}{draw >> 52 & 31},{whole}.{behind % 10**6:06d}")
    return "\n".join(lines).encode() + b"\n"


def signal(samples: int) -> bytes:
    """A triangle wave under noise: integers only, since sin() is the host's own."""
    triangle = (abs(i * 731 % 32_768 - 16_384) - 8_192 for i in range(samples))
    return b"".join(
        struct.pack("<h", t + n - 128) for t, n in zip(triangle, noise("signal", samples), strict=True)
    )


# -- what engines and processors disagree about

_PRINT = "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"


def engine() -> dict[str, Case]:
    """Floats at their edges, the numbers of chance and time, and how memory grows."""
    strange = (math.nan, -math.nan, math.inf, -0.0, 5e-324, 1.7976931348623157e308, -2.5, 0.1)
    table = "".join(f"\\{byte:02x}" for value in strange for byte in struct.pack("<d", value))
    payload = (
        "\\34\\12\\00\\00\\00\\00\\f8\\7f\\78\\56\\00\\00\\00\\00\\f4\\ff"  # a quiet and a signalling NaN
    )
    unary = "sqrt ceil floor trunc nearest".split()
    binary = "add sub mul div min max".split()
    body = []
    for lanes, load in (("f64", "f64.load"), ("f64x2", "v128.load")):
        step = 8 if lanes == "f64" else 16
        store = load.replace("load", "store")
        here, there = (
            f"({load} (i32.add (i32.const 64) (local.get $i)))",
            f"({load} (i32.add (i32.const 64) (local.get $j)))",
        )
        results = [f"({lanes}.{op} {here})" for op in unary] + [
            f"({lanes}.{op} {here} {there})" for op in binary
        ]
        if lanes == "f64":
            results.append(f"(f64.promote_f32 (f32.demote_f64 {here}))")
        out = "".join(
            f"({store} (local.get $out) {result}) (local.set $out (i32.add (local.get $out) (i32.const {step})))"
            for result in results
        )
        body.append(
            f"(local.set $i (i32.const 0)) (loop $outer (local.set $j (i32.const 0)) (loop $inner {out}"
            f"(local.set $j (i32.add (local.get $j) (i32.const {step})))"
            "(br_if $inner (i32.lt_u (local.get $j) (i32.const 80))))"
            f"(local.set $i (i32.add (local.get $i) (i32.const {step})))"
            "(br_if $outer (i32.lt_u (local.get $i) (i32.const 80))))"
        )
    floats = (
        f'(module (import "{WASI}" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))'
        '(memory (export "memory") 2)'
        f'(data (i32.const 64) "{table}{payload}")'
        '(func (export "_start") (local $i i32) (local $j i32) (local $out i32) (local.set $out (i32.const 4096))'
        f"{' '.join(body)} (i32.store (i32.const 0) (i32.const 4096))"
        f"(i32.store (i32.const 4) (i32.sub (local.get $out) (i32.const 4096))) {_PRINT}))"
    )
    world = (
        f'(module (import "{WASI}" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))'
        f'(import "{WASI}" "random_get" (func $random (param i32 i32) (result i32)))'
        f'(import "{WASI}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))'
        f'(import "{WASI}" "sched_yield" (func $yield (result i32)))'
        '(memory (export "memory") 1 2000)'
        '(data (i32.const 0) "\\40\\00\\00\\00\\60\\00\\00\\00")'
        '(func (export "_start") (drop (call $random (i32.const 64) (i32.const 33)))'
        "(drop (call $random (i32.const 97) (i32.const 31)))"
        "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 128)))"
        "(drop (call $clock (i32.const 1) (i64.const 0) (i32.const 136)))"
        "(i32.store (i32.const 144) (call $yield))"
        "(i32.store (i32.const 148) (memory.grow (i32.const 900)))"
        "(i32.store (i32.const 152) (memory.grow (i32.const 200)))"
        "(memory.fill (i32.const 70000) (i32.const 7) (i32.const 100000))"
        "(memory.copy (i32.const 70003) (i32.const 70000) (i32.const 5000))"
        f"{_PRINT}))"
    )
    probed = Case(wasm=probe.MODULE, argv=("probe",))
    return {"engine/probe": probed, "engine/floats": wat(floats), "engine/world": wat(world)}


# -- programs that eat the stack


def meter() -> dict[str, Case]:
    """Recursion with frames of every shape: where it ends must not depend on how a compiler lays them out."""
    head, start = '(module (memory (export "memory") 1)', '(func (export "_start") '
    many = "".join(f"(local.set {i} (i64.add (local.get 0) (i64.const {i})))" for i in range(1, 12))
    kept = "".join(f"(local.set 0 (i64.xor (local.get 0) (local.get {i})))" for i in range(1, 12))
    wide = head.replace("1)", "8)")
    # every value from another address, or the compiler would keep one for all
    operands = "".join(f"(i64.load offset={8 * i} (i32.const 0))" for i in range(3_000))
    vectors = "".join(f"(v128.load offset={16 * i} (i32.const 0))" for i in range(3_000))
    adding = "(i64.add)" * 3_000
    xoring = "(v128.xor)" * 2_999
    return {
        "meter/plain": wat(f"{head} (func $f (call $f)) {start} (call $f)))", hostile=True),
        "meter/live locals": wat(
            f"{head} (func $f (param i64) (result i64) (local {'i64 ' * 11}) {many}"
            f" (drop (call $f (local.get 3))) {kept} (local.get 0)) {start} (drop (call $f (i64.const 1)))))",
            hostile=True,
        ),
        "meter/3000 locals": wat(
            f"{head} (func $f (local {'i64 ' * 3000}) (call $f) (i64.store (i32.const 0) (local.get 2999)))"
            f" {start} (call $f)))",
            hostile=True,
        ),
        "meter/3000 operands": wat(
            f"{wide} (func $f (result i64) {operands} (call $f) {adding}) {start} (drop (call $f))))",
            hostile=True,
        ),
        "meter/3000 vectors": wat(
            f"{wide} (func $f (local $v v128) {vectors} (call $f) {xoring} (local.set $v)"
            f" (v128.store (i32.const 0) (local.get $v))) {start} (call $f)))",
            hostile=True,
        ),
        "meter/1000 parameters": wat(
            f"{head} (func $f (param {'i64 ' * 1000}) {''.join(f'(local.get {i})' for i in range(1000))} (call $f))"
            f" {start} {'(i64.const 7)' * 1000} (call $f)))",
            hostile=True,
        ),
        "meter/indirect": wat(
            f"{head} (type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)"
            f" (func $f (call_indirect (type $t) (i32.const 0))) {start} (call $f)))",
            hostile=True,
        ),
        "meter/start section": wat(f"{head} (func $f (call $f)) (start $f) {start}))", hostile=True),
    }


# -- programs that run once for each item of a list


MOODY: Final = (
    f'(module (import "{WASI}" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))'
    f'(import "{WASI}" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))'
    f'(import "{WASI}" "proc_exit" (func $exit (param i32)))'
    '(memory (export "memory") 1 64) (data (i32.const 0) "\\40\\00\\00\\00\\00\\01\\00\\00")'
    '(func (export "_start") (local $mood i32)'
    "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))"
    "(local.set $mood (i32.load8_u (i32.const 64)))"
    "(if (i32.eq (local.get $mood) (i32.const 116)) (then unreachable))"  # t: trap
    "(if (i32.eq (local.get $mood) (i32.const 108)) (then (loop $for_ever (br $for_ever))))"  # l: loop
    "(if (i32.eq (local.get $mood) (i32.const 103))"  # g: grow, and use the last page
    " (then (drop (memory.grow (i32.const 7))) (i32.store8 (i32.const 500000) (local.get $mood))))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 320)))"  # what was read
    "(if (i32.eq (local.get $mood) (i32.const 120)) (then (call $exit (i32.const 3))))))"  # x: exit 3
)


def maps() -> dict[str, Case]:
    """A guest and a program of many moods over lists; lists that are none."""
    lines = [measurements(30 + 7 * i) for i in range(4)] + [b"no,number\n", b""]
    moods = [b"plain", b"trap", b"x", b"grow", b"", b"loop", b"after the loop", b"o" * 200]
    moody = bytes(wasmtime.wat2wasm(MOODY))

    def mapped(items: Sequence[bytes], *, raw: bytes | None = None, fuel: int = 40_000_000) -> Case:
        stdin = join(items) if raw is None else raw
        return Case(wasm=moody, argv=("moody",), stdin=stdin, fuel=fuel, mapped=True)

    return {
        "map/csvstats": replace(guest("csvstats", stdin=join(lines)), mapped=True),
        "map/moods": mapped(moods),
        "map/little fuel": mapped(moods, fuel=2_100_000),
        "map/empty list": mapped([]),
        "map/bad list": mapped([], raw=join(moods) + b"\0"),
    }
