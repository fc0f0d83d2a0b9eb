"""What a dishonest node does instead: one class a part, each of a few lines.

A part says which of the node's actions it changes; everything else stays honest, the decisions above all: a cheat
does not think otherwise, it acts otherwise. Made-up results follow from the unit alone, so that a coalition can tell
the same lie without talking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog
import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    Appeal,
    AwardCommit,
    Check,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
    DeliverResult,
    Draw,
    FetchInput,
    PublishSecret,
    RegisterAward,
    Reveal,
    RevealReport,
    SendAward,
    Settle,
    ShowJury,
    Solve,
    Supply,
)
from blockedge_node.core.commitment import Role
from blockedge_node.core.events import AckHeard, BidHeard, Checked, Event, WorkSolved
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Root, UnitId
from blockedge_node.core.job import WasmJob
from blockedge_node.core.task import Award, Kind, Request, Result
from blockedge_node.errors import BlockEdgeError
from blockedge_node.performer import NO_OUTPUT

if TYPE_CHECKING:
    from blockedge_node.devnet.cheats import Cheat

Lie = Callable[[Any, Any], Awaitable[Event | None]]
ACCUSATION: Final = Result(exit=0, output_root=merkle.root(b"an accusation"), fuel_used=1)

log = structlog.get_logger("cheat")


def made_up(request: Request, unit: UnitId, shard: int) -> tuple[Result, bytes]:
    """A result that nobody computed, and its output: the same whoever makes it up."""
    if request.kind == Kind.POW:
        output = (shard + 1).to_bytes(8, "big")
        return Result(exit=0, output_root=merkle.root(output)), output
    output = b"nobody computed this " + unit[:4]
    fuel, memory = request.fuel // 2, keccak256(unit)
    return Result(exit=0, output_root=merkle.root(output), fuel_used=fuel, memory_hash=memory), output


class Liar:
    """An honest part, and what the others share."""

    def __init__(self, node: Cheat) -> None:
        self.node = node

    def lie(self, action: Action) -> Lie | None:
        """What to do instead of `action`, or None to stay honest."""
        return None

    async def do_nothing(self, action: Action, tries: Any) -> Event | None:
        """Stay busy with it for ever: the engine ends it when it is no longer due."""
        await trio.sleep_forever()
        raise AssertionError

    def solved(self, action: Solve, result: Result, output: bytes) -> WorkSolved:
        if result.output_root != NO_OUTPUT:
            self.node.content.put(output)
        return WorkSolved(
            unit=action.unit,
            award=action.award,
            result=result,
            output=output if len(output) <= merkle.CHUNK else b"",
            salt=self.node.chance.secret(),
            guard_secret=self.node.chance.secret(),
        )

    def checked(self, action: Check, result: Result | None) -> Checked:
        return Checked(
            unit=action.unit,
            wrong=True,
            result=result,
            evidence=b"",
            salt=self.node.chance.secret(),
            role=action.role,
        )


# ── workers ──────────────────────────────────────────────────────────────────────────────────────────────


class Impostor(Liar, ABC):
    """Answers what it did not work out, and knows better than to pay for a second jury."""

    def lie(self, action: Action) -> Lie | None:
        if isinstance(action, Appeal):
            return self.do_nothing
        return self.answer if isinstance(action, Solve) else None

    @abstractmethod
    async def answer(self, action: Solve, tries: Any) -> Event | None:
        """Instead of solving it."""


class Fabricate(Impostor):
    """Answers without working: a made-up nonce, or output that nobody computed."""

    async def answer(self, action: Solve, tries: Any) -> Event:
        return self.solved(action, *made_up(action.request, action.unit, action.shard))


class Lazy(Impostor):
    """Does half of the work: the program runs, over the first half of its input."""

    async def answer(self, action: Solve, tries: Any) -> Event:
        await self.node.content.fetch_task(action.request, action.shard)
        job = self.node.content.job(action.request, action.shard)
        if isinstance(job, WasmJob):
            job = replace(job, stdin=job.stdin[: len(job.stdin) // 2])
        outcome = await self.node.executor.run(job, wall=action.wall)
        return self.solved(action, outcome.result, outcome.output)


class Guess(Impostor):
    """Knows the output, as it is always the same or easily told, and guesses how much fuel a run takes."""

    async def answer(self, action: Solve, tries: Any) -> Event | None:
        solved = await self.node.honest(action, tries)
        if not isinstance(solved, WorkSolved):
            return solved
        return replace(solved, result=replace(solved.result, fuel_used=action.request.fuel // 2))


class RefuseEarly(Liar):
    """Bids, wins, and never acknowledges."""

    def lie(self, action: Action) -> Lie | None:
        return self.do_nothing if isinstance(action, FetchInput) else None


class Refuse(Liar):
    """Acknowledges, then neither works nor delivers."""

    def lie(self, action: Action) -> Lie | None:
        idle = (Solve, DeliverResult, RegisterAward, AwardCommit, CommitResult)
        return self.do_nothing if isinstance(action, idle) else None


class Withhold(Liar):
    """Commits and never reveals."""

    def lie(self, action: Action) -> Lie | None:
        return self.do_nothing if isinstance(action, Reveal) else None


class WithholdOutput(Liar):
    """Does the work, shows its root, and gives the output to nobody, whoever demands it."""

    def lie(self, action: Action) -> Lie | None:
        if isinstance(action, (DeliverResult, Supply)):
            return self.do_nothing
        return self.work if isinstance(action, Solve) else None

    async def work(self, action: Solve, tries: Any) -> Event | None:
        solved = await self.node.honest(action, tries)
        if isinstance(solved, WorkSolved):
            self.node.hide(solved.result.output_root)
            solved = replace(solved, output=b"")
        return solved


# ── requesters ───────────────────────────────────────────────────────────────────────────────────────────


class HideSecret(Liar):
    """Never shows the draw secret: nobody is checked, nobody earns reputation."""

    def lie(self, action: Action) -> Lie | None:
        hidden = (PublishSecret, Draw, ShowJury, Settle)
        return self.do_nothing if isinstance(action, hidden) else None


class WithholdInput(Liar):
    """As a requester or as its worker: serves the input to nobody, once the worker has it."""

    def lie(self, action: Action) -> Lie | None:
        return self.hide if isinstance(action, (SendAward, AwardCommit)) else None

    async def hide(self, action: SendAward | AwardCommit, tries: Any) -> Event | None:
        request = action.signed.request if isinstance(action, SendAward) else None
        if isinstance(action, AwardCommit):
            request = action.registration.signed.request
            self._hide(request)
            return await self.node.honest(action, tries)
        answer = await self.node.honest(action, tries)
        if isinstance(answer, AckHeard) and request:
            self._hide(request)
        return answer

    def _hide(self, request: Request) -> None:
        listing = self.node.content.get(request.input_root) or b""
        shards = (Root(listing[i : i + 32]) for i in range(0, len(listing), 32))
        self.node.hide(request.input_root, *shards)


class Equivocate(Liar):
    """Awards every shard twice, to two workers at once."""

    def __init__(self, node: Cheat) -> None:
        super().__init__(node)
        self._bids: list[BidHeard] = []
        emit = node.gossip.emit

        async def listen(event: Event) -> None:
            if isinstance(event, BidHeard):
                self._bids.append(event)
            await emit(event)

        node.gossip.emit = listen

    def lie(self, action: Action) -> Lie | None:
        return self.award_twice if isinstance(action, SendAward) else None

    async def award_twice(self, action: SendAward, tries: Any) -> Event | None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._award_another, action)
            return await self.node.honest(action, tries)

    async def _award_another(self, action: SendAward) -> None:
        signed = action.signed
        place = (signed.bid.task, signed.bid.shard)
        others = (heard for heard in self._bids if (heard.bid.task, heard.bid.shard) == place)
        other = next((heard for heard in others if heard.bid.worker != signed.bid.worker), None)
        if other is None:
            log.warning("nobody else has bid", unit=signed.bid.task.hex())
            return
        award: Award = replace(signed.award, bid=other.digest)
        second = replace(
            signed,
            request_sig=self.node.signer.sign(signed.request),
            bid=other.bid,
            bid_sig=other.sig,
            award=award,
            award_sig=self.node.signer.sign(award),
        )
        try:
            await self.node.network.send_award(second)
        except BlockEdgeError as error:
            log.warning("the second award failed", error=str(error))


# ── who checks others ────────────────────────────────────────────────────────────────────────────────────


class Blind(Liar):
    """Looks at nobody's results of its own accord."""

    def lie(self, action: Action) -> Lie | None:
        return self.do_nothing if isinstance(action, Check) and action.role is Role.REPORTER else None


