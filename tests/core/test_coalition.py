"""Whole tasks through several nodes' core: the honest, the lying and the silent; then anything at all."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blockedge_node.core.jobs import JobRun, JobState
from blockedge_node.core.proving import open_reports
from blockedge_node.core.task import Kind
from blockedge_node.core.unit import Phase
from tests.core.builders import ALICE, BOB, CAROL, DAVE, job
from tests.core.coalition import Coalition, Member


def member(me: bytes, **changes: object) -> Member:
    plain = Member(me=me, policy={"verify_own_bps": 10_000})  # type: ignore[arg-type]
    return replace(plain, **changes)  # type: ignore[arg-type]


def wrong(output: bytes) -> bytes:
    return bytes(8)


def run(coalition: Coalition, **changes: object) -> JobRun:
    """Alice's job through its whole life, as it was when it was over."""
    alice = coalition.members[ALICE]
    coalition.submit(ALICE, job(**changes))  # type: ignore[arg-type]
    seen: list[JobRun] = [m for m in alice.node.machines.values() if isinstance(m, JobRun)]
    hear = alice.hear

    def watch(event: object) -> None:
        hear(event)  # type: ignore[arg-type]
        seen.extend(m for m in alice.node.machines.values() if isinstance(m, JobRun))

    alice.hear = watch  # type: ignore[method-assign, assignment]
    coalition.settle_down()
    return seen[-1]


def test_an_honest_job_is_paid() -> None:
    for kind in (Kind.POW, Kind.WASM):
        coalition = Coalition(member(ALICE), member(BOB), member(CAROL), member(DAVE))
        done = run(coalition, shards=4, kind=kind)
        assert done.state is JobState.SETTLED
        assert coalition.phases() == {"PAID": 4}
        assert len({output.worker for output in done.outputs if output}) >= 2


def test_a_fabricated_result_is_reported_slashed_and_done_again_by_another() -> None:
    coalition = Coalition(
        member(ALICE), member(BOB, lies=wrong, policy={"price_floor": 1}), member(CAROL), member(DAVE)
    )
    done = run(coalition)
    assert done.state is JobState.SETTLED
    assert coalition.phases() == {"SLASHED": 1, "PAID": 1}
    assert done.outputs[0] is not None
    assert done.outputs[0].worker in (CAROL, DAVE)
    assert coalition.members[BOB].codes()["unit.slashed"] == 1
    assert sum(coalition.members[m].codes()["report.right"] for m in (ALICE, CAROL, DAVE)) == 3
    (slashed,) = (v for v in coalition.contract.units.values() if v.phase is Phase.SLASHED)
    assert all(report.closed for report in slashed.reports)


def test_a_worker_that_fails_after_its_ack_is_refused_and_replaced() -> None:
    coalition = Coalition(member(ALICE), member(BOB, works=False, policy={"price_floor": 1}), member(CAROL))
    done = run(coalition)
    assert done.state is JobState.SETTLED
    assert coalition.phases() == {"REFUSED": 1, "PAID": 1}


def test_a_court_unit_that_its_requester_contradicts_is_unresolved() -> None:
    coalition = Coalition(member(ALICE), member(BOB, lies=wrong), member(CAROL, policy={"worker": False}))
    done = run(coalition, kind=Kind.WASM)
    assert done.state is JobState.FAILED
    assert coalition.phases() == {"UNRESOLVED": 1}, "who was contradicted gets no second chance"


def test_without_workers_a_job_fails_in_the_end() -> None:
    done = run(Coalition(member(ALICE)))
    assert (done.state, len(done.attempts)) == (JobState.FAILED, 3)


def test_a_crash_of_everybody_at_every_moment_changes_nothing() -> None:
    coalition = Coalition(member(ALICE), member(BOB), member(CAROL))
    coalition.submit(ALICE, job(shards=2))
    for _ in range(60):
        for each in coalition.members.values():
            for action in each.due():
                if action in each.due():
                    coalition.perform(each, action)
                coalition.crash(each.me)
        while coalition.post:
            coalition.deliver(0)
        coalition.tick()
    coalition.settle_down()
    assert coalition.phases() == {"PAID": 2}
    assert all(len(salted) == 1 for salted in coalition.commitments.values())


