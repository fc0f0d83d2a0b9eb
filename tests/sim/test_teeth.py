"""The simulator notices: nodes that break the promises of the engine and the journal fail the crash test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from blockedge_node.chain.book import UnitBook
from blockedge_node.core import proving
from blockedge_node.core.actions import Note
from blockedge_node.core.checker import Checker
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.worker import Worker
from tests.sim import test_crash, test_faults
from tests.sim.machine import CrashPoint, Disk
from tests.sim.test_checks import asking, checker_of, one
from tests.sim.test_checks_crash import survives


def kill_everywhere(scenario: test_crash.Play, victim: str) -> str:
    """The first complaint of a crash test of `victim`; "" if there is none."""
    commits = scenario(21).play().nodes[victim].disk.commits
    for commit in range(1, commits + 1):
        for written in (False, True):
            try:
                test_crash.check(scenario(21).crashes(victim, CrashPoint(commit, written)).play())
            except AssertionError as error:
                return str(error)
    return ""


def forgetting(monkeypatch: pytest.MonkeyPatch, cls: type, **facts: Any) -> None:
    """Machines of `cls` come back from the disk without some of their facts."""
    load = Disk.load

    def forgetful(self: Disk) -> Mapping[str, object]:
        rows = load(self)
        return {key: replace(m, **facts) if isinstance(m, cls) else m for key, m in rows.items()}  # type: ignore[type-var]

    monkeypatch.setattr(Disk, "load", forgetful)


def test_a_worker_that_forgets_its_salt_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetting(monkeypatch, Worker, solved=None)
    assert "one_salt_per_award" in kill_everywhere(test_crash.honest, "bob")


def test_a_verifier_that_forgets_its_report_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetting(monkeypatch, Verifier, checked=False, report=None)
    assert "one_salt_per_report" in kill_everywhere(test_crash.with_a_cheat, "carol")


def test_a_checker_that_forgets_what_it_found_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = checker_of(*one(asking(seed=1)))
    forgetting(monkeypatch, Checker, checked=False, found=None, salt=None)
    with pytest.raises(AssertionError):
        survives(checker)


def test_a_worker_that_does_not_wait_for_its_checker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "may_reveal", lambda view, heard, world: True)
    with pytest.raises(AssertionError, match="reveal_only_undisturbed"):
        one(asking(seed=1))


@pytest.mark.parametrize(
    ("scenario", "victim"), [(test_crash.honest, "bob"), (test_crash.with_a_cheat, "carol")]
)
def test_a_journal_that_returns_too_early_is_noticed(
    scenario: test_crash.Play, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes each commit with the next one: what a crash takes was already acted on."""
    commit: Callable[..., Any] = Disk.commit
    held: dict[int, tuple[dict[str, object | None], list[Note]]] = {}

    async def late(self: Disk, machines: Mapping[str, object | None], notes: Sequence[Note]) -> None:
        before = held.get(id(self), ({}, []))
        held[id(self)] = (dict(machines), list(notes))
        await commit(self, *before)

    monkeypatch.setattr(Disk, "commit", late)
    monkeypatch.setattr(Disk, "mount", _with(Disk.mount, lambda disk: held.pop(id(disk), None)))
    assert kill_everywhere(scenario, victim)


def test_a_book_that_does_not_go_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UnitBook, "drop_above", lambda self, block: None)
    complaints = [complaint_of_reorgs(seed) for seed in range(6)]
    assert any(complaint.startswith(("views differ", "invariant")) for complaint in complaints)


def complaint_of_reorgs(seed: int) -> str:
    try:
        test_faults.restless(seed)
    except AssertionError as error:
        return str(error)
    return ""


def _with(method: Callable[[Disk], None], then: Callable[[Disk], Any]) -> Callable[[Disk], None]:
    def both(self: Disk) -> None:
        method(self)
        then(self)

    return both
