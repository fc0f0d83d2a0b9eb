"""A program's files: read-only, in memory, the same on every node.

Directories follow from the paths. Names are listed in byte order, times are zero and an inode number is a
hash of the path, so nothing of the host shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """A file (`data`) or a directory (`children`, in byte order of their names)."""

    path: str
    data: bytes | None = None
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def is_dir(self) -> bool:
        return self.data is None

    @property
    def size(self) -> int:
        return len(self.data or b"")

    @property
    def inode(self) -> int:
        return int.from_bytes(hashlib.sha256(self.path.encode()).digest()[:8], "big")


def build(files: Mapping[str, bytes]) -> Node:
    """The root directory over `files` (plain relative paths, as the manifest allows them)."""
    root = Node("")
    for path in sorted(files, key=str.encode):
        here = root
        *parents, name = path.split("/")
        for parent in parents:
            below = f"{here.path}/{parent}".lstrip("/")
            here = here.children.setdefault(parent, Node(below))
        here.children[name] = Node(path, files[path])
    _sort(root)
    return root


def _sort(node: Node) -> None:
    # "a.b" sorts before "a/c", so insertion order by whole path is not yet order by name
    node.children = dict(sorted(node.children.items(), key=lambda item: item[0].encode()))
    for child in node.children.values():
        _sort(child)


def lookup(start: Node, path: str) -> Node | None:
    """The node at `path` below `start`, or None. "." stays, ".." never leaves `start`, a file has no
    children."""
    trail = [start]
    for name in path.split("/"):
        if name in ("", "."):
            continue
        if not trail[-1].is_dir:
            return None
        if name == "..":
            trail = trail[:-1] or [start]
            continue
        child = trail[-1].children.get(name)
        if child is None:
            return None
        trail.append(child)
    return trail[-1]
