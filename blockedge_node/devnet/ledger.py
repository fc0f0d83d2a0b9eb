"""What every account should have gained and lost, from the contract's events and the rules of docs/protocol.md §7.1.

Written apart from contract and daemons, so that the demo can hold its story against the contract's balances: if one
wei went elsewhere, `expected` and the balances differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import trio

from blockedge_node.chain.blocks import block_at, logs_between
from blockedge_node.chain.events import (
    Awarded,
    Record,
    ReportClosed,
    Reported,
    ReportRevealed,
    Revealed,
    Settled,
    decode_log,
)
from blockedge_node.chain.reader import Reader
from blockedge_node.chain.rpc import Rpc
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.reputation import protocol_fee
from blockedge_node.core.unit import Phase, Terms

BPS = 10_000
WRONG = 2  # a judge's verdict on the result: the report is right


@dataclass(slots=True)
class UnitStory:
    """One unit in the contract's own words."""

    terms: Terms
    acknowledged: bool
    revealed: bool = False
    reports: dict[int, Reported] = field(default_factory=dict)
    right: list[int] = field(default_factory=list)  # indexes of reports that the judge confirmed
    shown: int = 0  # reports revealed
    returned: dict[int, int] = field(default_factory=dict)  # wei of bonds given back, by index
    settled: Settled | None = None

    @property
    def detector(self) -> Address | None:
        """Who is paid for the proof: the lowest report that is right."""
        return self.reports[min(self.right)].author if self.right else None


def units_of(records: Sequence[Record]) -> dict[UnitId, UnitStory]:
    units: dict[UnitId, UnitStory] = {}
    for record in records:
        if isinstance(record, Awarded):
            units[record.unit] = UnitStory(terms=record.terms, acknowledged=record.start_at > 0)
            continue
        story = units.get(getattr(record, "unit", UnitId(b"")))
        if story is None:
            continue
        match record:
            case Revealed():
                story.revealed = True
            case Reported():
                story.reports[record.index] = record
            case ReportRevealed():
                story.shown += 1
                if record.verdict == WRONG:
                    story.right.append(record.index)
            case ReportClosed():
                story.returned[record.index] = record.returned
            case Settled():
                story.settled = record
            case _:
                pass
    return units


@dataclass(frozen=True, slots=True)
class Shares:
    """How a slashed deposit is split, in wei; they add up to what was taken."""

    requester: int
    detector: int
    burned: int


def shares(story: UnitStory) -> Shares:
    """Of what `Settled` says was taken from the worker."""
    taken = story.settled.slashed if story.settled else 0
    proven = story.settled is not None and story.settled.phase is Phase.SLASHED and story.revealed
    refused_silently = (
        story.settled is not None and story.settled.phase is Phase.REFUSED and not story.acknowledged
    )
    requester = 0 if refused_silently else taken * 5_000 // BPS
    detector = taken * 2_000 // BPS if proven and story.detector else 0
    return Shares(requester, detector, taken - requester - detector)


def expected_changes(units: Mapping[UnitId, UnitStory], params: Params) -> dict[Address, int]:
    """Wei by which each account's balance (free and locked) must have changed through these units."""
    change: dict[Address, int] = defaultdict(int)
    for story in units.values():
        if story.settled is None:
            continue
        terms, split = story.terms, shares(story)
        if story.settled.phase is Phase.PAID:
            change[terms.worker] += terms.price
            change[terms.requester] -= terms.price + protocol_fee(terms.price, params)
        if story.settled.slashed:
            change[terms.worker] -= story.settled.slashed
            change[terms.requester] += split.requester
            if story.detector and split.detector:
                change[story.detector] += split.detector
        bond = max(terms.deposit // 20, terms.check_fee)
        for index, back in story.returned.items():
            change[story.reports[index].author] -= bond - back
    return dict(change)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The contract at one block: balances (free and locked, wei) and all that was ever recorded."""

    block: int
    balances: Mapping[Address, int]
    burned: int
    held: int
    records: tuple[Record, ...]
    params: Params

    @property
    def sum(self) -> int:
        return sum(self.balances.values()) + self.burned


def read(url: str, contract: Address, accounts: Sequence[Address]) -> Snapshot:
    """Ask the chain itself, not a daemon."""

    async def ask() -> Snapshot:
        async with aclosing(Rpc([url])) as rpc:
            reader = Reader(contract)
            head = await rpc.ask(block_at("latest"))
            logs = await rpc.ask(logs_between(0, head.number, contract))
            decoded = (decode_log(log.topics, log.data) for log in logs)
            balances = {}
            for who in accounts:
                account = await rpc.ask(reader.account(who, head.hash))
                balances[who] = account.free + account.locked
            return Snapshot(
                block=head.number,
                balances=balances,
                burned=await rpc.ask(reader.burned(head.hash)),
                held=await rpc.ask(reader.ether(at=head.hash)),
                records=tuple(record for record in decoded if record is not None),
                params=await rpc.ask(reader.params()),
            )

    return trio.run(ask)
