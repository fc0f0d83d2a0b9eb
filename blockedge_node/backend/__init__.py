"""The node behind the API: api.backend.Backend over engine, chain, p2p, executor and store, one part a noun.

Nothing is decided here. Questions are answered from the engine's machines (as committed), the last head and the
journal; what a client asks for becomes an event or a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.backend.content import ContentPart
from blockedge_node.backend.court import CourtPart
from blockedge_node.backend.events import EventsPart
from blockedge_node.backend.money import MoneyPart
from blockedge_node.backend.node import NodePart
from blockedge_node.backend.stories import StoriesPart
from blockedge_node.backend.work import WorkPart


@dataclass(frozen=True, kw_only=True)
class NodeBackend(NodePart, ContentPart, WorkPart, EventsPart, StoriesPart, MoneyPart, CourtPart):
    """Everything that the API asks of a node."""
