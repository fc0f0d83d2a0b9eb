"""Fig. 5: medians, model and conditions by tables; equal shares on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockedge_node.devnet.processes import wait_for
from blockedge_node.experiments.figures.fig5 import Timing, conditions, fit, medians, record
from blockedge_node.experiments.figures.shares import Turns, family, shares


def timings(once: float, work: float, each: float, ks: range = range(1, 9), runs: int = 3) -> list[Timing]:
    """T₁ is the work alone; run 1 is the median of three."""
    return [
        Timing(run=run, k=k, seconds=(work if k == 1 else once + work / k + each * k) + 0.1 * (run - 1))
        for run in range(runs)
        for k in ks
    ]


def test_median_over_runs() -> None:
    assert medians(timings(0.35, 60, 0.02))[2] == pytest.approx(0.35 + 30 + 0.04)


def test_the_model_is_found_again() -> None:
    model = fit(medians(timings(0.35, 60, 0.02)))
    assert (model.once, model.work, model.each) == pytest.approx((0.35, 60, 0.02))
    assert model.at(4) == pytest.approx(0.35 + 15 + 0.08)


def held(once: float, work: float, each: float, *, quick: bool = False) -> list[bool]:
    median = medians(timings(once, work, each, ks=range(1, 9)))
    return [condition.holds for condition in conditions(median, quick=quick)]


def test_a_good_run_holds() -> None:
    assert held(0.35, 60, 0.02) == [True] * 5


@pytest.mark.parametrize(
    ("once", "work", "each", "which"),
    [
        (31, 60, 0.02, 0),  # two are slower than one
        (-0.5, 60, 0.0, 1),  # faster than k computers can be
        (0.35, 50, 0.02, 2),  # T₁ too short
        (1.2, 60, 0.02, 3),  # eight at 0.85
    ],
)
def test_each_condition_notices_its_fault(once: float, work: float, each: float, which: int) -> None:
    assert not held(once, work, each)[which]


def test_quick_asserts_only_what_few_short_runs_support() -> None:
    assert held(0.35, 8, 0.02, quick=True) == [True, True]


def test_tables_say_what_was_measured() -> None:
    made = record(timings(0.35, 60, 0.02), quick=False, how="turns")
    runs, summary = made.tables
    assert len(runs.rows) == 24
    assert summary.rows[0][:4] == (1, "60.000", "1.000", "1.0000")
    assert made.figures["model"]["W"] == pytest.approx(60)


# ── shares ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child; both compute until they are ended."""
    script = "import os; os.fork()\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    assert wait_for(lambda: len(family(process.pid)) == 1, 10)
    yield process
    os.killpg(process.pid, 9)
    process.wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_turns_stop_and_continue_the_whole_family_and_release_it(spinning: subprocess.Popen[bytes]) -> None:
    turns = Turns(0.2)
    turns.hold("n1", [spinning.pid])
    pids = {spinning.pid, *family(spinning.pid)}
    for wanted in ("T", "R", "T"):
        for pid in pids:
            assert wait_for(lambda pid=pid, wanted=wanted: state(pid) == wanted, 10, every=0.001)  # type: ignore[misc]
    turns.release()
    assert all(state(pid) != "T" for pid in pids)


def test_shares_hold_as_this_machine_allows_and_leave_nothing_behind(
    spinning: subprocess.Popen[bytes],
) -> None:
    with shares(0.2) as held:
        held.hold("n1", [spinning.pid])
        assert "quota" in held.how or "SIGSTOP" in held.how
    assert state(spinning.pid) != "T"
    assert not list(Path("/sys/fs/cgroup").glob(f"**/blockedge-{os.getpid()}"))
