"""The devnet on disk: what `up` made, what every other verb reads again.

    DIR/devnet.json         chain, contract, pids: the one record of what runs
    DIR/coalition.toml      shared by all nodes
    DIR/anvil.log
    DIR/n1 … nN/            one data directory a node: node.toml, keys, journal, blobs, daemon.log

A node is started with exactly the command an operator would use, but for a cheat's (see cheats.py).
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from blockedge_node.config import MAX_SOCKET_PATH
from blockedge_node.core.ids import ZERO_ADDRESS
from blockedge_node.devnet import anvil
from blockedge_node.devnet.processes import Process, start
from blockedge_node.errors import BlockEdgeError, ConfigError

if TYPE_CHECKING:
    from blockedge_node.chain.deploy import Deployment

ETHER: Final = 10**18
FUND: Final = "0xb60d4288"  # fund() of BlockEdge
TICKETS: Final = 2  # a node, where nothing else is said
STAKE: Final = "0x3a4b66f1"  # stake() of the Court
SOURCE: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One daemon of the devnet; `mode` names its cheats, "" for an honest one."""

    name: str
    data_dir: Path
    socket: Path
    address: str
    peer: str  # its multiaddr with peer id
    process: Process
    mode: str = ""

    @property
    def log(self) -> Path:
        return self.data_dir / "daemon.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Devnet:
    directory: Path
    rpc: str
    block_time: float
    contract: str
    court: str
    anvil: Process
    nodes: tuple[Node, ...] = field(default=())

    def node(self, which: int) -> Node:
        """Node number `which`, from 1. Raises ConfigError."""
        if not 1 <= which <= len(self.nodes):
            raise ConfigError(f"there is no node {which}: this devnet has 1 to {len(self.nodes)}")
        return self.nodes[which - 1]

    def with_node(self, node: Node) -> Devnet:
        return replace(self, nodes=tuple(node if n.name == node.name else n for n in self.nodes))

    # ── the record ───────────────────────────────────────────────────────────────────────────────────────

    def save(self) -> None:
        path = record(self.directory)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), default=str, indent=1))
        temporary.replace(path)

    @classmethod
    def load(cls, directory: Path) -> Devnet:
        """Raises ConfigError if no devnet was started there."""
        path = record(directory)
        try:
            raw: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise ConfigError(
                f"no devnet runs from {directory}; start one with `blockedge devnet up`"
            ) from None
        except ValueError:
            raise ConfigError(f"{path} is damaged; end its processes, remove it and start again") from None
        nodes = tuple(
            Node(
                **{
                    **n,
                    "data_dir": Path(n["data_dir"]),
                    "socket": Path(n["socket"]),
                    "process": Process(**n["process"]),
                }
            )
            for n in raw.pop("nodes")
        )
        raw |= {"directory": Path(raw["directory"]), "anvil": Process(**raw["anvil"])}
        return cls(nodes=nodes, **raw)

    # ── life and death ───────────────────────────────────────────────────────────────────────────────────

    def start_node(self, which: int, *, plays: Sequence[str] = ()) -> Devnet:
        """Start a daemon, honest or playing cheats (see cheats.py), and remember it."""
        node = self.node(which)
        if node.process.alive:
            raise ConfigError(f"{node.name} runs already")
        module = "blockedge_node.devnet.cheats" if plays else "blockedge_node"
        flags = [part for play in plays for part in ("--play", play)]
        command = [sys.executable, "-m", module, *flags, "run", "--data-dir", str(node.data_dir)]
        mode = " ".join(dict.fromkeys(play.split(",")[0] for play in plays))
        devnet = self.with_node(replace(node, process=start(command, log=node.log), mode=mode))
        devnet.save()
        return devnet

    def stop(self) -> None:
        """End everything that `up` started; the data stays."""
        for node in self.nodes:
            node.process.signal(15)  # all at once, then wait for each
        for node in self.nodes:
            node.process.stop()
        self.anvil.stop()
        for node in self.nodes:
            if node.socket.parent != node.data_dir:
                shutil.rmtree(node.socket.parent, ignore_errors=True)
        record(self.directory).unlink(missing_ok=True)


def record(directory: Path) -> Path:
    return directory / "devnet.json"


def create(
    directory: Path,
    count: int,
    *,
    block_time: float,
    policies: Mapping[int, Mapping[str, object]],
    tickets: Mapping[int, int] = MappingProxyType({}),
    profile: str = "dev",
) -> Devnet:
    """Start the chain, deploy, make `count` funded nodes. Raises ConfigError if a devnet runs there.

    `policies` adds lines to a node's [policy], `tickets` says how many it stakes, both by number from 1. `profile`
    names the contracts' constants: slow blocks need prod's windows. The daemons are not started yet.
    """
    if record(directory).exists():
        old = Devnet.load(directory)
        if old.anvil.alive or any(node.process.alive for node in old.nodes):
            raise ConfigError(f"a devnet runs from {directory} already; end it with `blockedge devnet down`")
    if not 1 <= count <= 50:
        raise ConfigError(f"a devnet has 1 to 50 nodes, not {count}")
    if directory.exists() and any(directory.iterdir()) and not (directory / "anvil.log").exists():
        raise ConfigError(f"{directory} holds other files; name an empty directory with --dir")
    shutil.rmtree(
        directory, ignore_errors=True
    )  # an earlier devnet's chain is gone: so is what its nodes knew
    directory.mkdir(parents=True)
    process, url = anvil.launch(directory, block_time=block_time)
    try:
        return _populate(directory, count, process, url, block_time, policies, tickets, profile)
    except BaseException:
        process.stop()
        raise


