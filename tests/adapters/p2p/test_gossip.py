"""What a gossip message must pass before a node believes or forwards it (docs/protocol.md §2.3)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from blockedge_node.core.commitment import draw_commit
from blockedge_node.core.events import BidHeard, RequestHeard, SecretHeard
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Address, Hash, Secret, Signature, UnitId
from blockedge_node.core.task import KeyCard
from blockedge_node.core.unit import Account, Standing
from blockedge_node.errors import Transient
from blockedge_node.p2p.limits import Rate
from blockedge_node.p2p.topics import SECRETS_WAITING
from blockedge_node.wire import codec, messages
from tests.adapters.p2p.support import (
    DOMAIN,
    NOW,
    QUICK,
    RICH,
    Node,
    a_bid,
    a_request,
    make_node,
    network,
    publish,
    running,
    until,
)


async def inject(node: Node, name: str, raw: bytes) -> None:
    """Publish bytes as they are, past our own checks."""
    assert node.p2p._link is not None
    await node.p2p._link.pubsub.publish(node.p2p.gossip.topics[name], raw)


def a_request_of(node: Node, *, domain: Domain = DOMAIN, sig: Signature | None = None) -> bytes:
    request = a_request(node)
    return messages.build_request(domain, request, sig or node.signer.sign(request), 0)


async def test_requests_and_bids_are_heard_with_the_signers_standing(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "b") as (hub, a, b):
        request = await publish(a)
        for node in (hub, b):
            (heard,) = await until(lambda node=node: node.of(RequestHeard))
            assert heard.request == request
            assert heard.standing == RICH
        bids = [a_bid(b, request, shard) for shard in (0, 1)]
        await b.p2p.publish_bids(bids, [b.signer.sign(bid) for bid in bids])
        await until(lambda: len(a.of(BidHeard)) == 2)
        assert [event.bid for event in a.of(BidHeard)] == bids
        assert not a.of(RequestHeard), "a node does not hear itself"


async def test_more_bids_than_a_message_holds_go_out_in_several(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a") as (hub, a):
        request = a_request(hub, shards=120)
        bids = [a_bid(a, request, shard) for shard in range(120)]
        await a.p2p.publish_bids(bids, [a.signer.sign(bid) for bid in bids])
        await until(lambda: len(hub.of(BidHeard)) == 120)
        assert [event.bid for event in hub.of(BidHeard)] == bids


# ── not forwarded ────────────────────────────────────────────────────────────────────────────────────────


CHAIN = replace(QUICK, target_peers=0)  # left — hub — right: what right hears, hub has forwarded


POOR = Standing(account=Account(free=10**15))  # two shards at 1e15 and the fee take more
EXITING = Standing(account=Account(free=10**18, exit_at=NOW + 1, exit_amount=10**18))


@pytest.mark.parametrize(
    ("standing", "reason"), [(POOR, "not covered"), (EXITING, "not covered"), (None, "standing unknown")]
)
async def test_requests_that_are_not_covered_are_ignored_without_blame(
    tmp_path: Path, standing: Standing | None, reason: str
) -> None:
    async with network(tmp_path, "hub", "left", "right", settings=CHAIN, full=False) as (hub, left, right):
        hub.standings[left.signer.address] = standing
        await publish(left)
        await until(lambda: hub.p2p.counts().get(f"requests {reason}"))
        del hub.standings[left.signer.address]
        good = await publish(left)
        await until(lambda: right.of(RequestHeard))
        assert [e.request for e in right.of(RequestHeard)] == [good], "the first one was not forwarded"
        assert [e.request for e in hub.of(RequestHeard)] == [good]
        assert hub.p2p.peers.tally(left.id).invalid == 0


async def test_a_worker_is_heard_up_to_the_deposits_it_can_cover(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a") as (hub, a):
        request = a_request(hub)
        hub.standings[a.signer.address] = Standing(account=Account(free=2 * 10**16))
        three = [a_bid(a, request, shard) for shard in range(3)]
        await a.p2p.publish_bids(three, [a.signer.sign(bid) for bid in three])
        await until(lambda: hub.p2p.counts().get("bids not covered"))
        await a.p2p.publish_bids(three[:2], [a.signer.sign(bid) for bid in three[:2]])
        await until(lambda: len(hub.of(BidHeard)) == 2)


async def test_expired_messages_are_ignored(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a") as (hub, a):
        await publish(a, expiry=NOW)
        bid = a_bid(a, a_request(hub), expiry=NOW)
        await a.p2p.publish_bids([bid], [a.signer.sign(bid)])
        await until(
            lambda: hub.p2p.counts().get("requests expired") == hub.p2p.counts().get("bids expired") == 1
        )
        assert not hub.heard
        assert hub.p2p.peers.tally(a.id).invalid == 0


INVALID: dict[str, tuple[str, Callable[[Node], bytes]]] = {
    "noise": ("requests", lambda n: os.urandom(200)),
    "a signature of somebody else": ("requests", lambda n: a_request_of(n, sig=Signature(b"\x01" * 64))),
    "another deployment": ("requests", lambda n: a_request_of(n, domain=Domain(1, Address(b"\x02" * 20)))),
    "another topic": ("bids", a_request_of),
    "too long": ("requests", lambda n: bytes(codec.GOSSIP_LIMIT + 1)),
    "a spelling of its own": ("requests", lambda n: a_request_of(n) + b"\x00"),
}


@pytest.mark.parametrize("what", INVALID)
async def test_invalid_messages_are_not_forwarded_and_cost_their_sender(tmp_path: Path, what: str) -> None:
    name, build = INVALID[what]
    async with network(tmp_path, "hub", "left", "right", settings=CHAIN, full=False) as (hub, left, right):
        await inject(left, name, build(left))
        await until(lambda: hub.p2p.counts().get(f"{name} reject"))
        assert hub.p2p.peers.tally(left.id).invalid == 1
        good = await publish(left)
        await until(lambda: right.of(RequestHeard))
        assert [e.request for e in right.of(RequestHeard)] == [good]
        assert right.p2p.peers.tally(hub.id).invalid == 0
        assert not right.p2p.counts().get(f"{name} reject")


async def test_who_goes_on_sending_invalid_messages_is_banned(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "bad", "friend") as (hub, bad, friend):
        for _ in range(5):
            await inject(bad, "requests", a_request_of(bad, sig=Signature(b"\x01" * 64)))
        for node in (hub, friend):
            await until(lambda node=node: node.p2p.peers.is_banned(bad.id), "a ban")
            await until(
                lambda node=node: not node.p2p.peers.is_connected(bad.id), "the end of the connection"
            )
        await publish(friend)
        await until(lambda: hub.of(RequestHeard))
        assert not hub.p2p.peers.is_banned(friend.id)


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_signer_is_heard_at_its_rate_and_others_are_not_affected(tmp_path: Path) -> None:
    slow = replace(QUICK, per_signer=Rate(burst=5, refill=0.001))
    async with network(tmp_path, "hub", "loud", "quiet", settings=slow) as (hub, loud, quiet):
        for _ in range(12):
            await publish(loud)
        await until(lambda: hub.p2p.counts().get("requests signer rate", 0) >= 7)
        heard = [e for e in hub.of(RequestHeard) if e.request.requester == loud.signer.address]
        assert len(heard) <= 5
        await publish(quiet)
        await until(lambda: any(e.request.requester == quiet.signer.address for e in hub.of(RequestHeard)))
        assert not hub.p2p.peers.tally(loud.id).invalid


async def test_the_whole_node_takes_no_more_than_its_rate(tmp_path: Path) -> None:
    slow = replace(QUICK, per_node=Rate(burst=6, refill=0.001))
    async with network(tmp_path, "hub", "a", settings=slow) as (hub, a):
        for _ in range(12):
            await publish(a)
        await until(lambda: hub.p2p.counts().get("requests node rate", 0) >= 6)
        assert len(hub.of(RequestHeard)) <= 6


async def test_a_repeated_message_is_dropped_and_not_charged_to_its_signer(tmp_path: Path) -> None:
    slow = replace(QUICK, per_signer=Rate(burst=8, refill=0.001))
    async with network(tmp_path, "hub", "a", "parrot", settings=slow) as (hub, a, parrot):
        await publish(a)
        (heard,) = await until(lambda: hub.of(RequestHeard))
        raw = messages.build_request(DOMAIN, heard.request, heard.sig, 0)
        for _ in range(20):
            await inject(parrot, "requests", raw)
        await until(lambda: hub.p2p.counts().get("requests repeated", 0) >= 20)
        assert len(hub.of(RequestHeard)) == 1
        await publish(a)
        await until(lambda: len(hub.of(RequestHeard)) == 2)


async def test_copies_of_one_packet_are_judged_once(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "b", "c") as (hub, a, b, c):
        await publish(a)  # reaches the hub from a, b and c
        await until(lambda: hub.of(RequestHeard) and b.of(RequestHeard) and c.of(RequestHeard))
        await publish(a)
        await until(lambda: len(hub.of(RequestHeard)) == 2)
        assert hub.p2p.counts()["requests accept"] == 2
        assert "requests ignore" not in hub.p2p.counts()


async def test_publishing_to_nobody_is_transient(tmp_path: Path) -> None:
    node = make_node("alone", tmp_path, settings=replace(QUICK, publish_wait=0.2))
    async with running(node):
        with pytest.raises(Transient, match="no peer listens on requests"):
            await publish(node)


async def test_a_request_published_before_anybody_connects_is_heard_by_the_first(tmp_path: Path) -> None:
    async with network(tmp_path, "hub") as (hub,), trio.open_nursery() as nursery:
        nursery.start_soon(publish, hub)
        node = make_node("late", tmp_path, bootstrap=(hub.address,))
        async with running(node):
            await until(lambda: node.of(RequestHeard))


# ── draw secrets ─────────────────────────────────────────────────────────────────────────────────────────


def a_secret(name: str) -> SecretHeard:
    return SecretHeard(
        unit=UnitId(keccak256(name.encode())),
        secret=Secret(keccak256(b"secret" + name.encode())),
        guard_r=keccak256(b"guard" + name.encode()),
    )


def opened_by(shown: SecretHeard) -> Hash:
    return draw_commit(shown.secret, shown.guard_r)


async def show(node: Node, shown: SecretHeard) -> None:
    await node.p2p.publish_secret(shown.unit, shown.secret, shown.guard_r)


async def test_a_draw_secret_is_passed_on_by_whoever_sees_its_unit(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "left", "right", settings=CHAIN, full=False) as (hub, left, right):
        true, false = a_secret("unit"), replace(a_secret("unit"), secret=Secret(keccak256(b"guess")))
        for node in (hub, right):
            node.sees(true.unit, opened_by(true))
        await show(left, false)
        await until(lambda: hub.p2p.counts().get("notices opens nothing"))
        await show(left, true)
        await until(lambda: right.of(SecretHeard))
        assert hub.of(SecretHeard) == right.of(SecretHeard) == [true]
        assert hub.p2p.peers.tally(left.id).invalid == 0, "it may just have come late"


async def test_a_draw_secret_waits_for_a_block_that_others_saw_first(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "quick", settings=replace(QUICK, target_peers=0)) as (hub, quick):
        shown = a_secret("unit")
        await show(quick, shown)
        await until(lambda: hub.p2p.counts().get("notices early") == 1)
        assert not hub.heard
        hub.sees(shown.unit, opened_by(shown))
        await until(lambda: hub.of(SecretHeard) == [shown])


async def test_secrets_of_unknown_units_take_their_turns_and_no_more(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "noisy", "other") as (hub, noisy, other):
        for i in range(SECRETS_WAITING + 5):
            await show(noisy, a_secret(f"nothing {i}"))
        await until(lambda: hub.p2p.counts().get("notices too early", 0) >= 5)
        shown = a_secret("unit")
        hub.sees(shown.unit, opened_by(shown))
        await show(other, shown)
        await until(lambda: hub.of(SecretHeard) == [shown])
        request = await publish(other)
        await until(lambda: [e.request for e in hub.of(RequestHeard)] == [request])


# ── key cards ────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_node_learns_which_peer_speaks_for_whom(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "b") as nodes:
        for node in nodes:
            others = [n for n in nodes if n is not node]
            await until(lambda node=node, others=others: node.knows(*others), "key cards")
        hub, a, _ = nodes
        (row,) = [r for r in hub.p2p.rows() if r.peer == str(a.id)]
        assert row.owners == ("0x" + a.signer.address.hex(),)


async def test_a_card_is_believed_only_if_newer_and_signed_by_its_owner(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "liar") as (hub, a, liar):
        await until(lambda: hub.knows(a, liar))
        owner = a.signer.address
        forged = KeyCard(owner=owner, peer_id=liar.id.to_bytes(), seq=2**50, expiry=NOW + 60)
        await inject(liar, "notices", messages.build_keycard(DOMAIN, forged, liar.signer.sign(forged), 0))
        await until(lambda: hub.p2p.counts().get("notices reject"))
        assert hub.knows(a)
        stale = KeyCard(owner=owner, peer_id=liar.id.to_bytes(), seq=1, expiry=NOW + 60)
        before = hub.p2p.counts()["notices accept"]
        await inject(liar, "notices", messages.build_keycard(DOMAIN, stale, a.signer.sign(stale), 0))
        await until(lambda: hub.p2p.counts()["notices accept"] > before)
        assert hub.knows(a)
