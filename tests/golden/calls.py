"""Which system calls does a child make on aarch64 while it computes? Run by scripts/test_arm.sh under qemu's eyes.

    qemu-aarch64 -strace … calls.py 2>log      compile and run every row of the golden table, between two marks
    python tests/golden/calls.py --check log   exit 1 if a call between the marks is none that seccomp lets through

The filter itself cannot be tried there: qemu's emulation of user processes has no seccomp. What it lets through is
tried on x86-64 by every run, and its numbers for aarch64 are compared with the kernel's headers (test_syscalls.py).
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))  # the package, from any directory

BEGIN, END = b"computing begins\n", b"computing ends\n"
CALL: Final = re.compile(r"^\d+ (\w+)\(", re.M)  # a line of -strace: thread, call, arguments, outcome


def compute() -> None:
    """As a child does (executor/runner.py): the thread that works exists before the first mark."""
    from cases import cases
    from table import executor, row

    every = [case for case in cases().values() if not case.hostile]
    with executor() as execute:
        os.write(1, BEGIN)
        for case in every:
            row(case, execute)
        os.write(1, END)


def check(log: str) -> None:
    from blockedge_node.executor.seccomp import CALLS

    begin, end = (log.index(f") = {len(mark)}\n", log.index("write(1,")) for mark in (BEGIN, END))
    made = Counter(CALL.findall(log, begin, log.rindex("write(1,", 0, end)))
    print(", ".join(f"{call} {times}" for call, times in made.most_common()))
    if "membarrier" not in made:
        sys.exit("this is no log of a run on aarch64: nothing was compiled between the marks")
    if forbidden := made.keys() - CALLS.keys():
        sys.exit(f"seccomp would kill a child on aarch64 for: {', '.join(sorted(forbidden))}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(Path(sys.argv[2]).read_text(errors="replace"))
    else:
        compute()
