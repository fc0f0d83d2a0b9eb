"""Every rule of actions has something that breaks it: a rule that nothing breaks would be no rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from blockedge_node.core import bidder as bidders
from blockedge_node.core import requester as requesters
from blockedge_node.core import verifier as verifiers
from blockedge_node.core import worker as workers
from blockedge_node.core.actions import (
    Action,
    AwardCommit,
    CloseReports,
    CommitReport,
    CommitResult,
    DeliverResult,
    PublishBids,
    PublishRequest,
    RefuseAward,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    SendAck,
    SendAward,
    SendReceipt,
    Settle,
    Solve,
    TimeOut,
)
from blockedge_node.core.events import BidWindowClosed, Checked, InputFetched, RequestPublished
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Digest, Hash, Secret, Signature
from blockedge_node.core.node import Machine, Node, bidder_key, requester_key, verifier_key, worker_key
from blockedge_node.core.rules import RULES, Rulebook
from blockedge_node.core.task import Ack, Receipt
from blockedge_node.core.unit import Phase, ReportView, UnitView
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DOMAIN,
    RESULT,
    SIG,
    START,
    assigned,
    award_heard,
    bid_heard,
    commitment_of,
    committed,
    ended,
    head,
    request,
    request_heard,
    revealed,
    solved,
    world,
)
from tests.core.test_rules_auctions import BROKEN as BROKEN_AUCTIONS
from tests.core.test_rules_checks import BROKEN as BROKEN_CHECKS
from tests.core.test_rules_court import BROKEN as BROKEN_IN_COURT

ASKED = request()
BIDDER = bidders.begin(request_heard(ASKED), world(BOB))[0]
assert BIDDER is not None
BID = BIDDER.bids[0].bid
HEARD = award_heard(ASKED, BID)
DONE = solved(HEARD)
ASSIGNED = assigned(HEARD, START + 1)
COMMITTED = committed(ASSIGNED, commitment_of(DONE), START + 2)
REVEALED = revealed(COMMITTED, DONE, START + 3)  # challengeBy START + 15, reportBy START + 20
OTHER = Hash(keccak256(b"another"))
UNSIGNED = Signature(b"")


@dataclass(frozen=True)
class Scene:
    """One node with one machine, at one time."""

    me: Address
    key: str
    machine: Machine
    at: int = START

    def breaks(self, action: Action, *, before: tuple[Action, ...] = ()) -> set[str]:
        book, node = Rulebook(), Node(machines={self.key: self.machine})
        here = world(self.me, self.at)
        for earlier in before:
            book.check(earlier, node, here)
        return {rule.name for rule in book.check(action, node, here)}

    def later(self, seconds: int) -> Scene:
        return replace(self, at=START + seconds)


def bobs(*views: UnitView, have: bool = True, done: bool = True) -> Scene:
    """Bob with Alice's award: with input, solved, looking at these views."""
    _, machine, _ = bidders.answer(BIDDER, HEARD, 0, world(BOB))  # type: ignore[arg-type]
    assert machine is not None
    for event in (InputFetched(unit=DONE.unit, award=HEARD.digest),) * have + (DONE,) * done:
        machine, _ = workers.step(machine, event, world(BOB))
    machine, _ = workers.step(machine, head(START, *views), world(BOB))
    return Scene(BOB, worker_key(HEARD.digest), machine)


def alices(*views: UnitView) -> Scene:
    """Alice with her award to Bob, looking at these views."""
    task = ASKED.task(DOMAIN)
    machine = requesters.begin(keccak256(b"job"), ASKED, task, (0,))
    events = (
        RequestPublished(task=task, at=0.0),
        bid_heard(BID),
        BidWindowClosed(task=task, shard=0, round=0),
        head(START, *views),
    )
    for event in events:
        machine, _ = requesters.step(machine, event, world(ALICE))
    return Scene(ALICE, requester_key(task), machine)


