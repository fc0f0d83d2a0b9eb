"""What a role machine may look at besides its own facts: the node's place, its chain views, its policy.

The engine builds one World a head; it is a value, so the same events and worlds give the same actions.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.court import Ticket
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address
from blockedge_node.core.params import Params
from blockedge_node.core.unit import Head, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's choices (config/node.toml). Prices in wei, speeds in fuel per second, times in seconds."""

    requester: bool = True
    worker: bool = True
    verifier: bool = True
    kinds: frozenset[int] = frozenset({1, 2})
    engines: frozenset[str] = frozenset()  # runtime ids this node can run, e.g. be-det-1/wasmtime-50.0.1
    slots: int = 1  # runs at the same time
    price_floor: int = 10**13  # least price of a unit
    price_per_gfuel: int = 10**14  # added for each 1e9 fuel
    speed: int = 500_000_000  # fuel per second a slot is planned with (docs/execution.md)
    delay_floor: int = 5  # least delay promised
    delay_margin_bps: int = 5_000  # added to the planned time
    max_units: int = 16  # live bids and units at a time
    max_exposure: int = 10**21  # Σ deposits at stake at a time, wei
    risk_cap: int = 10**18  # start before registration only up to this price
    bid_window: float = 1.0  # seconds from publishing to choosing, at most …
    close_early: bool = True  # … or as soon as no bid that is better by …
    close_gain: int = 1_000  # … this much of the score (ppm) can still be on its way (core/turns.py)
    gossip_hop: float = 0.015  # seconds a message takes to a neighbour, its checks included
    ack_timeout: float = 5.0  # seconds to wait for an Ack before the next bid
    bid_ttl: int = 120  # seconds a bid stays good beyond its own needs
    spread: int = 4  # a worker gets at most ⌈shards/spread⌉ of a task while others' bids exist
    attempts: int = 3  # tasks a job may become before its failed shards are given up
    verify_bps: int = 10_000  # share of others' judged units to recompute
    verify_own_bps: int = 0  # share of own court units to recompute before the window closes
    verify_bps_court: int = 0  # share of others' court units to recompute, besides the drawn ones
    juror: bool = True  # answer for my tickets: checks and votes
    appeal: bool = True  # fund the next round when a jury errs about my result or report (§7.3)
    bundle_window: float = 0.5  # seconds in which micro-tasks wait for others like them …
    bundle_items: int = 64  # … and how many of them share a unit at most (core/bundles.py)
    min_ticket_owners: int = 8  # fewer, and no court kind is opened (§6.2); dev: 3
    spot_bps: int = 1_000  # share of my court units to have checked; the deployment may ask for more
    check_fee_bps: int = 20_000  # φ as a share of what one recomputation costs: 2c (§7.3)
    towers: tuple[Address, ...] = ()  # nodes that meet my units' deadlines while I am away (core/ward.py)
    clients: frozenset[Address] = frozenset()  # nodes whose units' deadlines I meet (core/watchtower.py)
    appeal_budget: int = 0  # wei that I pay at most to appeal for one unit of a client
    paused: bool = False  # no new bids
    unfit: bool = False  # the executor failed its self-test: set by the daemon, not by a file
    gas_short: bool = False  # the account cannot pay for its transactions: set by the daemon, not by a file
    block_time: int = 12  # seconds between blocks; the daemon takes it from the coalition


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    me: Address
    domain: Domain
    params: Params
    policy: Policy
    head: Head
    standing: Standing = Standing()  # my own balances and reputation at `head`
    tickets: tuple[Ticket, ...] = ()  # all ever staked, by id
    head_age: float = 0.0  # seconds since that head arrived: a promise is not made on an old one
    exposure: int = 0  # wei that my live bids, awards and units may still lock out of my free balance
    staked: int = (
        0  # wei of my deposits that leading bids hold in auctions: out of the free balance, and at stake
    )
    units: int = 0  # how many live bids and units that is
    queue: float = 0.0  # planned seconds of work before a new unit could start
    crowd: int = 0  # nodes that are known, this one included; 0: nobody was heard of yet

    @property
    def now(self) -> int:
        return self.head.time
