"""Addresses in and out: what operators write, what we listen on, what others may dial."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import cache

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo, info_from_p2p_addr
from multiaddr import Multiaddr

from blockedge_node.errors import ConfigError


def peer_id_of(seed: bytes) -> ID:
    """The peer id of a 32-byte identity seed."""
    return ID.from_pubkey(create_new_key_pair(seed).public_key)


def parse_peer(address: str) -> PeerInfo:
    """`/ip4/…/tcp/…/p2p/<id>` → id and address. Raises ConfigError."""
    try:
        return info_from_p2p_addr(Multiaddr(address))
    except Exception as error:  # multiaddr raises half a dozen unrelated types
        raise ConfigError(
            f"{address} is no peer address like /ip4/10.0.0.7/tcp/4001/p2p/12D3…: {error}"
        ) from None


def parse_listen(address: str) -> Multiaddr:
    """`/ip4/…/tcp/…` → the same, checked. Raises ConfigError."""
    try:
        parsed = Multiaddr(address)
        parsed.value_for_protocol("tcp")
    except Exception as error:  # as above
        raise ConfigError(
            f"{address} is no address to listen on like /ip4/0.0.0.0/tcp/4001: {error}"
        ) from None
    return parsed


@cache
def own_address(family: socket.AddressFamily) -> str:
    """The address by which others would see this machine, loopback if it has no way out. Sends nothing."""
    out, loopback = ("2001:db8::1", "::1") if family is socket.AF_INET6 else ("192.0.2.1", "127.0.0.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((out, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return loopback


def dialable(addresses: Sequence[Multiaddr]) -> list[Multiaddr]:
    """Listening addresses as others may dial them: nobody can dial 0.0.0.0."""
    found = []
    for text in map(str, addresses):
        text = text.replace("/ip4/0.0.0.0/", f"/ip4/{own_address(socket.AF_INET)}/")
        found.append(Multiaddr(text.replace("/ip6/::/", f"/ip6/{own_address(socket.AF_INET6)}/")))
    return found


def check_port_is_free(address: Multiaddr) -> None:
    """libp2p listens with SO_REUSEPORT, so a second node on the same port would silently share its peers.

    Raises ConfigError if somebody already listens there.
    """
    protocols = {p.name for p in address.protocols()}
    name, family = ("ip6", socket.AF_INET6) if "ip6" in protocols else ("ip4", socket.AF_INET)
    if name not in protocols or not (port := int(address.value_for_protocol("tcp") or 0)):
        return
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.value_for_protocol(name), port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {address}: {error.strerror}; choose another port") from None
