"""Which waiting calls share a transaction, and how much gas it may take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blockedge_node.chain.calls import BATCHED, EXTRA_GAS
from blockedge_node.chain.slots import Job

BATCH_ITEMS = 64
BATCH_BYTES = 96_000  # nodes refuse transactions over 128 KiB


def batches(jobs: Iterable[Job], block_gas: int) -> list[list[Job]]:
    """Groups that share a transaction: one function, bounded in items, bytes and gas."""
    groups: list[list[Job]] = []
    latest: dict[str, list[Job]] = {}
    for job in jobs:
        group = latest.get(job.function) if job.call is not None and job.function in BATCHED else None
        if group is not None and _fits([*group, job], block_gas):
            group.append(job)
        else:
            latest[job.function] = [job]
            groups.append(latest[job.function])
    return groups


def _fits(group: Sequence[Job], block_gas: int) -> bool:
    return (
        len(group) <= BATCH_ITEMS
        and sum(len(job.payload.data) for job in group) <= BATCH_BYTES
        and sum(map(gas_limit_of, group)) <= block_gas // 2
    )


def gas_limit_of(job: Job) -> int:
    """A limit is not a cost: refunds hide up to a fifth of what a call needs, states that others change in
    between may cost a first-time slot, and the judge must be left its share.
    """
    return job.gas * 13 // 10 + 40_000 + EXTRA_GAS.get(job.function, 0)
