"""The smallest real program, with its known result: proof that this machine executes as all others do.

The module writes "ok" and computes 0/0 into its memory: the payload of that NaN differs between processors
unless the engine makes it canonical, and the memory is part of the result.
"""

from __future__ import annotations

from typing import Final

from blockedge_node.core.ids import Hash
from blockedge_node.core.job import ENGINE, WasmJob
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result

# (module
#   (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
#   (memory (export "memory") 1)
#   (data (i32.const 0) "\08\00\00\00\03\00\00\00ok\0a")
#   (func (export "_start") (local $zero f64)
#     (f64.store (i32.const 16) (f64.div (local.get $zero) (local.get $zero)))
#     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
MODULE: Final = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f7072657669657731"
    "0866645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400010a1b011901017c"
    "411020002000a3390300410141004101410c10001a0b0b11010041000b0b08000000030000006f6b0a001a046e616d65"
    "01080100057772697465020901010100047a65726f"
)

JOB: Final = WasmJob(
    engine=ENGINE, wasm=MODULE, argv=("probe",), stdin=b"", fuel=1_000_000, memory=1 << 16, stdout_max=16
)

RESULT: Final = Result(
    exit=0,
    output_root=root(b"ok\n"),
    fuel_used=20027,
    memory_hash=Hash(bytes.fromhex("c3f77a0452a2baac755f6d95fcf25bca8250f1da84645e05eb397fe6293de205")),
)
