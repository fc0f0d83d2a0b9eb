"""A unit of kind 2 under a court: its check, its dispute and its jury, call by call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from blockedge_node.chain.deploy import Deployment
from blockedge_node.core.actions import (
    Appeal,
    CloseRound,
    CommitCheck,
    CommitReport,
    CommitVote,
    Defend,
    Demand,
    Draw,
    FineChecker,
    Reveal,
    RevealReport,
    RevealVote,
    Settle,
    ShowJury,
    Supply,
)
from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import NO_INPUT, Case, Seat, SeatProof, Ticket, seat_of
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Address, Hash, Secret
from blockedge_node.core.jury import case_outcome
from blockedge_node.core.merkle import chunks, leaves, path, root
from blockedge_node.core.sortition import ROUNDS, draw_seed, drawn, round_seed
from blockedge_node.core.task import Kind, Result
from blockedge_node.core.unit import UnitView

from .conftest import ETHER, JURORS, PARAMS, REQUESTER, WORKER, Anvil, Key
from .scene import Node, Story, mined, running

RIGHT, WRONG = 0, 1
FEE = ETHER // 10  # φ


@dataclass(kw_only=True)
class CourtStory(Story):
    """`answer` is the worker's; everybody may have another one."""

    kind: int = Kind.WASM
    spot_bps: int = 10_000  # always drawn
    check_fee: int = FEE
    hidden: bool = False  # the output stays off the chain

    @property
    def output(self) -> bytes:
        return bytes([self.answer]) * (2_000 if self.hidden else 8)

    @property
    def result(self) -> Result:
        return Result(
            exit=0, output_root=root(self.output), fuel_used=1_000, memory_hash=keccak256(b"memory")
        )

    def hash_of(self, answer: int) -> Hash:
        return replace(self, answer=answer).result.hash()

    # ── the check ────────────────────────────────────────────────────────────────────────────────────────

    def draw(self, view: UnitView) -> Draw:
        return Draw(unit=self.unit, target=view.on_chain, secret=self.draw_secret, guard_r=self.guard_r)

    def drawn(self, view: UnitView, tickets: tuple[Ticket, ...]) -> Seat:
        """Whose ticket is drawn."""
        assert view.draw is not None
        parties = {view.terms.worker, view.terms.requester}
        seat = seat_of(tickets, view.draw.seed, 0, view.committed_at, PARAMS.ticket_age, parties)
        assert seat is not None
        return seat

    def commit_check(self, view: UnitView, seat: Seat, answer: int = RIGHT) -> CommitCheck:
        hashed = self.sealed(Role.CHECKER, seat.ticket.owner, self.hash_of(answer))
        return CommitCheck(unit=self.unit, target=view.on_chain, proof=seat.proof, hash=hashed)

    def fine_checker(self, view: UnitView, proof: SeatProof) -> FineChecker:
        assert view.draw is not None
        return FineChecker(
            unit=self.unit,
            target=view.on_chain,
            draw_seed=view.draw.seed,
            committed_at=view.committed_at,
            proof=proof,
        )

    def reveal(self, view: UnitView, *, shown: bool = False) -> Reveal:
        plain = super().reveal(view)
        if self.hidden:
            plain = replace(plain, output=b"")
        return replace(plain, secret=self.draw_secret, guard_r=self.guard_r) if shown else plain

    def settle(self, view: UnitView, *, shown: bool = False) -> Settle:
        plain = super().settle(view)
        return replace(plain, secret=self.draw_secret, guard_r=self.guard_r) if shown else plain

    # ── the dispute ──────────────────────────────────────────────────────────────────────────────────────

    def accuse(self, view: UnitView, author: Key, answer: int = RIGHT) -> CommitReport:
        hashed = self.sealed(Role.REPORTER, author.address, self.hash_of(answer))
        return CommitReport(unit=self.unit, target=view.on_chain, hash=hashed)

    def open_report(self, view: UnitView, author: Address, index: int, answer: int = RIGHT) -> RevealReport:
        return RevealReport(
            unit=self.unit,
            target=view.on_chain,
            index=index,
            author=author,
            result_hash=self.hash_of(answer),
            salt=self.salt,
            request=self.signed.request,
            revealed=self.result,
            output=b"",
            evidence=b"",
        )

    def show_jury(self, view: UnitView) -> ShowJury:
        return ShowJury(
            unit=self.unit, target=view.on_chain, secret=self.draw_secret, guard_secret=self.jury_secret
        )

    def defend(self, view: UnitView, tickets: int) -> Defend:
        return Defend(unit=self.unit, target=view.on_chain, guard_secret=self.guard_secret, tickets=tickets)

    # ── what is kept back ────────────────────────────────────────────────────────────────────────────────

    def demand(self, view: UnitView, chunk: int) -> Demand:
        return Demand(unit=self.unit, target=view.on_chain, revealed=self.result, chunk=chunk)

    def supply(self, view: UnitView, chunk: int) -> Supply:
        cut = list(chunks(self.output))
        index = min(chunk, len(cut) - 1)
        return Supply(
            unit=self.unit,
            target=view.on_chain,
            revealed=self.result,
            chunk=chunk,
            count=len(cut),
            data=cut[index],
            path=path(leaves(self.output), index),
        )

    # ── the jury ─────────────────────────────────────────────────────────────────────────────────────────

    def vote(self, case: Case, round: int, seat: int, sits: Seat, answer: int | None) -> CommitVote:
        hashed = self.sealed(Role.JUROR, sits.ticket.owner, self.voted(answer), round=round, seat=seat)
        attempt = sits.proof.attempt
        return CommitVote(unit=self.unit, case=case, round=round, seat=seat, attempt=attempt, hash=hashed)

    def show_vote(self, case: Case, round: int, seat: int, answer: int | None) -> RevealVote:
        return RevealVote(
            unit=self.unit, case=case, round=round, seat=seat, result_hash=self.voted(answer), salt=self.salt
        )

    def appeal(self, view: UnitView) -> Appeal:
        assert view.case is not None
        round = len(view.case.rounds)
        value = ROUNDS[round] * view.case.case.fee
        return Appeal(unit=self.unit, case=view.case.case, round=round, value=value)

    def close_round(self, view: UnitView) -> CloseRound:
        assert view.case is not None
        right = case_outcome(view.case.case, view.case.rounds).right
        return CloseRound(unit=self.unit, target=view.on_chain, case=view.case.case, final_hash=right)

    def voted(self, answer: int | None) -> Hash:
        return NO_INPUT if answer is None else self.hash_of(answer)

    def sealed(self, role: Role, author: Address, result: Hash, **place: int) -> Hash:
        return commitment(self.domain, self.unit, role, author, result, self.salt, **place)


