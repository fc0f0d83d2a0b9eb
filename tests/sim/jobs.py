"""What clients of the simulation ask for: proof-of-work searches, and jobs for the stand-in program of kind 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from blockedge_node.core import merkle
from blockedge_node.core.events import Job
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Root
from blockedge_node.core.task import Kind
from blockedge_node.executor import pow
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search
from blockedge_node.wire.manifest import Manifest
from tests.sim.machine import WASM_MAGIC, compute

MAX_PRICE = 10**15  # wei a unit
FUEL = 10**8  # of a kind-2 unit
WASM = WASM_MAGIC + b" stands for a module"


@dataclass(frozen=True, slots=True)
class Asked:
    """A job, and the blobs that its client hands in with it. `right`: its outputs as a local run has them."""

    job: Job
    blobs: tuple[bytes, ...]
    right: tuple[bytes, ...] = field(repr=False)

    def on(self, store: dict[Root, bytes]) -> Job:
        """The job, with its blobs put into its requester's store."""
        store.update({merkle.root(blob): blob for blob in self.blobs})
        return self.job


def pow_job(label: str = "search", *, shards: int = 1, size: int = 20_000, **changes: Any) -> Asked:
    """Kind 1: the smallest winning nonce of each range; one winner in 1000, so that several lie behind the first."""
    search = Search(challenge=keccak256(label.encode()), target=(1 << 256) // 1000, range_size=size)
    data = search.encode()
    job = _job(
        label,
        kind=Kind.POW,
        program=Root(ZERO_HASH),
        inputs=(merkle.root(data),),
        shards=shards,
        fuel=size * FUEL_PER_NONCE,
        **changes,
    )
    return Asked(job, (data,), tuple(pow.solve(data, shard) for shard in range(shards)))


def wasm_job(label: str = "photos", *, shards: int = 1, times: int = 3, **changes: Any) -> Asked:
    """Kind 2: the stand-in program over `shards` texts, short ones unless they repeat themselves many `times`."""
    texts = [f"{label} {shard} ".encode() * times for shard in range(shards)]
    manifest = Manifest(wasm=merkle.root(WASM), argv=("stand-in", "{shard}"), fuel=FUEL)
    roots = [merkle.root(text) for text in texts]
    runs = [manifest.job(wasm=WASM, stdin=text, shard=i, shards=shards) for i, text in enumerate(texts)]
    job = _job(
        label,
        kind=Kind.WASM,
        program=merkle.root(manifest.encode()),
        inputs=tuple(roots),
        shards=shards,
        fuel=FUEL,
        **changes,
    )
    blobs = (manifest.encode(), WASM, b"".join(roots), *texts)
    return Asked(job, blobs, tuple(compute(run).output for run in runs))


def _job(label: str, *, inputs: Sequence[Root], **fields: Any) -> Job:
    name = keccak256(b"job " + label.encode())
    plain: dict[str, Any] = {
        "mode": 0,
        "max_price": MAX_PRICE,
        "min_deposit": 0,
        "max_delay": 60,
        "lifetime": 60,
    }
    nonce = int.from_bytes(name[:6], "big")
    return Job(id=name, nonce=nonce, inputs=tuple(inputs), label=label, **{**plain, **fields})
