"""Runs programs that nobody trusts, each in a killable child behind several walls: same bytes in, same bytes out.

    pool.py      node side: queue, compile cache, one child an order, SIGKILL at the deadline
    admission.py who runs next: slots, memory, turns between tasks
    cache.py     machine code on disk that only this node could have written
    children.py  node side of the zygote: starting it, forking, asking, killing
    zygote.py    the executor's program: imports once, forks one child for each order
    sandbox.py   the walls around a child; seccomp.py its system calls
    frames.py    what node and child say to each other: length-prefixed CBOR
    runner.py    the child: reads one job, runs it, writes one outcome, ends
    faults.py    what is raised when the machine spoiled a run
    runtime.py   wasmtime, configured to be deterministic; only this file and the runner import it
    hostmemory.py a program's memory, which says when it is the machine that has no more
    wasi.py      the system that a program sees: arguments, stdio, a virtual clock, seeded random numbers
    preview1.py  the numbers of WASI preview 1: signatures, errors, rights
    tree.py      its read-only files
    module.py    what a module's sections say about its size, read before the compiler sees it
    pow.py       proof-of-work search, kind 1
    local.py     a whole task on this machine, for comparison
    probe.py     the smallest real program and its known result
    bench.py     what a run costs beside the program itself

This file stays empty of imports: the child's start is part of every cold run.
"""
