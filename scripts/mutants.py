"""Mutation testing of the contracts' money code: are there wrong lines that no test notices?

Every mutant is compiled in at once, behind a switch: `fee * 2` becomes `MUTANT == 7 ? (fee / 2) : (fee * 2)`. The
switch is an immutable whose value is a placeholder in the compiled artifacts, so choosing a mutant is a replacement
of bytes, and costs no compiler run: minutes for all of them instead of a day.

    instrument(source, functions)   source with switches, and what each of them changes
    run()                           compile once, then one `forge test` a mutant; the survivors are printed

A mutant is *killed* if a test fails. docs/mutation.md records the last run and argues for those that survive.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
SWITCH = "MUTANT"
PLACEHOLDER = "6d7574616e742e6d7574616e742e6d7574616e742e6d7574616e742e6d757461"  # 32 bytes, like no other
CONTRACTS = ("BlockEdge", "Reports", "Disputes", "Court")

# Where money moves. None: all functions of the file.
TARGETS: dict[str, tuple[str, ...] | None] = {
    "Ledger": None,
    "Escrow": ("fund", "exit", "withdraw", "flushBurn", "_send"),
    "Endings": None,
    "Timeouts": None,
    "Bonds": None,
    "Disputes": ("defend", "rule", "_payDues", "_closeAccusation"),
    "Checks": ("fineChecker",),
    "Outputs": ("demand", "supply"),
    "Court": ("open", "appeal", "_conclude", "_payJurors", "_limit"),
    "Tickets": ("stake", "withdrawTicket", "collect", "take", "_charge", "_pay"),
}
SWAPS = {
    "+=": ("-=",), "-=": ("+=",), "==": ("!=",), "!=": ("==",), "<=": ("<", ">"), ">=": (">", "<"),
    "<": ("<=", ">"), ">": (">=", "<"), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "&&": ("||",),
    "||": ("&&",),
}  # fmt: skip
OPERATOR = re.compile(r"(?<=[\w)\] ])\s(\+=|-=|==|!=|<=|>=|&&|\|\||[-+*/<>])\s")
NUMBER = re.compile(r"(?<![\w.\[])(?<!address\()(?<!= )([1-9][\d_]*)(?![\w.\]])")


@dataclass(frozen=True, slots=True)
class Mutant:
    number: int
    file: str
    function: str
    before: str
    after: str


# ── instrumenting ────────────────────────────────────────────────────────────────────────────────────────


class Instrument:
    """Numbers mutants from `first` on and rewrites one file."""

    def __init__(self, file: str, first: int) -> None:
        self.file, self.next, self.function = file, first, ""
        self.mutants: list[Mutant] = []

    def source(self, text: str, functions: tuple[str, ...] | None) -> str:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
        out, at = [], 0
        for match in re.finditer(r"\bfunction\s+(\w+)", text):
            opened = _body(text, match.end())
            if opened is None or (functions is not None and match[1] not in functions):
                continue
            self.function = match[1]
            closed = _closing(text, opened, "{}")
            header = re.sub(r"\bpure\b", "view", text[match.start() : opened + 1])
            out += [text[at : match.start()], header, self._block(text[opened + 1 : closed])]
            at = closed
        return "".join(out) + text[at:]

    def _block(self, body: str) -> str:
        return "".join(self._statement(chunk) for chunk in _chunks(body))

    def _statement(self, chunk: str) -> str:
        """One piece that ends in ; or { or }."""
        text = chunk.strip()
        if text.startswith("else ") and not text.endswith("{"):
            return " else " + self._statement(text[5:])
        conditional = re.match(r"((?:\} )?(?:else )?if )\(", text)
        if conditional:
            opened = conditional.end() - 1
            closed = _closing(text, opened, "()")
            asked = text[opened + 1 : closed]
            parts = list(_altered(asked)) if re.search(r"&&|\|\||[-+*/<>]", asked) else []
            condition = self._switched(asked, [*parts, "true", "false"])
            rest = text[closed + 1 :].strip()
            return f"{conditional[1]}({condition}) " + (rest if rest == "{" else self._statement(rest))
        if not text.endswith(";") or re.match(
            r"(emit|revert|for|assembly|unchecked|delete|continue|break)\b", text
        ):
            return " " + text + " "
        return self._simple(text[:-1])

    def _simple(self, text: str) -> str:
        returned = re.match(r"return (?!\()(.+)$", text, re.S)
        declared = re.match(r"([\w.\[\]]+(?: (?:memory|storage|calldata))? \w+) = (.+)$", text, re.S)
        if returned:
            return f" return {self._switched(returned[1], list(_altered(returned[1])))}; "
        if declared and "storage" not in declared[1]:
            return f" {declared[1]} = {self._switched(declared[2], list(_altered(declared[2])))}; "
        several = re.match(r"(\([^()]+\)) = \((.+)\)$", text, re.S)
        if several:
            switched = (self._switched(part, list(_altered(part))) for part in _parts(several[2]))
            return f" {several[1]} = ({', '.join(switched)}); "
        if declared or re.match(r"\(\w+ \w+", text) or not re.match(r"[\w.\[\]() ,]+( [-+]?= |\()", text):
            return f" {text}; "
        choices = [*_altered(text), ""]
        cases = "".join(
            f"if ({SWITCH} == {self._add(text, c)}) {{ {c + ';' if c else ''} }} else " for c in choices
        )
        return f" {{ {cases}{{ {text}; }} }} "

    def _switched(self, text: str, choices: list[str]) -> str:
        cases = "".join(f"{SWITCH} == {self._add(text, choice)} ? ({choice}) : " for choice in choices)
        return f"({cases}({text}))" if cases else text

    def _add(self, before: str, after: str) -> int:
        number = self.next
        self.next += 1
        self.mutants.append(
            Mutant(number, self.file, self.function, " ".join(before.split()), " ".join(after.split()))
        )
        return number


def _altered(text: str) -> Iterator[str]:
    """`text` with one operator, number or choice changed."""
    for match in OPERATOR.finditer(text):
        for other in SWAPS[match[1]]:
            yield text[: match.start(1)] + other + text[match.end(1) :]
    for match in NUMBER.finditer(text):
        yield text[: match.start(1)] + str(int(match[1].replace("_", "")) + 1) + text[match.end(1) :]
    chosen = re.fullmatch(r"(.+?)\s\?\s(.+?)\s:\s(.+)", text, re.S)
    if chosen and any(part.count("(") != part.count(")") for part in chosen.groups()):
        return  # the choice is only a part of the text
    if (
        chosen
        and "?" not in chosen[3]
        and "=" not in chosen[1].replace("==", "").replace("!=", "").replace("<=", "")
    ):
        yield f"{chosen[1]} ? {chosen[3]} : {chosen[2]}"


def _chunks(body: str) -> Iterator[str]:
    """Pieces up to each ; { } outside of parentheses."""
    depth, start = 0, 0
    for at, char in enumerate(body):
        depth += char in "([" or (char == "{" and depth > 0)
        depth -= char in ")]" or (char == "}" and depth > 0)
        if depth == 0 and char in ";{}":
            if (
                char == "{"
                and re.search(r"\w$", body[start:at])
                and not re.search(r"\b(else|unchecked|do)$", body[start:at])
            ):
                depth += 1  # call options or named arguments: f{value: x}(…)
                continue
            yield body[start : at + 1]
            start = at + 1
    yield body[start:]


def _parts(text: str) -> Iterator[str]:
    """What commas separate, outside of parentheses."""
    depth, start = 0, 0
    for at, char in enumerate(text):
        depth += char in "([{"
        depth -= char in ")]}"
        if depth == 0 and char == ",":
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()


def _body(text: str, at: int) -> int | None:
    found = re.compile(r"[{;]").search(text, at)
    return found.start() if found and found[0] == "{" else None


def _closing(text: str, opened: int, pair: str) -> int:
    depth = 0
    for at in range(opened, len(text)):
        depth += text[at] == pair[0]
        depth -= text[at] == pair[1]
        if depth == 0:
            return at
    raise ValueError("unbalanced source")


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────


def prepare(only: list[str]) -> list[Mutant]:
    """A copy of contracts/ with all switches, compiled."""
    contracts = WORK / "contracts"
    shutil.rmtree(WORK, ignore_errors=True)
    ignore = shutil.ignore_patterns("node_modules", "out", "cache", "broadcast")
    shutil.copytree(ROOT / "contracts", contracts, ignore=ignore, symlinks=True)
    (contracts / "node_modules").symlink_to(ROOT / "contracts" / "node_modules")
    shutil.copytree(ROOT / "config", WORK / "config")
    shutil.copytree(ROOT / "tests" / "vectors", WORK / "tests" / "vectors")
    mutants: list[Mutant] = []
    for name in only or TARGETS:
        path = contracts / "src" / f"{name}.sol"
        tool = Instrument(name, len(mutants) + 1)
        path.write_text(tool.source(path.read_text(), TARGETS[name]))
        mutants += tool.mutants
    for name, before in (
        ("State", "uint256 internal immutable FEE_BPS;"),
        ("Tickets", "address internal immutable BLOCK_EDGE;"),
    ):
        path = contracts / "src" / f"{name}.sol"
        switch = f"uint256 internal immutable {SWITCH} = 0x{PLACEHOLDER};"
        path.write_text(path.read_text().replace(before, f"{switch}\n{before}"))
    _forge("build", "src", check=True)  # the switches first: they fail sooner than tests compile
    _forge("build", check=True)
    return mutants


def choose(number: int) -> None:
    """Puts the number where the placeholder was. Artifacts are kept as compiled beside."""
    for name in CONTRACTS:
        path = WORK / "contracts" / "out" / f"{name}.sol" / f"{name}.json"
        kept = path.with_suffix(".compiled")
        if not kept.exists():
            shutil.copy(path, kept)
        path.write_text(kept.read_text().replace(PLACEHOLDER, f"{number:064x}"))


def _forge(*arguments: str, check: bool = False) -> bool:
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "FOUNDRY_FUZZ_RUNS": "24", "FOUNDRY_INVARIANT_RUNS": "2",
        "FOUNDRY_INVARIANT_DEPTH": "60", "FOUNDRY_CODE_SIZE_LIMIT": "200000", "FOUNDRY_FFI": "false",
    }  # fmt: skip
    node = shutil.which("node")
    if node:
        environment["PATH"] = f"{Path(node).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["nice", "-n", "10", "bin/forge", *arguments], cwd=WORK / "contracts", env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    if check and done.returncode:
        sys.exit(f"forge {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.returncode == 0


def passes() -> bool:
    """Do all tests pass? The quick ones first; sizes and gas are of the unswitched contracts."""
    quick = ("test", "--fail-fast", "--no-match-path", "test/{invariant,vectors,halmos,integration/*Gas*}*")
    return _forge(*quick) and _forge("test", "--fail-fast", "--match-path", "test/invariant/*")


def run(only: list[str], results: Path) -> int:
    mutants = prepare(only)
    print(f"{len(mutants)} mutants compiled")
    choose(0)
    if not passes():
        sys.exit("the tests fail without a mutant: see build/mutants")
    survivors = []
    with results.open("w") as out:
        for mutant in mutants:
            began = time.monotonic()
            choose(mutant.number)
            killed = not passes()
            record = asdict(mutant) | {"killed": killed, "seconds": round(time.monotonic() - began, 1)}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
            out.flush()
            if not killed:
                survivors.append(mutant)
                print(
                    f"survives: {mutant.file}.{mutant.function}: {mutant.before}  →  {mutant.after or '(nothing)'}",
                    flush=True,
                )
    print(f"{len(mutants)} mutants, {len(mutants) - len(survivors)} killed")
    return bool(survivors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutants.jsonl")
    chosen = parser.parse_args()
    if chosen.list:
        for name in chosen.files or TARGETS:
            tool = Instrument(name, 1)
            tool.source((ROOT / "contracts" / "src" / f"{name}.sol").read_text(), TARGETS[name])
            for mutant in tool.mutants:
                print(f"{mutant.file}.{mutant.function}: {mutant.before}  →  {mutant.after or '(nothing)'}")
            print(f"{name}: {len(tool.mutants)}")
        sys.exit(0)
    sys.exit(run(chosen.files, chosen.results))
