"""A real anvil per session; each test starts from a snapshot of a chain with BlockEdge deployed."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from blockedge_node.chain.deploy import Deployment, deploy
from blockedge_node.chain.rpc import Rpc
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address
from blockedge_node.core.params import Params
from blockedge_node.wire.eip712 import address_of

ANVIL = Path(__file__).parents[3] / "contracts" / "bin" / "anvil"
ETHER = 10**18

# Short windows, so that a test warps little; long ones where a test only has to be in time.
PARAMS = Params(
    fee_bps=100,
    spot_bps_min=1_000,
    seat=10 * ETHER,
    grace=10,
    secret=10,
    reveal=900,
    challenge=8,
    report=8,
    max_award=3_600,
    ref_fuel=10_000_000,
    vwin_base=5,
    vwin_max=65,
    ticket_age=60,
    unbond=7_200,
    defend=16,
    jcommit=10,
    jreveal=10,
    appeal=10,
    da_window=10,
    fee_unit=10**15,
    bid_blocks=2,
)


@dataclass(frozen=True)
class Key:
    """A funded account of this test."""

    private: bytes

    @property
    def address(self) -> Address:
        return address_of(self.private)


DEPLOYER, REQUESTER, WORKER, DETECTOR, *JURORS = (Key(keccak256(f"key {i}".encode())) for i in range(7))


class Anvil:
    """The chain of a session, driven by its own RPC: no block is mined unless `mine` says so."""

    def __init__(self, *options: str) -> None:
        command = [str(ANVIL), "--port", "0", "--hardfork", "prague", "--accounts", "1", "--no-mining"]
        # A file, not a pipe: anvil logs every call, and nobody drains a pipe.
        self._log = tempfile.NamedTemporaryFile(prefix="anvil-", suffix=".log")  # noqa: SIM115
        self._process = subprocess.Popen([*command, *options], stdout=self._log)
        self.url = f"http://{self._listening()}"
        self._client = httpx.Client(timeout=20)

    def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        reply = self._client.post(self.url, json=body).json()
        assert "error" not in reply, reply
        return reply["result"]

    def mine(self, blocks: int = 1, *, warp: int = 0) -> None:
        """`blocks` blocks, the first of them `warp` seconds later than it would be."""
        if warp:
            self.rpc("evm_increaseTime", warp)
        for _ in range(blocks):
            self.rpc("evm_mine")

    def give(self, who: Address, wei: int = 100_000 * ETHER) -> None:
        self.rpc("anvil_setBalance", "0x" + who.hex(), hex(wei))

    def stop(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def _listening(self) -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            if match := re.search(r"Listening on (\S+)", Path(self._log.name).read_text()):
                return match[1]
            time.sleep(0.01)
        raise AssertionError(f"anvil did not start: {Path(self._log.name).read_text()}")


@pytest.fixture(scope="session")
def session_anvil() -> Iterator[Anvil]:
    anvil = Anvil()
    yield anvil
    anvil.stop()


@pytest.fixture(scope="session")
def deployed(session_anvil: Anvil) -> Deployment:
    """BlockEdge with PARAMS, and ether for everybody; done once."""
    for key in (DEPLOYER, REQUESTER, WORKER, DETECTOR, *JURORS):
        session_anvil.give(key.address)
    session_anvil.rpc("evm_setAutomine", True)

    async def run() -> Deployment:
        rpc = Rpc([session_anvil.url])
        try:
            return await deploy(rpc, DEPLOYER.private, PARAMS)
        finally:
            await rpc.aclose()

    deployment = trio.run(run)
    session_anvil.rpc("evm_setAutomine", False)
    return deployment


@pytest.fixture
def anvil(session_anvil: Anvil, deployed: Deployment) -> Iterator[Anvil]:
    snapshot = session_anvil.rpc("evm_snapshot")
    yield session_anvil
    session_anvil.rpc("anvil_dropAllTransactions")
    session_anvil.rpc("evm_revert", snapshot)


@pytest.fixture
async def rpc(anvil: Anvil, deployed: Deployment) -> AsyncIterator[Rpc]:
    rpc = Rpc([anvil.url], chain_id=deployed.chain_id, code_hashes={deployed.block_edge: deployed.code_hash})
    yield rpc
    await rpc.aclose()
