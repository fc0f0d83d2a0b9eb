"""What wakes those who follow the journal (backend/events.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio


@dataclass(slots=True, eq=False)
class Bell:
    """Rung when the journal has new lines."""

    _next: trio.Event = field(default_factory=trio.Event)
    readers: int = 0

    def ring(self) -> None:
        self._next.set()
        self._next = trio.Event()

    @property
    def next(self) -> trio.Event:
        """Set by the next ring after this look."""
        return self._next