class FalseReport(Liar):
    """Reports every result that it checks as wrong."""

    def lie(self, action: Action) -> Lie | None:
        if isinstance(action, Appeal):
            return self.do_nothing
        return self.accuse if isinstance(action, Check) and action.role is Role.REPORTER else None

    async def accuse(self, action: Check, tries: Any) -> Event:
        return self.checked(action, None if action.request.kind == Kind.POW else ACCUSATION)


class CopyReport(Liar):
    """Waits for another's report and commits to the same hash: it can never open it."""

    def lie(self, action: Action) -> Lie | None:
        if isinstance(action, Check) and action.role is Role.REPORTER:
            return self.find
        return self.copy if isinstance(action, CommitReport) else None

    async def find(self, action: Check, tries: Any) -> Event:
        return self.checked(action, ACCUSATION)

    async def copy(self, action: CommitReport, tries: Any) -> Event | None:
        watcher = self.node.watcher
        while True:
            view = watcher.book.get(action.unit)
            others = (
                [r for r in view.reports if r.index and r.author != self.node.signer.address] if view else []
            )
            if others:
                return await self.node.call_chain(replace(action, hash=others[0].hash), tries)
            await watcher.next_head()


class SilentChecker(Liar):
    """Drawn, it commits a check and never shows it."""

    def lie(self, action: Action) -> Lie | None:
        silent = isinstance(action, RevealReport) and action.index == 0
        return self.do_nothing if silent else None


