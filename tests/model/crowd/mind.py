"""What to do next: looks at the model and thinks of a call that some unit is waiting for, or of one that it is not.

    step = Crowd(seed, world).next()        a Call, or the time to wait for

Mostly it makes the calls that a unit is waiting for. The rest is what tests are for: calls at the wrong time, by the
wrong sender, with a wrong opening, about another unit, twice; and waits that end at the last second of a window or at
the first one after it. A call is complete in itself, so a schedule can be played again without its crowd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.model import court
from tests.model.calls import Call, Shown
from tests.model.crowd.mistakes import Mistakes
from tests.model.crowd.people import ETHER, FUNDS, HUGE, Job
from tests.model.world import CHECK_MISSED, Stage, Unit, World

MOST_OPEN = 10  # units at a time
MOST_LOTS = 8  # shards for sale at a time

Wait = int  # until when
Step = Call | Wait


class Crowd(Mistakes):
    def __init__(self, seed: int, world: World) -> None:
        super().__init__(seed, world)
        self.focus: UnitId | None = None

    def opening_calls(self) -> Iterator[Call]:
        for who in self.actors:
            funds = HUGE if who in self.giants else ETHER // 20 if who == self.poor else FUNDS
            yield Call(sender=who, name="fund", value=funds)
        if self.world.has_court:
            for i in range(28):
                who = self.actors[i % 7]
                yield Call(sender=who, name="stake", value=self.world.params.seat, to="Court")

    def last_calls(self) -> Iterator[Step]:
        """A stranger's, who ends everything: invariants 2, 8 and 9."""
        who, world = self.actors[6], self.world
        yield world.now + 1
        yield world.now + 1
        yield from self._auctions_first()
        while open_units := [unit for unit in world.units.values() if unit.phase < Phase.PAID]:
            yield world.now + 200
            for unit in open_units:
                if unit.id in world.disputes:
                    yield replace(self._close_round(unit, world.disputes[unit.id]), sender=who)
                elif unit.phase == Phase.REVEALED and (unit.best is not None or not _asked(unit)):
                    yield Call(sender=who, name="settle", args=((unit.shown_as(),), (Shown(),)))
                else:
                    yield Call(sender=who, name="timeout", args=((unit.shown_as(),),))
        for unit in world.units.values():
            while held := tuple(i for i, report in unit.reports.items() if report.stage != Stage.CLOSED):
                yield Call(sender=who, name="closeReports", args=(unit.shown_as(), held[:16]))

    # ── what next ────────────────────────────────────────────────────────────────────────────────────────

    def next(self) -> Step:
        if self._sometimes(0.4) and (bid := self._bid_now()) is not None:
            return self._spoilt(bid)
        dice = self.chance.random()
        open_units = [u for u in self.world.units.values() if u.phase < Phase.PAID]
        promised = [u for u in open_units if self._is_promised(u)]
        if promised and self._sometimes(0.3):
            unit = self.chance.choice(promised)
            return (self._commit if unit.phase == Phase.ASSIGNED else self._reveal)(unit, self.jobs[unit.id])
        in_any_order = self.chance.sample(open_units, len(open_units))
        busy = next(((unit, call) for unit in in_any_order if (call := self._urgent_call(unit))), None)
        if busy is not None and self._sometimes(0.5):
            self.focus = busy[0].id
            return self._spoilt(busy[1])
        if dice < (0.12 if busy is None else 0.03):
            time = self._wait(open_units)
            due = [self._deadlines(unit)[-1] for unit in promised]
            due += [d for d in self._deadlines(busy[0]) if d >= self.world.now] if busy else []
            return min([time, *due]) if max([time, *due]) < self.world.now + 604_800 else time
        if dice < 0.15:
            return self._money()
        if dice < 0.25 and (call := self._auction_call()) is not None:
            return self._spoilt(call)
        if self.world.has_court and dice < 0.20:
            return self._spoilt(self._court_call())
        if (dice < 0.30 and len(open_units) < MOST_OPEN) or not self.jobs:
            return self._spoilt(self._award())
        for _ in range(4):
            call = self._about(self._pick(open_units))
            if call is not None:
                return self._spoilt(call)
        return self._wait(open_units)

    def _urgent_call(self, unit: Unit) -> Call | None:
        """What jurors, checkers and reporters can do now: there is much of it, and its windows are short."""
        job, now, world = self.jobs[unit.id], self.world.now, self.world
        if unit.id in world.disputes:
            return self._try_case(unit, job, world.disputes[unit.id])
        if unit.phase == Phase.COMMITTED and unit.drawn and unit.checked is None:
            return self._committed(unit, job) if now <= world.check_by(unit) else None
        reveals = unit.phase == Phase.REVEALED and world.challenge_by(unit) < now <= world.report_by(unit)
        return self._reveal_report(unit, job) if reveals and self._hidden_reports(unit) else None

    def _is_promised(self, unit: Unit) -> bool:
        """The reliable one's turn, and it keeps its promise."""
        mine = unit.terms.worker == self.reliable and unit.phase in (Phase.ASSIGNED, Phase.COMMITTED)
        return mine and self.jobs[unit.id].diligent and self._can_open(unit)

    def _can_open(self, unit: Unit) -> bool:
        return unit.phase == Phase.ASSIGNED or unit.commitment in self.openings

    def _pick(self, open_units: Sequence[Unit]) -> UnitId:
        """The unit of the last step again, an open one, or any: also one that never came to be."""
        if self.focus in self.jobs and self._sometimes(0.3):
            return self.focus
        trials = [u.id for u in open_units if u.id in self.world.disputes]
        if trials and self._sometimes(0.5):
            return self.chance.choice(trials)
        if open_units and self.chance.random() < 0.8:
            self.focus = self.chance.choice(open_units).id
        else:
            recent = list(self.jobs)[-40:]
            self.focus = self.chance.choice(recent)
        return self.focus

    def _auction_call(self) -> Call | None:
        """What auctions wait for; or a new one; or, rarely, anything about any."""
        if self.world.lots and self._sometimes(0.05):
            return self._any_auction()
        call = self._auction()
        if call is None and len(self._open_lots()) < MOST_LOTS and self._sometimes(0.3):
            return self._announce()
        return call

    def _court_call(self) -> Call:
        """About tickets and cases, whether or not there is a reason."""
        dice = self.chance.random()
        if dice < 0.2:
            return self._any_case_call() or self._ticket_call()
        return self._presumptuous() if dice < 0.25 else self._ticket_call()

    def _wait(self, open_units: Sequence[Unit]) -> Wait:
        """Mostly for the next deadline of all, so that few windows close unused; or for any, or a while."""
        now = self.world.now
        dice = self.chance.random()
        if dice < 0.004:
            return now + self.chance.randrange(1, 4) * 604_800 + self.chance.randrange(1000)
        if dice < 0.02:
            return now + self.world.params.unbond
        edges = [(d + after, u.id) for u in open_units for d in self._deadlines(u) for after in (0, 1)]
        edges = [(time, unit) for time, unit in edges if time > now]
        if not edges or dice < 0.3:
            return now + self.chance.randint(1, 3)
        time, self.focus = min(edges) if dice < 0.8 else self.chance.choice(edges)
        return time

    def _deadlines(self, unit: Unit) -> list[int]:
        world = self.world
        match unit.phase:
            case Phase.ASSIGNED:
                return [world.result_by(unit)]
            case Phase.COMMITTED:
                return [world.secret_by(unit), world.check_by(unit), world.reveal_by(unit)]
            case Phase.REVEALED:
                by = world.challenge_by(unit)
                demands = [demand.by for demand in unit.demands if demand.open]
                return [by, by + world.params.grace, world.report_by(unit), *demands]
            case _ if unit.id in world.disputes:
                dispute = world.disputes[unit.id]
                ends = court.commit_by, court.reveal_by, court.close_by
                return [end(world, dispute) for end in ends]
            case _:
                return [world.jury_shown_by(unit), world.defend_by(unit)]

    def _money(self) -> Call:
        who = self._anybody()
        amount = self.chance.choice([0, 1, ETHER, self.chance.randrange(3 * FUNDS)])
        return self.chance.choice(
            [
                Call(sender=who, name="fund", value=min(amount, ETHER)),
                Call(sender=who, name="fund", value=1 << 96)
                if self.chance.random() < 0.05
                else Call(sender=who, name="exit", args=(amount,)),
                Call(sender=who, name="withdraw"),
                Call(sender=self._leaving(), name="withdraw"),
                Call(sender=who, name="flushBurn"),
            ]
        )

    def _leaving(self) -> Address:
        exits = [who for who, account in self.world.books.accounts.items() if account.exit_at]
        return self.chance.choice(exits or self.actors)

    # ── one unit's next call ─────────────────────────────────────────────────────────────────────────────

    def _about(self, key: UnitId) -> Call | None:
        """Something that the unit is waiting for, or, now and then, what it is not waiting for."""
        unit = self.world.units.get(key)
        if unit is None:
            return self._register([self.jobs[key]])
        job = self.jobs[key]
        if self._sometimes(0.07):
            return self.chance.choice(self._anything())(unit, job)
        now, world = self.world.now, self.world
        impatient = self._sometimes(0.05)
        match unit.phase:
            case Phase.ASSIGNED:
                if self._on_the_edge(world.result_by(unit)):
                    return self._commit(unit, job)
                if now > world.result_by(unit) or impatient:
                    return self._timeout(unit, job)
                return self._commit(unit, job) if job.diligent else None
            case Phase.COMMITTED:
                if self._on_the_edge(world.reveal_by(unit)):
                    return self._reveal(unit, job)
                if now > world.reveal_by(unit) or impatient:
                    return self._timeout(unit, job)
                return self._committed(unit, job)
            case Phase.REVEALED:
                return self._revealed(unit, job, impatient)
            case Phase.DISPUTED:
                return self._disputed(unit, job, impatient)
            case _ if unit.flags & CHECK_MISSED and not unit.fined and self._sometimes(0.5):
                return self._fine(unit, job)
            case _:
                held = any(report.stage != Stage.CLOSED for report in unit.reports.values())
                return self._close(unit, job) if held or self._sometimes(0.3) else None

    def _on_the_edge(self, deadline: int) -> bool:
        """The last second of a window, or the first one after it: time for calls that belong into it."""
        return self.world.now - deadline in (0, 1) and self._sometimes(0.5)

    def _anything(self) -> list[Callable[[Unit, Job], Call]]:
        always = [
            self._commit,
            self._reveal,
            self._settle,
            self._timeout,
            self._report,
            self._reveal_report,
            self._close,
        ]
        with_court = [
            self._draw,
            self._check,
            self._fine,
            self._demand,
            self._supply,
            self._show_jury,
            self._defend,
        ]
        return always + with_court if self.world.has_court else always

    def _committed(self, unit: Unit, job: Job) -> Call | None:
        now, world = self.world.now, self.world
        if not self._can_open(unit) and self._sometimes(0.9):
            return None
        if unit.terms.spot_bps == 0:
            return self._reveal(unit, job) if job.diligent else None
        if unit.drawn:
            if now <= world.secret_by(unit) and self._sometimes(0.05):
                return self._draw(unit, job)  # again
            comes = unit.id[4] % 4 != 0 and self._drawn(unit) is not None  # one checker in four does not
            in_time = now <= world.check_by(unit)
            if unit.checked is None and (in_time or self._sometimes(0.2)):
                return self._check(unit, job) if comes else None
        elif now <= world.secret_by(unit):
            secret = self._shown(unit).secret
            is_drawn = drawn(draw_seed(secret, unit.commitment), unit.terms.spot_bps)  # type: ignore[arg-type]
            shows = unit.id[5] % 5 != 0  # one requester in five never shows its secret
            if is_drawn or not shows:
                return self._draw(unit, job) if is_drawn and shows else None
        elif self._sometimes(0.1):
            return self._draw(unit, job)  # too late
        return self._reveal(unit, job) if job.diligent else None

    def _revealed(self, unit: Unit, job: Job, impatient: bool) -> Call | None:
        now, world = self.world.now, self.world
        in_vain = unit.best is not None  # a contradicted unit ends in no other way than by its jury
        if _asked(unit) and (not in_vain or self._sometimes(0.3)):
            late = any(demand.open and now > demand.by for demand in unit.demands)
            if late or self._sometimes(0.4):
                return self._timeout(unit, job) if late and self._sometimes(0.8) else self._supply(unit, job)
        if self._on_the_edge(world.challenge_by(unit)):
            return self._report(unit, job)
        if now <= world.challenge_by(unit) and not impatient:
            eager = 2 if self._is_right(job) else 4
            if unit.bonded < eager and self._sometimes(0.3 if self._is_right(job) else 0.8):
                return self._report(unit, job)
            can_demand = world.has_court and unit.court and not unit.terms.mode & Mode.NO_DEMAND
            return self._demand(unit, job) if can_demand and self._sometimes(0.15) else None
        if unit.flags & CHECK_MISSED and not unit.fined and self._sometimes(0.3):
            return self._fine(unit, job)
        if now <= world.report_by(unit) and not impatient:
            if self._hidden_reports(unit):
                return self._reveal_report(unit, job)
            if unit.reports:
                return None
        return self._settle(unit, job)

    def _disputed(self, unit: Unit, job: Job, impatient: bool) -> Call | None:
        now, world = self.world.now, self.world
        if unit.id in world.disputes:
            return self._try_case(unit, job, world.disputes[unit.id])
        if now > world.defend_by(unit) or impatient:
            return self._timeout(unit, job)
        shows, defends = unit.id[6] % 4 != 0, unit.id[7] % 8 != 0
        if unit.jury_secret == bytes(32) and now <= world.jury_shown_by(unit):
            return self._show_jury(unit, job) if shows else None
        if self._sometimes(0.1):
            return self._show_jury(unit, job)  # too late, or again
        return self._defend(unit, job) if defends else None


def _asked(unit: Unit) -> bool:
    """A chunk of its output is still to be supplied."""
    return any(demand.open for demand in unit.demands)
