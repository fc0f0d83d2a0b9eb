"""The node's place on the network: the only package that imports libp2p (docs/protocol.md §2.3).

network.py    P2P: everything below behind the ports Network and Content; start reading here
host.py       one life of a libp2p host and its pubsub, from key to listening socket
addresses.py  what operators write, what others may dial
topics.py     gossip: what is checked before a message is believed or forwarded, and how we publish
serving.py    what the stream servers share: limits, faults, streams that wait for an answer
streams.py    one exchange a stream: award → ack, result → receipt, peers → signed peer records
blobs.py      content by its root, every chunk checked on arrival, resumed where it broke off
frames.py     reading and writing a stream with deadlines
peers.py      who is connected, who is banned, whom to dial again
rows.py       the same for people
directory.py  which peers speak for an address
limits.py     token buckets
patches.py    why a stock libp2p 0.8.1 would not survive its peers, and what we do about it
"""

from blockedge_node.p2p.network import P2P
from blockedge_node.p2p.settings import Settings

__all__ = ["P2P", "Settings"]
