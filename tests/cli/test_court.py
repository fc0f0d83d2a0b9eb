"""Tickets and disputes as an operator types them, and a job that names its checks and its workers."""

from __future__ import annotations

import pytest

from blockedge_node.core.task import unit_id
from tests.adapters.api.memory import TASK, MemoryBackend, a_trial
from tests.cli.conftest import CSVSTATS, Cli

UNIT = bytes.fromhex("be" + "07" * 31)
ACCOUNT = "0x" + "22" * 20


async def test_tickets_are_staked_listed_and_let_go(cli: Cli, node: MemoryBackend) -> None:
    listed = await cli("ticket", "list")
    assert "no tickets: `blockedge ticket stake` buys one" in listed.out
    assert "7 of 7 tickets, of 3 owners" in listed.out

    done = await cli("ticket", "stake", "-n", "2")
    assert (done.code, node.staked) == (0, 2)
    assert "staked 2 tickets for 0.02 ether, drawn in 10 s" in done.out
    assert "146000 gas" in done.out
    assert "waits for the chain" in done.err
    rows = (await cli("ticket", "list")).out.splitlines()[-2:]
    assert [row.split()[:3] for row in rows] == [["0", "me", "young"], ["1", "me", "young"]]

    done = await cli("ticket", "unstake", "1")
    assert (done.code, "withdraw 1` in 10 min" in done.out) == (0, True), done.err
    assert "earnings of ticket 0" in (await cli("ticket", "collect", "0")).out
    assert (await cli("ticket", "collect", "0", "--json")).data["call"] == "collect"
    assert len((await cli("ticket", "list", "--json")).data["tickets"]) == 2


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("ticket unstake 9", 1, "there is no ticket 9"),
        ("ticket withdraw 0", 5, "unstake it first"),
        ("ticket stake -n 0", 2, ""),
        ("ticket collect -- -1", 2, ""),
        ("dispute show beef", 1, "no dispute about a unit"),
        ("dispute appeal be0707", 5, "once all votes are shown"),
        ("dispute report ffff", 1, "no unit is known here"),
        ("dispute show monkeys", 2, "hex digits"),
    ],
)
async def test_what_cannot_be_done_is_said(
    cli: Cli, node: MemoryBackend, words: str, code: int, text: str
) -> None:
    node.trials = [a_trial(UNIT)]
    done = await cli(*words.split())
    assert done.code == code, done.err
    assert text in done.err


async def test_disputes_tell_who_says_what(cli: Cli, node: MemoryBackend) -> None:
    assert "no disputes" in (await cli("dispute", "list")).out
    node.trials = [a_trial(UNIT)]
    listed = (await cli("dispute", "list")).out
    assert "disputed" in listed
    assert "voting until" in listed
    shown = (await cli("dispute", "show", "be07")).out
    for text in ("accused by 0x22222222", "jurors recompute", "the worker is wrong", "empty", "round 1"):
        assert text in shown
    assert (await cli("dispute", "show", "be07", "--json")).data["stage"] == "voting"


async def test_a_dispute_is_begun_and_appealed(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("dispute", "report", TASK.hex()[:8])
    assert (done.code, "is being recomputed" in done.out) == (0, True), done.err
    node.trials = [a_trial(UNIT, "appealing").model_copy(update={"appeal_cost": 5 * 10**14})]
    assert "costs 0.0005 ether now" in (await cli("dispute", "show", "be07")).out
    done = await cli("dispute", "appeal", "be07")
    assert "appealed for 0.0005 ether: round 2 begins" in done.out
    assert (await cli("dispute", "appeal", "be07", "--json")).data["call"] == "appeal"


async def test_a_job_names_its_checks_and_its_workers(cli: Cli, node: MemoryBackend) -> None:
    job = ["task", "submit", "csvstats", "--input", CSVSTATS, "--shards", "1"]
    offer = ["--spot", "25%", "--check-fee", "0.0001", "--worker", ACCOUNT, "--worker", "0x" + "33" * 20]
    done = await cli(*job, *offer)
    assert done.code == 0, done.err
    (spec,) = node.specs.values()
    assert (spec.spot_bps, spec.check_fee) == (2_500, 10**14)
    assert [worker.hex() for worker in spec.workers] == ["22" * 20, "33" * 20]
    await cli(*job)
    assert list(node.specs.values())[-1].spot_bps is None


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--spot", "101%", "from 0% to 100%"),
        ("--spot", "a lot", "from 0% to 100%"),
        ("--spot", "0.001%", "hundredths"),
        ("--check-fee", "a lot", "unknown unit"),
        ("--worker", "n3", "an account"),
    ],
)
async def test_wrong_offers(cli: Cli, node: MemoryBackend, option: str, value: str, text: str) -> None:
    done = await cli("task", "submit", "csvstats", "--input", CSVSTATS, option, value)
    assert done.code == 2
    assert text in done.err
    assert not node.specs


async def test_a_search_needs_no_checks(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("task", "submit", "pow", "--spot", "20%")
    assert (done.code, "judged by the contract" in done.err) == (2, True)


async def test_a_tasks_story_tells_its_checks_and_its_juries(cli: Cli, node: MemoryBackend) -> None:
    assert (await cli("task", "submit", "csvstats", "--input", CSVSTATS, "--shards", "1")).code == 0
    ((key, job),) = node.done.items()
    (task,) = job.tasks
    unit = task.units[0].model_copy(update={"check": "differs", "checker": bytes.fromhex(ACCOUNT[2:])})
    node.done[key] = job.model_copy(update={"tasks": (task.model_copy(update={"units": (unit,)}),)})
    node.trials = [a_trial(unit_id(TASK, 0)), a_trial(UNIT).model_copy(update={"task": b"\x09" * 32})]  # type: ignore[arg-type]
    for verb in ("show", "explain"):
        told = (await cli("task", verb, key.hex()[:12])).out
        assert "0x22222222 accused 0x11111111; round 1: 1 × the worker is wrong, 1 × votes empty" in told
        assert told.count("dispute about unit") == 1
    assert "0x22222222 differs" in (await cli("task", "show", key.hex()[:12])).out


async def test_status_shows_tickets_and_duties(cli: Cli, node: MemoryBackend) -> None:
    assert "court" not in (await cli("status")).out
    node.court = {"tickets": 2, "checks": 1, "juries": 0}
    assert "2 tickets, 1 checks to make" in (await cli("status")).out


async def test_the_audit_tells_both_contracts(cli: Cli, node: MemoryBackend) -> None:
    done = await cli("audit")
    assert "40 wei in tickets + 5 wei in open cases" in done.out
    assert (await cli("audit", "--json")).data["court_difference"] == "0"
