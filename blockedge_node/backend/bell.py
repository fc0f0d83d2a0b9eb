"""What wakes those who follow this node's events (backend/events.py), and what they hear that is in no journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from blockedge_node.api.models import ItemEvent
from blockedge_node.errors import Rejected

READERS: Final = 32  # at a time
PASSING: Final = 256  # answers kept for a reader that has not come for them; the oldest go first


@dataclass(slots=True, eq=False)
class Reader:
    """One who follows. `passing`: answers that bind nobody; one that is missed comes with its bundle's result."""

    passing: deque[ItemEvent] = field(default_factory=lambda: deque(maxlen=PASSING))

    def take(self) -> list[ItemEvent]:
        taken = list(self.passing)
        self.passing.clear()
        return taken


class Bell:
    def __init__(self) -> None:
        self._next = trio.Event()
        self._readers: set[Reader] = set()

    @property
    def readers(self) -> int:
        return len(self._readers)

    @property
    def next(self) -> trio.Event:
        """Set by the first ring after this look."""
        return self._next

    def ring(self) -> None:
        """The journal has new lines."""
        self._next.set()
        self._next = trio.Event()

    def say(self, event: ItemEvent) -> None:
        """To all who follow now; waits for nobody."""
        for reader in self._readers:
            reader.passing.append(event)
        if self._readers:
            self.ring()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Raises Rejected if there are READERS already."""
        if self.readers >= READERS:
            raise Rejected("too-many-readers", f"{READERS} clients follow this node's events already")
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
