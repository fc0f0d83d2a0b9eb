"""Each action calls its port, tries again what may pass, and hands on what others did wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    AwaitBids,
    Check,
    DeliverResult,
    FetchInput,
    FetchOutput,
    PackBundle,
    PublishRequest,
    RefuseAward,
    SendAck,
    SendAward,
    SendReceipt,
    Solve,
)
from blockedge_node.core.events import (
    AckHeard,
    AckSent,
    AwardFailed,
    BidWindowClosed,
    BundlePacked,
    BundleSpoilt,
    Checked,
    CheckFailed,
    Event,
    InputFetched,
    InputRefused,
    OutputFetched,
    ReceiptHeard,
    ReceiptSent,
    RefusalSent,
    RequestPublished,
    SignedAward,
    WorkFailed,
    WorkSolved,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root, Secret, Signature, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.core.job import Outcome, PowJob, WasmJob
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result, unit_id
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import NotTaken, PeerError, Rejected, Transient
from blockedge_node.performer import FLUSH, LAST_WAIT, Performer, Tries
from tests.core.builders import ALICE, BOB, DOMAIN, OUTPUT, RESULT, SIG, award_heard, bid, request
from tests.engine.memory import MemoryChance, MemorySigner

ASKED = request()
HEARD = award_heard(ASKED, bid(ASKED))
UNIT = unit_id(HEARD.signed.award.task, 0)
ACK = Ack(award=HEARD.digest, start_at=HEARD.signed.award.not_before)
RECEIPT = Receipt(unit=UNIT, result_hash=RESULT.hash())
POW = PowJob(data=b"data", shard=0)
WASM = WasmJob(engine="e", wasm=b"", argv=(), stdin=b"", fuel=1, memory=1, stdout_max=1)


@dataclass
class Ports:
    """All ports in one. Each call takes the next of its `script`: an exception to raise, or what to return."""

    script: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    blobs: dict[Root, bytes] = field(default_factory=dict)

    async def _take(self, name: str, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        self.calls.append((name, arguments))
        left = self.script.get(name, [])
        answer = left.pop(0) if left else None
        if isinstance(answer, Exception):
            raise answer
        if answer == "silence":
            await trio.sleep_forever()
        return answer

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]

    async def publish_request(self, request: Request, sig: Signature) -> None:
        await self._take("publish_request", request, sig)

    async def publish_bids(self, bids: Sequence[Bid], sigs: Sequence[Signature]) -> None:
        await self._take("publish_bids", bids, sigs)

    async def publish_secret(self, unit: UnitId, secret: Secret, guard_r: Hash) -> None:
        await self._take("publish_secret", unit, secret, guard_r)

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        return await self._take("send_award", signed)  # type: ignore[no-any-return]

    async def answer_award(self, award: bytes, ack: Ack, sig: Signature) -> None:
        await self._take("answer_award", award, ack, sig)

    async def refuse_award(self, award: bytes, reason: str) -> None:
        await self._take("refuse_award", award, reason)

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        return await self._take("deliver", unit, requester, result)  # type: ignore[no-any-return]

    async def answer_result(self, receipt: Receipt, sig: Signature) -> None:
        await self._take("answer_result", receipt, sig)

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        await self._take("hand_watch", watch, output, sig)

    async def tell_answers(self, unit: UnitId, requester: Address, answers: Any) -> None:
        async for told in answers:
            await self._take("tell_answers", unit, requester, *told)

    async def answer_watch(self, kept: Kept, sig: Signature) -> None:
        await self._take("answer_watch", kept, sig)

    async def fetch(self, root: Root, holders: Sequence[Address]) -> None:
        await self._take("fetch", root, holders)

    async def fetch_task(
        self, request: Request, shard: int, *, own: bool = False, holders: Sequence[Address] = ()
    ) -> None:
        await self._take("fetch_task", request, shard)

    def job(self, request: Request, shard: int) -> WasmJob | PowJob:
        return POW if request.kind == 1 else WASM

    def pack(self, program: Root, inputs: Sequence[Root], fuel: int) -> Any:
        packed = self.script["pack"].pop(0)
        if isinstance(packed, Exception):
            raise packed
        return packed

    def put(self, data: bytes) -> Root:
        root = merkle.root(data)
        self.blobs[root] = data
        return root

    def get(self, root: Root) -> bytes | None:
        return self.blobs.get(root)

    async def run(self, job: WasmJob | PowJob, *, wall: float, told: Any = None) -> Outcome:
        for place, answer in enumerate(self.script.get("told", [])):
            told(place, answer)
        return await self._take("run", job, wall)  # type: ignore[no-any-return]

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        return await self._take("refute", job, output)  # type: ignore[no-any-return]

    async def send(self, call: Action) -> Any:
        return await self._take("send", call)

    async def standing(self, who: Address) -> None:
        return None


async def perform(action: Action, **script: list[Any]) -> tuple[Event | None, Ports, Tries]:
    ports, tries = Ports(script=script), Tries()
    performer = Performer(
        signer=MemorySigner(BOB),
        chance=MemoryChance(b"chance"),
        chain=ports,  # type: ignore[arg-type]
        network=ports,
        content=ports,
        executor=ports,
        domain=DOMAIN,
    )
    return await performer(action, tries), ports, tries


async def test_what_may_pass_is_tried_until_it_works(autojump_clock: object) -> None:
    before = trio.current_time()
    event, ports, tries = await perform(
        PublishRequest(request=ASKED), publish_request=[Transient("no peers")] * 8 + [None]
    )
    assert isinstance(event, RequestPublished)
    assert (tries.failed, tries.error) == (8, "no peers")
    assert len(ports.named("publish_request")) == 9
    waited = trio.current_time() - before
    assert 8 < waited < 8 * LAST_WAIT, "backoff grows, and has a cap"


AWARD = SendAward(signed=replace(HEARD.signed, request_sig=Signature(b"")), digest=HEARD.digest, timeout=5.0)


async def test_an_award_is_signed_on_sending_and_brings_an_ack(autojump_clock: object) -> None:
    event, ports, _ = await perform(AWARD, send_award=[Transient("dialling"), (ACK, SIG)])
    assert event == AckHeard(award=HEARD.digest, ack=ACK, sig=SIG, at=0.0)
    ((signed,), _) = ports.named("send_award")
    assert len(signed.award_sig) == len(signed.request_sig) == 64
    assert signed.bid_sig == SIG


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([Rejected("busy")], "busy"),
        ([PeerError("signed by another")], "bad_ack"),
        (["silence"], "no_answer"),
        ([Transient("unreachable")] * 100, "no_answer"),
    ],
)
async def test_an_award_without_an_ack_says_why(
    answers: list[Any], reason: str, autojump_clock: object
) -> None:
    before = trio.current_time()
    event, _, _ = await perform(AWARD, send_award=answers)
    assert event == AwardFailed(award=HEARD.digest, reason=reason)
    assert trio.current_time() - before <= AWARD.timeout + 1


async def test_answers_go_out_and_say_so() -> None:
    event, ports, _ = await perform(SendAck(award=HEARD.digest, ack=ACK, requester=ALICE))
    assert event == AckSent(award=HEARD.digest)
    assert len(ports.named("answer_award")[0][2]) == 64
    event, _, _ = await perform(RefuseAward(award=HEARD.digest, reason="busy"))
    assert event == RefusalSent(award=HEARD.digest)
    event, _, _ = await perform(SendReceipt(receipt=RECEIPT))
    assert event == ReceiptSent(unit=UNIT)


async def test_a_result_is_delivered_until_there_is_a_receipt(autojump_clock: object) -> None:
    action = DeliverResult(unit=UNIT, requester=ALICE, result=RESULT)
    bad = [Transient("away"), PeerError("no receipt"), Rejected("not mine"), (RECEIPT, SIG)]
    event, ports, _ = await perform(action, deliver=bad)
    assert event == ReceiptHeard(unit=UNIT, receipt=RECEIPT, sig=SIG)
    assert len(ports.named("deliver")) == 4


async def test_bids_are_awaited_for_their_window(autojump_clock: object) -> None:
    task = HEARD.signed.award.task
    before = trio.current_time()
    event, _, _ = await perform(AwaitBids(task=task, shard=0, round=0, seconds=0.3))
    assert event == BidWindowClosed(task=task, shard=0, round=0)
    assert trio.current_time() - before == pytest.approx(0.3)


async def test_input_is_fetched_or_refused(autojump_clock: object) -> None:
    action = FetchInput(unit=UNIT, award=HEARD.digest, request=ASKED, shard=0)
    event, _, _ = await perform(action, fetch_task=[Transient("nobody"), None])
    assert event == InputFetched(unit=UNIT, award=HEARD.digest)
    event, _, _ = await perform(action, fetch_task=[PeerError("no such engine")])
    assert event == InputRefused(unit=UNIT, award=HEARD.digest, reason="no such engine", code="input")
    event, _, _ = await perform(action, fetch_task=[NotTaken("program_wasm", "5 MiB are …")])
    assert event == InputRefused(unit=UNIT, award=HEARD.digest, reason="5 MiB are …", code="program_wasm")


async def test_an_output_comes_from_the_chain_or_from_its_worker(autojump_clock: object) -> None:
    action = FetchOutput(unit=UNIT, root=RESULT.output_root, worker=BOB)
    event, ports, _ = await perform(action, fetch=[PeerError("bad chunk"), Transient("away"), None])
    assert event == OutputFetched(unit=UNIT, root=RESULT.output_root)
    assert len(ports.named("fetch")) == 3
    event, ports, _ = await perform(replace(action, shown=OUTPUT))
    assert event == OutputFetched(unit=UNIT, root=RESULT.output_root)
    assert ports.blobs == {RESULT.output_root: OUTPUT}
    assert ports.calls == []


SOLVE = Solve(unit=UNIT, award=HEARD.digest, request=ASKED, shard=0, wall=15.0)
GOOD = Outcome(result=RESULT, output=OUTPUT)


async def test_work_is_solved_with_fresh_secrets_and_its_output_stored() -> None:
    event, ports, _ = await perform(SOLVE, run=[GOOD])
    assert isinstance(event, WorkSolved)
    assert (event.result, event.output) == (RESULT, OUTPUT)
    assert event.salt != event.guard_secret
    assert ports.blobs == {RESULT.output_root: OUTPUT}
    assert ports.named("run") == [(POW, 15.0)]


async def test_a_large_output_is_left_in_the_store_and_an_error_exit_has_none() -> None:
    large = bytes(1025)
    result = Result(exit=0, output_root=merkle.root(large))
    event, ports, _ = await perform(SOLVE, run=[Outcome(result=result, output=large)])
    assert isinstance(event, WorkSolved)
    assert event.output == b""
    assert ports.blobs == {result.output_root: large}
    trapped = Result(exit=0x20001, output_root=Root(ZERO_HASH))
    event, ports, _ = await perform(SOLVE, run=[Outcome(result=trapped, output=b"")])
    assert isinstance(event, WorkSolved)
    assert ports.blobs == {}


async def test_a_fault_of_the_machine_is_tried_again_once(autojump_clock: object) -> None:
    event, _, _ = await perform(SOLVE, run=[Transient("killed"), GOOD])
    assert isinstance(event, WorkSolved)
    event, ports, _ = await perform(SOLVE, run=[Transient("killed"), Transient("killed again")])
    assert event == WorkFailed(unit=UNIT, award=HEARD.digest, reason="killed again")
    assert len(ports.named("run")) == 2


async def test_a_bug_is_not_caught() -> None:
    with pytest.raises(ZeroDivisionError):
        await perform(SOLVE, run=[ZeroDivisionError()])


def check(kind: int = 1, **changes: Any) -> Check:
    asked = replace(ASKED, kind=kind)
    plain = Check(unit=UNIT, request=asked, shard=0, result=RESULT, output=OUTPUT, wall=7.0)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("action", "script", "wrong", "evidence"),
    [
        (check(), {"refute": [None]}, False, b""),
        (check(), {"refute": [b"nonce"]}, True, b"nonce"),
        (check(), {"refute": [b""]}, True, b""),
        (check(result=replace(RESULT, fuel_used=1)), {}, True, b""),
        (check(result=replace(RESULT, exit=1)), {}, True, b""),
        (check(2), {"run": [GOOD]}, False, b""),
        (check(2), {"run": [Outcome(result=replace(RESULT, fuel_used=9), output=OUTPUT)]}, True, b""),
    ],
)
async def test_a_check_finds_what_is_wrong(
    action: Check, script: dict[str, list[Any]], *, wrong: bool, evidence: bytes
) -> None:
    event, _, _ = await perform(action, **script)
    assert isinstance(event, Checked)
    assert (event.wrong, event.evidence) == (wrong, evidence)
    assert (event.result is None) == (action.request.kind == 1)


@pytest.mark.parametrize(
    "script",
    [
        {"fetch_task": [PeerError("not runnable")]},
        {"refute": [Transient("killed"), Transient("killed")]},
    ],
)
async def test_a_check_that_cannot_be_made_is_no_verdict(
    script: dict[str, list[Any]], autojump_clock: object
) -> None:
    event, _, _ = await perform(check(), **script)
    assert isinstance(event, CheckFailed)


# ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────

MAPPED = replace(WASM, mapped=True)
ANSWERS = [Answer(exit=0, output=b"one"), Answer(exit=0, output=b"two")]
OUTCOME = Outcome(result=RESULT, output=OUTPUT)


async def solve_mapped(monkeypatch: pytest.MonkeyPatch, **script: list[Any]) -> tuple[Event | None, Ports]:
    monkeypatch.setattr(Ports, "job", lambda self, request, shard: MAPPED)
    award = HEARD.digest
    event, ports, _ = await perform(Solve(unit=UNIT, award=award, request=ASKED, shard=0, wall=5.0), **script)
    return event, ports


async def test_a_requester_hears_a_bundles_answers_before_its_result(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ports = await solve_mapped(monkeypatch, run=[OUTCOME], told=list(ANSWERS))
    assert isinstance(event, WorkSolved)
    told = ports.named("tell_answers")
    assert told == [(UNIT, ASKED.requester, place, answer) for place, answer in enumerate(ANSWERS)]


@pytest.mark.parametrize("ends", ["silence", Transient("gone"), PeerError("odd")])
async def test_a_requester_that_does_not_listen_holds_up_nothing(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch, ends: Any
) -> None:
    before = trio.current_time()
    event, _ = await solve_mapped(monkeypatch, run=[OUTCOME], told=list(ANSWERS), tell_answers=[ends])
    assert isinstance(event, WorkSolved)
    assert trio.current_time() - before <= FLUSH


async def test_a_mapped_run_that_is_spoilt_twice_is_no_result(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ports = await solve_mapped(monkeypatch, run=[Transient("killed")] * 2, told=list(ANSWERS))
    assert isinstance(event, WorkFailed)
    assert len(ports.named("run")) == 2


async def test_a_bundle_is_packed_out_of_the_store(autojump_clock: object) -> None:
    action = PackBundle(bundle=keccak256(b"bundle"), program=ASKED.program, inputs=(), fuel=7)
    event, _, _ = await perform(action, pack=[(ASKED.program, ASKED.input_root)])
    assert isinstance(event, BundlePacked)
    assert (event.program, event.input) == (ASKED.program, ASKED.input_root)
    assert 0 <= event.nonce < 1 << 64
    event, _, _ = await perform(action, pack=[PeerError("gone")])
    assert event == BundleSpoilt(bundle=action.bundle, reason="gone")