def _populate(
    directory: Path,
    count: int,
    process: Process,
    url: str,
    block_time: float,
    policies: Mapping[int, Mapping[str, object]],
    tickets: Mapping[int, int],
    profile: str,
) -> Devnet:
    from blockedge_node.devnet.founding import found, make_node  # heavy imports: web3

    deployment = found(url, profile=profile)
    contract = "0x" + deployment.block_edge.hex()
    ports = free_ports(count)
    nodes: list[Node] = []
    for i in range(count):
        data_dir = directory / f"n{i + 1}"
        bootstrap = () if i == 0 else (nodes[0].peer,)
        keys = make_node(data_dir, port=ports[i])
        socket_path = _socket_path(data_dir)
        _write_settings(data_dir, socket_path, ports[i], bootstrap, policies.get(i + 1, {}))
        nodes.append(
            Node(
                name=f"n{i + 1}",
                data_dir=data_dir,
                socket=socket_path,
                address="0x" + keys.address.hex(),
                peer=keys.peer,
                process=Process(0, -1),
            )
        )
    accounts = [node.address for node in nodes]
    fund(url, contract, accounts)
    if deployment.court:
        staked = [(account, tickets.get(i, TICKETS)) for i, account in enumerate(accounts, 1)]
        for number in range(max(count for _, count in staked)):
            owners = [account for account, count in staked if number < count]
            stake(url, "0x" + deployment.court.hex(), owners, seat=deployment.params.seat)
    anvil.catch_up(url)
    (directory / "coalition.toml").write_text(_coalition(deployment, url, block_time))
    devnet = Devnet(
        directory=directory,
        rpc=url,
        block_time=block_time,
        contract=contract,
        court="0x" + (deployment.court or ZERO_ADDRESS).hex(),
        anvil=process,
        nodes=tuple(nodes),
    )
    devnet.save()
    return devnet


def _coalition(deployment: Deployment, url: str, block_time: float) -> str:
    """The file that all nodes share."""
    return "".join(
        [
            f'name = "devnet"\nchain_id = {deployment.chain_id}\n',
            *(f'{name} = "0x{at.hex()}"\n' for name, at in deployment.contracts.items()),
            f"deployment_block = {deployment.block}\n",
            f'rpc = ["{url}"]\nblock_time = {max(1, ceil(block_time))}\n\n[code_hashes]\n',
            *(f'{name} = "0x{code.hex()}"\n' for name, code in deployment.codes.items()),
        ]
    )


def fund(url: str, contract: str, addresses: list[str], *, escrow: int = 100 * ETHER) -> None:
    """Give each address ether for gas and a balance in the contract, without needing its key."""
    for address in addresses:
        anvil.rpc(url, "anvil_setBalance", address, hex(1_000 * ETHER))
    _pay(url, contract, addresses, FUND, escrow)


def stake(url: str, court: str, addresses: list[str], *, seat: int) -> None:
    """Give each address a ticket of `seat` wei: old enough to be drawn once the chain has caught up."""
    _pay(url, court, addresses, STAKE, seat)


def _pay(url: str, contract: str, addresses: list[str], call: str, value: int) -> None:
    """One call with ether from each address. Raises BlockEdgeError."""
    for address in addresses:
        anvil.rpc(url, "anvil_impersonateAccount", address)
    sent = [
        anvil.rpc(
            url,
            "eth_sendTransaction",
            {"from": address, "to": contract, "value": hex(value), "data": call, "gas": hex(200_000)},
        )
        for address in addresses
    ]
    anvil.rpc(url, "evm_mine")
    for tx, address in zip(sent, addresses, strict=True):
        receipt = anvil.rpc(url, "eth_getTransactionReceipt", tx)
        if receipt is None or int(receipt["status"], 16) != 1:
            raise BlockEdgeError(
                f"paying {value} wei of {address} to {contract} failed on the devnet's chain"
            )
        anvil.rpc(url, "anvil_stopImpersonatingAccount", address)


def free_ports(count: int) -> list[int]:
    """Ports that the system just gave away: a node must come back on its own after a restart."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def _socket_path(data_dir: Path) -> Path:
    path = data_dir / "api.sock"
    if len(str(path).encode()) <= MAX_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="blockedge-")) / "api.sock"


def _write_settings(
    data_dir: Path, socket_path: Path, port: int, bootstrap: tuple[str, ...], policy: Mapping[str, object]
) -> None:
    """config/devnet.toml with this node's own lines."""
    text = (SOURCE / "config" / "devnet.toml").read_text()
    text = text.replace("/ip4/127.0.0.1/tcp/0", f"/ip4/127.0.0.1/tcp/{port}")
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in policy.items())
    kept = (line for line in text.splitlines(keepends=True) if line.split(" ")[0] not in policy)
    text = "".join(kept)
    text = text.replace("[p2p]\n", f"[p2p]\nbootstrap = {json.dumps(list(bootstrap))}\n")
    text = text.replace("[policy]\n", f"[policy]\n{lines}")
    extra = (
        f"\n[api]\nsocket = {json.dumps(str(socket_path))}\n\n"
        f"[coalition]\nfile = {json.dumps(str(data_dir.parent / 'coalition.toml'))}\n"
    )
    (data_dir / "node.toml").write_text(text + extra)
