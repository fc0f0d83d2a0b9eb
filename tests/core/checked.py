"""A spot check's props: Bob's WASM unit for Alice before a court, with the secrets that draw it and that do not.

With DEV's windows and a vwin of 7 s: committed at START, secretBy is START + 6, checkBy + 13, revealBy + 23. Every
ticket but two of Alice's and Bob's own is Carol's, so that she is the drawn checker.
"""

from __future__ import annotations

from dataclasses import replace

from blockedge_node.core.checker import Checker
from blockedge_node.core.checker import begin as begin_check
from blockedge_node.core.commitment import DrawSecrets
from blockedge_node.core.court import DrawView, Ticket
from blockedge_node.core.events import SecretHeard, WorkSolved
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Root, Secret
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Kind, Result
from blockedge_node.core.unit import CHECK_MISSED, MARKED_DRAWN, SECRET_SHOWN, Phase, ReportView, UnitView
from blockedge_node.core.world import World
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DEV,
    START,
    assigned,
    award_heard,
    bid,
    commitment_of,
    committed,
    request,
    revealed,
    solved,
    words,
    world,
)

COURT: Params = replace(DEV, court=Address(b"\xc0" * 20))
OWNERS = (CAROL, ALICE, CAROL, BOB, CAROL)
TICKETS = tuple(
    Ticket(id=i, owner=OWNERS[i % 5], staked_at=START - 1000 + i, stake=DEV.seat) for i in range(10)
)
FEE = 10**12
ASKED = request(kind=Kind.WASM, program=Root(keccak256(b"program")), spot_bps=5_000, check_fee=FEE)
OFFER = bid(ASKED, BOB)
RIGHT = Result(exit=0x20000, output_root=Root(keccak256(b"right")), fuel_used=9)
WRONG = replace(RIGHT, output_root=Root(keccak256(b"wrong")))


def _secrets(number: int) -> DrawSecrets:
    return DrawSecrets(
        secret=Secret(keccak256(b"secret %d" % number)), guard_secret=Secret(keccak256(b"s_R %d" % number))
    )


def _work(secrets: DrawSecrets) -> WorkSolved:
    return solved(award_heard(ASKED, OFFER, draw_commit=secrets.commit), result=RIGHT, output=b"")


def _draws(number: int) -> bool:
    secrets = _secrets(number)
    return drawn(draw_seed(secrets.secret, commitment_of(_work(secrets))), ASKED.spot_bps)


DRAWS = _secrets(next(i for i in range(99) if _draws(i)))
PASSES = _secrets(next(i for i in range(99) if not _draws(i)))


class Unit:
    """The unit in each of its phases, for an Award with these secrets."""

    def __init__(self, secrets: DrawSecrets) -> None:
        self.secrets = secrets
        self.heard = award_heard(ASKED, OFFER, draw_commit=secrets.commit)
        self.done = _work(secrets)
        shown = commitment_of(self.done)
        plain = committed(assigned(self.heard, START - 9), shown, START)
        self.committed = replace(plain, committed_at=START)
        self.unit = plain.unit
        seed = draw_seed(secrets.secret, shown)
        draw = DrawView(secret=secrets.secret, guard_r=secrets.guard_r, seed=seed)
        self.marked = replace(self.committed, draw=draw, data=words(shown, seed))
        self.secret = SecretHeard(unit=plain.unit, secret=secrets.secret, guard_r=secrets.guard_r)

    def checked(self, hashed: Hash, author: Address = CAROL) -> UnitView:
        return replace(self.marked, reports=(ReportView(index=0, author=author, hash=hashed),))

    def shown(self, view: UnitView, since: int = START + 20, flags: int | None = None) -> UnitView:
        """Revealed: of a marked unit with the flags that follow, of another as if its secret were shown."""
        if flags is None:
            flags = SECRET_SHOWN
            flags |= MARKED_DRAWN if view.draw else 0
            flags |= CHECK_MISSED if view.draw and view.check is None else 0
        shown = revealed(view, self.done, since)
        first, second = shown.data[:2]
        return replace(shown, flags=flags, data=words(first, second, flags.to_bytes(32, "big")))

    def disputed(self, view: UnitView, since: int = START + 50) -> UnitView:
        snapshot = view.since + 12
        flags = (view.flags | snapshot << 8).to_bytes(32, "big")
        data = words(view.data[0], view.data[1], flags)
        return replace(view, phase=Phase.DISPUTED, since=since, challenge_by=snapshot, data=data)


DRAWN, UNDRAWN = Unit(DRAWS), Unit(PASSES)


def before_court(me: Address, at: int = START, **policy: object) -> World:
    return replace(world(me, at, **policy), params=COURT, tickets=TICKETS)


def checking() -> Checker:
    checker, _ = begin_check(DRAWN.marked, before_court(CAROL))
    return checker
