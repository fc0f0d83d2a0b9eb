"""Tasks bought and sold on a chain by hand: the contracts' part of Fig. 6, without daemons.

    requester   signs Requests and Awards                    worker     signs Bids, Acks and Commits, and solves
    detector    recomputes every result, reports wrong ones  relayer    sends everything, and pays the gas

Each task is proof-of-work search with one shard. As the worker never sends a transaction, its wealth (its balance on
the chain and both of its buckets in the contract) changes by prices and deposits alone, so it can be compared to the
wei. The chain mines a block for each transaction and its clock is moved over the windows (prod's, so that no machine
is too slow for them).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.calls import encode
from blockedge_node.chain.deploy import Deployment
from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    ChainAction,
    CommitReport,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    Settle,
)
from blockedge_node.core.commitment import Role, commitment, evidence_hash, guard
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Secret, Signature
from blockedge_node.core.task import Ack, Award, Bid, Commit, Kind, Request, Result, unit_id
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import SECRET_SHOWN, Unit
from blockedge_node.devnet import anvil
from blockedge_node.devnet.cluster import ETHER, FUND
from blockedge_node.devnet.founding import found
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search, refute, solve
from blockedge_node.wire.eip712 import LocalSigner

NONCES: Final = 256  # a task
TARGET: Final = 1 << 252  # one digest in sixteen wins: a range without any would be one in ten million
BATCH: Final = 50  # units a transaction
MINED_SECONDS: Final = 60.0  # patience with a chain whose machine is busy
GAS: Final = 25_000_000  # a transaction's limit
RICH: Final = 10**8 * ETHER  # what requester, worker and detector put into the contract
BASE_SCORE: Final = 140_000  # R that bids are signed with, a newcomer's; weights and ranges do not look at it
ABI: Final = contract("BlockEdge")
UNSIGNED: Final = Signature(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """One task: what was signed, what the worker says that the result is, and its unit once committed."""

    data: bytes
    registration: Registration
    assigned: Unit
    committed: Unit
    revealed: Unit
    result: Result
    output: bytes
    salt: Secret
    guard: Hash
    commit_sig: Signature

    @property
    def request(self) -> Request:
        return self.registration.signed.request


@contextmanager
def market(seed: str) -> Iterator[Market]:
    """A chain of its own with the contracts and three funded parties; all its secrets follow from `seed`."""
    with TemporaryDirectory(prefix="blockedge-trade-") as directory:
        process, url = anvil.launch(Path(directory), block_time=1)
        try:
            deployment = found(url, court=False, profile="prod")
            anvil.rpc(url, "evm_setIntervalMining", 0)
            anvil.rpc(url, "evm_setAutomine", True)
            yield Market(url, deployment, Random(seed))
        finally:
            process.stop()


class Market:
    """See the module docstring."""

    def __init__(self, url: str, deployment: Deployment, chance: Random) -> None:
        self._url, self._chance = url, chance
        self._params = deployment.params
        self._domain = Domain(deployment.chain_id, deployment.block_edge)
        self._relayer: str = anvil.rpc(url, "eth_accounts")[0]
        self._requester, self._worker, self._detector = (self._party() for _ in range(3))
        self._nonce = 0

    def _party(self) -> LocalSigner:
        signer = LocalSigner(self._chance.randbytes(32), self._domain)
        account = _hex(signer.address)
        anvil.rpc(self._url, "anvil_setBalance", account, hex(RICH + ETHER))
        anvil.rpc(self._url, "anvil_impersonateAccount", account)
        self._send(bytes.fromhex(FUND[2:]), sender=account, value=RICH)
        return signer

    # ── what is seen ─────────────────────────────────────────────────────────────────────────────────────

    def wealth(self) -> int:
        """All that the worker has, in wei: on the chain, and in the contract free or locked."""
        account = self._worker.address
        outside = int(anvil.rpc(self._url, "eth_getBalance", _hex(account), "latest"), 16)
        return outside + self._balance(account)

    def shares(self) -> tuple[int, int, int]:
        """What the contract holds for the requester, for the detector, and for nobody any more (burned), in wei."""
        requester, detector = self._balance(self._requester.address), self._balance(self._detector.address)
        return requester, detector, int(self._view("burned")[0])

    def _balance(self, account: Address) -> int:
        ((free, locked, *_),) = self._view("accountOf", account)
        return int(free) + int(locked)

    def _view(self, function: str, *args: Any) -> tuple[Any, ...]:
        call = {"to": _hex(self._domain.contract), "data": _hex(ABI.call(function, *args))}
        return ABI.returned(function, bytes.fromhex(anvil.rpc(self._url, "eth_call", call, "latest")[2:]))

    # ── trade ────────────────────────────────────────────────────────────────────────────────────────────

    def trade(
        self, wrong: Sequence[bool], *, price: int, deposit: int, looks: Collection[int] = ()
    ) -> dict[int, int]:
        """Sell len(`wrong`) tasks, some of them with a wrong result, each recomputed by the detector.

        Returns the worker's change of wealth in wei after so many tasks have been settled, in order: for each
        number of `looks`, and for all. Raises BlockEdgeError if the contract does not do every call.
        """
        before = self.wealth()
        tasks: list[Sold] = []
        for first in range(0, len(wrong), BATCH):
            now = self._now()
            sold = [self._sell(lazy, price, deposit, now) for lazy in wrong[first : first + BATCH]]
            self._calls(
                [RegisterAward(unit=t.assigned.terms.unit, registration=t.registration) for t in sold]
            )
            self._commit(sold)
            self._calls([_reveal(task) for task in sold])
            tasks += sold
        self._report(tasks)
        changes = {}
        done = 0
        for until in sorted({*looks, len(tasks)}):
            for first in range(done, until, BATCH):
                ended = tasks[first : min(first + BATCH, until)]
                self._calls([Settle(unit=task.revealed.terms.unit, target=task.revealed) for task in ended])
            changes[until], done = self.wealth() - before, until
        return changes

    def _report(self, tasks: Sequence[Sold]) -> None:
        """The detector recomputes all results and reports the wrong ones in both stages; then its windows pass."""
        checked = [(task, refute(task.data, 0, task.output)) for task in tasks]
        found = [(task, evidence) for task, evidence in checked if evidence is not None]
        salt = Secret(self._chance.randbytes(32))
        author = self._detector.address
        for task, evidence in found:
            unit, shown = task.revealed.terms.unit, evidence_hash(evidence)
            hidden = commitment(self._domain, unit, Role.REPORTER, author, shown, salt)
            self._calls([CommitReport(unit=unit, target=task.revealed, hash=hidden)], sender=_hex(author))
        self._pass(self._params.vwin(tasks[0].request.fuel) + self._params.challenge)
        for task, evidence in found:
            report = RevealReport(
                unit=task.revealed.terms.unit,
                target=task.revealed,
                index=1,
                author=author,
                result_hash=evidence_hash(evidence),
                salt=salt,
                request=task.request,
                revealed=task.result,
                output=task.output,
                evidence=evidence,
                data=task.data,
            )
            self._calls([report])
        self._pass(self._params.report)

    def _sell(self, lazy: bool, price: int, deposit: int, now: int) -> Sold:
        search = Search(challenge=self._chance.randbytes(32), target=TARGET, range_size=NONCES)
        data = search.encode()
        self._nonce += 1
        request = Request(
            requester=self._requester.address,
            nonce=self._nonce,
            kind=Kind.POW,
            shards=1,
            input_root=merkle.root(data),
            fuel=NONCES * FUEL_PER_NONCE,
            max_price=price,
            min_deposit=deposit,
            max_delay=60,
            w_price=5_000,
            w_delay=2_500,
            w_rep=2_500,
            expiry=now + 1_800,
        )
        task = request.task(self._domain)
        bid = Bid(
            task=task,
            shard=0,
            worker=self._worker.address,
            price=price,
            deposit=deposit,
            delay=30,
            rep=BASE_SCORE,
            expiry=now + 1_200,
        )
        award = Award(task=task, shard=0, bid=bid.digest(self._domain), not_before=now, register_by=now + 600)
        ack = Ack(award=award.digest(self._domain), start_at=now)
        signed = SignedAward(
            request=request,
            request_sig=UNSIGNED,
            bid=bid,
            bid_sig=self._worker.sign(bid),
            award=award,
            award_sig=self._requester.sign(award),
        )
        output = b"" if lazy else solve(data, 0)  # without a look: "no nonce wins"
        result = Result(exit=0, output_root=merkle.root(output))
        salt, guarded = Secret(self._chance.randbytes(32)), guard(Secret(self._chance.randbytes(32)))
        terms = terms_of(request, bid, award, self._params)
        hidden = commitment(
            self._domain,
            unit_id(task, 0),
            Role.WORKER,
            bid.worker,
            result.hash(),
            salt,
            guard=guarded,
        )
        commit = Commit(unit=terms.unit, terms_hash=terms.terms_hash(), commitment=hidden)
        return Sold(
            data=data,
            registration=Registration(signed=signed, ack=ack, ack_sig=self._worker.sign(ack)),
            assigned=_unit(terms, _number(now)),
            committed=_unit(terms, hidden),
            revealed=_unit(terms, result.hash(), guarded, _number(SECRET_SHOWN)),
            result=result,
            output=output,
            salt=salt,
            guard=guarded,
            commit_sig=self._worker.sign(commit),
        )

    # ── the chain ────────────────────────────────────────────────────────────────────────────────────────

    def _calls(self, calls: Sequence[ChainAction], *, sender: str = "") -> None:
        self._send(encode(calls), sender=sender or self._relayer, items=len(calls))

    def _commit(self, tasks: Sequence[Sold]) -> None:
        """commit(…) with the worker's signatures, as the relayer is not the worker."""
        units = [(task.assigned.terms.values(), list(task.assigned.data)) for task in tasks]
        sigs = [(task.commit_sig[:32], task.commit_sig[32:]) for task in tasks]
        data = ABI.call("commit", units, [task.committed.data[0] for task in tasks], sigs)
        self._send(data, sender=self._relayer, items=len(tasks))

    def _send(self, data: bytes, *, sender: str, items: int = 1, value: int = 0) -> None:
        """One transaction, mined at once. Raises BlockEdgeError unless it does all of its `items`."""
        message = {"from": sender, "to": _hex(self._domain.contract), "data": _hex(data), "value": hex(value)}
        tx = anvil.rpc(self._url, "eth_sendTransaction", {**message, "gas": hex(GAS)})
        receipt = self._receipt(tx)
        topics = [bytes.fromhex(log["topics"][0][2:]) for log in receipt["logs"]]
        done = [topic for topic in topics if ABI.events[topic].name != "Skipped"]
        if int(receipt["status"], 16) != 1 or len(done) < items:
            raise BlockEdgeError(f"the contract did not do all of {items} calls: selector {data[:4].hex()}")

    def _receipt(self, tx: str) -> dict[str, Any]:
        """The chain mines as soon as it can, which is a little after it answers. Raises BlockEdgeError."""
        deadline = time.monotonic() + MINED_SECONDS
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = anvil.rpc(self._url, "eth_getTransactionReceipt", tx)
            if receipt is not None:
                return receipt
            time.sleep(0.002)
        raise BlockEdgeError(f"the chain did not mine {tx} within {MINED_SECONDS:g} s")

    def _now(self) -> int:
        return int(anvil.rpc(self._url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def _pass(self, seconds: int) -> None:
        anvil.rpc(self._url, "evm_increaseTime", seconds + 1)
        anvil.rpc(self._url, "evm_mine")


def _reveal(task: Sold) -> Reveal:
    return Reveal(
        unit=task.committed.terms.unit,
        target=task.committed,
        result=task.result,
        salt=task.salt,
        guard=task.guard,
        output=task.output,
    )


def _unit(terms: Any, *words: Hash) -> Unit:
    padded = (*words, ZERO_HASH, ZERO_HASH, ZERO_HASH)[:4]
    return Unit(terms=terms, data=(padded[0], padded[1], padded[2], padded[3]))


def _number(value: int) -> Hash:
    return Hash(value.to_bytes(32, "big"))


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
