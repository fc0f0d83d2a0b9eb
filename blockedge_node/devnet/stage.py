"""What the acts of the demo share: the network, a client for each node, names for addresses, what was asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blockedge_node.cli.client import Client
from blockedge_node.core.ids import Address
from blockedge_node.devnet import ledger, trials
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.errors import BlockEdgeError

SHARDS: Final = 8
RANGE: Final = 200_000  # nonces a search covers: 0.1 s of work, so that the windows stay short
CHALLENGES: Final = (b"blockedge demo: made up".ljust(32, b"."), b"blockedge demo: refused".ljust(32, b"."))
TARGET: Final = 1 << 240  # 16 leading zero bits: found after about 65 000 nonces


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One network that plays."""

    devnet: Devnet
    api: tuple[Client, ...]
    out: Path
    began: float

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def name(self, address: str | bytes | None) -> str:
        wanted = "0x" + address.hex() if isinstance(address, bytes) else address
        return next((node.name for node in self.devnet.nodes if node.address == wanted), "–")

    def client(self, address: str) -> Client:
        return next(c for c, node in zip(self.api, self.devnet.nodes, strict=True) if node.address == address)

    @property
    def accounts(self) -> list[Address]:
        return [Address(bytes.fromhex(node.address[2:])) for node in self.devnet.nodes]

    @property
    def names(self) -> dict[Address, int]:
        return trials.owner_numbers(self.accounts)

    def books(self) -> trials.Record:
        contract, court = (
            Address(bytes.fromhex(text[2:])) for text in (self.devnet.contract, self.devnet.court)
        )
        return trials.read(self.devnet.rpc, contract, court, self.names)

    def snapshot(self) -> ledger.Snapshot:
        contract = Address(bytes.fromhex(self.devnet.contract[2:]))
        return ledger.read(self.devnet.rpc, contract, self.accounts)

    def reputations(self) -> dict[str, dict[str, Any]]:
        return {
            node.name: self.api[0].get(f"/api/v1/reputation/{node.address}") for node in self.devnet.nodes
        }


def demand(condition: bool, complaint: str) -> None:
    """Raises BlockEdgeError unless it is so."""
    if not condition:
        raise BlockEdgeError(f"the demo went wrong: {complaint}")
