"""The reference model: give it a call, and it says what comes of it.

    model = Model(params, domain, now)
    outcome = model.call(Call(sender=alice, name="fund", value=10**18))
    outcome.refused   why it reverts: names, of which the contract may give any; empty if it does not
    outcome.events    what it logs, in order
    model.world       what is so afterwards

Time moves only by `model.world.enter(time)`: the next block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blockedge_node.core.hashing import Domain
from blockedge_node.core.params import Params
from tests.model import (
    auctioning,
    checking,
    court,
    disputing,
    escrow,
    living,
    registering,
    reporting,
    supplying,
    tickets,
)
from tests.model.calls import GAS, Call
from tests.model.objections import Refused
from tests.model.world import Event, World

CALLS: dict[str, Callable[..., None]] = {
    "fund": escrow.fund,
    "exit": escrow.exit,
    "withdraw": escrow.withdraw,
    "flushBurn": escrow.flush_burn,
    "award": registering.award,
    "awardCommit": registering.award_commit,
    "announce": auctioning.announce,
    "postBid": auctioning.post_bid,
    "closeAuction": auctioning.close_auction,
    "commit": living.commit,
    "reveal": living.reveal,
    "settle": living.settle,
    "timeout": living.timeout,
    "commitReport": reporting.commit_report,
    "revealReport": reporting.reveal_report,
    "closeReports": reporting.close_reports,
    "draw": checking.draw,
    "commitCheck": checking.commit_check,
    "fineChecker": checking.fine_checker,
    "demand": supplying.demand,
    "supply": supplying.supply,
    "showJury": disputing.show_jury,
    "defend": disputing.defend,
    # to the Court
    "stake": tickets.stake,
    "unstake": tickets.unstake,
    "withdrawTicket": tickets.withdraw_ticket,
    "collect": tickets.collect,
    "commitVote": court.commit_vote,
    "revealVote": court.reveal_vote,
    "appeal": court.appeal,
    "closeRound": court.close_round,
    # from one contract to the other
    "rule": disputing.rule_by_anybody,
    "open": tickets.by_anybody,
    "take": tickets.by_anybody,
}
PAYABLE = frozenset({"fund", "stake", "appeal"})


@dataclass(frozen=True, slots=True)
class Outcome:
    refused: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()


class Model:
    def __init__(self, params: Params, domain: Domain, now: int) -> None:
        self.world = World(params, domain, now)

    def call(self, call: Call) -> Outcome:
        world = self.world
        world.events.clear()
        world.paid_out.clear()
        world.starved = call.gas < GAS
        value: tuple[Any, ...] = (call.value,) if call.name in PAYABLE else ()
        try:
            CALLS[call.name](world, call.sender, *value, *call.args)
        except Refused as refused:
            return Outcome(refused=refused.reasons)
        return Outcome(events=tuple(world.events))
