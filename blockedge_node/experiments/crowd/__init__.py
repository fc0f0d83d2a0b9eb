"""Auctions of ten to a thousand nodes: the real bidders and the real requester, a model of gossip, a virtual clock.

market.py    who bids: what nodes of a population ask for, and what requesters ask of them
mesh.py      how a message travels: neighbours, latencies, losses
auction.py   one request from its publication to its award
scale.py     many of them, and what must hold; `blockedge bench scale`
"""
