"""Mutation testing of the contracts' money code: are there wrong lines that no test notices?

`scripts/mutations.py` writes all mutants into the sources, behind an immutable whose value is a placeholder in the
compiled artifacts. So choosing one is a replacement of bytes and costs no compiler run: two seconds a mutant, not two
minutes. A mutant is *killed* if a test fails; unit tests are asked first, then those that take longer.

    prepare(work, only)     a copy of contracts/ with all switches, compiled
    Bench(…).kill(mutant)   which test notices it, if one does; a Bench is one copy of the compiled contracts

docs/mutation.md records the last run and argues for those that survive.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from mutations import SWITCH, Instrument, Mutant

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "6d7574616e742e6d7574616e742e6d7574616e742e6d7574616e742e6d757461"  # 32 bytes, like no other
CONTRACTS = ("BlockEdge", "Reports", "Disputes", "Auctions", "Court")

# Where money moves, and what decides where it moves. None: all functions of the file.
TARGETS: dict[str, tuple[str, ...] | None] = {
    "Ledger": None,
    "Escrow": ("fund", "exit", "withdraw", "flushBurn", "_send"),
    "Endings": None,
    "Timeouts": None,
    "Bonds": None,
    "Single": ("_requireEnded", "_requireDigest", "_accusationOf"),
    "State": ("_byCourt", "_resultBy", "_checkBy", "_challengeBy", "_settleAfter"),
    "Reports": ("commitReport",),
    "Disputes": ("settleContested", "defend", "rule", "_payDues", "_closeAccusation"),
    "Checks": ("fineChecker",),
    "Outputs": ("demand", "supply", "_openDemand"),
    "Units": ("_register", "settle", "_settle", "_load"),
    "Court": ("open", "appeal", "closeRound", "_conclude", "_fineJurors", "_payJurors", "_tally", "_limit"),
    "Tickets": (
        "stake", "unstake", "withdrawTicket", "collect", "take", "_charge", "_pay", "_leave", "_owned", "_send",
    ),
    "Jury": None,
}  # fmt: skip

# The suites that notice most of a file's mutants: asked alone first, as the others only cost time.
NEAR = {
    "Escrow": "Escrow",
    "Endings": "Settle|Timeout|Rule|RevealDrawn",
    "Timeouts": "Timeout|Demand|Dispute|RevealDrawn",
    "Bonds": "Reports|Rule|Dispute|RevealDrawn",
    "Single": "Reports|Rule|Dispute",
    "State": "DeadlinesVectors|Settle|Timeout|Commit|RevealDrawn",
    "Reports": "Reports|Dispute",
    "Disputes": "Rule|Dispute",
    "Checks": "FineChecker",
    "Outputs": "Demand",
    "Units": "Settle|Award",
    "Court": "CourtPay|CourtVotes",
    "Tickets": "CourtTickets|CourtPay",
    "Jury": "CourtPay|JuryVectors",
}

# In this order. Sizes and gas are of contracts without switches, vectors and proofs of functions without money.
STAGES = {
    "unit": ("--match-path", "test/unit/*"),
    "integration": ("--match-path", "test/integration/*", "--no-match-contract", "Gas"),
    "vectors": ("--match-path", "test/vectors/*"),
    "fuzz": ("--match-path", "test/fuzz/*"),
    "invariant": ("--match-path", "test/invariant/*"),
}


def prepare(work: Path, only: list[str]) -> list[Mutant]:
    """What is compiled in contracts/ already, as the tests may be, is not compiled again."""
    contracts, source = work / "contracts", ROOT / "contracts"
    shutil.rmtree(work, ignore_errors=True)
    ignore = shutil.ignore_patterns("node_modules", "broadcast", "proofs", "*.s.sol")
    shutil.copytree(source, contracts, ignore=ignore, symlinks=True)
    (contracts / "node_modules").symlink_to(source / "node_modules")
    shutil.copytree(ROOT / "config", work / "config")
    shutil.copytree(ROOT / "tests" / "vectors", work / "tests" / "vectors")
    _quicken(contracts / "bin" / "solc")
    mutants: list[Mutant] = []
    for path in (contracts / "src").glob("*.sol"):  # a switch is read, so nothing that has one is pure
        path.write_text(re.sub(r"\b(internal|private) pure\b", r"\1 view", path.read_text()))
    for name in ("Hashing", "Selection", "Sortition", "PowJudge"):  # but these have none
        shutil.copy(source / "src" / f"{name}.sol", contracts / "src" / f"{name}.sol")
    for name in only or TARGETS:
        path = contracts / "src" / f"{name}.sol"
        tool = Instrument(name, len(mutants) + 1)
        path.write_text(tool.source(path.read_text(), TARGETS[name]))
        mutants += tool.mutants
    _inherit(contracts / "src")
    _keep_library(source, contracts, "Jury")
    _build(contracts, "src")  # the switches first: they fail sooner than tests compile
    _build(contracts)
    (work / "mutants.json").write_text(json.dumps([asdict(mutant) for mutant in mutants]))
    return mutants


def _inherit(src: Path) -> None:
    """Puts the switch where every contract sees it."""
    (src / "Switch.sol").write_text(
        "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n"
        f"abstract contract Switch {{ uint256 internal immutable {SWITCH} = 0x{PLACEHOLDER}; }}\n"
    )
    heads = {
        "State": ("abstract contract State is ", "abstract contract State is Switch, "),
        "Tickets": ("abstract contract Tickets is ", "abstract contract Tickets is Switch, "),
        "Jury": ("library Jury {", "abstract contract Jury is Switch {"),
        "Court": ("contract Court is Tickets {", "contract Court is Tickets, Jury {"),
    }
    for name, (before, after) in heads.items():
        path = src / f"{name}.sol"
        text = path.read_text()
        if before not in text:
            sys.exit(f"{name}.sol has no '{before}': scripts/mutants.py expects it")
        imported = (
            'pragma solidity 0.8.37;\nimport {Switch} from "./Switch.sol";\n' if name != "Court" else ""
        )
        text = text.replace(before, after)
        path.write_text(text.replace("pragma solidity 0.8.37;\n", imported, 1) if imported else text)


def _quicken(solc: Path) -> None:
    """forge asks the compiler for its version at every run, which takes longer than most tests do."""
    version = subprocess.run([solc, "--version"], capture_output=True, text=True, check=True).stdout
    head, rest = solc.read_text().split("\n", 1)
    solc.write_text(f"{head}\nif [ \"$1\" = --version ]; then printf '%s' '{version}'; exit; fi\n{rest}")


def _keep_library(source: Path, contracts: Path, name: str) -> None:
    """For the test that calls the library itself: a copy of its own, without switches."""
    vectors = contracts / "test" / "vectors"
    kept = (source / "src" / f"{name}.sol").read_text().replace('"./', '"../../src/')
    (vectors / f"{name}.sol").write_text(kept)
    test = vectors / f"{name}.t.sol"
    test.write_text(test.read_text().replace(f"../../src/{name}.sol", f"./{name}.sol"))


def _forge(contracts: Path, *arguments: str) -> tuple[bool, str]:
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "FOUNDRY_FUZZ_RUNS": "24", "FOUNDRY_INVARIANT_RUNS": "2",
        "FOUNDRY_INVARIANT_DEPTH": "60", "FOUNDRY_CODE_SIZE_LIMIT": "400000", "FOUNDRY_FFI": "false",
    }  # fmt: skip
    node = shutil.which("node")
    if node:
        environment["PATH"] = f"{Path(node).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["nice", "-n", "10", "bin/forge", *arguments], cwd=contracts, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode == 0, done.stdout + done.stderr


def _build(contracts: Path, *paths: str) -> None:
    good, output = _forge(contracts, "build", *paths)
    if not good:
        sys.exit(f"the mutants do not compile:\n{output[-4000:]}")


class Bench:
    """One copy of the compiled contracts, in which one mutant at a time is awake."""

    def __init__(self, contracts: Path) -> None:
        self.contracts = contracts
        self.compiled: dict[Path, str] = {}
        for name in CONTRACTS:
            path = contracts / "out" / f"{name}.sol" / f"{name}.json"
            asleep = contracts / "asleep" / path.name
            asleep.parent.mkdir(exist_ok=True)
            if not asleep.exists():
                shutil.copy(path, asleep)
            self.compiled[path] = asleep.read_text()

    def kill(self, mutant: Mutant, stages: dict[str, tuple[str, ...]]) -> tuple[str, str]:
        """The stage and the test that fail; two empty strings if none does."""
        for path, text in self.compiled.items():
            path.write_text(text.replace(PLACEHOLDER, f"{mutant.number:064x}"))
        near = {"near": ("--match-contract", f"^({NEAR[mutant.file]})Test$")} if mutant.file in NEAR else {}
        for stage, chosen in (near | stages).items():
            good, output = _forge(self.contracts, "test", "--fail-fast", *chosen)
            if good:
                continue
            failed = re.search(r"\[FAIL[^\n]*\] (\w+)\(", output)
            if not failed:
                raise RuntimeError(
                    f"mutant {mutant.number}: forge ended without a verdict:\n{output[-2000:]}"
                )
            return stage, failed[1]
        return "", ""


def again(work: Path) -> list[Mutant]:
    """The mutants that are compiled in `work`, with the tests as they are now."""
    contracts = work / "contracts"
    shutil.copytree(ROOT / "contracts" / "test", contracts / "test", dirs_exist_ok=True)
    _keep_library(ROOT / "contracts", contracts, "Jury")
    _build(contracts)
    return [Mutant(**record) for record in json.loads((work / "mutants.json").read_text())]


def run(
    work: Path, mutants: list[Mutant], results: Path, jobs: int, stages: dict[str, tuple[str, ...]]
) -> None:
    """Appends a line to `results` for each mutant that it does not call killed yet."""
    benches = [Bench(work / "contracts")]
    for index in range(1, jobs):
        copy = work.with_name(f"{work.name}-{index}")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(work, copy, symlinks=True)
        benches.append(Bench(copy / "contracts"))
    stage, test = benches[0].kill(Mutant(0, "", "", "", ""), stages)
    if test:
        sys.exit(f"{test} ({stage}) fails without a mutant: see {work}")
    known = _killed(results)
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        if mutant.number not in known:
            waiting.put(mutant)
    writing = threading.Lock()

    def work_off(bench: Bench) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            stage, test = bench.kill(mutant, stages)
            seconds = round(time.monotonic() - began, 1)
            with writing, results.open("a") as out:
                record = asdict(mutant) | {"stage": stage, "test": test, "seconds": seconds}
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
                if not test:
                    print(f"survives: {describe(mutant)}", flush=True)

    threads = [threading.Thread(target=work_off, args=(bench,)) for bench in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _killed(results: Path) -> set[int]:
    lines = results.read_text().splitlines() if results.exists() else []
    return {record["number"] for record in map(json.loads, lines) if record["test"]}


def describe(mutant: Mutant) -> str:
    return f"{mutant.file}.{mutant.function}: {mutant.before}  →  {mutant.after or '(nothing)'}"


def show(names: list[str]) -> None:
    for name in names or TARGETS:
        tool = Instrument(name, 1)
        tool.source((ROOT / "contracts" / "src" / f"{name}.sol").read_text(), TARGETS[name])
        for mutant in tool.mutants:
            print(describe(mutant))
        print(f"{name}: {len(tool.mutants)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the contracts that work side by side")
    parser.add_argument("--stages", default=",".join(STAGES), help=f"of {','.join(STAGES)}")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "mutants")
    parser.add_argument("--again", action="store_true", help="what survived last time, with the tests of now")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutants.jsonl")
    chosen = parser.parse_args()
    if chosen.list:
        show(chosen.files)
        sys.exit(0)
    picked = {name: STAGES[name] for name in chosen.stages.split(",")}
    if not chosen.again:
        chosen.results.parent.mkdir(exist_ok=True)
        chosen.results.unlink(missing_ok=True)
    found = again(chosen.work) if chosen.again else prepare(chosen.work, chosen.files)
    print(f"{len(found)} mutants compiled", flush=True)
    run(chosen.work, found, chosen.results, chosen.jobs, picked)
    noticed = _killed(chosen.results)
    for file, count in Counter(mutant.file for mutant in found).items():
        killed = sum(mutant.number in noticed for mutant in found if mutant.file == file)
        print(f"{file}: {count} mutants, {killed} killed")
    sys.exit(len(noticed) != len(found))
