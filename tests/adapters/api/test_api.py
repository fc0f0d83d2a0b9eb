"""The API as its clients see it: over a real socket, every path, every way to fail."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from blockedge_node.api.server import serve
from blockedge_node.errors import ConfigError, PeerError, Rejected, Transient, Unreachable
from tests.adapters.api.conftest import MAX_UPLOAD
from tests.adapters.api.memory import ME, TASK, MemoryBackend, a_trial

pytestmark = pytest.mark.trio


async def stored(api: httpx.AsyncClient, data: bytes) -> str:
    answer = await api.post("/api/v1/blobs", content=data)
    assert answer.status_code == 201
    return str(answer.json()["root"])


async def program(api: httpx.AsyncClient) -> str:
    answer = await api.post("/api/v1/programs", json={"name": "frames"})
    return str(answer.json()["program"])


async def spec(api: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    inputs = [await stored(api, b"first "), await stored(api, b"second")]
    job = {
        "program": await program(api),
        "inputs": inputs,
        "shards": 2,
        "fuel": 10**9,
        "max_price": "1000000000000000",
    }
    return job | changes


def assert_problem(answer: httpx.Response, status: int, code: str, text: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert text in body["detail"]
    return body


async def test_only_the_owner_may_connect(api: httpx.AsyncClient, socket: Path) -> None:
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


async def test_status_writes_hashes_as_hex_and_wei_as_text(api: httpx.AsyncClient) -> None:
    body = (await api.get("/api/v1/node")).json()
    assert body["address"] == "0x" + ME.hex()
    assert body["account"]["free"] == "1000000000000000000"
    assert body["head"]["number"] == 7


async def test_every_plain_read_answers(api: httpx.AsyncClient) -> None:
    for path in "peers jobs tasks bids reports wallet settings audit logs programs tickets disputes".split():
        answer = await api.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
    assert (await api.get("/api/v1/reputation/0x" + "22" * 20)).json()["score"] == 210_000


async def test_pause_and_resume(api: httpx.AsyncClient) -> None:
    assert (await api.post("/api/v1/node/pause")).json()["paused"] is True
    assert (await api.post("/api/v1/node/resume")).json()["paused"] is False


async def test_health_tells_machines_what_is_missing(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    assert (await api.get("/health/livez")).status_code == 200
    assert (await api.get("/health/readyz")).status_code == 200
    node.ready = False
    assert (await api.get("/health/livez")).status_code == 200
    assert_problem(await api.get("/health/readyz"), 503, "not-ready", "chain: no block yet")


async def test_metrics_hold_the_figures(api: httpx.AsyncClient) -> None:
    text = (await api.get("/metrics")).text
    for line in (
        "blockedge_head_number 7.0",
        'blockedge_service_up{service="chain"} 1.0',
        "blockedge_ready 1.0",
    ):
        assert line in text
    assert "process_resident_memory_bytes" in text


async def test_openapi_names_the_paths(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    assert {"/api/v1/jobs", "/api/v1/blobs", "/api/v1/wallet/fund"} <= set(document["paths"])


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_goes_in_and_its_result_comes_out(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/jobs", json=await spec(api, label="pictures"))
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (await api.get(f"/api/v1/jobs/{job['id']}")).json()["state"] == "done"
    result = await api.get(f"/api/v1/jobs/{job['id']}/result")
    assert (result.content, result.headers["content-length"]) == (b"first second", "12")
    assert (await api.get(f"/api/v1/jobs/{job['id']}/result?shard=1")).content == b"second"
    story = (await api.get(f"/api/v1/jobs/{job['id']}/explain")).json()
    assert story["notes"][0]["code"] == "request.published"


async def test_a_repeated_key_hands_in_once(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    body, headers = await spec(api), {"Idempotency-Key": "k1"}
    first = await api.post("/api/v1/jobs", json=body, headers=headers)
    second = await api.post("/api/v1/jobs", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert len(node.done) == 1
    other = await api.post("/api/v1/jobs", json=body | {"label": "another"}, headers=headers)
    assert_problem(other, 409, "key-reused")


async def test_jobs_without_a_key_are_different_jobs(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    body = await spec(api)
    for _ in range(2):
        await api.post("/api/v1/jobs", json=body)
    assert len(node.done) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"shards": 3}, "3 shards need as many inputs, got 2"),
        ({"program": None}, "needs a program"),
        ({"max_price": "0"}, "max_price must be above 0"),
        ({"max_price": "0.1"}, "max_price"),
        ({"weights": {"price": 1, "delay": 1, "rep": 1}}, "add up to 10000"),
        ({"rep_min": 5, "rep_max": 4}, "nobody could bid"),
        ({"prise": 1}, "prise"),
        ({"inputs": ["0x12"]}, "takes 32 bytes, got 1"),
        ({"kind": "pow"}, "takes no program"),
        ({"shards": 0}, "shards"),
    ],
)
async def test_a_job_that_makes_no_sense_is_refused(
    api: httpx.AsyncClient, changes: dict[str, Any], text: str
) -> None:
    assert_problem(await api.post("/api/v1/jobs", json=await spec(api, **changes)), 422, "invalid", text)


async def test_a_job_over_the_balance_says_what_to_do(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    node.free = 1
    answer = await api.post("/api/v1/jobs", json=await spec(api))
    assert_problem(answer, 409, "chain", "blockedge wallet fund")


async def test_a_job_with_an_unknown_input_is_not_found(api: httpx.AsyncClient) -> None:
    body = await spec(api)
    body["inputs"][0] = "0x" + "99" * 32
    assert_problem(await api.post("/api/v1/jobs", json=body), 404, "not-found", "POST it to /api/v1/blobs")


async def test_a_result_that_is_not_ready(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    node.solves = False
    job = (await api.post("/api/v1/jobs", json=await spec(api))).json()
    assert_problem(await api.get(f"/api/v1/jobs/{job['id']}/result"), 409, "not-ready", "0 of 1 shards")


async def test_cancel(api: httpx.AsyncClient) -> None:
    job = (await api.post("/api/v1/jobs", json=await spec(api))).json()
    assert (await api.delete(f"/api/v1/jobs/{job['id'][:12]}")).json()["state"] == "cancelled"


async def test_a_withdrawal_waits_for_its_time(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    assert_problem(await api.post("/api/v1/wallet/withdraw"), 409, "chain", "blockedge wallet exit")
    assert (await api.post("/api/v1/wallet/exit", json={"amount": "5"})).json()["call"] == "exit"
    assert_problem(await api.post("/api/v1/wallet/withdraw"), 409, "chain", "not before 600 s from now")
    node.leaves_at = 1_700_000_000
    answer = await api.post("/api/v1/wallet/withdraw")
    assert_problem(answer, 409, "chain", "the contract refused to pay out: NotExiting")


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_prefixes_tasks_and_units_stand_for_their_job(api: httpx.AsyncClient) -> None:
    job = (await api.post("/api/v1/jobs", json=await spec(api))).json()
    unit = job["tasks"][0]["units"][1]["id"]
    for text in (job["id"][:14], job["id"][2:14].upper(), "0x" + TASK.hex()[:10], unit[:16]):
        assert (await api.get(f"/api/v1/jobs/{text}")).json()["id"] == job["id"]
    assert (await api.get(f"/api/v1/tasks/{unit}")).json()["id"] == "0x" + TASK.hex()
    found = (await api.get(f"/api/v1/find/{unit[:20]}")).json()
    assert (found["kind"], found["id"]) == ("unit", unit)


async def test_an_ambiguous_prefix_names_the_candidates(api: httpx.AsyncClient) -> None:
    body = await spec(api)
    for _ in range(2):  # two jobs that share the memory backend's one task
        await api.post("/api/v1/jobs", json=body)
    problem = assert_problem(await api.get("/api/v1/jobs/ab01"), 409, "ambiguous-id", "more digits")
    assert problem["candidates"] == ["task 0x" + TASK.hex()] * 2


async def test_ids_that_are_none(api: httpx.AsyncClient) -> None:
    assert_problem(await api.get("/api/v1/jobs/0xdead"), 404, "not-found", "task list")
    assert_problem(await api.get("/api/v1/jobs/hello"), 400, "bad-request", "hex digits")
    assert_problem(await api.get("/api/v1/reputation/0x12"), 422, "invalid")


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_large_blob_streams(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(100_000)

    answer = await api.post("/api/v1/blobs", content=chunks())
    assert (answer.status_code, answer.json()["size"]) == (201, 1_000_000)


async def test_a_blob_over_the_limit_is_told_the_limit(api: httpx.AsyncClient, node: MemoryBackend) -> None:
    answer = await api.post("/api/v1/blobs", content=bytes(MAX_UPLOAD + 1))
    assert_problem(answer, 413, "too-large", f"{MAX_UPLOAD} bytes at most")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield bytes(100_000)

    answer = await api.post("/api/v1/blobs", content=endless())
    assert_problem(answer, 413, "too-large", f"{MAX_UPLOAD} bytes at most")
    assert not node.blobs


async def test_json_bodies_are_bounded_before_they_are_read(api: httpx.AsyncClient) -> None:
    assert_problem(await api.post("/api/v1/jobs", content=bytes(2**20 + 1)), 413, "too-large")

    async def unknown() -> AsyncIterator[bytes]:
        yield b"{}"

    assert_problem(await api.post("/api/v1/jobs", content=unknown()), 411, "length-required")
    answer = await api.post("/api/v1/jobs", content=b"{", headers={"content-type": "application/json"})
    assert_problem(answer, 422, "invalid")


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Transient("the chain is away"), 503, "transient"),
        (Rejected("BadPhase", "expected 1, actual 2"), 409, "reverted"),
        (PeerError("not a manifest"), 422, "bad-data"),
        (ConfigError("no"), 400, "invalid"),
        (Unreachable("no"), 503, "unreachable"),
        (trio.TooSlowError(), 504, "timeout"),
    ],
)
async def test_errors_of_ours_keep_their_text(
    api: httpx.AsyncClient, node: MemoryBackend, error: Exception, status: int, code: str
) -> None:
    node.break_with = error
    assert_problem(await api.get("/api/v1/node"), status, code, str(error))


async def test_a_bug_is_a_problem_too_and_keeps_its_text_inside(
    api: httpx.AsyncClient, node: MemoryBackend
) -> None:
    node.break_with = KeyError("secret detail")
    problem = assert_problem(await api.get("/api/v1/node"), 500, "bug", "blockedge logs")
    assert "secret detail" not in str(problem)
    node.break_with = None
    assert (await api.get("/api/v1/node")).status_code == 200


async def test_wrong_paths_and_methods_are_problems(api: httpx.AsyncClient) -> None:
    assert_problem(await api.get("/api/v1/nothing"), 404, "http-404")
    assert_problem(await api.put("/api/v1/jobs"), 405, "http-405")


async def test_a_peer_that_does_not_answer(api: httpx.AsyncClient) -> None:
    far = {"multiaddr": "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWFar"}
    assert_problem(await api.post("/api/v1/peers", json=far), 503, "transient", "no answer")
    assert_problem(await api.post("/api/v1/peers", json={"multiaddr": "localhost"}), 422, "invalid")


# ── logs, TCP ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reader_of_logs_is_woken_by_the_next_line(
    api: httpx.AsyncClient, node: MemoryBackend, nursery: trio.Nursery
) -> None:
    from blockedge_node.api.models import LogLine

    assert [line["number"] for line in (await api.get("/api/v1/logs")).json()] == [1]

    async def later() -> None:
        await trio.sleep(0.3)
        node.lines.append(LogLine(number=2, line={"event": "later"}))

    nursery.start_soon(later)
    lines = (await api.get("/api/v1/logs?since=1&wait=10")).json()
    assert [line["line"]["event"] for line in lines] == ["later"]


async def test_tcp_wants_the_token(node: MemoryBackend, socket: Path, nursery: trio.Nursery) -> None:
    token_file = socket.parent / "token"

    async def start(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(node, path=socket, tcp="127.0.0.1:0", token_file=token_file, task_status=task_status)

    addresses: list[str] = await nursery.start(start)
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    async with httpx.AsyncClient(base_url=addresses[1], timeout=20) as client:
        answer = await client.get("/api/v1/node")
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        wrong = {"authorization": "Bearer é".encode()}
        assert_problem(await client.get("/api/v1/node", headers=wrong), 401, "unauthorized")
        right = {"authorization": f"Bearer {token_file.read_text().strip()}"}
        assert (await client.get("/api/v1/node", headers=right)).status_code == 200
        assert (await client.get("/health/livez")).status_code == 200


async def test_a_token_that_others_may_read_stops_the_start(node: MemoryBackend, socket: Path) -> None:
    token_file = socket.parent / "token"
    token_file.write_text("x")
    token_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        await serve(node, path=socket, tcp="127.0.0.1:0", token_file=token_file)


async def test_the_socket_is_gone_after_the_stop(node: MemoryBackend, socket: Path) -> None:
    async with trio.open_nursery() as services:

        async def start(task_status: trio.TaskStatus[list[str]]) -> None:
            await serve(node, path=socket, task_status=task_status)

        await services.start(start)
        assert socket.exists()
        services.cancel_scope.cancel()
    assert not socket.exists()


async def test_an_address_in_use_is_a_setting_to_change(node: MemoryBackend, socket: Path) -> None:
    taken = trio.socket.socket()
    await taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    port = taken.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"cannot listen on 127.0.0.1:{port}"):
        await serve(node, path=socket, tcp=f"127.0.0.1:{port}", token_file=socket.parent / "token")
    taken.close()


# ── the Court ────────────────────────────────────────────────────────────────────────────────────────────


async def test_tickets_are_staked_and_held(api: httpx.AsyncClient) -> None:
    staked = (await api.post("/api/v1/tickets/stake", json={"count": 2})).json()
    assert [tx["call"] for tx in staked] == ["stake", "stake"]
    body = (await api.get("/api/v1/tickets")).json()
    assert (body["seat"], body["staked"]) == ("10000000000000000", 9)
    assert [t["id"] for t in body["tickets"]] == [0, 1]
    assert body["tickets"][0]["owner"] == "0x" + ME.hex()
    assert (await api.post("/api/v1/tickets/1/unstake")).json()["call"] == "unstake"
    assert (await api.post("/api/v1/tickets/1/collect")).json()["call"] == "collect"
    assert_problem(await api.post("/api/v1/tickets/1/withdraw"), 409, "chain", "unstake it first")
    assert_problem(await api.post("/api/v1/tickets/7/unstake"), 404, "not-found", "no ticket 7")
    assert_problem(await api.post("/api/v1/tickets/x/unstake"), 422, "invalid")
    assert_problem(await api.post("/api/v1/tickets/stake", json={"count": 0}), 422, "invalid", "count")
    refused = await api.post("/api/v1/tickets/stake", json={"count": 51})
    assert_problem(refused, 409, "chain", "refused to take the stake: BadValue")


async def test_disputes_are_shown_by_a_prefix_and_appealed(
    api: httpx.AsyncClient, node: MemoryBackend
) -> None:
    node.trials = [a_trial(b"\xaa\xbb" + bytes(30)), a_trial(b"\xaa\xcc" + bytes(30), "appealing")]
    assert [row["stage"] for row in (await api.get("/api/v1/disputes")).json()] == ["voting", "appealing"]
    one = (await api.get("/api/v1/disputes/0xaabb")).json()
    assert one["rounds"][0]["seats"][0]["says"] == "wrong"
    assert one["rounds"][0]["seats"][1]["owner"] is None
    assert len(assert_problem(await api.get("/api/v1/disputes/aa"), 409, "ambiguous-id")["candidates"]) == 2
    assert_problem(await api.get("/api/v1/disputes/ee"), 404, "not-found", "/api/v1/disputes lists them")
    assert_problem(await api.get("/api/v1/disputes/no"), 400, "bad-request")
    assert_problem(await api.post("/api/v1/disputes/aabb/appeal"), 409, "chain", "all votes are shown")
    assert (await api.post("/api/v1/disputes/aacc/appeal")).json()["call"] == "appeal"


async def test_a_check_is_ordered_of_any_unit_that_is_seen(api: httpx.AsyncClient) -> None:
    answer = await api.post(f"/api/v1/disputes/0x{TASK.hex()[:6]}/report")
    assert (answer.status_code, answer.json()["unit"]) == (202, "0x" + TASK.hex())
    assert_problem(await api.post("/api/v1/disputes/0123/report"), 404, "not-found", "'0123'")
    assert_problem(await api.post("/api/v1/disputes/xyz/report"), 400, "bad-request")
