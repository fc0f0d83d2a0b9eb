"""Which peers speak for an address (docs/protocol.md §2.3).

First the peer its newest KeyCard names, then the origins of its gossip, the newest four tried in turn: anybody may
repeat a message, so an origin is a hint, while a KeyCard is signed by its owner. Bounded: the least recently heard
address is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from libp2p.peer.id import ID

from blockedge_node.core.ids import Address
from blockedge_node.core.task import KeyCard

ORIGINS: Final = 4
KEEP: Final = 4096


class Directory:
    """`now` gives the chain's clock in unix seconds, by which KeyCards expire."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._cards: OrderedDict[Address, KeyCard] = OrderedDict()
        self._origins: OrderedDict[Address, OrderedDict[ID, None]] = OrderedDict()

    def heard(self, who: Address, origin: ID) -> None:
        """A message signed by `who` came out of `origin`."""
        origins = self._origins.setdefault(who, OrderedDict())
        origins[origin] = None
        origins.move_to_end(origin)
        while len(origins) > ORIGINS:
            origins.popitem(last=False)
        _newest(self._origins, who)

    def learn(self, card: KeyCard) -> bool:
        """Keep a card whose signature was checked; False if one at least as new is known."""
        known = self._cards.get(card.owner)
        if known is not None and known.seq >= card.seq:
            return False
        self._cards[card.owner] = card
        _newest(self._cards, card.owner)
        return True

    def peers_of(self, who: Address) -> list[ID]:
        """Peers to try for `who`, best first; empty if nothing was heard."""
        found: list[ID] = []
        card = self._cards.get(who)
        if card is not None and card.expiry >= self._now():
            found.append(ID(card.peer_id))
        found.extend(p for p in reversed(self._origins.get(who, {})) if p not in found)
        return found

    def owners_of(self, peer: ID) -> list[Address]:
        """Addresses whose unexpired KeyCard names `peer`."""
        raw, now = peer.to_bytes(), self._now()
        return [a for a, card in self._cards.items() if card.peer_id == raw and card.expiry >= now]

    def count(self, but: Address) -> int:
        """Addresses with an unexpired KeyCard, `but` not among them."""
        now = self._now()
        return sum(card.expiry >= now for who, card in self._cards.items() if who != but)


def _newest(entries: OrderedDict[Address, Any], who: Address) -> None:
    entries.move_to_end(who)
    while len(entries) > KEEP:
        entries.popitem(last=False)
