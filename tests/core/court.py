"""A court's props: tickets, a disputed unit of Bob's, and its jury's rounds, as a watcher would show them.

Bob's WASM unit for Alice, revealed and reported by Dave; the case opens at START. With DEV's windows and a vwin of
7 s a round's votes are committed until since + 12, shown until + 17, and its outcome may be appealed until + 27.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from blockedge_node.core.court import Case, CaseView, RoundView, Ticket, VoteView
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Root, Secret
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.task import Kind, Result
from blockedge_node.core.unit import Phase, ReportView, UnitView
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
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
    who,
    words,
)

ERIN, FRANK = who("erin"), who("frank")
FEE = 10**13
SEED = keccak256(b"seed of the jury")
JURORS = (CAROL, ERIN, CAROL, FRANK)  # who owns tickets, in turn
TICKETS = tuple(
    Ticket(id=i, owner=JURORS[i % len(JURORS)], staked_at=START - 1000 + i, stake=DEV.seat) for i in range(12)
)
ASKED = request(kind=Kind.WASM, program=Root(keccak256(b"program")))
HEARD = award_heard(ASKED, bid(ASKED, BOB))
RIGHT = Result(exit=0x20000, output_root=Root(keccak256(b"right")), fuel_used=9)
WRONG = Result(exit=0x20000, output_root=Root(keccak256(b"wrong")), fuel_used=9)
DONE = solved(HEARD, result=RIGHT, output=b"")
COMMITTED = committed(assigned(HEARD, START - 60), commitment_of(DONE), START - 50)
REVEALED = revealed(COMMITTED, DONE, START - 40)
REPORT = ReportView(index=1, author=DAVE, hash=Hash(keccak256(b"report")), result_hash=WRONG.hash())
DISPUTED = replace(
    REVEALED,
    phase=Phase.DISPUTED,
    since=START - 10,
    reports=(REPORT,),
    challenge_by=START - 28,
    data=words(RIGHT.hash(), REVEALED.guard or b"", (2 | (START - 28) << 8).to_bytes(32, "big")),
)
CASE = Case(
    unit=DISPUTED.unit,
    seed=SEED,
    accused=RIGHT.hash(),
    worker=BOB,
    requester=ALICE,
    accuser=DAVE,
    snapshot=DISPUTED.challenge_by,
    tickets=len(TICKETS),
    vwin=DISPUTED.terms.vwin,
    fee=FEE,
)


def in_round(
    round: int = 0,
    since: int = START,
    votes: Iterable[VoteView] = (),
    *,
    funder: Address = DAVE,
    before: Iterable[RoundView] = (),
) -> UnitView:
    """The unit before its jury: `round` began at `since`, after the rounds `before`."""
    newest = RoundView(round=round, since=since, funder=funder, votes=tuple(votes))
    case = CaseView(case=CASE, rounds=(*before, newest))
    return replace(DISPUTED, defended=Secret(b"\x6d" * 32), case=case)


def rounds(view: UnitView) -> tuple[RoundView, ...]:
    assert view.case is not None
    return view.case.rounds


def unanimous(result: Result | None, round: int = 0, since: int = START) -> UnitView:
    """All seats of `round` have shown the same; None: nobody voted."""
    shown = () if result is None else range(ROUNDS[round])
    votes = (
        VoteView(seat=i, ticket=i, hash=Hash(bytes(32)), result_hash=result.hash()) for i in shown if result
    )
    return in_round(round, since, votes)