def seats(view: UnitView, tickets: tuple[Ticket, ...], round: int) -> dict[int, Seat]:
    """Who sits in a round; empty seats are left out."""
    assert view.case is not None
    case = view.case.case
    parties = {case.worker, case.requester, *(report.author for report in view.reports)}
    found = {
        seat: seat_of(tickets, round_seed(case.seed, round), seat, case.snapshot, PARAMS.ticket_age, parties)
        for seat in range(ROUNDS[round])
    }
    return {seat: sits for seat, sits in found.items() if sits is not None}


@dataclass
class Town:
    """A requester, a worker and jurors with tickets, all of them running."""

    anvil: Anvil
    deployed: Deployment
    nodes: Mapping[Address, Node]

    @property
    def requester(self) -> Node:
        return self.nodes[REQUESTER.address]

    @property
    def worker(self) -> Node:
        return self.nodes[WORKER.address]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        return self.requester.heads[-1].tickets

    def story(self, **changes: object) -> CourtStory:
        return CourtStory(
            domain=Domain(self.deployed.chain_id, self.deployed.block_edge),
            requester=REQUESTER,
            worker=WORKER,
            now=self.requester.heads[-1].head.time,
            **changes,  # type: ignore[arg-type]
        )

    def undrawn(self, **changes: object) -> CourtStory:
        """A unit that its secret shows undrawn, at the least rate there is."""
        told = self.story(spot_bps=PARAMS.spot_bps_min, **changes)
        while drawn(draw_seed(told.draw_secret, told.commitment), told.spot_bps):
            told = replace(told, salt=Secret(keccak256(told.salt)))
        return told

    async def caught_up(self) -> None:
        for node in self.nodes.values():
            await node.caught_up(self.anvil)

    async def warp(self, until: int) -> None:
        """The first block whose time is past `until`, seen by all."""
        now = int(self.anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.anvil.mine(warp=max(0, until + 1 - now))
        await self.caught_up()

    def view(self, story: CourtStory) -> UnitView:
        """What the requester sees at the newest head."""
        view = self.requester.view(story.unit)
        assert view is not None
        return view


@asynccontextmanager
async def town(anvil: Anvil, deployed: Deployment, *, staked: int = 4) -> AsyncIterator[Town]:
    """Everybody has a balance, and each juror `staked` tickets that are old enough to be drawn."""
    keys = (REQUESTER, WORKER, *JURORS)
    async with AsyncExitStack() as stack:
        nodes = {key.address: await stack.enter_async_context(running(anvil, deployed, key)) for key in keys}
        here = Town(anvil, deployed, nodes)
        await mined(anvil, *(node.chain.fund(200 * ETHER) for node in nodes.values()))
        jurors = [nodes[key.address] for key in JURORS]
        await mined(anvil, *(node.chain.stake() for node in jurors for _ in range(staked)))
        anvil.mine(warp=PARAMS.ticket_age + 1)
        await here.caught_up()
        yield here
