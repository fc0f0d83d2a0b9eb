"""Draws from the committed secrets of opposed parties; no block value enters one (docs/protocol.md §6.2).

The spot check: the requester fixed `secret` in its Award, the worker's commitment hides a salt, so neither
steers whether a unit is drawn. The jury: s_W, s_R and the salts of all revealed reports, each fixed before
its owner could know the others'. Every product is ABI-encoded words under keccak256, as in contracts/src
(invariant 17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from blockedge_node.core.hashing import hash_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Hash, Secret

TRIES = 8  # tickets looked at for one seat before it stays empty
ROUNDS = (5, 11, 23)  # seats of a jury's rounds (§6.5)


def draw_seed(secret: Secret, commitment: Hash) -> Hash:
    return hash_words(secret, commitment)


def drawn(seed: Hash, spot_bps: int) -> bool:
    """Whether the unit behind `seed` is spot-checked, at a rate of `spot_bps` in 10 000."""
    return int.from_bytes(seed, "big") % 10_000 < spot_bps


def salts_mix(salts: Iterable[Secret]) -> Hash:
    """`seedAcc`: XOR of the first half of keccak256(salt) over all revealed reports, so their order does not matter;
    half a word fits the docket's slot. The other half is 0."""
    mix = 0
    for salt in salts:
        mix ^= int.from_bytes(keccak256(salt)[:16], "big")
    return Hash(mix.to_bytes(16, "big") + bytes(16))


def jury_seed(guard_secret_w: Secret, guard_secret_r: Secret | None, mix: Hash) -> Hash:
    """seed₀; s_R counts as 0 if the requester did not show it by DEFEND/2."""
    return hash_words(guard_secret_w, guard_secret_r or ZERO_HASH, mix)


def round_seed(seed: Hash, round: int) -> Hash:
    """The seed of jury round 0, 1 or 2: the first is seed₀ itself."""
    return seed if round == 0 else hash_words(seed, round)


def ticket_index(seed: Hash, seat: int, attempt: int, n_snap: int) -> int:
    """The ticket looked at for `seat` at its `attempt`-th try, of `n_snap` > 0 tickets in the snapshot."""
    return int.from_bytes(hash_words(seed, seat, attempt), "big") % n_snap


def seat_ticket(seed: Hash, seat: int, n_snap: int, may_sit: Callable[[int], bool]) -> int | None:
    """The ticket that sits, or None: an empty seat. `may_sit(index)`: live and no party's (invariant 11)."""
    if n_snap == 0:
        return None
    tries = (ticket_index(seed, seat, attempt, n_snap) for attempt in range(TRIES))
    return next((index for index in tries if may_sit(index)), None)
