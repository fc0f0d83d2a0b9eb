"""What the transaction sender needs of a disk: signed transactions, written before they are broadcast.

Declared by its consumer and implemented by store/journal.py; plain values, since adapters do not import one
another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class OutboxRow(NamedTuple):
    nonce: int
    key: str  # what the transaction does: function:unit:digest of each of its calls, joined by commas
    call: str  # the contract function
    raw: bytes  # the signed transaction, sent again byte for byte after a crash
    hash: bytes  # 32 bytes
    state: str  # "sent", then "mined" until no reorg can take it back


class Outbox(Protocol):
    """Rows by (nonce, hash): a replacement for a higher fee is a second row under the same nonce."""

    def outbox_rows(self) -> Sequence[tuple[int, str, str, bytes, bytes, str]]:
        """All rows, by nonce, then in the order in which they were put."""

    async def outbox_put(self, nonce: int, key: str, call: str, raw: bytes, hash: bytes, state: str) -> None:
        """Inserts the row, or changes its state; durable on return."""

    async def outbox_drop(self, nonce: int) -> None:
        """Forgets a nonce that the chain has consumed for good."""


class MemoryOutbox:
    """An outbox that lasts as long as the process: for deployments and scripts, which start afresh."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, bytes], OutboxRow] = {}

    def outbox_rows(self) -> Sequence[OutboxRow]:
        return sorted(self._rows.values(), key=lambda row: row.nonce)

    async def outbox_put(self, nonce: int, key: str, call: str, raw: bytes, hash: bytes, state: str) -> None:
        self._rows[nonce, hash] = OutboxRow(nonce, key, call, raw, hash, state)

    async def outbox_drop(self, nonce: int) -> None:
        for key in [key for key in self._rows if key[0] == nonce]:
            del self._rows[key]
