"""What the node and its child say to each other: one order in, one reply out, each a u32 length and CBOR.

A child that runs a mapped program, and was told to, says each answer as soon as it has it, before its reply.

The child runs hostile code, so the node reads its reply like a stranger's: bounded, and every field checked.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import cbor2

from blockedge_node.core.ids import Hash, Root
from blockedge_node.core.items import MAX_ITEMS, Answer
from blockedge_node.core.job import MAX_STDERR, MAX_STDOUT, MIB, Job, Outcome, PowJob, WasmJob
from blockedge_node.core.task import Result

HEADER: Final = 4  # bytes of a frame's length, big-endian
MAX_NATIVE: Final = 192 * MIB  # larger machine code is not kept but made again for each run
MAX_REPLY: Final = MAX_STDOUT + MAX_STDERR + MIB
MAX_CODE_REPLY: Final = MAX_NATIVE + MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`do` is run, compile (a WasmJob's module, without running it) or refute (a PowJob's `output`).
    `wall` in seconds bounds the child's CPU time, `memory` in bytes what it may hold (0: no bound); `native` is what
    compiling the same module gave, or empty; `functions`, when compiling, how many it may have (0: the engine's
    limit); `answers` whether those of a mapped program are said as they come."""

    do: str
    job: Job
    wall: float
    output: bytes = b""
    native: bytes = b""
    memory: int = 0
    functions: int = 0
    answers: bool = False

    @property
    def max_reply(self) -> int:
        return MAX_CODE_REPLY if self.do == "compile" else MAX_REPLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The reply of a child that could not produce a result; `reason` is one word."""

    reason: str
    detail: str


# Outcome: run · compile: machine code, str why the module is invalid, None if too large · bytes | None: refute, the
# evidence
Reply = Outcome | str | bytes | Failed | None


class BadFrame(Exception):
    """Not a reply that an honest child sends."""


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(HEADER, "big") + payload


def encode_order(order: Order) -> bytes:
    job = {item.name: getattr(order.job, item.name) for item in fields(order.job)}
    if "files" in job:
        job["files"] = dict(job["files"])
    kind = "wasm" if isinstance(order.job, WasmJob) else "pow"
    return cbor2.dumps(
        {
            "do": order.do,
            "kind": kind,
            "job": job,
            "wall": float(order.wall),
            "output": order.output,
            "native": order.native,
            "memory": order.memory,
            "functions": order.functions,
            "answers": order.answers,
        }
    )


def decode_order(payload: bytes) -> Order:
    """The child trusts its node: a malformed order is a bug and raises whatever it raises."""
    raw: dict[str, Any] = cbor2.loads(payload)
    job: dict[str, Any] = raw["job"]
    if raw["kind"] == "wasm":
        job["argv"] = tuple(job["argv"])
    made = PowJob(**job) if raw["kind"] == "pow" else WasmJob(**job)
    return Order(
        do=raw["do"],
        job=made,
        wall=raw["wall"],
        output=raw["output"],
        native=raw["native"],
        memory=raw["memory"],
        functions=raw["functions"],
        answers=raw["answers"],
    )


def encode_answer(place: int, answer: Answer) -> bytes:
    return cbor2.dumps(["answer", place, answer.exit, answer.output])


def decode_answer(payload: bytes) -> tuple[int, Answer] | None:
    """(place in the list, answer); None for what must be the reply."""
    match _body(payload):
        case ["answer", int(place), int(exit), bytes(output)] if (
            0 <= place < MAX_ITEMS and 0 <= exit < 1 << 32
        ):
            return place, Answer(exit=exit, output=output)
        case _:
            return None


def encode_reply(reply: Reply) -> bytes:
    match reply:
        case Outcome():
            result = reply.result
            body: list[Any] = [
                "outcome",
                [result.exit, result.output_root, result.fuel_used, result.memory_hash],
                reply.output,
                reply.stderr,
                reply.cpu_seconds,
            ]
        case Failed():
            body = ["failed", reply.reason, reply.detail]
        case _:
            body = ["value", reply]
    return cbor2.dumps(body)


def decode_reply(payload: bytes) -> Reply:
    """The reply in a frame; BadFrame for anything that `encode_reply` does not write."""
    body = _body(payload)
    match body:
        case [
            "outcome",
            [int(exit), bytes(root), int(fuel), bytes(memory)],
            bytes(output),
            bytes(stderr),
            float(cpu),
        ]:
            sized = len(root) == len(memory) == 32 and 0 <= exit < 1 << 32 and 0 <= fuel < 1 << 64
            if sized and len(output) <= MAX_STDOUT and len(stderr) <= MAX_STDERR + 1024:
                result = Result(exit=exit, output_root=Root(root), fuel_used=fuel, memory_hash=Hash(memory))
                return Outcome(result=result, output=output, stderr=stderr, cpu_seconds=cpu)
        case ["failed", str(reason), str(detail)]:
            return Failed(reason=reason[:32], detail=detail[:1024])
        case ["value", str() | bytes() | None]:
            value: str | bytes | None = body[1]
            return value
    raise BadFrame("not a reply")


def _body(payload: bytes) -> Any:
    try:
        return cbor2.loads(payload, max_depth=3, allow_indefinite=False)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError) as error:
        raise BadFrame(f"not CBOR: {error}") from error
