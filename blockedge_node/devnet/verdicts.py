"""`blockedge devnet verdicts`: every cheat that the protocol answers, against real daemons, side by side.

Ten daemons and a chain; each scenario (scenarios.py) is one job of one shard. When all their units have ended and
their bonds have left, each is held against what must be true of it, and all balances of both contracts against the
rules. Any difference is a failed verdict, and the command's exit code says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blockedge_node import programs
from blockedge_node.cli.client import Client
from blockedge_node.cli.output import Output
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.proving import open_reports
from blockedge_node.core.unit import CHECK_MISSED
from blockedge_node.devnet import cluster, trials
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.devnet.commands import await_ready
from blockedge_node.devnet.scenarios import INSPECTOR, SCENARIOS, WORKERS, Scenario
from blockedge_node.devnet.trials import Record, Trial
from blockedge_node.errors import BlockEdgeError, ConfigError
from blockedge_node.programs.samples import real

NODES: Final = 10
TICKETS: Final = 2  # a node, of those that check and judge
FIRST_DELAY: Final = 61  # maxDelay of the first scenario's task; each next one has one second more
LOOK_EVERY: Final = 1.0  # seconds: a block
PATIENCE: Final = 280.0  # seconds until all have ended; three rounds of a jury take about two minutes
MAX_PRICE: Final = 10**14
LOOKS: Final = 10_000  # bps of others' results that n2 and n10 may look at


@dataclass(frozen=True, kw_only=True)
class Verdict:
    scenario: Scenario
    faults: tuple[str, ...]
    trial: Trial | None


def chosen(names: Sequence[str]) -> tuple[Scenario, ...]:
    """Raises ConfigError for a name that is none."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ConfigError(f"there is no verdict {wrong[0]!r}; known are {', '.join(known)}")
    return tuple(known[name] for name in names) if names else SCENARIOS


def tell(directory: Path, *, only: Sequence[str] = (), keep: bool = False) -> dict[str, Any]:
    """Play, wait, judge. Raises BlockEdgeError if a verdict is another than it must be."""
    began = time.monotonic()
    scenarios = chosen(only)
    tickets = {node: TICKETS if node in WORKERS else 0 for node in range(1, NODES + 1)}
    devnet = cluster.create(directory, NODES, block_time=1.0, policies=_policies(), tickets=tickets)
    try:
        for node in range(1, NODES + 1):
            devnet = devnet.start_node(node, plays=_plays(devnet, node))
        await_ready(devnet)
        _say(began, f"ten nodes are ready; {len(scenarios)} tasks are handed in")
        names = trials.owner_numbers([_address(node.address) for node in devnet.nodes])
        before = _read(devnet, names)
        jobs = {scenario.name: _submit(devnet, scenario) for scenario in scenarios}
        record, units = _await_ends(devnet, names, scenarios, jobs, began)
    except BaseException:
        devnet.stop()
        raise
    if not keep:
        devnet.stop()
    verdicts = [_judge(scenario, units.get(scenario.name), record, names) for scenario in scenarios]
    return _report(verdicts, before, record, names, began)


def _plays(devnet: Devnet, node: int) -> list[str]:
    plays = [
        f"{scenario.plays[node]},requester={devnet.node(scenario.requester).address},max_delay={_delay(scenario)}"
        for scenario in SCENARIOS
        if node in scenario.plays
    ]
    return [*plays, "blind"] if node in (2, INSPECTOR) else plays


def _policies() -> dict[int, dict[str, object]]:
    common: dict[str, object] = {
        "bid_window": 2.0,
        "close_early": False,
        "max_units": 64,
        "attempts": 1,
        "delay_floor": 12,
    }
    looks = {2: LOOKS, INSPECTOR: LOOKS}
    return {node: {**common, "verify_bps_court": looks.get(node, 0)} for node in range(1, NODES + 1)}


def _delay(scenario: Scenario) -> int:
    return FIRST_DELAY + SCENARIOS.index(scenario)


def _submit(devnet: Devnet, scenario: Scenario) -> str:
    guest = programs.guest(scenario.program)
    data = _input(scenario)
    fuel = guest.fuel(len(data))
    with Client(str(devnet.node(scenario.requester).socket)) as api:
        program = api.post("/api/v1/programs", {"name": scenario.program, "fuel": fuel})
        job = api.post(
            "/api/v1/jobs",
            {
                "program": program["program"],
                "inputs": [api.upload(data)],
                "shards": 1,
                "fuel": fuel,
                "max_price": str(MAX_PRICE),
                "max_delay": _delay(scenario),
                "workers": [devnet.node(worker).address for worker in scenario.workers],
                "spot_bps": scenario.spot_bps,
                "label": scenario.name,
            },
        )
    return str(job["id"])


def _input(scenario: Scenario) -> bytes:
    """Real data, and no two scenarios the same: what one node holds already, nobody can withhold from it."""
    guest = programs.guest(scenario.program)
    (data,) = guest.split(real(scenario.program), 1, {})
    if scenario.program != "csvstats":
        return data
    header, *rows = data.splitlines(keepends=True)
    number = SCENARIOS.index(scenario)
    return b"".join([header, *rows[number:], *rows[:number]])


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────


