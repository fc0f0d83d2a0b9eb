"""Plays a schedule on the contracts and on the model at once, until they differ.

    played = play(seed, steps=2_000)
    played.differs    "" or what the two disagree about, at the last of played.steps
    played.coverage   how often each call ended how, and each unit

A failing schedule is shortened by leaving steps out as long as it still fails the same way: `shortest(played)`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockedge_node.core.task import Mode
from blockedge_node.wire.params import load_params
from tests.model.calls import Call
from tests.model.chain import Answer, Chain, unlike
from tests.model.crowd.mind import Crowd, Step
from tests.model.crowd.people import RICH
from tests.model.model import Model, Outcome
from tests.model.world import Unit

PARAMS = load_params((Path(__file__).parents[2] / "config" / "params.dev.json").read_text())
START = 1_800_000_000
FULL = 40  # steps between two looks at everything; what a call touches is compared at once
RECENT = 30  # of the units; the older ones are looked at when all is over


@dataclass(slots=True)
class Played:
    seed: int
    court: bool
    steps: list[Step] = field(default_factory=list)
    differs: str = ""
    coverage: Counter[str] = field(default_factory=Counter)


class Pair:
    """The two side by side, with everybody's purse."""

    def __init__(self, seed: int, *, court: bool) -> None:
        self.chain = Chain(PARAMS, START, court=court)
        self.model = Model(self.chain.params, self.chain.domain, START)
        self.crowd = Crowd(seed, self.model.world)
        self.coverage: Counter[str] = Counter()
        self._purses = dict.fromkeys(self.crowd.actors, RICH)
        for who, ether in self._purses.items():
            self.chain.give(who, ether)
        self._steps = 0

    def step(self, step: Step) -> str:
        """What differs after this step; "" if nothing does."""
        world = self.model.world
        self._steps += 1
        if isinstance(step, Call):
            answer, outcome = self.chain.call(step), self.model.call(step)
            self._count(step, answer, outcome)
            if differs := unlike(answer, outcome.refused, outcome.events):
                return differs
            if not outcome.refused:
                self._move_purses(step)
        else:
            world.enter(step)
            self.chain.enter(world.now, world.block)
            outcome = Outcome()
        return self._compare(outcome)

    def everything(self) -> str:
        return "; ".join(self.chain.differs(self.model.world, self.crowd.actors, self.model.world.units))

    def leftovers(self) -> str:
        """When all has ended, nothing is locked and no pot is left (invariant 2); no ratio is above 1 (14)."""
        world = self.model.world
        assert all(rep.n <= rep.m and rep.s <= rep.t for rep in world.reps.values())
        locked = sum(account.locked for account in world.books.accounts.values())
        pots = world.court_ether - sum(ticket.stake for ticket in world.tickets)
        return f"{locked} wei still locked, {pots} still in pots" if locked or pots else ""

    def _compare(self, outcome: Outcome) -> str:
        world = self.model.world
        units = {event.known["unit"] for event in outcome.events if "unit" in event.known}
        lots = units & set(world.lots)
        tickets = {event.known["ticket"] for event in outcome.events if "ticket" in event.known}
        seats = {event.known["seat"] for event in outcome.events if "seat" in event.known}
        accounts = set(world.books.touched)
        if self._steps % FULL == 0:
            units, accounts = set(list(world.units)[-RECENT:]), set(self.crowd.actors)
            lots = set(list(world.lots)[-RECENT:])
            tickets, seats = set(range(len(world.tickets))), set(range(99))
        world.books.touched.clear()
        differs = list(self.chain.differs(world, accounts, units, seats))
        differs += self.chain.tickets_differ(world, tickets)
        differs += self.chain.lots_differ(world, lots)
        for who, ether in self._purses.items():
            if self.chain.purse(who) != ether:
                differs.append(f"purse {who.hex()[:6]}: {self.chain.purse(who)} wei, should be {ether}")
        return "; ".join(differs)

    def _move_purses(self, call: Call) -> None:
        self._purses[call.sender] -= call.value
        for who, amount in self.model.world.paid_out:
            if who in self._purses:
                self._purses[who] += amount

    def _count(self, call: Call, answer: Answer, outcome: Outcome) -> None:
        self.coverage[f"{call.name}: {answer.refused or 'done'}"] += 1
        units = self.model.world.units
        for event in outcome.events:
            if found := AUCTIONS.get(event.name):
                self.coverage[f"auction: {found(event.known)}"] += 1
            if event.name == "Skipped":
                for reason in event.known["reason"] if len(event.known["reason"]) == 1 else ():
                    self.coverage[f"{call.name}: skips {reason}"] += 1
            elif event.name == "ReportClosed":
                report = units[event.known["unit"]].reports[event.known["index"]]
                self.coverage[f"bond: {report.ended}"] += 1
            elif event.name == "Defended":
                self.coverage[f"accused: {_accuser(units[event.known['unit']])}"] += 1
            elif event.name == "Settled":
                phase, unit = event.known["phase"].name, units[event.known["unit"]]
                self.coverage[f"end: {phase} {unit.ended}"] += 1
                if unit.terms.mode & Mode.ONCHAIN:
                    self.coverage[f"auction: ended {phase}"] += 1


AUCTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "Announced": lambda _: "announced",
    "Outbid": lambda _: "outbid",
    "BidPosted": lambda _: "led",
    "Lapsed": lambda known: "lapsed, too late" if any(known["worker"]) else "lapsed without a bid",
}


def _accuser(unit: Unit) -> str:
    return "by silence" if unit.best is None else "by a reporter" if unit.best else "by the checker"


def play(seed: int, steps: int, *, court: bool) -> Played:
    """A new schedule, as the crowd thinks of it."""
    pair = Pair(seed, court=court)
    played = Played(seed, court, coverage=pair.coverage)
    opening = iter(pair.crowd.opening_calls())
    while not played.differs and len(played.steps) < steps:
        step = next(opening, None) or pair.crowd.next()
        played.steps.append(step)
        played.differs = pair.step(step)
    for step in pair.crowd.last_calls() if not played.differs else ():
        played.steps.append(step)
        played.differs = pair.step(step)
        if played.differs:
            break
    played.differs = played.differs or pair.everything() or pair.leftovers()
    return played


def replay(seed: int, steps: Sequence[Step], *, court: bool) -> str:
    """What the two come to disagree about in a given schedule."""
    pair = Pair(seed, court=court)
    return next(filter(None, map(pair.step, steps)), "")


def shortest(played: Played, budget: int = 100_000) -> list[Step]:
    """A part of a failing schedule that fails as well, after leaving out what is not needed for it; as short as
    playing `budget` steps again can make it.
    """
    steps, kind = list(played.steps), _kind(played.differs)
    size, before = len(steps) // 2, 0
    while size and budget > 0:
        before, start = len(steps), 0
        while start < len(steps) - 1 and budget > 0:
            fewer = steps[:start] + steps[min(start + size, len(steps) - 1) :]
            budget -= len(fewer)
            if _kind(replay(played.seed, fewer, court=played.court)) == kind:
                steps = fewer
            else:
                start += size
        if size > 1 or len(steps) == before:
            size //= 2  # at last one at a time, until none is left that can go
    return steps


def _kind(differs: str) -> str:
    """A difference without its figures."""
    return re.sub(r"[0-9a-f]{6,}|\d+", "#", differs)


def story(played: Played) -> str:
    """For a person: the difference, and the shortest way to it."""
    lines = [f"seed {played.seed}, step {len(played.steps)}: {played.differs}", "the shortest way there:"]
    now = START
    for step in shortest(played):
        if isinstance(step, Call):
            lines.append(f"  +{now - START:>6} s  {step}")
        else:
            now = max(now, step)
    lines.append(f"  {steps_text(played)}")
    return "\n".join(lines)


def steps_text(played: Played) -> str:
    return f"again: play({played.seed}, {len(played.steps)}, court={played.court})"