class CopyCheck(Liar):
    """Drawn, it commits to what the worker committed to, without working: it can never open it."""

    def lie(self, action: Action) -> Lie | None:
        return self.copy if isinstance(action, CommitCheck) else None

    async def copy(self, action: CommitCheck, tries: Any) -> Event | None:
        return await self.node.call_chain(replace(action, hash=action.target.data[0]), tries)


class Collude(Liar):
    """Drawn, it finds whatever the worker has made up."""

    def lie(self, action: Action) -> Lie | None:
        return self.agree if isinstance(action, Check) and action.role is Role.CHECKER else None

    async def agree(self, action: Check, tries: Any) -> Event:
        result, _ = made_up(action.request, action.unit, action.shard)
        return self.checked(action, result)


class LyingJuror(Liar):
    """Votes for the accusation, whatever the program gives."""

    def lie(self, action: Action) -> Lie | None:
        return self.side if isinstance(action, Check) and action.role is Role.JUROR else None

    async def side(self, action: Check, tries: Any) -> Event:
        return self.checked(action, ACCUSATION)


class AbsentJuror(Liar):
    """Sits in juries and never votes."""

    def lie(self, action: Action) -> Lie | None:
        return self.do_nothing if isinstance(action, CommitVote) else None


LIARS: Final[Mapping[str, type[Liar]]] = {
    "honest": Liar,
    "fabricate": Fabricate,
    "lazy": Lazy,
    "guess": Guess,
    "refuse-early": RefuseEarly,
    "refuse": Refuse,
    "withhold": Withhold,
    "withhold-output": WithholdOutput,
    "hide-secret": HideSecret,
    "withhold-input": WithholdInput,
    "equivocate": Equivocate,
    "blind": Blind,
    "false-report": FalseReport,
    "copy-report": CopyReport,
    "silent-checker": SilentChecker,
    "copy-check": CopyCheck,
    "collude": Collude,
    "lying-juror": LyingJuror,
    "absent-juror": AbsentJuror,
}
