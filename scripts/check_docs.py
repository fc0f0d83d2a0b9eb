"""Do the documents tell the truth about the tree?

Checked in every tracked Markdown file: relative links and their anchors; `make TARGET`; `blockedge VERB …`
with its options, against the real command line; names in backticks that begin with a folder of ours.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("blockedge_node", "contracts", "config", "docs", "scripts", "systemd", "tests")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"(?:^|\s|/)blockedge ([a-z].*)")


def documents() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split() if not name.startswith("contracts/node_modules")]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub and GitLab make of headings: lower case, punctuation gone, blanks as dashes."""
    found = set()
    for heading in re.findall(r"^#+ +(.+)$", text, re.M):
        plain = re.sub(r"[`*]", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def broken_links(path: Path, text: str) -> Iterator[str]:
    prose = FENCE.sub("", text)
    for target in LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"link to {target}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"link to {target}: no such heading"


def code_of(text: str) -> Iterator[str]:
    """Every line of a code block (without its prompt and remark) and every span in backticks."""
    for block in FENCE.findall(text):
        for line in block.splitlines():
            yield re.sub(r"\s+#.*$", "", line.removeprefix("$ ").strip())
    yield from (span.strip() for span in CODE.findall(FENCE.sub("", text)))


def missing_targets(text: str, targets: set[str]) -> Iterator[str]:
    for code in code_of(text):
        for part in re.split(r"&&|;", code):
            words = part.split()
            if (
                words[:1] == ["make"]
                and len(words) > 1
                and re.fullmatch(r"[a-z-]+", words[1])
                and words[1] not in targets
            ):
                yield f"`make {words[1]}`: no such target"


def spelled_out(name: str) -> list[str]:
    """`params.{dev,prod}.json` means both."""
    match = re.search(r"\{([^}]+)\}", name)
    if match is None:
        return [name]
    return [one for word in match[1].split(",") for one in spelled_out(name.replace(match[0], word, 1))]


def missing_paths(text: str) -> Iterator[str]:
    for span in CODE.findall(FENCE.sub("", text)):
        name = span.split(" ")[0].split("#")[0]
        if name.split("/")[0] not in FOLDERS or "/" not in name or "…" in name or "(" in name:
            continue
        if not all(any(ROOT.glob(one.rstrip("/"))) for one in spelled_out(name)):
            yield f"`{name}`: no such file"


def missing_tests(text: str) -> Iterator[str]:
    """Names like `invariant_03_…`, `i18_…` and `testFuzz_…` are tests, and stand in a test file."""
    named = {span for span in CODE.findall(text) if re.fullmatch(r"(?:test\w*?_|invariant_|i\d\d_)\w+", span)}
    if named:
        files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "contracts" / "test").rglob("*.sol")]
        existing = {word for file in files for word in re.findall(r"\w+", file.read_text())}
        yield from (f"`{name}`: no such test" for name in sorted(named - existing))


def wrong_commands(text: str, root: Any) -> Iterator[str]:
    for code in code_of(text):
        match = COMMAND.search(code)
        if match:
            wrong = wrong_command(match[1].split(), root)
            if wrong:
                yield f"`blockedge {match[1]}`: {wrong}"


def wrong_command(words: list[str], root: Any) -> str | None:
    """What is wrong with a command line of the CLI; words that are not plain lower case are placeholders."""
    command, depth = root, 0
    while depth < len(words) and hasattr(command, "commands"):
        word = words[depth]
        if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
            break
        if word not in command.commands:
            return f"no command {word!r}"
        command, depth = command.commands[word], depth + 1
    known = {
        name
        for level in (root, command)
        for param in level.params
        for name in param.opts + param.secondary_opts
    }
    for word in words[depth:]:
        option = word.split("=")[0]
        if re.fullmatch(r"-[a-z]|--[a-z][a-z-]*", option) and option not in known | {"--help"}:
            return f"no option {option}"
    return None


def cli() -> Any:
    """The real command line as a click group, or None as long as there is none."""
    if not (ROOT / "blockedge_node" / "cli" / "app.py").exists():
        return None
    sys.path.insert(0, str(ROOT))
    import typer

    from blockedge_node.cli.app import app

    return typer.main.get_command(app)


def problems() -> list[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = cli()
    found = []
    for path in documents():
        text = path.read_text()
        wrong = [
            *broken_links(path, text),
            *missing_targets(text, targets),
            *missing_paths(text),
            *missing_tests(text),
        ]
        if commands is not None:
            wrong += wrong_commands(text, commands)
        found += [f"{path.relative_to(ROOT)}: {line}" for line in wrong]
    return found


def main() -> int:
    found = problems()
    print("\n".join(found) or f"{len(documents())} documents: every link, target, command and path exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