def carols(view: UnitView, me: Address = CAROL) -> Scene:
    """Carol, who found Bob's revealed result wrong."""
    machine = verifiers.begin(view)
    found = Checked(unit=view.unit, wrong=True, result=None, evidence=b"proof", salt=Secret(b"3" * 32))
    machine, _ = verifiers.step(machine, found, world(me))
    return Scene(me, verifier_key(view.unit), machine)


def due(scene: Scene, kind: type) -> Any:
    """The action of this class that the scene's own machine wants: the rules have nothing against it."""
    module = {BOB: workers, ALICE: requesters, CAROL: verifiers}[scene.me]
    (action,) = (a for a in module.due(scene.machine, world(scene.me, scene.at)) if isinstance(a, kind))
    assert scene.breaks(action) == set()
    return action


BIDDING = Scene(BOB, bidder_key(ASKED.task(DOMAIN)), BIDDER)
AWARD: SendAward = due(alices(), SendAward)
ACK: SendAck = due(bobs(done=False), SendAck)
SOLVE: Solve = due(bobs(done=False), Solve)
COMMIT: AwardCommit = due(bobs(), AwardCommit)
LATER_COMMIT: CommitResult = due(bobs(ASSIGNED), CommitResult)
REVEAL: Reveal = due(bobs(COMMITTED), Reveal)
SETTLE: Settle = due(bobs(REVEALED).later(16), Settle)
TIMEOUT: TimeOut = due(alices(ASSIGNED).later(16), TimeOut)
REPORT: CommitReport = due(carols(REVEALED).later(10), CommitReport)
MINE = ReportView(index=1, author=CAROL, hash=REPORT.hash)
REPORTED = replace(REVEALED, reports=(MINE,))
OPENING: RevealReport = due(carols(REPORTED).later(16), RevealReport)
FALSE = ended(REPORTED, Phase.PAID, START + 30)
CLOSE: CloseReports = due(bobs(FALSE), CloseReports)


def signed(**changes: Any) -> Registration:
    plain = COMMIT.registration
    return replace(plain, signed=replace(plain.signed, **changes))


def award(**changes: Any) -> SendAward:
    return replace(AWARD, signed=replace(AWARD.signed, award=replace(AWARD.signed.award, **changes)))


def register(by: Registration) -> RegisterAward:
    return RegisterAward(unit=DONE.unit, registration=by)


ALICES_WORD = Registration(
    signed=replace(AWARD.signed, bid_sig=SIG), ack=Ack(award=HEARD.digest, start_at=START), ack_sig=SIG
)

