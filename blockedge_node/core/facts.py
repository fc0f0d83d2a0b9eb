"""What role machines are made of: facts, which are journalled, and views, which are looked at again.

A machine is a frozen dataclass. Its plain fields are facts. A field declared with `volatile` is a view, or
the wish of a stream that ends with the process: it is left out of the journal and of `==`. So two machines are
equal iff a restart could not tell them apart, and only a change that `==` sees is worth a transaction.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from blockedge_node.core.actions import Note
from blockedge_node.core.ids import Hash, TaskId, UnitId

JOURNAL = "journal"


def volatile(default: Any) -> Any:
    """A dataclass field that the journal leaves out; after a restart it has its default again."""
    return field(default=default, compare=False, metadata={JOURNAL: False})


def note(subject: Hash | TaskId | UnitId, code: str, **fields: str | int | bytes) -> Note:
    """A line of the subject's story; bytes are written in hex."""
    plain = ((name, "0x" + v.hex() if isinstance(v, bytes) else v) for name, v in fields.items())
    return Note(subject=subject, code=code, fields=tuple(plain))
