"""Micro-tasks meet in bundles: none is lost, none is run twice, and each hears what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import node as nodes
from blockedge_node.core.actions import CollectItems, PackBundle, PublishRequest
from blockedge_node.core.bundles import Collector, place_of
from blockedge_node.core.events import (
    BundleClosed,
    BundlePacked,
    BundleSpoilt,
    Event,
    HeadSeen,
    Job,
    JobCancelled,
    JobSubmitted,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Hash, Root
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.node import MACHINES, Node
from blockedge_node.core.task import Kind
from blockedge_node.wire import records
from tests.core.builders import ALICE, job, world

PROGRAM, LIST = Root(keccak256(b"mapped")), Root(keccak256(b"list"))


def micro(number: int, **changes: Any) -> Job:
    plain = job(1, Kind.WASM, id=keccak256(b"micro %d" % number), bundle=True, fuel=10**7, nonce=number)
    fields = {"inputs": (Root(keccak256(b"input %d" % number)),), "label": f"item {number}"}
    return replace(plain, **{**fields, **changes})


class Played:
    """A node that gets events, restarts at will, and remembers its story."""

    def __init__(self, **policy: Any) -> None:
        self.node, self.world, self.notes = Node(), world(ALICE, **policy), list[Any]()

    def gets(self, *events: Event) -> Played:
        for event in events:
            stepped = nodes.step(self.node, event, self.world)
            self.node = stepped.node
            self.notes += stepped.notes
        return self

    def hands_in(self, *numbers: int, **changes: Any) -> Played:
        return self.gets(*(JobSubmitted(job=micro(number, **changes)) for number in numbers))

    def restarts(self) -> Played:
        rows = {key: records.dump(machine) for key, machine in self.node.machines.items()}
        self.node = Node(machines={key: records.load(MACHINES, row) for key, row in rows.items()})
        return self

    def due(self, kind: type) -> list[Any]:
        return [action for action in nodes.due(self.node, self.world) if isinstance(action, kind)]

    def packs(self) -> Played:
        for action in self.due(PackBundle):
            self.gets(BundlePacked(bundle=action.bundle, program=PROGRAM, input=LIST, nonce=5))
        return self

    def closes(self) -> Played:
        return self.gets(*(BundleClosed(bundle=action.bundle) for action in self.due(CollectItems)))

    @property
    def collectors(self) -> list[Collector]:
        return [machine for machine in self.node.machines.values() if isinstance(machine, Collector)]

    @property
    def runs(self) -> list[JobRun]:
        return [machine for machine in self.node.machines.values() if isinstance(machine, JobRun)]

    def codes(self, number: int) -> list[str]:
        return [note.code for note in self.notes if note.subject == micro(number).id]


def test_micro_tasks_wait_for_each_other_and_share_a_unit() -> None:
    played = Played().hands_in(1, 2, 3)
    (waiting,) = played.due(CollectItems)
    assert waiting.seconds == played.world.policy.bundle_window
    (pack,) = played.closes().due(PackBundle)
    assert pack.inputs == tuple(micro(number).inputs[0] for number in (1, 2, 3))
    assert (pack.program, pack.fuel) == (micro(1).program, 3 * 10**7)
    (run,) = played.packs().runs
    assert not played.collectors
    asked = run.attempts[0].request
    assert (asked.program, asked.shards, asked.fuel) == (PROGRAM, 1, 3 * 10**7)
    assert asked.max_price == 3 * micro(1).max_price
    assert [item.job for item in run.job.items] == [micro(number).id for number in (1, 2, 3)]
    assert played.due(PublishRequest)
    assert played.codes(2) == ["job.began", "job.bundled"]


def test_a_full_bundle_does_not_wait() -> None:
    played = Played(bundle_items=3).hands_in(1, 2, 3, 4)
    assert len(played.due(PackBundle)) == 1
    assert sorted(len(collector.items) for collector in played.collectors) == [1, 3]


def test_a_bundle_has_no_more_fuel_than_the_deployment_can_verify() -> None:
    played = Played()
    most = played.world.params.fuel_cap
    played.hands_in(1, 2, 3, fuel=most // 2)
    assert sorted(len(collector.items) for collector in played.collectors) == [1, 2]


@pytest.mark.parametrize(
    "other", [{"program": PROGRAM}, {"fuel": 10**6}, {"max_price": 7}, {"max_delay": 9}, {"spot_bps": 10_000}]
)
def test_only_jobs_of_one_kind_share_a_bundle(other: dict[str, Any]) -> None:
    played = Played().hands_in(1, 2).hands_in(3, **other)
    assert sorted(len(collector.items) for collector in played.collectors) == [1, 2]


def test_a_job_that_is_handed_in_again_is_there_once() -> None:
    played = Played().hands_in(1, 1).closes().hands_in(1).packs().hands_in(1)
    assert played.codes(1) == ["job.began", "job.bundled"]
    assert not played.collectors


def test_what_is_packed_twice_is_asked_for_once() -> None:
    played = Played().hands_in(1).closes()
    (action,) = played.due(PackBundle)
    event = BundlePacked(bundle=action.bundle, program=PROGRAM, input=LIST, nonce=5)
    played.gets(event, replace(event, nonce=6))
    assert [run.job.nonce for run in played.runs] == [5]


def test_a_cancelled_micro_task_leaves_while_it_waits() -> None:
    played = Played().hands_in(1, 2).gets(JobCancelled(job=micro(1).id)).closes().packs()
    (run,) = played.runs
    assert [item.job for item in run.job.items] == [micro(2).id]
    assert played.codes(1)[-1] == "job.failed"
    played = Played().hands_in(1).gets(JobCancelled(job=micro(1).id))
    assert not nodes.due(played.node, played.world)


def test_what_cannot_be_put_together_fails_for_each() -> None:
    played = Played().hands_in(1, 2).closes()
    (collector,) = played.collectors
    played.gets(BundleSpoilt(bundle=collector.job.id, reason="gone"))
    assert [played.codes(number)[-1] for number in (1, 2)] == ["job.failed"] * 2
    assert not nodes.due(played.node, played.world)


def test_each_micro_task_hears_what_becomes_of_its_bundle() -> None:
    played = Played(min_ticket_owners=1, attempts=1).hands_in(1, 2).closes().packs()
    (run,) = played.runs
    played.gets(JobCancelled(job=run.job.id))
    played.world = world(ALICE, run.attempts[0].request.expiry)
    played.gets(HeadSeen(head=played.world.head, standing=played.world.standing, views=()))
    assert [played.codes(number)[-1] for number in (1, 2)] == ["job.failed"] * 2


@given(
    steps=st.lists(st.sampled_from(["hand in", "close", "pack", "restart", "repeat", "cancel"]), max_size=40)
)
def test_every_accepted_job_is_in_one_place_at_any_time(steps: list[str]) -> None:
    played, accepted, gone = Played(bundle_items=4), list[int](), set[Hash]()
    for step in steps:
        match step:
            case "hand in":
                accepted.append(len(accepted))
                played.hands_in(accepted[-1])
            case "repeat" if accepted and micro(accepted[len(accepted) // 2]).id not in gone:
                played.hands_in(accepted[len(accepted) // 2])
            case "close":
                played.closes()
            case "pack":
                played.packs()
            case "restart":
                played.restarts()
            case "cancel" if accepted:
                played.gets(JobCancelled(job=micro(accepted[-1]).id))
        gone |= {item.job for collector in played.collectors for item in collector.cancelled}
        for number in accepted:
            waits = [c for c in played.collectors if place_of(c.items, micro(number).id) is not None]
            runs = [run for run in played.runs if place_of(run.job.items, micro(number).id) is not None]
            assert len(waits) + len(runs) + (micro(number).id in gone) == 1