BROKEN: list[tuple[str, Scene, Action, tuple[Action, ...]]] = [
    ("request_is_mine_and_on_disk", alices(), PublishRequest(request=request(nonce=9)), ()),
    ("bids_are_mine_and_eligible", BIDDING, PublishBids(bids=(replace(BID, price=BID.price + 1),)), ()),
    ("bids_are_mine_and_eligible", bobs(), PublishBids(bids=(BID,)), ()),
    ("award_is_on_disk", alices(), replace(AWARD, digest=Digest(OTHER)), ()),
    (
        "awards_of_a_shard_never_overlap",
        alices(),
        award(not_before=START + 10, register_by=START + 20),
        (AWARD,),
    ),
    ("award_times_are_registrable", alices(), award(register_by=START + 121), ()),
    ("award_times_are_registrable", alices().later(16), AWARD, ()),
    ("ack_only_with_input_and_in_time", bobs(have=False, done=False), ACK, ()),
    ("ack_only_with_input_and_in_time", bobs().later(16), ACK, ()),
    ("refuse_only_what_is_not_done", bobs(), RefuseAward(award=HEARD.digest, reason="busy"), ()),
    ("solve_only_what_can_be_committed", bobs(have=False, done=False), SOLVE, ()),
    ("solve_only_what_can_be_committed", bobs(done=False).later(16), SOLVE, ()),
    ("register_only_in_time", bobs().later(16), COMMIT, ()),
    ("register_only_in_time", bobs(COMMITTED), COMMIT, ()),
    ("only_the_senders_signature_is_left_out", bobs(), replace(COMMIT, registration=signed(bid_sig=SIG)), ()),
    (
        "only_the_senders_signature_is_left_out",
        bobs(),
        replace(COMMIT, registration=signed(award_sig=UNSIGNED)),
        (),
    ),
    ("only_the_senders_signature_is_left_out", alices(), register(signed(award_sig=SIG, bid_sig=SIG)), ()),
    (
        "requester_registers_only_with_ack",
        alices(),
        register(replace(ALICES_WORD, ack=None, ack_sig=UNSIGNED)),
        (),
    ),
    ("worker_registers_only_with_input", bobs(have=False, done=False), register(COMMIT.registration), ()),
    ("commitment_follows_from_facts", bobs(), replace(COMMIT, commitment=OTHER), ()),
    ("commitment_follows_from_facts", bobs(ASSIGNED, done=False), LATER_COMMIT, ()),
    ("one_salt_per_award", bobs(), replace(COMMIT, commitment=OTHER), (COMMIT,)),
    ("one_salt_per_award", bobs(ASSIGNED), replace(LATER_COMMIT, commitment=OTHER), (COMMIT,)),
    ("commit_only_when_assigned", bobs(COMMITTED), LATER_COMMIT, ()),
    ("commit_only_when_assigned", bobs(ASSIGNED).later(17), LATER_COMMIT, ()),
    ("reveal_only_my_shown_commitment", bobs(ASSIGNED), REVEAL, ()),
    ("reveal_only_my_shown_commitment", bobs(COMMITTED), replace(REVEAL, salt=Secret(OTHER)), ()),
    ("reveal_only_my_shown_commitment", bobs(COMMITTED).later(13), REVEAL, ()),
    ("target_is_the_view", bobs(COMMITTED), replace(REVEAL, target=ASSIGNED.on_chain), ()),
    ("settle_only_after_its_windows", bobs(REVEALED).later(15), SETTLE, ()),
    ("timeout_only_after_the_deadline", alices(ASSIGNED).later(15), TIMEOUT, ()),
    (
        "timeout_only_after_the_deadline",
        alices(REVEALED).later(99),
        replace(TIMEOUT, target=REVEALED.on_chain),
        (),
    ),
    (
        "receipt_only_for_a_stored_output",
        alices(),
        SendReceipt(receipt=Receipt(unit=DONE.unit, result_hash=OTHER)),
        (),
    ),
    (
        "deliver_what_was_solved",
        bobs(done=False),
        DeliverResult(unit=DONE.unit, requester=ALICE, result=RESULT),
        (),
    ),
    ("never_check_or_report_own_work", carols(REVEALED, me=BOB), REPORT, ()),
    ("report_only_in_its_window", carols(REVEALED).later(16), REPORT, ()),
    ("report_only_in_its_window", carols(REPORTED).later(15), OPENING, ()),
    ("one_salt_per_report", carols(REVEALED), replace(REPORT, hash=OTHER), (REPORT,)),
    ("one_salt_per_report", carols(REVEALED).later(16), OPENING, ()),
    ("close_only_open_reports_of_an_ended_unit", bobs(REPORTED), CLOSE, ()),
    ("close_only_open_reports_of_an_ended_unit", bobs(FALSE), replace(CLOSE, indexes=(2,)), ()),
]


@pytest.mark.parametrize(("name", "scene", "action", "before"), BROKEN, ids=[case[0] for case in BROKEN])
def test_rule_is_broken_by(name: str, scene: Scene, action: Action, before: tuple[Action, ...]) -> None:
    assert name in scene.breaks(action, before=before)


def test_every_rule_has_a_reason_and_an_example() -> None:
    shown = (*BROKEN, *BROKEN_AUCTIONS, *BROKEN_CHECKS, *BROKEN_IN_COURT)
    assert {rule.name for rule in RULES} == {name for name, *_ in shown}
    assert all(len(rule.reason) > 20 for rule in RULES)
