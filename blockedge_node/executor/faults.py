"""What the executor raises when the machine, not the program, spoiled a run."""

from __future__ import annotations

from blockedge_node.errors import Transient


class ExecutorFault(Transient):
    """The machine spoiled a run.

    `reason` is one word: timeout, cpu (its limit on CPU time), died (killed, perhaps for want of memory), aborted
    (by its own libraries, mostly for want of memory), seccomp (a forbidden system call; behind that wall also the
    call with which a library aborts), stack, compile, host, spawn, memory (too little is free now, or was refused
    to the program); or engine, order, frame, selftest, sandbox, which say that this installation is broken and a
    retry will not help.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the executor gave no result ({reason}): {detail}")
        self.reason = reason
        self.detail = detail