def _await_ends(
    devnet: Devnet,
    names: Mapping[Address, int],
    scenarios: Sequence[Scenario],
    jobs: Mapping[str, str],
    began: float,
) -> tuple[Record, dict[str, list[Trial]]]:
    """Until every scenario's unit has ended and nothing of it is held any more; each is told as it ends."""
    told: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while True:
        record = _read(devnet, names)
        by_delay: dict[int, list[UnitId]] = {}
        for view in record.views.values():
            by_delay.setdefault(view.request.max_delay, []).append(view.unit)
        ended = record.trials(names)
        units = {
            scenario.name: [ended[unit] for unit in by_delay.get(_delay(scenario), []) if unit in ended]
            for scenario in scenarios
        }
        for name, found in units.items():
            if found and name not in told:
                told.add(name)
                _say(began, f"{name}: {', '.join(trial.view.phase.name for trial in found)}")
        open_ones = [s.name for s in scenarios if not units[s.name] or not _closed(units[s.name])]
        if not open_ones or time.monotonic() > deadline:
            if open_ones:
                _say(began, f"still open: {', '.join(open_ones)}")
            return record, units
        time.sleep(LOOK_EVERY)


def _closed(found: Sequence[Trial]) -> bool:
    """No bond is held, and whoever missed a check has been fined."""
    views = [trial.view for trial in found]
    bonds = not any(open_reports(view) for view in views)
    fines = all(view.check_fined for view in views if view.flags & CHECK_MISSED)
    return bonds and fines


# ── judging ──────────────────────────────────────────────────────────────────────────────────────────────


def _judge(
    scenario: Scenario, found: Sequence[Trial] | None, record: Record, names: Mapping[Address, int]
) -> Verdict:
    if not found:
        return Verdict(scenario=scenario, faults=("its unit has not ended",), trial=None)
    if len(found) > 1:
        return Verdict(scenario=scenario, faults=(f"{len(found)} units instead of one",), trial=found[0])
    (trial,) = found
    faults = [words for words, holds in scenario.claims if not holds(trial)]
    if trial.view.phase is not scenario.phase:
        faults.insert(0, f"{trial.view.phase.name} instead of {scenario.phase.name}")
    return Verdict(scenario=scenario, faults=tuple(faults), trial=trial)


def _report(
    verdicts: Sequence[Verdict], before: Record, after: Record, names: Mapping[Address, int], began: float
) -> dict[str, Any]:
    for verdict in verdicts:
        scenario, trial = verdict.scenario, verdict.trial
        actual = "–" if trial is None else trial.view.phase.name
        print(f"\n{'ok  ' if not verdict.faults else 'FAIL'}  {scenario.name}: {scenario.does}")
        print(f"      expected {scenario.phase.name}, actual {actual}{_rounds(trial)}")
        for words, _ in scenario.claims:
            print(f"      {'not ' if words in verdict.faults else ''}so: {words}")
        if trial:
            print(
                f"      wei: {', '.join(f'{who} {amount:+d}' for who, amount in sorted(trial.moves.items()))}"
            )
    differences = _books(before, after, names)
    wrong = [verdict.scenario.name for verdict in verdicts if verdict.faults] + differences
    right = len(verdicts) - sum(bool(verdict.faults) for verdict in verdicts)
    print(f"\n{right} of {len(verdicts)} verdicts as expected, after {time.monotonic() - began:.0f} s")
    if wrong:
        raise BlockEdgeError(f"not as expected: {', '.join(wrong)}")
    return {
        "verdicts": [_row(verdict) for verdict in verdicts],
        "seconds": round(time.monotonic() - began, 1),
    }


def _row(verdict: Verdict) -> dict[str, Any]:
    trial = verdict.trial
    return {
        "name": verdict.scenario.name,
        "expected": verdict.scenario.phase.name,
        "actual": trial.view.phase.name if trial else None,
        "rounds": trial.rounds if trial else 0,
        "wei": {who: str(amount) for who, amount in trial.moves.items()} if trial else {},
    }


def _rounds(trial: Trial | None) -> str:
    if trial is None or not trial.rounds:
        return ""
    return f", by a jury of {(5, 11, 23)[trial.rounds - 1]} in round {trial.rounds}"


def _books(before: Record, after: Record, names: Mapping[Address, int]) -> list[str]:
    """Every account's change against the rules, and all ether against the contracts' balances."""
    expected = trials.expected_changes(after.trials(names).values())
    rows, differences = [], []
    for node in sorted(names.values()):
        change = after.wealth[node] - before.wealth[node]
        right = change == expected.get(node, 0)
        rows.append((f"n{node}", f"{change:+d}", f"{expected.get(node, 0):+d}", "" if right else "differs"))
        if not right:
            differences.append(f"the books of n{node}")
    print("\nThe books: what each node's balance and tickets gained, and what the rules say, in wei")
    print(Output().table(("node", "change", "by the rules", ""), rows))
    print(f"accounts, tickets and burned: {after.sum} wei; the two contracts hold {after.held} wei")
    if after.sum != after.held:
        differences.append("the contracts' balance")
    return differences


# ── small things ─────────────────────────────────────────────────────────────────────────────────────────


def _read(devnet: Devnet, names: Mapping[Address, int]) -> Record:
    with suppress(KeyError):
        return trials.read(devnet.rpc, _address(devnet.contract), _address(devnet.court), names)
    raise BlockEdgeError("a stranger took part in the devnet's tasks")


def _address(text: str) -> Address:
    return Address(bytes.fromhex(text[2:]))


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:5.1f} s  {text}", flush=True)
