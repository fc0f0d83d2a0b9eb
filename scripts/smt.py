"""A solver for halmos out of two: answers an SMT-LIB file with what the first of them finds.

    smt.py FILE      yices and cvc5, side by side (`--solver-command` of scripts/prove.sh; the Python of .venv-prove)
    smt.py -i FILE   cvc5 alone, which solves bit vectors as integers

Money is sums of bounded numbers: linear arithmetic answers in half a second where bit blasting finds no end. Of
symbolic addresses and their storage it is the other way round.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path


def integers(path: str) -> None:
    """cvc5 offers no executable on PyPI, but the same by its library."""
    import cvc5

    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    solver.setOption("produce-models", "true")
    solver.setOption("solve-bv-as-int", "sum")
    symbols = cvc5.SymbolManager(terms)
    parser = cvc5.InputParser(solver, symbols)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, path)
    while not (command := parser.nextCommand()).isNull():
        print(command.invoke(solver, symbols), end="")


def race(path: str) -> str:
    """The first answer, sat or unsat; what the last one said if there is none."""
    yices = Path(sys.executable).parent / "yices-smt2"
    commands = (
        [str(yices), "--smt2-model-format", "--bvconst-in-decimal", path],
        [sys.executable, __file__, "-i", path],
    )
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for command in commands
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    said = ""
    try:
        while running:
            for solver in [solver for solver in running if solver.poll() is not None]:
                running.remove(solver)
                said = solver.communicate()[0]
                if said.startswith(("sat", "unsat")):
                    return said
            time.sleep(0.02)
        return said
    finally:
        for solver in running:
            solver.kill()


if __name__ == "__main__":
    if sys.argv[1] == "-i":
        integers(sys.argv[2])
    else:
        print(race(sys.argv[1]), end="")
