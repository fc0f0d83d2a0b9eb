"""Whole WASM tasks before a court, through several nodes' core: checks, disputes, juries; then anything at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from blockedge_node.core.court import NO_INPUT, Ticket
from blockedge_node.core.ids import Address
from blockedge_node.core.jobs import FEW_OWNERS, JobRun, JobState
from blockedge_node.core.task import Kind
from blockedge_node.core.unit import CHECK_MISSED, SECRET_SHOWN, Phase, UnitView
from tests.core.builders import ALICE, BOB, CAROL, DAVE, DEV, START, job, who
from tests.core.coalition import Coalition, Member
from tests.core.test_coalition import AnythingGoes, run, wrong

COURT = replace(DEV, court=Address(b"\xc0" * 20))
JURORS = tuple(who(name) for name in ("erin", "frank", "grace", "heidi", "ivan", "judy"))
OWNERS = (ALICE, *JURORS, BOB)  # a party's tickets are passed over
TICKETS = tuple(
    Ticket(id=i, owner=OWNERS[i % len(OWNERS)], staked_at=START - 1000, stake=DEV.seat) for i in range(20)
)


def member(me: Address, **changes: Any) -> Member:
    policy: dict[str, object] = {
        "min_ticket_owners": 3,
        "spot_bps": 10_000,
        "worker": me in (BOB, CAROL),
        **changes.pop("policy", {}),
    }
    return replace(Member(me=me, policy=policy), **changes)


def before_court(*cast: Member, jurors: dict[Address, Member] | None = None, seats: int = 6) -> Coalition:
    bench = [(jurors or {}).get(me, member(me)) for me in JURORS[:seats]]
    here = {each.me for each in (*cast, *bench)}
    tickets = tuple(replace(ticket, id=i) for i, ticket in enumerate(t for t in TICKETS if t.owner in here))
    return Coalition(*cast, *bench, params=COURT, tickets=tickets)


def only(coalition: Coalition) -> UnitView:
    (view,) = coalition.contract.units.values()
    return view


def codes(coalition: Coalition) -> Counter[str]:
    return sum((each.codes() for each in coalition.members.values()), Counter[str]())


def seen(coalition: Coalition) -> list[Phase]:
    (views,) = coalition.history.values()
    return list(dict.fromkeys(view.phase for view in views))


def test_a_drawn_unit_is_checked_and_paid() -> None:
    coalition = before_court(member(ALICE), member(BOB))
    assert run(coalition, kind=Kind.WASM).state is JobState.SETTLED
    view = only(coalition)
    assert view.phase is Phase.PAID
    assert view.draw is not None
    assert view.check is not None
    assert view.check.result_hash == view.result_hash
    assert codes(coalition)["check.paid"] == 1


def test_an_undrawn_unit_is_paid_and_its_secret_shown() -> None:
    coalition = before_court(*(member(me, policy={"spot_bps": 1_000}) for me in (ALICE, BOB)))
    assert run(coalition, kind=Kind.WASM, shards=6).state is JobState.SETTLED
    views = list(coalition.contract.units.values())
    assert {view.phase for view in views} == {Phase.PAID}
    assert all(view.flags & SECRET_SHOWN for view in views)
    assert any(view.draw is None for view in views)


def test_a_wrong_worker_is_caught_by_its_checker_and_convicted() -> None:
    coalition = before_court(member(ALICE), member(BOB, lies=wrong, policy={"price_floor": 1}), member(CAROL))
    done = run(coalition, kind=Kind.WASM)
    assert done.state is JobState.SETTLED
    assert coalition.phases() == {"SLASHED": 1, "PAID": 1}
    (guilty,) = (v for v in coalition.contract.units.values() if v.phase is Phase.SLASHED)
    assert guilty.check is not None
    assert guilty.final_hash == guilty.check.result_hash != guilty.result_hash
    assert codes(coalition)["unit.slashed"] == 2, "its worker's story and its requester's"


def test_a_false_accusation_ends_in_an_acquittal() -> None:
    liars = {me: member(me, bribed=wrong) for me in JURORS[:1]}
    coalition = before_court(member(ALICE), member(BOB), jurors=liars)
    coalition.tickets = tuple(
        replace(ticket, owner=JURORS[0]) if i % 4 == 0 else ticket for i, ticket in enumerate(TICKETS)
    )
    coalition.contract.trial.tickets = coalition.tickets
    for nonce in range(1, 40):
        coalition.submit(ALICE, replace(job(kind=Kind.WASM), id=bytes([nonce]) * 32, nonce=nonce))
        coalition.settle_down()
        accused = [v for v in coalition.contract.units.values() if v.case is not None]
        if accused:
            break
    (view,) = accused
    assert view.check is not None
    assert view.check.author == JURORS[0]
    assert (view.phase, view.final_hash) == (Phase.PAID, view.result_hash)
    assert view.check.closed, "its ticket pays for it"


def test_a_silent_checker_has_missed_its_check() -> None:
    idle = {me: member(me, policy={"juror": False}) for me in JURORS}
    coalition = before_court(member(ALICE), member(BOB), jurors=idle)
    assert run(coalition, kind=Kind.WASM).state is JobState.SETTLED
    view = only(coalition)
    assert view.phase is Phase.PAID
    assert view.flags & CHECK_MISSED
    assert view.check_fined


def test_absent_jurors_convict_nobody() -> None:
    """The checker is there, most of the jury is not: nobody has more than half of all seats."""
    idle = {me: member(me, policy={"juror": False}) for me in JURORS}
    cast = (
        member(ALICE, policy={"verify_own_bps": 10_000}),
        member(BOB, lies=wrong, policy={"appeal": False}),
    )
    coalition = before_court(*cast, jurors=idle)
    assert run(coalition, kind=Kind.WASM, max_delay=30).state is JobState.FAILED
    assert Phase.DISPUTED in seen(coalition)
    assert only(coalition).phase is Phase.UNRESOLVED


def test_a_requester_reports_its_own_unit_before_a_jury() -> None:
    idle = member(CAROL, policy={"worker": False})
    cast = (
        member(ALICE, policy={"verify_own_bps": 10_000, "spot_bps": 1_000}),
        member(BOB, lies=wrong, policy={"appeal": False}),
        idle,
    )
    coalition = before_court(*cast)
    run(coalition, kind=Kind.WASM)
    view = only(coalition)
    assert (view.phase, view.final_hash) == (Phase.SLASHED, view.reports[-1].result_hash)
    assert all(report.closed for report in view.reports if report.index)


def test_anybody_may_report_a_court_kind() -> None:
    cast = (
        member(ALICE, policy={"spot_bps": 1_000}),
        member(BOB, lies=wrong, policy={"appeal": False}),
        member(DAVE, policy={"verify_bps_court": 10_000}),
    )
    coalition = before_court(*cast)
    run(coalition, kind=Kind.WASM)
    view = only(coalition)
    assert view.phase is Phase.SLASHED
    assert DAVE in {report.author for report in view.reports}


def test_a_lying_jury_is_appealed_until_it_is_too_large_to_lie() -> None:
    """Two of six owners lie: one accuses, the other votes for it, and where that convicts, the worker appeals. (What
    the accuser appeals is not looked at: one jury of 23 in 230 is captured by a quarter of the tickets.)"""
    liars = {me: member(me, bribed=wrong) for me in JURORS[:2]}
    coalition = before_court(member(ALICE), member(BOB), jurors=liars)
    appealed: list[UnitView] = []
    for nonce in range(1, 250):
        coalition.submit(ALICE, replace(job(kind=Kind.WASM), id=nonce.to_bytes(32, "big"), nonce=nonce))
        coalition.settle_down()
        cases = [(view, view.case) for view in coalition.contract.units.values() if view.case]
        appealed = [v for v, case in cases if any(r.funder == BOB for r in case.rounds[1:])]
        if appealed:
            break
    assert appealed, "250 units, a third of the owners lies: some jury must have erred"
    assert all(v.phase is Phase.PAID and v.final_hash not in (None, NO_INPUT) for v in appealed)


def test_few_ticket_owners_open_no_court_kind() -> None:
    coalition = Coalition(member(ALICE), member(BOB), params=COURT, tickets=TICKETS[:2])
    done: JobRun = run(coalition, kind=Kind.WASM)
    assert (done.state, done.failures) == (JobState.FAILED, (FEW_OWNERS,))
    assert not coalition.contract.units


def test_a_crash_of_everybody_at_every_moment_keeps_one_salt_a_check_and_vote() -> None:
    """The rules of every member remember what it ever sent: a second salt or secret fails at once."""
    coalition = before_court(member(ALICE), member(BOB, lies=wrong, policy={"appeal": True}))
    coalition.submit(ALICE, job(kind=Kind.WASM))
    for _ in range(150):
        for each in coalition.members.values():
            for action in each.due():
                if action in each.due():
                    coalition.perform(each, action)
            coalition.crash(each.me)
        while coalition.post:
            coalition.deliver(0)
        coalition.tick()
    coalition.settle_down()
    assert Phase.SLASHED in {view.phase for view in coalition.contract.units.values()}


class AnythingGoesInCourt(AnythingGoes):
    """The same chaos, before a small court: all its jurors are there, and one of them may lie."""

    @initialize(lies=st.booleans(), works=st.booleans(), bribed=st.integers(0, 1))
    def begin(self, lies: bool, works: bool, bribed: int) -> None:  # type: ignore[override]
        self.jobs = 2  # one more may be handed in
        bench = {me: member(me, bribed=wrong) for me in JURORS[:bribed]}
        self.coalition = before_court(
            member(ALICE, policy={"verify_own_bps": 10_000, "attempts": 1}),
            member(BOB),
            member(CAROL, works=works),
            member(DAVE, lies=wrong if lies else None, policy={"price_floor": 1, "worker": True}),
            jurors=bench,
            seats=3,
        )
        self.submit(ALICE, 1, Kind.WASM)

    @rule(who=st.sampled_from(JURORS[:3]))
    def perform_juror(self, who: Address) -> None:
        self.perform_all(who)

    @rule(who=st.sampled_from(JURORS[:3]))
    def crash_juror(self, who: Address) -> None:
        self.crash(who)


TestAnythingGoesInCourt = AnythingGoesInCourt.TestCase
TestAnythingGoesInCourt.settings = settings(max_examples=8, stateful_step_count=30)
