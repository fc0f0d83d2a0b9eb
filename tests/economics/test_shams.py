"""Worker, requester and ticket holders in one hand: a dispute for show brings them nothing, on the real contracts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from blockedge_node.core.ids import Secret
from blockedge_node.core.sortition import ROUNDS, jury_seed, salts_mix
from blockedge_node.experiments.economics.payoffs import BEFORE, BURNED, Ending, moves
from blockedge_node.wire.params import load_params

from .scripts import Chain, Played, Script, play, secret, ticket_name

PARAMS = load_params((Path(__file__).parents[2] / "config" / "params.dev.json").read_text())
OWN = tuple(map(ticket_name, range(3)))  # of ten: f = 0.3
COALITION = ("worker", "requester", "backer", *OWN)


def letters(played: Played, s_w: Secret) -> tuple[str, str] | None:
    """Own seats vote "forged", the others are honest; the second round ends in a tie that the lowest seat, an own
    one, decides. None if this secret seats another jury."""
    salts = [secret("report", played.unit, 1)]  # the requester's own
    seed = jury_seed(s_w, played.secrets.guard_secret, salts_mix(salts))
    found = []
    for number in (0, 1):
        seats = played.seated(seed, number, played.chain.now)
        found.append("".join("f" if seat and ticket_name(seat.ticket.id) in OWN else "w" for seat in seats))
    first, second = found
    if first.count("f") < 3 or second.count("f") != 6 or second[0] != "f":
        return None
    last = second.rindex("f")
    return first, second[:last] + "-" + second[last + 1 :]


def secrets() -> Iterator[Secret]:
    return (secret("tried", attempt) for attempt in count())


def sham(chain: Chain) -> Script:
    """A false accusation by the requester, of its own worker, with a jury that they picked before they began."""
    script = Script(
        ending=Ending.RULED, reports=(("requester", "f"),), rounds=("w" * ROUNDS[0],), funders=("backer",)
    )
    played = Played(chain, script, nonce=1)
    s_w, rounds = next((s, found) for s in secrets() if (found := letters(played, s)) is not None)
    return replace(script, s_w=s_w, rounds=rounds)


def test_sham_dispute_brings_nothing() -> None:
    """What it pays into pots is all that comes out of them; the fines of honest jurors burn."""
    chain = Chain(PARAMS)
    story, moved = play(chain, sham(chain))
    assert moved == moves(story)
    fee = story.stakes.fee
    own_seats = sum(g.count for r in story.rounds for g in r.seats if g.owner in OWN)
    assert sum(moved.get(who, 0) for who in COALITION) == -fee  # of the silent one
    lost = sum(amount for who, amount in moved.items() if who.startswith("ticket") and who not in OWN)
    assert lost == -10 * fee * (5 + 11 - own_seats)
    assert moved[BURNED] == fee - lost, "every fine, and nothing else"


def test_sham_dispute_took_from_honest_jurors_before_fines_burned() -> None:
    chain = Chain(PARAMS)
    story, _ = play(chain, sham(chain))
    fee = story.stakes.fee
    own_seats = sum(g.count for r in story.rounds for g in r.seats if g.owner in OWN)
    moved = moves(replace(story, rules=BEFORE))
    gained = sum(moved.get(who, 0) for who in COALITION)
    assert gained == (own_seats - 2) * fee + 11 * fee // 10  # fees of all but the silent one, and a premium