NODES = (ALICE, BOB, CAROL, DAVE)


class AnythingGoes(RuleBasedStateMachine):
    """Any order, loss, repetition, delay and crash; Dave lies. Then fair play, and everything must end."""

    @initialize(lies=st.booleans(), works=st.booleans(), shards=st.integers(1, 3), kind=st.sampled_from(Kind))
    def begin(self, lies: bool, works: bool, shards: int, kind: Kind) -> None:
        self.jobs = 0
        self.coalition = Coalition(
            member(ALICE),
            member(BOB),
            member(CAROL, works=works),
            member(DAVE, lies=wrong if lies else None, policy={"price_floor": 1}),
        )
        self.submit(ALICE, shards, kind)

    @precondition(lambda self: self.jobs < 3)
    @rule(by=st.sampled_from((ALICE, BOB)), shards=st.integers(1, 3), kind=st.sampled_from(Kind))
    def submit(self, by: bytes, shards: int, kind: Kind) -> None:
        self.jobs += 1
        plain = job(shards, kind, lifetime=60, max_delay=30)
        self.coalition.submit(by, replace(plain, id=bytes([self.jobs]) * 32, nonce=100 * self.jobs))  # type: ignore[arg-type]

    @rule(who=st.sampled_from(NODES), pick=st.integers(0, 1000))
    def perform(self, who: bytes, pick: int) -> None:
        each = self.coalition.members[who]  # type: ignore[index]
        if due := each.due():
            self.coalition.perform(each, due[pick % len(due)])

    @rule(who=st.sampled_from(NODES))
    def perform_all(self, who: bytes) -> None:
        each = self.coalition.members[who]  # type: ignore[index]
        for action in each.due():
            if action in each.due():
                self.coalition.perform(each, action)

    @precondition(lambda self: self.coalition.post)
    @rule(pick=st.integers(0, 1000), fate=st.sampled_from(("arrives", "arrives twice", "is lost")))
    def letter(self, pick: int, fate: str) -> None:
        index = pick % len(self.coalition.post)
        if fate == "arrives twice":
            self.coalition.deliver(index, keep=True)
        self.coalition.deliver(index, lose=fate == "is lost")

    @rule()
    def all_letters(self) -> None:
        while self.coalition.post:
            self.coalition.deliver(0)

    @precondition(lambda self: self.coalition.waiting)
    @rule(pick=st.integers(0, 1000))
    def stream_breaks(self, pick: int) -> None:
        awards = sorted(self.coalition.waiting)
        self.coalition.give_up(awards[pick % len(awards)])

    @rule(seconds=st.integers(0, 12), blind=st.sets(st.sampled_from(NODES), max_size=2))
    def tick(self, seconds: int, blind: set[bytes]) -> None:
        self.coalition.tick(seconds, tuple(blind))  # type: ignore[arg-type]

    @rule(who=st.sampled_from(NODES))
    def crash(self, who: bytes) -> None:
        self.coalition.crash(who)  # type: ignore[arg-type]

    @invariant()
    def i18_one_salt_per_award(self) -> None:
        if hasattr(self, "coalition"):
            assert all(len(salted) == 1 for salted in self.coalition.commitments.values())

    @invariant()
    def i04_terminal_phases_never_change(self) -> None:
        if hasattr(self, "coalition"):
            for views in self.coalition.history.values():
                ends = [view.phase for view in views if view.phase.terminal]
                assert len(set(ends)) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "coalition"):
            return
        self.coalition.settle_down()
        for view in self.coalition.contract.units.values():
            assert view.phase.terminal
            assert not open_reports(view)
            if view.phase is Phase.PAID and view.terms.kind == Kind.WASM:
                assert view.result is not None


TestAnythingGoes = AnythingGoes.TestCase
TestAnythingGoes.settings = settings(max_examples=30, stateful_step_count=40)
