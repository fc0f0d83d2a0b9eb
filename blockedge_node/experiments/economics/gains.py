"""The table of expected gains: the best that every coalition of one, two or three can make of one unit.

*Honest play* is the first play in every node. A profile is *harmful* if it leaves an outsider worse off than honest
play would: a party of the unit at all, a checker, detector or juror only if it ends with less than nothing, as
nobody has a claim to be drawn. Any other profile is *harmless*. The verdict is that no coalition gains by a harmful
profile over honest play and over its own best harmless one: conspirators may save themselves work, but not at
another's expense.

A gain is affine in price and deposit for a fixed profile (but for floors and for dues that a purse cannot pay), so
the best is convex in them: the corners of the allowed range decide, and a few points within guard against kinks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import inf

from blockedge_node.core.params import Params
from blockedge_node.core.selection import DEPOSIT_TIMES
from blockedge_node.experiments.economics.payoffs import SHIPPED, Rules, Stakes, Who
from blockedge_node.experiments.economics.plays import Game, Node, Opening
from blockedge_node.experiments.economics.setting import (
    REQUESTER,
    WORKER,
    Amount,
    Coalition,
    Member,
    Play,
    Setting,
    Utility,
)

NODES = tuple(Node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A whole strategy of a coalition for one unit."""

    does: str
    worth: Amount  # to the coalition
    harmed: tuple[tuple[Who, Amount | None], ...]  # and by how much, if known


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The worst setting for one coalition, in units of φ."""

    coalition: Coalition
    setting: Setting
    honest: Amount
    harmless: Profile
    harmful: Profile | None  # None: whatever it does, no outsider is worse off

    @property
    def gain(self) -> float:
        """Of the best harmful profile over honest play, in φ."""
        return self._over(self.honest)

    @property
    def excess(self) -> float:
        """The same over the best harmless profile."""
        return self._over(max(self.honest, self.harmless.worth))

    @property
    def saved(self) -> float:
        """Of the best harmless profile over honest play, in φ: work not done, draws avoided."""
        return in_fees(self.harmless.worth - self.honest, self.setting)

    @property
    def violated(self) -> bool:
        return self.harmful is not None and self.harmful.worth > max(self.honest, self.harmless.worth)

    def _over(self, reference: Amount) -> float:
        return -inf if self.harmful is None else in_fees(self.harmful.worth - reference, self.setting)


def in_fees(amount: Amount, setting: Setting) -> float:
    return float(Fraction(amount) / setting.stakes.fee)


def coalitions() -> Iterator[Coalition]:
    """All of one, two and three members."""
    for size in (1, 2, 3):
        for members in combinations(Member, size):
            yield Coalition(frozenset(members))


def stakes_grid(params: Params) -> Iterator[Stakes]:
    """Corners of what `award` accepts, and points between: (price, deposit) in φ, φ at its most or as small as
    makes the greatest deposit a million of it. A price below c = φ/2 nobody works for."""
    most = 10 * params.seat
    for price, times in (
        (Fraction(1, 2), 20),
        (Fraction(1), 100),
        (Fraction(1, 2), 10**6),
        (Fraction(50_000), 10**6),
    ):
        fee = min(params.seat // 10, most // times)
        stakes = Stakes(
            price=int(price * fee), deposit=times * fee, fee=fee, fee_bps=params.fee_bps, seat=params.seat
        )
        assert DEPOSIT_TIMES * max(stakes.price, fee) <= stakes.deposit <= most
        yield stakes


def settings(
    params: Params, *, share: Fraction, appeals: bool = True, rules: Rules = SHIPPED
) -> Iterator[Setting]:
    rate = Fraction(params.spot_bps_min, 10_000)
    for stakes in stakes_grid(params):
        for watched in (False, True):
            yield Setting(
                stakes=stakes,
                cost=stakes.fee // 2,
                share=share,
                rate=rate,
                watched=watched,
                appeals=appeals,
                rules=rules,
            )


def worst(coalition: Coalition, choice: list[Setting]) -> Row:
    """The row of the setting in which a harmful profile brings most."""
    return max((row_of(coalition, setting) for setting in choice), key=lambda row: (row.excess, row.gain))


def row_of(coalition: Coalition, setting: Setting) -> Row:
    game = Game(coalition, setting)
    chances = _chances(coalition, setting)
    honest = _sum([(chances[node], game.plays(Opening.WORK, node)[0]) for node in chances])
    profiles = [_profile(coalition, honest, does, parts) for does, parts in _profiles(game, chances)]
    harmless = max((p for p in profiles if not p.harmed), key=lambda p: p.worth)
    harmful = max((p for p in profiles if p.harmed), key=lambda p: p.worth, default=None)
    return Row(
        coalition=coalition,
        setting=setting,
        honest=coalition.worth(honest),
        harmless=harmless,
        harmful=harmful,
    )


def _chances(coalition: Coalition, setting: Setting) -> dict[Node, Fraction]:
    own = setting.rate * setting.share if coalition.draws else Fraction(0)
    chances = {Node.UNDRAWN: 1 - setting.rate, Node.OWN: own, Node.OTHER: setting.rate - own}
    return {node: chance for node, chance in chances.items() if chance}


def _profiles(game: Game, chances: dict[Node, Fraction]) -> Iterator[tuple[str, list[tuple[Fraction, Play]]]]:
    """Every opening with every choice of plays; worker and requester together also choose the draw."""
    both = {Member.WORKER, Member.REQUESTER} <= game.coalition.members
    draws = [chances, *({node: Fraction(1)} for node in chances if both)]
    for opening in game.openings():
        ended = game.nodeless(opening)
        if ended is not None:
            yield opening.value, [(Fraction(1), ended)]
            continue
        plays = {node: game.plays(opening, node) for node in chances}
        for draw in draws:
            for course in product(*(plays[node] for node in draw)):
                does = [
                    f"{play.does} if {node.value}"
                    for node, play in zip(draw, course, strict=True)
                    if play.does
                ]
                yield "; ".join([opening.value, *does]), list(zip(draw.values(), course, strict=True))


def _profile(coalition: Coalition, honest: Utility, does: str, parts: list[tuple[Fraction, Play]]) -> Profile:
    utility = _sum(parts)
    harmed: list[tuple[Who, Amount | None]] = [(who, None) for _, play in parts for who in play.harms]
    for who in sorted(honest.keys() | utility.keys()):
        due = honest.get(who, 0) if who in (WORKER, REQUESTER) else min(0, honest.get(who, 0))
        lost = due - utility.get(who, 0)
        if who not in coalition.purses and lost > 0:
            harmed.append((who, lost))
    return Profile(does=does, worth=coalition.worth(utility), harmed=tuple(harmed))


def _sum(parts: list[tuple[Fraction, Play]]) -> Utility:
    total: Utility = {}
    for chance, play in parts:
        for who, amount in play.utility.items():
            total[who] = total.get(who, 0) + chance * amount
    return total
