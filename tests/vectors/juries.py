"""How juries end: jury.json. Seats are drawn by the seat rule, so the contract plays the very same trials."""

from __future__ import annotations

from collections.abc import Sequence

from columns import Json, Source, table

from blockedge_node.core import court, jury, sortition
from blockedge_node.core.court import NO_INPUT, Case, RoundView, Ticket, VoteView
from blockedge_node.core.hashing import hash_words, keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, UnitId

FEE = 3 * 10**14
SEAT = 10**16
RIGHT = keccak256(b"the worker's result")

# One letter a seat: R the worker's hash, N no input, another letter another hash, h hidden, "." stayed away.
ROUND_0 = (
    "RRRRR WWWWW NNNNN ..... hhhhh WWWRR WWW.. WWWhh WWRR. RRWW. RRW.. RR... R.... WW... WWXXR RRWXY NN... "
    "NNRR. RRNN. NNNRR NNWWR NNWRR RNWW. R.hWW XXWWR XWWRh .R... h.RWW W.... WXYZN"
).split()
ROUND_1 = (
    "RRRRWWWXXX. RRRWWXX.... WWWWWWRRRRR WWWWW...... WWWWWRRRRRR NNNNRRRWWW. NNNNRRRRWWW hhhhhhWWWWW "
    "........... RRRRRRRRRRR WWWWWWXXXXX XXXXXWWWWWW RRRRWWWWXXX"
).split()
ROUND_2 = (
    "WWWWWWWWWWWWRRRRRRRRRRR WWWWWWWWWWWRRRRRRRR.... RRRRRRRR............... RRRRRRR................ "
    "RRRRRRRRWWWWWWWWXXXXXXX NNNNNNNNNRRRRRRRRWWWWWW ....................... hhhhhhhhhhhhhhhhhhhhhhh"
).split()


def hash_of(letter: str) -> Hash:
    return {"R": RIGHT, "N": NO_INPUT}.get(letter) or keccak256(letter.encode().ljust(32, b"\0"))


def votes(letters: str, tickets: Sequence[int | None]) -> tuple[VoteView, ...]:
    """The votes of a round; nobody votes from an empty seat."""
    return tuple(
        VoteView(
            seat=seat,
            ticket=ticket,
            hash=ZERO_HASH,
            result_hash=None if letter == "h" else hash_of(letter),
        )
        for seat, (letter, ticket) in enumerate(zip(letters, tickets, strict=True))
        if letter != "." and ticket is not None
    )


def outcomes() -> Json:
    rows = []
    for round, trials in enumerate((ROUND_0, ROUND_1, ROUND_2)):
        for letters in trials:
            shown = votes(letters, [0] * len(letters))
            outcome = jury.outcome_of(shown, round, RIGHT)
            rows.append({"round": round, "votes": letters, "outcome": outcome.phase, "right": outcome.right})
    return table(rows)


def rulings() -> Json:
    source = Source("jury")
    rows = []

    def add(rounds: Sequence[str], *, size: int, low: int = 0, silent: bool = False, short: int = 0) -> None:
        """`low`: every so many-th ticket holds a few fees only. `silent`: ticket 0 pays 10 fees, or `short`."""
        task, accuser = source.word(), ZERO_ADDRESS if silent else Address(source.address())
        stakes = [SEAT for _ in range(size)]
        for i in range(size):
            if low and i % low == 0:
                stakes[i] = source.below(12 * FEE)
        if short:
            stakes[0] = short
        before = list(stakes)
        pot = min(10 * FEE, stakes[0]) if silent else 5 * FEE
        if silent:
            stakes[0] -= pot
        case = Case(
            unit=UnitId(hash_words(task, 0)),
            seed=source.word(),
            accused=RIGHT,
            worker=Address(source.address()),
            requester=Address(source.address()),
            accuser=accuser,
            snapshot=0,
            tickets=size,
            vwin=7,
            fee=FEE,
        )
        crowd = [Ticket(id=i, owner=Address(i.to_bytes(20, "big")), staked_at=0) for i in range(size)]

        def sitting(round: int, seat: int) -> int | None:
            found = court.seat_of(crowd, sortition.round_seed(case.seed, round), seat, 0, 0, ())
            return found.ticket.id if found else None

        funders = [Address(source.address()) for _ in rounds]
        views = [
            RoundView(
                round=r,
                since=0,
                funder=funders[r],
                votes=votes(letters, [sitting(r, seat) for seat in range(len(letters))]),
            )
            for r, letters in enumerate(rounds)
        ]
        ruling = jury.ruling(case, views, pot=pot, sitting=sitting, stakes=dict(enumerate(stakes)))
        for move in ruling.moves:
            stakes[move.ticket] += move.amount
        rows.append(
            {
                "task": task,
                "seed": case.seed,
                "accuser": accuser,
                "fromTicket": silent,
                "votes": "/".join(rounds),
                "stakes": amounts(before),
                "funder1": ruling.funders[1],
                "funder2": ruling.funders[2],
                "outcome": ruling.outcome.phase,
                "finalHash": ruling.outcome.right,
                "pool": ruling.pool,
                "fines": ruling.fines,
                "due0": ruling.dues[0],
                "due1": ruling.dues[1],
                "due2": ruling.dues[2],
                "stakesAfter": amounts(stakes),
            }
        )

    for letters in ROUND_0:
        add([letters], size=12)
    for i, letters in enumerate(ROUND_1):
        add([ROUND_0[i % 9], letters], size=12)
        add([ROUND_0[(i * 5 + 2) % len(ROUND_0)], letters], size=3, low=2)
    for i, letters in enumerate(ROUND_2):
        add([ROUND_0[i % 7], ROUND_1[i], letters], size=9, low=3)
    add(["RRRRR"], size=5, silent=True)
    add(["WWWRR"], size=5, silent=True)
    add(["WW..."], size=5, silent=True, short=FEE + 1)
    add(["RRRRR"], size=4, silent=True, short=3 * FEE + 5)  # a pot that does not reach for five fees
    add(["....."], size=0)
    add(["WWRRh", "WWWWWWRRRRR"], size=0)
    add(["WWWWW", "RRRRRRRRRRR", "WWWWWWWWWWWWRRRRRRRRRRR"], size=1)
    return table(rows)


def amounts(values: Sequence[int]) -> bytes:
    """Wei, 16 bytes each, joined."""
    return b"".join(value.to_bytes(16, "big") for value in values)


def juries() -> Json:
    return {
        "fee": str(FEE),
        "seat": str(SEAT),
        "accused": "0x" + RIGHT.hex(),
        "noInput": "0x" + NO_INPUT.hex(),
        "outcome": outcomes(),
        "ruling": rulings(),
    }
