"""Gas of a task on iExec's contracts, from the bytecode that iExec publishes; docs/experiments.md compares with it.

    .venv/bin/python scripts/gas_of_peers.py

Fetches `@iexec/poco` and the proxy that it stands behind from npm into a temporary directory (about 30 MB), deploys
them on a chain of its own (the edition for chains whose ether is the token), and runs tasks of one worker that
needs no replication, the cheapest there is: no dataset, no callback, no enclave; the worker's and scheduler's slots
already in use. Orders are signed off the chain and cost nothing. Every gas figure is of a whole transaction.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from web3 import HTTPProvider, Web3
from web3.logs import DISCARD

from blockedge_node.devnet import anvil

PACKAGES = ("@iexec/poco@5.5.0", "@iexec/solidity@0.1.1")
MODULES = (
    "IexecAccessorsDelegate",
    "IexecCategoryManagerDelegate",
    "IexecERC20Delegate",
    "IexecEscrowNativeDelegate",
    "IexecMaintenanceDelegate",
    "IexecOrderManagementDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
)
OWNERS = {"owner", "renounceOwnership", "transferOwnership"}  # each module has them; the proxy keeps its own
NOBODY = "0x" + "0" * 40
NONE = bytes(32)
RESTRICTED = "address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt"
ORDERS = {
    "AppOrder": "address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,"
    "address workerpoolrestrict,address requesterrestrict,bytes32 salt",
    "WorkerpoolOrder": "address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,"
    f"uint256 trust,{RESTRICTED}",
    "RequestOrder": "address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,"
    "uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,"
    "address beneficiary,address callback,string params,bytes32 salt",
}


@dataclass(frozen=True)
class Chain:
    """A fresh chain and the published artifacts; `libraries`: the address of the one library that code links to."""

    url: str
    w3: Web3
    artifacts: Path
    libraries: list[str]

    def artifact(self, name: str) -> dict[str, Any]:
        path = next(iter(sorted(self.artifacts.rglob(f"artifacts/**/{name}.json"))), None)
        path = path or next(self.artifacts.rglob(f"build/contracts/{name}.json"))
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def deploy(self, name: str, *args: Any) -> Any:
        found = self.artifact(name)
        code: str = found["bytecode"]
        for file in found.get("linkReferences", {}).values():
            for at in (2 + 2 * reference["start"] for places in file.values() for reference in places):
                code = code[:at] + self.libraries[0][2:].lower() + code[at + 40 :]
        abi = [] if name == "IexecLibOrders_v5" else found["abi"]  # whose enum types no reader of ABIs knows
        made = self.w3.eth.contract(abi=abi, bytecode=code)
        _, receipt = self.send(made.constructor(*args), self.w3.eth.accounts[0])
        return self.w3.eth.contract(address=receipt["contractAddress"], abi=abi)

    def send(self, call: Any, sender: str, value: int = 0) -> tuple[int, Any]:
        """One transaction: its gas and receipt. Raises RuntimeError if it reverts."""
        tx = call.transact({"from": sender, "gas": 12_000_000, "value": value})
        receipt = self.w3.eth.wait_for_transaction_receipt(tx, poll_latency=0.01)
        if receipt["status"] != 1:
            raise RuntimeError(f"{call} reverted")
        return receipt["gasUsed"], receipt


class Market:
    """iExec's proxy with its modules and registries, an app, a worker pool, and four funded parties."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        owner = chain.w3.eth.accounts[0]
        chain.libraries.append(chain.deploy("IexecLibOrders_v5").address)
        proxy = chain.deploy("ERC1538Proxy", chain.deploy("ERC1538UpdateDelegate").address)
        self.address = proxy.address
        for name in MODULES:
            functions = [entry for entry in chain.artifact(name)["abi"] if entry["type"] == "function"]
            signatures = "".join(_signature(f) for f in functions if f["name"] not in OWNERS)
            at = chain.deploy(name).address
            link = self.at("ERC1538UpdateDelegate").functions.updateContract(at, signatures, "link")
            chain.send(link, owner)
        apps, datasets, pools = (chain.deploy(f"{name}Registry") for name in ("App", "Dataset", "Workerpool"))
        for registry in (apps, datasets, pools):
            chain.send(registry.functions.initialize(NOBODY), owner)
        registries = [registry.address for registry in (apps, datasets, pools)]
        configure = self.at("IexecMaintenanceDelegate").functions.configure
        chain.send(configure(NOBODY, "Staked RLC", "SRLC", 9, *registries, NOBODY), owner)
        chain.send(self.at("IexecCategoryManagerDelegate").functions.createCategory("XS", "{}", 300), owner)
        names = ("requester", "provider", "scheduler", "worker")
        self.keys = {name: Account.from_key(Web3.keccak(text=name)) for name in names}
        for key in self.keys.values():
            anvil.rpc(chain.url, "anvil_setBalance", key.address, hex(10**24))
            anvil.rpc(chain.url, "anvil_impersonateAccount", key.address)
            chain.send(self.at("IexecEscrowNativeDelegate").functions.deposit(), key.address, 10**21)
        provider, scheduler = self.keys["provider"].address, self.keys["scheduler"].address
        self.app = self._made(
            apps, apps.functions.createApp(provider, "app", "DOCKER", b"", NONE, b""), provider
        )
        self.pool = self._made(pools, pools.functions.createWorkerpool(scheduler, "pool"), scheduler)

    def at(self, module: str) -> Any:
        return self.chain.w3.eth.contract(address=self.address, abi=self.chain.artifact(module)["abi"])

    def _made(self, registry: Any, call: Any, sender: str) -> str:
        _, receipt = self.chain.send(call, sender)
        (event,) = registry.events.Transfer().process_receipt(receipt)
        return Web3.to_checksum_address(f"0x{event['args']['tokenId']:040x}")

    def _signed(self, kind: str, signer: str, *values: Any) -> tuple[Any, ...]:
        fields = [{"type": m.split()[0], "name": m.split()[1]} for m in ORDERS[kind].split(",")]
        domain = {
            "name": "iExecODB",
            "version": "5.0.0",
            "chainId": anvil.CHAIN_ID,
            "verifyingContract": self.address,
        }
        message = dict(zip((field["name"] for field in fields), values, strict=True))
        signature = self.keys[signer].sign_typed_data(domain, {kind: fields}, message).signature
        return (*values, signature)

    def match(self, volume: int, salt: str) -> tuple[int, bytes]:
        """One deal of `volume` tasks: gas of matchOrders, and the deal's id."""
        requester, mixed = self.keys["requester"].address, Web3.keccak(text=salt)
        app = self._signed(
            "AppOrder", "provider", self.app, 1000, volume, NONE, NOBODY, NOBODY, NOBODY, mixed
        )
        dataset = (NOBODY, 0, 0, NONE, NOBODY, NOBODY, NOBODY, NONE, b"")
        pool_terms = (self.pool, 10**9, volume, NONE, 0, 1, NOBODY, NOBODY, NOBODY, mixed)
        pool = self._signed("WorkerpoolOrder", "scheduler", *pool_terms)
        asked = (self.app, 1000, NOBODY, 0, self.pool, 10**9, requester, volume, NONE, 0, 1, requester)
        request = self._signed("RequestOrder", "requester", *asked, NOBODY, '{"iexec_args":"x"}', mixed)
        poco = self.at("IexecPoco1Delegate")
        call = poco.functions.matchOrders(app, dataset, pool, request)
        gas, receipt = self.chain.send(call, self.keys["scheduler"].address)
        (event,) = poco.events.OrdersMatched().process_receipt(receipt, errors=DISCARD)
        return gas, event["args"]["dealid"]

    def task(self, deal: bytes, index: int, *, short: bool) -> dict[str, int]:
        """Gas of one task of a deal, by call; `short`: the worker contributes, reveals and finalizes in one."""
        functions = self.at("IexecPoco2Delegate").functions
        worker, scheduler = self.keys["worker"].address, self.keys["scheduler"].address
        task = Web3.solidity_keccak(["bytes32", "uint256"], [deal, index])
        digest, results = Web3.keccak(text="result"), b"r" * 32
        allowed = Web3.solidity_keccak(["address", "bytes32", "address"], [worker, task, NOBODY])
        permit = self.keys["scheduler"].sign_message(encode_defunct(allowed)).signature
        used = {"initialize": self.chain.send(functions.initialize(deal, index), scheduler)[0]}
        if short:
            done = functions.contributeAndFinalize(task, digest, results, b"", NOBODY, b"", permit)
            return {**used, "contributeAndFinalize": self.chain.send(done, worker)[0]}
        hashed = Web3.solidity_keccak(["bytes32", "bytes32"], [task, digest])
        sealed = Web3.solidity_keccak(["address", "bytes32", "bytes32"], [worker, task, digest])
        contribute = functions.contribute(task, hashed, sealed, NOBODY, b"", permit)
        return {
            **used,
            "contribute": self.chain.send(contribute, worker)[0],
            "reveal": self.chain.send(functions.reveal(task, digest), worker)[0],
            "finalize": self.chain.send(functions.finalize(task, results, b""), scheduler)[0],
        }


