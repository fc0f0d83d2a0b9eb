"""Token buckets and the directory, without a network."""

from __future__ import annotations

from libp2p.peer.id import ID

from blockedge_node.core.ids import Address
from blockedge_node.core.task import KeyCard
from blockedge_node.p2p.directory import KEEP, ORIGINS, Directory
from blockedge_node.p2p.limits import Bucket, Buckets, Rate

WHO = Address(b"\x01" * 20)


def peer(n: int) -> ID:
    return ID(n.to_bytes(8, "big"))


def test_a_bucket_gives_its_burst_and_then_its_refill() -> None:
    bucket = Bucket(Rate(burst=3, refill=2), now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(0.5)
    assert not bucket.take(0.5)
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]


def test_debt_is_the_time_until_it_is_paid() -> None:
    bucket = Bucket(Rate(burst=10, refill=10), now=0)
    assert bucket.owe(0, 10) == 0
    assert bucket.owe(0, 20) == 2
    assert bucket.owe(2, 5) == 0.5


def test_the_least_recently_used_bucket_is_forgotten_first() -> None:
    buckets = Buckets(Rate(burst=1, refill=0.001), lambda: 0, keep=2)
    assert buckets.take("a")
    assert buckets.take("b")
    assert not buckets.take("a")
    assert buckets.take("c")  # forgets b
    assert not buckets.take("a")
    assert buckets.take("b")


def test_the_newest_origins_are_tried_newest_first() -> None:
    directory = Directory(lambda: 1000)
    for n in range(6):
        directory.heard(WHO, peer(n))
    directory.heard(WHO, peer(3))
    assert directory.peers_of(WHO) == [peer(3), peer(5), peer(4), peer(2)]
    assert len(directory.peers_of(WHO)) == ORIGINS


def test_a_card_comes_before_origins_until_it_expires() -> None:
    now = 1000
    directory = Directory(lambda: now)
    directory.heard(WHO, peer(1))
    assert directory.learn(KeyCard(owner=WHO, peer_id=peer(2).to_bytes(), seq=5, expiry=1100))
    assert not directory.learn(KeyCard(owner=WHO, peer_id=peer(3).to_bytes(), seq=5, expiry=9999))
    assert directory.peers_of(WHO) == [peer(2), peer(1)]
    assert directory.owners_of(peer(2)) == [WHO]
    now = 1101
    assert directory.peers_of(WHO) == [peer(1)]
    assert directory.owners_of(peer(2)) == []


def test_the_directory_is_bounded() -> None:
    directory = Directory(lambda: 0)
    directory.heard(WHO, peer(1))
    for n in range(KEEP):
        directory.heard(Address(n.to_bytes(20, "big")), peer(1))
    assert directory.peers_of(WHO) == []
