"""Whatever a client sends, the answer is an answer: never a bug's 500, always a problem document if not 2xx."""

from __future__ import annotations

import json
import random
from typing import Any

import httpx
import pytest

from tests.adapters.api.memory import MemoryBackend

ROUTES = (
    ("POST", "/api/v1/jobs"),
    ("POST", "/api/v1/programs"),
    ("POST", "/api/v1/peers"),
    ("POST", "/api/v1/wallet/fund"),
    ("POST", "/api/v1/wallet/exit"),
    ("POST", "/api/v1/tickets/stake"),
    ("POST", "/api/v1/tickets/{}/unstake"),
    ("POST", "/api/v1/disputes/{}/appeal"),
    ("GET", "/api/v1/disputes/{}"),
    ("GET", "/api/v1/tickets?everybody={}"),
    ("GET", "/api/v1/jobs/{}"),
    ("DELETE", "/api/v1/jobs/{}"),
    ("GET", "/api/v1/jobs/{}/result?shard={}"),
    ("GET", "/api/v1/find/{}"),
    ("GET", "/api/v1/logs?since={}&wait={}"),
    ("GET", "/api/v1/events?since={}&job={}"),
    ("GET", "/api/v1/reputation/{}"),
)
FIELDS = "kind program inputs shards fuel max_price weights rep_min name wasm argv files amount label count".split()
ATOMS: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**53, 2**96, 10**400, 1.5, float("inf"), "", "0", "1", "0x", "0x12", "0x" + "11" * 32,
    "pow", "wasm", "frames", "\ud800", "\0", "é" * 300, "9" * 5000, [], {}, ["0x" + "11" * 32],
)  # fmt: skip
WORDS = (
    "",
    "0",
    "ab",
    "0x" + "11" * 20,
    "0x" + "11" * 32,
    "%00",
    "%ff",
    "é",
    "..",
    "a b",
    "-1",
    "9" * 400,
    "nan",
)


def body(dice: random.Random) -> bytes:
    if dice.random() < 0.1:
        return bytes(dice.randrange(256) for _ in range(dice.randrange(40)))
    chosen = dice.sample(FIELDS, dice.randrange(1, 8))
    return json.dumps({name: dice.choice(ATOMS) for name in chosen}).encode()


@pytest.mark.parametrize("seed", range(4))
async def test_no_request_is_a_bug(api: httpx.AsyncClient, node: MemoryBackend, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(60):
        method, path = dice.choice(ROUTES)
        while "{}" in path:
            path = path.replace("{}", dice.choice(WORDS), 1)
        content = body(dice) if method == "POST" else None
        headers = {"content-type": "application/json"} if content is not None else {}
        answer = await api.request(method, path, content=content, headers=headers, timeout=60)
        assert answer.status_code < 500 or answer.json()["code"] == "transient", (method, path, content)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", (method, path)
            assert answer.json()["detail"]
