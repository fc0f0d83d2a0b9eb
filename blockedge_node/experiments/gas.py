"""Gas of a settled unit on anvil: awardCommit + reveal + settle, alone and in batches (docs/protocol.md §3.5).

The worker sends its own units of one requester; both have used their slots before, and each output has 32 bytes.
Calldata is what the daemon's sender encodes, so this is what a node pays.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from blockedge_node.chain.calls import encode
from blockedge_node.core import merkle
from blockedge_node.core.actions import AwardCommit, ChainAction, Registration, Reveal, Settle
from blockedge_node.core.commitment import Role, commitment, guard
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, Secret, Signature
from blockedge_node.core.params import Params
from blockedge_node.core.task import Award, Bid, Kind, Request, Result, unit_id
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import Unit
from blockedge_node.devnet import anvil
from blockedge_node.devnet.cluster import SOURCE, fund
from blockedge_node.devnet.founding import found
from blockedge_node.errors import BlockEdgeError
from blockedge_node.wire.eip712 import LocalSigner
from blockedge_node.wire.params import load_params

BATCHES: Final = (1, 8, 64)
BUDGETS: Final = {1: 210_000, 8: 115_000, 64: 105_000}  # gas a unit
PRICE: Final = 10**14
FUEL: Final = 10**8
UNSIGNED: Final = Signature(b"")
NOTHING: Final = Hash(ZERO_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Gas per unit of each call, in batches of `units`."""

    units: int
    award_commit: int
    reveal: int
    settle: int

    @property
    def total(self) -> int:
        return self.award_commit + self.reveal + self.settle


def measure() -> list[Row]:
    """One row a batch size, on a chain of its own."""
    with tempfile.TemporaryDirectory(prefix="blockedge-gas-") as directory:
        process, url = anvil.launch(Path(directory), block_time=1)
        try:
            deployment = found(url, court=False)  # of a unit that nobody checks
            params = load_params((SOURCE / "config" / "params.dev.json").read_text())
            bench = _Bench(url, Domain(deployment.chain_id, deployment.block_edge), params)
            bench.measure(1, nonce=0)  # first use of a slot costs 17k more and is not what repeats
            return [bench.measure(units, nonce=units) for units in BATCHES]
        finally:
            process.stop()


class _Bench:
    def __init__(self, url: str, domain: Domain, params: Params) -> None:
        self.url, self.domain, self.params = url, domain, params
        self.requester = LocalSigner(secrets.token_bytes(32), domain)
        self.worker = LocalSigner(secrets.token_bytes(32), domain)
        parties = [_hex(self.requester.address), _hex(self.worker.address)]
        fund(url, _hex(domain.contract), parties)
        anvil.rpc(url, "anvil_impersonateAccount", parties[1])

    def measure(self, units: int, *, nonce: int) -> Row:
        now = int(anvil.rpc(self.url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        request = Request(
            requester=self.requester.address,
            nonce=nonce,
            kind=Kind.WASM,
            shards=units,
            input_root=Root(secrets.token_bytes(32)),
            program=Root(secrets.token_bytes(32)),
            fuel=FUEL,
            max_price=2 * PRICE,
            min_deposit=0,
            max_delay=60,
            w_price=5_000,
            w_delay=2_500,
            w_rep=2_500,
            expiry=now + 300,
        )
        lives = [_Life(self, request, shard, now) for shard in range(units)]
        award_commit = self._gas([life.award_commit for life in lives])
        reveal = self._gas([life.reveal for life in lives])
        anvil.rpc(self.url, "evm_increaseTime", self.params.vwin(FUEL) + self.params.challenge + 2)
        anvil.rpc(self.url, "evm_mine")
        settle = self._gas([life.settle for life in lives])
        return Row(
            units=units, award_commit=award_commit // units, reveal=reveal // units, settle=settle // units
        )

    def _gas(self, calls: Sequence[ChainAction]) -> int:
        """Send all calls in one transaction; its gas. Raises BlockEdgeError if one of them did nothing."""
        tx = anvil.rpc(
            self.url,
            "eth_sendTransaction",
            {
                "from": _hex(self.worker.address),
                "to": _hex(self.domain.contract),
                "data": _hex(encode(calls)),
                "gas": hex(25_000_000),
            },
        )
        anvil.rpc(self.url, "evm_mine")
        receipt: dict[str, Any] = anvil.rpc(self.url, "eth_getTransactionReceipt", tx)
        if int(receipt["status"], 16) != 1 or len(receipt["logs"]) < len(calls):
            raise BlockEdgeError(f"{type(calls[0]).__name__} of {len(calls)} units failed")
        return int(receipt["gasUsed"], 16)


class _Life:
    """One unit's three calls."""

    def __init__(self, bench: _Bench, request: Request, shard: int, now: int) -> None:
        domain, worker = bench.domain, bench.worker
        task = request.task(domain)
        bid = Bid(
            task=task,
            shard=shard,
            worker=worker.address,
            price=PRICE,
            deposit=20 * PRICE,
            delay=10,
            rep=140_000,
            expiry=now + 200,
        )
        award = Award(task=task, shard=shard, bid=bid.digest(domain), not_before=now, register_by=now + 60)
        signed = SignedAward(
            request=request,
            request_sig=UNSIGNED,
            bid=bid,
            bid_sig=UNSIGNED,
            award=award,
            award_sig=bench.requester.sign(award),
        )
        output = secrets.token_bytes(32)
        result = Result(exit=0, output_root=merkle.root(output), fuel_used=FUEL // 2, memory_hash=NOTHING)
        salt, guarded = Secret(secrets.token_bytes(32)), guard(Secret(secrets.token_bytes(32)))
        unit = unit_id(task, shard)
        committed = commitment(domain, unit, Role.WORKER, worker.address, result.hash(), salt, guard=guarded)
        terms = terms_of(request, bid, award, bench.params)
        target = Unit(terms=terms, data=(committed, NOTHING, NOTHING, NOTHING))
        shown = Hash((2).to_bytes(32, "big"))  # flags: no draw secret to wait for
        self.award_commit = AwardCommit(
            unit=unit, registration=Registration(signed=signed), commitment=committed
        )
        self.reveal = Reveal(unit=unit, target=target, result=result, salt=salt, guard=guarded, output=output)
        revealed = replace(target, data=(result.hash(), guarded, shown, NOTHING))
        self.settle = Settle(unit=unit, target=revealed)


def _hex(value: bytes | Address) -> str:
    return "0x" + value.hex()
