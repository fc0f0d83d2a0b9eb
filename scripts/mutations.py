"""Writes mutants into Solidity sources, all at once, behind a switch.

`fee * 2` becomes `MUTANT == 7 ? (fee / 2) : (fee * 2)`.

    Instrument(file, first).source(text, functions)   text with switches; `.mutants` is what each of them changes

What is changed, in one place at a time: operators, numbers, conditions (also to always and never), `!`, the sides of
a choice, amounts (to 0), and whole statements (left out).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SWITCH = "MUTANT"
SWAPS = {
    "+=": ("-=",), "-=": ("+=",), "==": ("!=",), "!=": ("==",), "<=": ("<", ">"), ">=": (">", "<"),
    "<": ("<=", ">"), ">": (">=", "<"), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "&&": ("||",),
    "||": ("&&",),
}  # fmt: skip
OPERATOR = re.compile(r"(?<=[\w)\] ])\s(\+=|-=|==|!=|<=|>=|&&|\|\||[-+*/<>])\s")
NUMBER = re.compile(r"(?<![\w.\[])(?<!address\()(?<!= )([1-9][\d_]*)(?![\w.\]])")
NEGATION = re.compile(r"(?<!\w)!(?=[\w(])")
AMOUNT = re.compile(r"uint(?:96|256)(?!\[)")


@dataclass(frozen=True, slots=True)
class Mutant:
    number: int
    file: str
    function: str
    before: str
    after: str


class Instrument:
    """Numbers mutants from `first` on and rewrites one file."""

    def __init__(self, file: str, first: int) -> None:
        self.file, self.next, self.function = file, first, ""
        self.amounts = False  # whether the function returns amounts only
        self.pointers: set[str] = set()  # its names for places in storage, which no path may leave unset
        self.mutants: list[Mutant] = []

    def source(self, text: str, functions: tuple[str, ...] | None) -> str:
        """`functions`: which of them; None: all."""
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
        out, at = [], 0
        for match in re.finditer(r"\bfunction\s+(\w+)", text):
            opened = _body(text, match.end())
            if opened is None or (functions is not None and match[1] not in functions):
                continue
            self.function = match[1]
            closed = _closing(text, opened, "{}")
            header = text[match.start() : opened + 1]
            self.pointers = set(re.findall(r"storage (\w+)", header))
            returned = re.search(r"returns \(([^)]*)\)", header)
            self.amounts = bool(returned) and all(
                AMOUNT.match(part.strip()) for part in (returned[1].split(",") if returned else ())
            )
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
            condition = self._switched(asked, [*_altered(asked), "true", "false"])
            rest = text[closed + 1 :].strip()
            return f"{conditional[1]}({condition}) " + (rest if rest == "{" else self._statement(rest))
        if not text.endswith(";") or re.match(
            r"(emit|revert|for|assembly|unchecked|delete|continue|break)\b", text
        ):
            return " " + text + " "
        return self._simple(text[:-1])

    def _simple(self, text: str) -> str:
        returned = re.match(r"return (?!\()(.+)$", text, re.S)
        if returned:
            choices = list(_altered(returned[1]))
            if self.amounts and not returned[1].strip().isdecimal():
                choices.append("0")
            return f" return {self._switched(returned[1], choices)}; "
        tuple_returned = re.match(r"return \((.+)\)$", text, re.S)
        if tuple_returned:
            return f" return ({', '.join(self._part(part) for part in _parts(tuple_returned[1]))}); "
        declared = re.match(r"([\w.\[\]]+(?: (?:memory|storage|calldata))? \w+) = (.+)$", text, re.S)
        if declared and "storage" not in declared[1]:
            choices = list(_altered(declared[2]))
            if AMOUNT.match(declared[1]) and declared[2] != "0":
                choices.append("0")
            return f" {declared[1]} = {self._switched(declared[2], choices)}; "
        several = re.match(r"(\([^()]+\)) = \((.+)\)$", text, re.S)
        if several:
            switched = (self._switched(part, list(_altered(part))) for part in _parts(several[2]))
            return f" {several[1]} = ({', '.join(switched)}); "
        if (
            declared
            or re.match(r"\([\w\[\].]+ \w+", text)
            or not re.match(r"[\w.\[\]() ,]+( [-+]?= |\()", text)
        ):
            return f" {text}; "
        if text.split(" ")[0] in self.pointers:
            return f" {text}; "
        choices = [*_altered(text), ""]
        cases = "".join(
            f"if ({SWITCH} == {self._add(text, c)}) {{ {c + ';' if c else ''} }} else " for c in choices
        )
        return f" {{ {cases}{{ {text}; }} }} "

    def _part(self, text: str) -> str:
        """One value of a returned tuple."""
        choices = list(_altered(text))
        if self.amounts and text != "0":
            choices.append("0")
        return self._switched(text, choices)

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
    """`text` with one operator, number, `!` or choice changed."""
    for match in OPERATOR.finditer(text):
        for other in SWAPS[match[1]]:
            yield text[: match.start(1)] + other + text[match.end(1) :]
    for match in NUMBER.finditer(text):
        yield text[: match.start(1)] + str(int(match[1].replace("_", "")) + 1) + text[match.end(1) :]
    for match in NEGATION.finditer(text):
        yield text[: match.start()] + text[match.end() :]
    for match in re.finditer(r"\s\?\s", text):
        opened, closed = _around(text, match.start())
        condition, sides = text[opened : match.start()], text[match.end() : closed]
        yes, colon, no = _split(sides)
        if colon and "?" not in condition + no:
            yield f"{text[:opened]}{condition} ? {no} : {yes}{text[closed:]}"


def _around(text: str, at: int) -> tuple[int, int]:
    """Begin and end of the argument, or of the value assigned, that `at` lies in."""
    opened, depth = at, 0
    while opened > 0:
        char = text[opened - 1]
        depth += (char in ")]") - (char in "([")
        if depth < 0 or (depth == 0 and (char == "," or text[opened - 3 : opened] == " = ")):
            break
        opened -= 1
    closed, depth = at, 0
    while closed < len(text):
        char = text[closed]
        depth += (char in "([") - (char in ")]")
        if depth < 0 or (depth == 0 and char == ","):
            break
        closed += 1
    return opened, closed


def _split(sides: str) -> tuple[str, str, str]:
    """What stands before and after the first colon outside of parentheses."""
    depth = 0
    for at, char in enumerate(sides):
        depth += (char in "([") - (char in ")]")
        if depth == 0 and char == ":":
            return sides[:at].strip(), ":", sides[at + 1 :].strip()
    return sides, "", ""


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
