"""The devnet's chain: anvil from npm, on a port that it chooses itself."""

from __future__ import annotations

import platform
import re
import time
from pathlib import Path
from typing import Any

import httpx

from blockedge_node.devnet.processes import Process, start, wait_for
from blockedge_node.errors import BlockEdgeError, ConfigError

CHAIN_ID = 31_337
START_SECONDS = 15.0
PAST = 600  # seconds by which the chain's time begins behind ours: what is staked at once is old at once
_LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")


def binary() -> Path:
    """Where npm put anvil for this machine. Raises ConfigError if it is not installed."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"anvil-linux-{arch}"
    root = Path(__file__).resolve().parents[2]
    path = root / "contracts" / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
    if not path.exists():
        raise ConfigError(f"the devnet needs anvil at {path}: run `make setup` in the source tree")
    return path


def launch(directory: Path, *, block_time: float, port: int = 0) -> tuple[Process, str]:
    """Start anvil and return it with its RPC URL once it answers. Its time is PAST until `catch_up`."""
    log = directory / "anvil.log"
    log.unlink(missing_ok=True)
    command = [str(binary()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID)]
    command += ["--block-time", f"{block_time:g}", "--hardfork", "prague", "--accounts", "1"]
    command += ["--slots-in-an-epoch", "1", "--no-cors", "--timestamp", str(int(time.time()) - PAST)]
    process = start(command, log=log)

    def listening() -> re.Match[bytes] | None:
        return _LISTENING.search(log.read_bytes()) if log.exists() else None

    if not wait_for(lambda: listening() is not None or not process.alive, START_SECONDS):
        process.kill()
    match = listening()
    if match is None:
        raise BlockEdgeError(f"anvil did not start; its last words are in {log}")
    return process, f"http://127.0.0.1:{int(match[1])}"


def catch_up(url: str) -> None:
    """From here on the chain's time is the machine's."""
    rpc(url, "evm_setTime", int(time.time()) * 1_000)
    rpc(url, "evm_mine")


def rpc(url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC call. Raises BlockEdgeError with the chain's own words."""
    try:
        # Plain http on loopback: nothing to verify, and loading the system's certificates takes 60 ms a call.
        reply = httpx.post(
            url,
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
            timeout=30,
            verify=False,
        ).json()
    except (httpx.HTTPError, ValueError) as error:
        raise BlockEdgeError(f"the devnet's chain does not answer at {url}: {error}") from None
    if "error" in reply:
        raise BlockEdgeError(f"{method} failed: {reply['error'].get('message', reply['error'])}")
    return reply.get("result")
