"""Every library that the code imports is a declared, pinned and explained dependency, and nothing else is.

`pyproject.toml` says what and which version, `docs/dependencies.md` says why; a package in only one of the
three places (code, declaration, reason) fails.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "blockedge_node"

# Come with a declared package, are part of its interface, and must not be pinned apart from it.
COMES_WITH = {
    "click": "typer",
    "starlette": "fastapi",
    "google": "libp2p",
    "grimp": "import-linter",
    "noise": "libp2p",
    "anyio": "httpx",
    "h11": "httpx",
    "numpy": "scikit-learn",
    "sklearn": "scikit-learn",
    "eth_keys": "eth-account",
    "eth_keyfile": "eth-account",
    "eth_utils": "eth-account",
    "eth_typing": "web3",
    "hexbytes": "web3",
    "rlp": "eth-account",
}
# Pinned in the environment of the one script that runs them (scripts/prove.sh).
ELSEWHERE = {"cvc5"}
# Declared although nobody imports it by name: a tool, a plug-in or a data set.
WITHOUT_IMPORT = {
    "ziglang",
    "mypy",
    "ruff",
    "import-linter",
    "pytest",
    "pytest-trio",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, str]:
    """Package → version, over all extras. Raises ValueError for one that is not pinned with ==."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines: list[str] = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += [line for line in extra if not line.startswith(project["name"])]
    pins = {}
    for line in lines:
        match = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", line)
        if match is None:
            raise ValueError(f"pyproject.toml: {line!r} is not pinned as name==version")
        pins[normal(match[1])] = match[2]
    return pins


def imported(*folders: str) -> dict[str, Path]:
    """Top-level library module → a file that imports it."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    if (path.parent / f"{name}.py").exists():
                        continue  # a script's neighbour
                    found.setdefault(name.partition(".")[0], path.relative_to(ROOT))
    own = {PACKAGE, "tests", "scripts"}
    known = sys.stdlib_module_names | own | ELSEWHERE
    return {name: path for name, path in found.items() if name not in known}


def main() -> int:
    pins = declared()
    distributions = packages_distributions()
    used: set[str] = set()
    found: list[str] = []
    for module, path in imported(PACKAGE, "tests", "scripts").items():
        owners = (
            {COMES_WITH[module]}
            if module in COMES_WITH
            else {normal(d) for d in distributions.get(module, [])}
        )
        if not owners & pins.keys():
            found.append(f"{path} imports {module}, which pyproject.toml does not declare")
        used |= owners
    for name in sorted(pins.keys() - used - WITHOUT_IMPORT):
        found.append(f"pyproject.toml declares {name}, which nothing imports")
    reasons = (ROOT / "docs/dependencies.md").read_text()
    for name, version in sorted(pins.items()):
        if f"`{name}` {version}" not in reasons:
            found.append(f"docs/dependencies.md has no line for `{name}` {version}")
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-guests.lock"):
        for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / lock).read_text(), re.M):
            if pins.get(normal(name), version) != version:
                found.append(f"{lock}: {name} {version} is not what pyproject.toml says; run make lock")
    print("\n".join(found) or f"{len(pins)} direct dependencies: declared, used, explained")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
