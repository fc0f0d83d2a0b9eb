"""What became of court units, read from the chain itself, and what each moved, by the rules.

    logs of BlockEdge and Court ─▶ UnitBook, TicketBook ─▶ a Story for each unit ─▶ payoffs.moves ─▶ wei, by node
    balances and stakes before and after ───────────────────────────────────────── must have changed by just that

The rules are written apart from contract and daemons, so a wei that went elsewhere shows as a difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import trio

from blockedge_node.chain.audit import answers
from blockedge_node.chain.blocks import block_at, logs_between
from blockedge_node.chain.book import UnitBook
from blockedge_node.chain.court_events import TicketRecord
from blockedge_node.chain.events import Revealed, Source, decode_log
from blockedge_node.chain.reader import Reader
from blockedge_node.chain.rpc import Rpc
from blockedge_node.chain.tickets import TicketBook
from blockedge_node.core.checker import drawn_seat
from blockedge_node.core.court import NO_INPUT, RoundView
from blockedge_node.core.deadlines import SECRET_SHOWN
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash, UnitId
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import seat
from blockedge_node.core.selection import is_court
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import CHECK_MISSED, Head, Phase, ReportView, UnitView
from blockedge_node.core.world import Policy, World
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    BURNED,
    Claim,
    Ending,
    Round,
    Seats,
    Stakes,
    Story,
    Vote,
    moves,
)
from blockedge_node.experiments.economics.payoffs import NO_INPUT as UNSEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One unit that has ended. Nodes by number from 1; wei."""

    view: UnitView
    story: Story
    moves: Mapping[str, int]
    names: Mapping[Address, int]

    def moved(self, node: int | None) -> int:
        return self.moves.get(f"n{node}", 0) if node else 0

    def moved_to(self, whom: str) -> int:
        return self.moves.get(whom, 0)

    @property
    def requester(self) -> int:
        return self.names[self.view.terms.requester]

    @property
    def worker(self) -> int:
        return self.names[self.view.terms.worker]

    @property
    def checker(self) -> int | None:
        check = self.view.check
        return self.names[check.author] if check else None

    @property
    def missed(self) -> int | None:
        """Whose ticket was drawn, and fined for no check."""
        owner = self.story.missed
        return int(owner[1:]) if owner else None

    @property
    def missed_fine(self) -> int:
        return min(self.story.stakes.fee, self.story.stakes.seat // 20)

    @property
    def deposit(self) -> int:
        return self.story.stakes.deposit

    @property
    def price(self) -> int:
        return self.story.stakes.price

    @property
    def check_fee(self) -> int:
        return self.story.stakes.fee

    @property
    def bond(self) -> int:
        return self.story.stakes.bond

    @property
    def rounds(self) -> int:
        return len(self.story.rounds)

    @property
    def secret_shown(self) -> bool:
        return self.story.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Both contracts at one block, as a world of nobody's. `wealth`: free, locked and in tickets, by node."""

    world: World
    wealth: Mapping[int, int]
    held: int  # ether of BlockEdge and Court together
    burned: int
    views: Mapping[UnitId, UnitView]
    revealed_at: Mapping[UnitId, int]

    @property
    def sum(self) -> int:
        return sum(self.wealth.values()) + self.burned

    def trials(self, names: Mapping[Address, int]) -> dict[UnitId, Trial]:
        """Every unit of a court kind that has ended."""
        ended = (view for view in self.views.values() if view.phase.terminal and is_court(view.terms.kind))
        return {view.unit: _trial(view, self, names) for view in ended}


def read(rpc_url: str, contract: Address, court: Address, names: Mapping[Address, int]) -> Record:
    """Ask the chain, not a daemon."""

    async def ask() -> Record:
        async with aclosing(Rpc([rpc_url])) as rpc:
            return await _read(rpc, contract, court, names)

    return trio.run(ask)


async def _read(rpc: Rpc, contract: Address, court: Address, names: Mapping[Address, int]) -> Record:
    reader = Reader(contract)
    params = await rpc.ask(reader.params())
    head = await rpc.ask(block_at("latest"))
    logs = await rpc.ask(logs_between(0, head.number, contract, court))
    blocks = answers(await rpc.ask_all([block_at(number) for number in {log.block for log in logs}]))
    times = {block.number: block.time for block in blocks}
    units, tickets = UnitBook(), TicketBook(params.seat)
    revealed_at: dict[UnitId, int] = {}
    sources: dict[Address, Source] = {contract: "BlockEdge", court: "Court"}
    for log in logs:
        record, time = decode_log(log.topics, log.data, sources[log.address]), times[log.block]
        if isinstance(record, TicketRecord):
            tickets.apply(record, log.block, time)
        elif record is not None:
            units.apply(record, log.block, time)
        if isinstance(record, Revealed):
            revealed_at[record.unit] = time
    accounts = answers(await rpc.ask_all([reader.account(who, head.hash) for who in names]))
    stakes = {who: sum(t.stake for t in tickets.tickets if t.owner == who) for who in names}
    balances = answers(await rpc.ask_all([reader.ether(who, at=head.hash) for who in (contract, court)]))
    return Record(
        world=World(
            me=ZERO_ADDRESS,
            domain=Domain(rpc.chain_id or 0, contract),
            params=params,
            policy=Policy(),
            head=Head(number=head.number, hash=head.hash, time=head.time),
            tickets=tickets.tickets,
        ),
        wealth={
            node: account.free + account.locked + stakes[who]
            for (who, node), account in zip(names.items(), accounts, strict=True)
        },
        held=sum(balances),
        burned=await rpc.ask(reader.burned(head.hash)),
        views={view.unit: view for view in units.all_views()},
        revealed_at=revealed_at,
    )


def expected_changes(trials: Iterable[Trial]) -> dict[int, int]:
    """Wei by which each node's wealth must have changed through these units: appeals are paid in from outside."""
    change: defaultdict[int, int] = defaultdict(int)
    for trial in trials:
        for number, opened in enumerate(trial.story.rounds[1:], 1):
            change[int(opened.funder[1:])] += appeal_cost(number, trial.check_fee)
        for who, amount in trial.moves.items():
            if who != BURNED:
                change[int(who[1:])] += amount
    return dict(change)


# ── a unit's story ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Teller:
    view: UnitView
    record: Record
    names: Mapping[Address, int]
    owners: Mapping[int, Address] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owners", {t.id: t.owner for t in self.record.world.tickets})

    def who(self, address: Address) -> str:
        return f"n{self.names[address]}"

    def label(self, hashed: Hash | None) -> str | None:
        if hashed == self.view.result_hash:
            return None if hashed is None else ACCUSED
        return UNSEEN if hashed == NO_INPUT else None if hashed is None else hashed.hex()

    def claim(self, report: ReportView) -> Claim:
        return Claim(self.who(report.author), self.label(report.result_hash))

    def round(self, shown: RoundView) -> Round:
        votes = {vote.seat: vote for vote in shown.votes}
        groups = []
        for number in range(ROUNDS[shown.round]):
            vote = votes.get(number)
            if vote is not None:
                result = self.label(vote.result_hash)
                groups.append(
                    Seats(self.who(self.owners[vote.ticket]), Vote.HIDDEN if result is None else result)
                )
            elif sits := seat(self.view, shown.round, number, self.record.world):
                groups.append(Seats(self.who(sits.ticket.owner), Vote.ABSENT))
        return Round(tuple(groups), self.who(shown.funder) if shown.round else "")

    def missed(self) -> str | None:
        """Whoever was drawn and fined."""
        missed = self.view.flags & CHECK_MISSED
        drawn = drawn_seat(self.view, self.record.world) if missed else None
        return self.who(drawn.ticket.owner) if drawn else None

    def ending(self) -> Ending:
        view = self.view
        match view.phase:
            case Phase.REFUSED if view.result is not None:
                return Ending.OVERDUE
            case Phase.REFUSED:
                return Ending.REFUSED if view.start_at else Ending.UNACKNOWLEDGED
            case Phase.SLASHED if view.result is None:
                return Ending.WITHHELD
            case Phase.SLASHED if view.case is None:
                return Ending.DEFAULT
            case _:
                return Ending.SETTLED if view.case is None else Ending.RULED

    def shown(self) -> bool:
        """Before challengeBy + GRACE only whoever shows the secret can settle."""
        view, params = self.view, self.record.world.params
        if view.flags & SECRET_SHOWN or view.phase is not Phase.PAID or view.case is not None:
            return bool(view.flags & SECRET_SHOWN)
        revealed_at = self.record.revealed_at[view.unit]
        return view.since <= revealed_at + view.terms.vwin + params.challenge + params.grace

    def story(self) -> Story:
        view, params = self.view, self.record.world.params
        terms = view.terms
        return Story(
            stakes=Stakes(
                price=terms.price,
                deposit=terms.deposit,
                fee=terms.check_fee,
                fee_bps=params.fee_bps,
                seat=params.seat,
            ),
            ending=self.ending(),
            worker=self.who(terms.worker),
            requester=self.who(terms.requester),
            shown=self.shown(),
            missed=self.missed(),
            check=self.claim(view.check) if view.check else None,
            reports=tuple(self.claim(report) for report in view.reports if report.index),
            rounds=tuple(map(self.round, view.case.rounds)) if view.case else (),
        )


def _trial(view: UnitView, record: Record, names: Mapping[Address, int]) -> Trial:
    story = _Teller(view, record, names).story()
    return Trial(view=view, story=story, moves=moves(story), names=names)


def owner_numbers(addresses: Sequence[Address]) -> dict[Address, int]:
    """Nodes by number from 1."""
    return {address: number for number, address in enumerate(addresses, 1)}
