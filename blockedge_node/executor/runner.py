"""The child: forked by the zygote for one order, one reply; killed at any moment by the pool.

Two threads. The main one reads the order and then watches its stream: when that closes, the node is gone and
so are we. The other one has the big stack that programs need, works, writes the reply and ends the process
without any clean-up. Whatever goes wrong that the reply cannot say ends the process with a traceback on stderr
and no reply, which the pool reports as a fault.

The walls go up in two steps (`sandbox`): `enter` before the second thread is made, which inherits it, and
`seal` when it exists, because nothing can be made afterwards.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType

import wasmtime

from blockedge_node.core.ids import ZERO_HASH
from blockedge_node.core.items import Answer, to_nobody
from blockedge_node.core.job import Outcome, PowJob
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result
from blockedge_node.executor import pow, runtime, sandbox
from blockedge_node.executor.frames import (
    HEADER,
    MAX_NATIVE,
    Failed,
    Order,
    Reply,
    decode_order,
    encode_answer,
    encode_reply,
    frame,
)

# Imported by the interpreter or by libraries at their first use, which is too late behind the walls.
import encodings.unicode_escape  # noqa: F401  isort:skip
import linecache  # noqa: F401  isort:skip
import traceback  # noqa: F401  isort:skip


def serve(engine: wasmtime.Engine, layers: Sequence[str]) -> None:
    """Work off one order from stdin, reply on stdout. Returns never: the process ends in `_work` or here."""
    threading.excepthook = _die
    sandbox.enter(layers)
    order = decode_order(_read(int.from_bytes(_read(HEADER), "big")))
    threading.stack_size(runtime.THREAD_STACK)
    threading.Thread(target=_work, args=(engine, order, layers), daemon=True).start()
    del order
    os.read(0, 1)  # nothing more is ever sent: this returns when the node is gone
    os._exit(3)


def _work(engine: wasmtime.Engine, order: Order, layers: Sequence[str]) -> None:
    sandbox.seal(layers, cpu=order.wall, memory=order.memory)
    try:
        reply = _obey(engine, order)
    except runtime.Fault as fault:
        reply = Failed(reason=fault.reason, detail=fault.detail)
    _write(frame(encode_reply(reply)))
    os._exit(0)


def _obey(engine: wasmtime.Engine, order: Order) -> Reply:
    match order.do, order.job:
        case "refute", PowJob(data=data, shard=shard):
            return pow.refute(data, shard, order.output)
        case "run", PowJob(data=data, shard=shard):
            started = time.thread_time()
            output = pow.solve(data, shard)
            result = Result(exit=0, output_root=root(output), fuel_used=0, memory_hash=ZERO_HASH)
            return Outcome(result=result, output=output, cpu_seconds=time.thread_time() - started)
        case "run", job if not isinstance(job, PowJob):
            return runtime.run(engine, job, order.native, _say if order.answers else to_nobody)
        case "compile", job if not isinstance(job, PowJob):
            code = runtime.native_code(engine, job, functions=order.functions)
            return None if len(code) > MAX_NATIVE else code
    raise runtime.Fault("order", f"cannot {order.do} this job")


def _say(place: int, answer: Answer) -> None:
    _write(frame(encode_answer(place, answer)))


def _read(size: int) -> bytes:
    """Exactly `size` bytes of stdin; the process ends if the node is gone."""
    data = bytearray()
    while len(data) < size:
        part = os.read(0, min(size - len(data), 1 << 20))
        if not part:
            os._exit(3)
        data += part
    return bytes(data)


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _die(failure: threading.ExceptHookArgs) -> None:
    kind: type[BaseException] = failure.exc_type
    trace: TracebackType | None = failure.exc_traceback
    sys.__excepthook__(kind, failure.exc_value or kind(), trace)
    os._exit(1)