def _signature(entry: dict[str, Any]) -> str:
    def spelled(member: dict[str, Any]) -> str:
        if not member["type"].startswith("tuple"):
            return str(member["type"])
        return "(" + ",".join(map(spelled, member["components"])) + ")" + str(member["type"])[5:]

    return f"{entry['name']}({','.join(map(spelled, entry['inputs']))});"


def _fetch(directory: Path) -> None:
    for package in PACKAGES:
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=directory, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        with tarfile.open(directory / packed) as archive:
            archive.extractall(directory / packed.removesuffix(".tgz"), filter="data")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="blockedge-peers-") as name:
        directory = Path(name)
        _fetch(directory)
        process, url = anvil.launch(directory, block_time=1)
        try:
            anvil.rpc(url, "evm_setIntervalMining", 0)
            anvil.rpc(url, "evm_setAutomine", True)
            market = Market(Chain(url, Web3(HTTPProvider(url)), directory, []))
            for short, volume in ((False, 1), (False, 1), (True, 1), (True, 64)):
                gas, deal = market.match(volume, f"{short} {volume} {time_of(url)}")
                tasks = [market.task(deal, index, short=short) for index in range(volume)]
                total = (gas + sum(sum(task.values()) for task in tasks)) / volume
                print(f"{volume:>3} of a deal: {total:>9,.0f} a task  {{'matchOrders': {gas}}} {tasks[-1]}")
        finally:
            process.stop()


def time_of(url: str) -> int:
    """A number that no earlier deal had: orders are used up."""
    return int(anvil.rpc(url, "eth_blockNumber"), 16)


if __name__ == "__main__":
    main()
