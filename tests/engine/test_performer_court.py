"""What a court adds to the performer: secrets of an award, checks of what is hidden, chunks that are asked for."""

from __future__ import annotations

from dataclasses import replace

import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import AwaitBids, Check, PublishSecret, Supply
from blockedge_node.core.commitment import Role
from blockedge_node.core.events import BidWindowClosed, Checked, CheckFailed
from blockedge_node.core.ids import NO_SECRET, Hash, Secret, TaskId
from blockedge_node.core.job import Outcome
from blockedge_node.core.task import Kind, Result
from blockedge_node.errors import PeerError, Transient
from blockedge_node.performer import Performer, Tries
from tests.core.builders import BOB, DOMAIN, RESULT
from tests.core.checked import UNDRAWN
from tests.engine.memory import MemoryChance, MemorySigner
from tests.engine.test_performer import ASKED, GOOD, UNIT, Ports, perform

WINDOW = AwaitBids(task=TaskId(b"t" * 32), shard=0, round=0, seconds=0.3, secrets=True)
HIDDEN = Check(
    unit=UNIT,
    request=replace(ASKED, kind=Kind.WASM),
    shard=0,
    result=None,
    output=b"",
    wall=7.0,
    role=Role.CHECKER,
)


async def test_a_bid_window_ends_with_two_fresh_secrets(autojump_clock: object) -> None:
    event, _, _ = await perform(WINDOW)
    assert isinstance(event, BidWindowClosed)
    assert NO_SECRET not in (event.draw_secret, event.guard_secret)
    assert event.draw_secret != event.guard_secret
    plain, _, _ = await perform(replace(WINDOW, secrets=False))
    assert isinstance(plain, BidWindowClosed)
    assert (plain.draw_secret, plain.guard_secret) == (NO_SECRET, NO_SECRET)


async def test_a_secret_is_told_until_somebody_listens(autojump_clock: object) -> None:
    action = PublishSecret(unit=UNIT, secret=Secret(b"s" * 32), guard_r=Hash(b"g" * 32))
    event, ports, _ = await perform(action, publish_secret=[Transient("no peers"), None])
    assert event is None
    assert ports.named("publish_secret") == [(UNIT, b"s" * 32, b"g" * 32)] * 2


async def test_what_is_hidden_is_found_and_compared_with_nothing() -> None:
    event, _, _ = await perform(HIDDEN, run=[GOOD])
    assert isinstance(event, Checked)
    assert (event.result, event.wrong, event.role) == (RESULT, False, Role.CHECKER)
    assert event.salt != NO_SECRET
    other = Outcome(result=replace(RESULT, fuel_used=9), output=b"")
    event, _, _ = await perform(replace(HIDDEN, result=RESULT, role=Role.JUROR), run=[other])
    assert isinstance(event, Checked)
    assert (event.result, event.wrong, event.role) == (other.result, True, Role.JUROR)


async def test_a_juror_looks_for_an_input_as_long_as_it_is_patient(autojump_clock: object) -> None:
    began = trio.current_time()
    juror = replace(HIDDEN, role=Role.JUROR, patience=5.0)
    event, _, _ = await perform(juror, fetch_task=[Transient("nobody serves it")] * 99)
    assert isinstance(event, Checked)
    assert (event.result, event.role) == (None, Role.JUROR)
    assert event.salt != NO_SECRET, "NO_INPUT is a vote, and hidden like any other"
    assert trio.current_time() - began == 5.0


async def test_a_fault_says_as_whom_we_looked() -> None:
    event, _, _ = await perform(HIDDEN, fetch_task=[PeerError("not runnable")])
    assert event == CheckFailed(unit=UNIT, reason="not runnable", role=Role.CHECKER)


async def test_a_chunk_is_shown_with_its_path() -> None:
    output = bytes(range(256)) * 13  # four chunks, the last one short
    result = Result(exit=0, output_root=merkle.root(output))
    action = Supply(unit=UNIT, target=UNDRAWN.committed.on_chain, revealed=result, chunk=2)
    for asked, shown in ((2, 2), (3, 3), (60_000, 3)):
        sent = await supplied(replace(action, chunk=asked), output)
        assert (sent.chunk, sent.count) == (asked, 4)
        assert sent.data == output[1024 * shown : 1024 * (shown + 1)]
        assert merkle.root_of_path(sent.data, shown, sent.count, sent.path) == result.output_root


async def supplied(action: Supply, output: bytes) -> Supply:
    """What goes on the chain for a demand of a node that holds `output`."""
    ports = Ports(blobs={action.revealed.output_root: output})
    performer = Performer(
        signer=MemorySigner(BOB),
        chance=MemoryChance(b"chance"),
        chain=ports,  # type: ignore[arg-type]
        network=ports,
        content=ports,
        executor=ports,
        domain=DOMAIN,
    )
    await performer(action, Tries())
    ((sent,),) = ports.named("send")
    assert isinstance(sent, Supply)
    return sent
