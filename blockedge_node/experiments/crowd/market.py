"""Who bids, and for what. Nodes differ in what they charge, in their speed and in their reputation; requests in their
size, in what they pay at most, and in what counts for them.

    mixed   as edge devices differ: prices by a quarter, speeds by half, reputations from a newcomer's to the best
    close   all scores within a few thousandths: a market where competition has done its work
    alike   the same device a thousand times, with the settings it came with: the hash decides
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from blockedge_node.core.hashing import Domain, hash_words, keccak256
from blockedge_node.core.ids import Address, Hash, Root
from blockedge_node.core.params import Params
from blockedge_node.core.task import Kind, Request
from blockedge_node.core.unit import Account, Head, Reputation, Standing
from blockedge_node.core.world import Policy, World
from blockedge_node.wire.params import load_params

Population = Literal["mixed", "close", "alike"]

NOW = 1_800_000_000
ETHER = 10**18
GFUEL = 10**9
PER_GFUEL = 10**14  # wei, the market's price for 1e9 fuel
DOMAIN = Domain(31337, Address(b"\xbe" * 20))
HEAD = Head(number=1, hash=Hash(keccak256(b"head")), time=NOW)
CONFIG = Path(__file__).resolve().parents[3] / "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an experiment varies. `hop`: median seconds a message takes to a neighbour, checks included."""

    nodes: int
    population: Population = "mixed"
    shards: int = 1
    hop: float = 0.012
    loss: float = 0.0
    close_early: bool = True
    turns: bool = True  # False: everybody bids at once, as before there were turns


def params() -> Params:
    return load_params((CONFIG / "params.prod.json").read_text(encoding="utf-8"))


def worlds(setting: Setting, constants: Params, chance: Random) -> tuple[World, ...]:
    """What each node sees, once it has been there for a while: with money, and knowing of all others."""
    return tuple(
        World(
            me=Address(hash_words(number)[-20:]),
            domain=DOMAIN,
            params=constants,
            policy=_policy(setting, chance),
            head=HEAD,
            standing=Standing(
                account=Account(free=1_000 * ETHER),
                reputation=Reputation(score=_reputation(setting.population, chance)),
            ),
            crowd=setting.nodes if setting.turns else 0,
        )
        for number in range(setting.nodes)
    )


def request(setting: Setting, by: Address, nonce: int, chance: Random) -> Request:
    """Some client's: it pays up to three times the market's price, and waits up to four times a usual delay."""
    fuel = round(GFUEL * chance.uniform(0.5, 4))
    weights = chance.choice(((5_000, 2_500, 2_500), (8_000, 1_000, 1_000), (3_400, 3_300, 3_300)))
    return Request(
        requester=by,
        nonce=nonce,
        kind=Kind.POW,
        shards=setting.shards,
        input_root=Root(keccak256(b"input")),
        fuel=fuel,
        max_price=round(fuel / GFUEL * PER_GFUEL * chance.uniform(1.8, 3)),
        min_deposit=0,
        max_delay=60,
        w_price=weights[0],
        w_delay=weights[1],
        w_rep=weights[2],
        expiry=NOW + 600,
    )


def _policy(setting: Setting, chance: Random) -> Policy:
    spread = {"mixed": 0.25, "close": 0.01, "alike": 0.0}[setting.population]
    mixed = setting.population == "mixed"
    return Policy(
        price_floor=10**12,
        price_per_gfuel=round(PER_GFUEL * chance.lognormvariate(0, spread)),
        speed=round(5 * 10**8 * (chance.lognormvariate(0, 0.5) if mixed else 1)),
        delay_floor=chance.randrange(5, 16) if mixed else 5,
        spread=1,  # one worker may have all shards: else the best bid is not the one to win
        close_early=setting.close_early,
    )


def _reputation(population: Population, chance: Random) -> int:
    return round(1e6 * chance.uniform(0.14, 0.95)) if population == "mixed" else 140_000
