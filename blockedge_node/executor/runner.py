"""The child: one process, one order, one reply; started, and killed at any moment, by the pool.

Two threads. The main one reads the order and then watches its stdin: when that closes, the node is gone and
so are we. The other one has the big stack that programs need, takes on the limits, works, writes the reply
and ends the process without any clean-up. Whatever goes wrong that the reply cannot say ends the process
with a traceback on stderr and no reply, which the pool reports as a fault.

A sandbox belongs at the end of `_confine`: everything the work needs is imported and open by then.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
import time
from types import TracebackType

import wasmtime

from blockedge_node.core.ids import ZERO_HASH
from blockedge_node.core.job import Outcome, PowJob
from blockedge_node.core.merkle import root
from blockedge_node.core.task import Result
from blockedge_node.executor import pow, runtime
from blockedge_node.executor.frames import HEADER, Failed, Order, Reply, decode_order, encode_reply, frame

MAX_WALL = 10_000_000.0  # s; no deadline at all means this one
NICE = 5  # a node that computes must still meet its deadlines


def main() -> None:
    """Prepare, wait for the order, work. Returns never: the process ends in `_work` or here."""
    threading.excepthook = _die
    engine = runtime.new_engine()  # before the order arrives: idle children wait here, ready
    header = _read(HEADER)
    order = decode_order(_read(int.from_bytes(header, "big")))
    threading.stack_size(runtime.THREAD_STACK)
    threading.Thread(target=_work, args=(engine, order), daemon=True).start()
    del order
    os.read(0, 1)  # nothing more is ever sent: this returns when the node is gone
    os._exit(3)


def _work(engine: wasmtime.Engine, order: Order) -> None:
    _confine(order.wall)
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
            return runtime.run(engine, job)
        case "check", job if not isinstance(job, PowJob):
            return runtime.check(engine, job)
    raise runtime.Fault("order", f"cannot {order.do} this job")


def _confine(wall: float) -> None:
    """Limits that hold even if a program breaks out of the engine.

    Memory has none: a limit near the program's own would make memory.grow fail on one machine and not on
    another, which is a different result.
    """
    os.nice(NICE)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # when memory is short the kernel takes us, not the node
    except OSError:
        pass  # not Linux, or /proc is hidden
    seconds = math.ceil(time.process_time() + min(wall, MAX_WALL)) + 1
    for limit, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # pipes are exempt
        (resource.RLIMIT_NPROC, 0),  # both threads exist already
    ):
        _, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowest, lowest))


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
