"""Runs programs that nobody trusts, each in a killable child process: same bytes in, same bytes out.

    pool.py     node side: children kept warm, one a run, SIGKILL at the deadline
    frames.py   what node and child say to each other: length-prefixed CBOR
    runner.py   the child: reads one job, runs it, writes one outcome, ends
    runtime.py  wasmtime, configured to be deterministic; only this file and the runner import it
    wasi.py     the system that a program sees: arguments, stdio, a virtual clock, seeded random numbers
    preview1.py the numbers of WASI preview 1: signatures, errors, rights
    tree.py     its read-only files
    module.py   what a module's sections say about its size, read before the compiler sees it
    pow.py      proof-of-work search, kind 1
    local.py    a whole task on this machine, for comparison
    probe.py    the smallest real program and its known result
    bench.py    what a run costs beside the program itself

This file stays empty of imports: the child's start is part of every cold run.
"""
