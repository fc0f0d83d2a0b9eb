"""Founding a coalition on the devnet's chain: deploy the contracts, make the nodes' keys.

Apart from cluster.py because it imports web3 and libp2p, which the other verbs do without.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import trio

from blockedge_node.chain.deploy import Deployment, deploy
from blockedge_node.chain.rpc import Ask, Rpc
from blockedge_node.core.ids import Address
from blockedge_node.devnet import anvil
from blockedge_node.devnet.cluster import ETHER, SOURCE
from blockedge_node.p2p.addresses import peer_id_of
from blockedge_node.store import keystore
from blockedge_node.wire.eip712 import address_of
from blockedge_node.wire.params import load_params

FOUNDER_KEY = bytes(31) + b"\x01"  # deploys and owns nothing: the contract has no owner
TURN = 0.05  # seconds between the blocks of the founding


@dataclass(frozen=True, slots=True)
class Keys:
    address: Address
    peer: str


def found(url: str, *, court: bool = True, profile: str = "dev") -> Deployment:
    """Deploy with the constants of config/params.`profile`.json, in blocks that come as fast as they are needed."""
    params = load_params((SOURCE / "config" / f"params.{profile}.json").read_text())
    anvil.rpc(url, "anvil_setBalance", "0x" + address_of(FOUNDER_KEY).hex(), hex(100 * ETHER))

    async def run() -> Deployment:
        async with aclosing(Rpc([url], chain_id=anvil.CHAIN_ID)) as rpc, trio.open_nursery() as nursery:
            nursery.start_soon(_mine, rpc)
            deployment = await deploy(rpc, FOUNDER_KEY, params, court=court)
            nursery.cancel_scope.cancel()
        return deployment

    return trio.run(run)


async def _mine(rpc: Rpc) -> None:
    """The chain's own blocks come each second or more, and everything here waits for one."""
    while True:
        await rpc.ask(Ask("evm_mine", (), str))
        await trio.sleep(TURN)


def make_node(data_dir: Path, *, port: int) -> Keys:
    """What `blockedge init` makes, with light scrypt: these keys hold play money."""
    keys = data_dir / "keys"
    password = keystore.new_password(keys / "password")
    address = keystore.new_payment_key(keys / "payment.json", password, "light")
    seed = keystore.new_network_key(keys / "network.key")
    return Keys(address=address, peer=f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id_of(seed)}")
