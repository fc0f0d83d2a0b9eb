"""The smallest real programs, with their known results: proof that this machine executes as all others do.

The first writes "ok" and leaves two NaNs in its memory, whose sign differs between processors unless the
engine makes them canonical; output, fuel and memory are part of its result. The second recurses without end:
the stack meter must stop it, and its fuel is the least with which that happens, so one unit more for a call
would let the fuel run out first.
"""

from __future__ import annotations

from typing import Final

from blockedge_node.core.ids import ZERO_HASH, Hash, Root
from blockedge_node.core.job import ENGINE, Ending, TrapCode, WasmJob, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result

# (module
#   (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
#   (memory (export "memory") 1)
#   (data (i32.const 0) "\08\00\00\00\03\00\00\00ok\0a")
#   (func (export "_start") (local $zero f64)
#     (f64.store (i32.const 16) (f64.div (local.get $zero) (local.get $zero)))
#     (f32.store (i32.const 24) (f32.sqrt (f32.const -1)))
#     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
MODULE: Final = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f7072657669657731"
    "0866645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400010a26012401017c"
    "411020002000a3390300411843000080bf91380200410141004101410c10001a0b0b11010041000b0b08000000030000"
    "006f6b0a"
)

JOB: Final = WasmJob(
    engine=ENGINE, wasm=MODULE, argv=("probe",), stdin=b"", fuel=1_000_000, memory=1 << 16, stdout_max=16
)

RESULT: Final = Result(
    exit=0,
    output_root=root(b"ok\n"),
    fuel_used=20_045,
    memory_hash=Hash(bytes.fromhex("618a574c8f5e9718264d979bfc35d42a52205f5b4159896c8ec909b4e5cb1c90")),
)

# (module
#   (memory (export "memory") 1)
#   (func $deep (param i64) (call $deep (i64.add (local.get 0) (i64.const 1))))
#   (func (export "_start") (call $deep (i64.const 0))))
DEEP_MODULE: Final = bytes.fromhex(
    "0061736d0100000001080260017e0060000003030200010503010001071302066d656d6f72790200065f737461727400"
    "010a12020900200042017c10000b0600420010000b"
)

DEEP_JOB: Final = WasmJob(
    engine=ENGINE, wasm=DEEP_MODULE, argv=("probe",), stdin=b"", fuel=381_295, memory=1 << 16, stdout_max=0
)

DEEP_RESULT: Final = Result(
    exit=exit_word(Ending.TRAPPED, TrapCode.STACK_TOO_DEEP), output_root=Root(ZERO_HASH)
)

CASES: Final = ((JOB, RESULT), (DEEP_JOB, DEEP_RESULT))
