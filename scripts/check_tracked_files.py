"""Looks through every tracked file for what must not be committed.

Paths of somebody's machine, addresses of package registries (lock files name packages and hashes; where to
ask is the installer's business), leftovers such as merge markers, trailing blanks, and huge files.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 2 << 20
TEXT_RULES = [
    (re.compile(r"(?<![\w./~-])/(?:work|root|home/\w+|Users/\w+)/"), "a path of one machine"),
    (
        re.compile(r"registry\.npm" r"js\.org|files\.python" r"hosted\.org|pypi" r"\.org/simple"),
        "a package registry",
    ),
    (re.compile(r"\bfile:" r"///"), "a local file address"),
    (re.compile(r"^(?:<{7}|>{7}) ", re.M), "a merge marker"),
    (re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b"), "a note to self; open an issue instead"),
]
BLANKS = re.compile(r"[ \t]+$", re.M)
PROSE = {".md"}  # two blanks at a line's end mean a line break there


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


def problems(path: Path) -> list[str]:
    if not path.is_file() or path.is_symlink():
        return []
    name = path.relative_to(ROOT)
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        return [f"{name}: {len(data)} bytes; more than {MAX_BYTES} do not belong into the repository"]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return []
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}"
        for pattern, what in TEXT_RULES
        for match in pattern.finditer(text)
    ]
    if path.suffix not in PROSE and (match := BLANKS.search(text)):
        found.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: trailing blanks")
    if "\r\n" in text:
        found.append(f"{name}: Windows line ends")
    return found


def main() -> int:
    found = [line for path in tracked() for line in problems(path)]
    print("\n".join(found) or "tracked files are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
