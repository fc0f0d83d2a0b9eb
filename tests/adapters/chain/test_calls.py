"""Calls and events against web3's own codec, which knows nothing of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from web3 import Web3

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.calls import encode, function_of, key_of, target_of, value_of
from blockedge_node.chain.court_events import CaseOpened
from blockedge_node.chain.events import Skipped, decode_log
from blockedge_node.chain.reverts import explain, skip_reason
from blockedge_node.core.actions import ChainAction, CloseReports
from blockedge_node.core.court import CaseView, DrawView, RoundView, Seat, SeatProof, Ticket
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address
from blockedge_node.core.unit import Phase, UnitView

from .conftest import DETECTOR, REQUESTER, WORKER
from .court_scene import CourtStory
from .scene import DATA, Story
from .test_book import terms, trial


def web3_of(name: str) -> Any:
    text = files("blockedge_node.chain").joinpath("abi", f"{name}.json").read_text()
    return Web3().eth.contract(abi=json.loads(text)["abi"])


WEB3 = {name: web3_of(name) for name in ("BlockEdge", "Court")}


def story(shard: int = 0) -> Story:
    return Story(
        domain=Domain(1, Address(bytes(20))), requester=REQUESTER, worker=WORKER, now=1_000, shard=shard
    )


def view_of(told: Story) -> UnitView:
    return UnitView(
        unit=told.unit,
        phase=Phase.REVEALED,
        since=1,
        request=told.signed.request,
        terms=terms(told.shard),
        data=(keccak256(b"a"), keccak256(b"b"), keccak256(b"c"), ZERO_HASH),
    )


def decoded(calls: list[ChainAction]) -> tuple[str, dict[str, Any]]:
    function, arguments = WEB3[target_of(calls[0])].decode_function_input(encode(calls))
    return function.fn_name, arguments


def test_a_batch_names_each_request_once() -> None:
    told = [story(0), story(1)]
    function, args = decoded([t.award_commit() for t in told])
    assert function == "awardCommit"
    assert len(args["requests"]) == 1
    assert [item["request"] for item in args["items"]] == [0, 0]
    assert [item["award"]["shard"] for item in args["items"]] == [0, 1]
    assert args["commitments"] == [t.commitment for t in told]
    assert args["requests"][0]["maxPrice"] == told[0].signed.request.max_price
    sig = args["items"][0]["awardSig"]
    assert sig["r"] + sig["vs"] == told[0].signed.award_sig


def test_a_registration_without_ack_has_empty_ones() -> None:
    _, args = decoded([story().register(acked=False)])
    ack = args["items"][0]["ack"]
    assert (ack["award"], ack["startAt"]) == (bytes(32), 0)
    assert args["items"][0]["ackSig"]["r"] == bytes(32)
    _, args = decoded([story().register()])
    assert args["items"][0]["ack"]["startAt"] == 1_001


def test_units_travel_with_terms_and_words() -> None:
    told = story()
    view = view_of(told)
    for call in (told.settle(view), told.time_out(view), told.reveal(view), told.commit(view)):
        function, args = decoded([call])
        unit = args["units"][0]
        assert function == function_of(call)
        assert tuple(unit["data"]) == view.data
        assert unit["terms"]["deposit"] == view.terms.deposit
    _, args = decoded([told.reveal(view)])
    assert args["openings"][0]["output"] == told.output
    assert args["openings"][0]["salt"] == told.salt


def test_a_judged_report_carries_its_proof_and_a_court_one_none() -> None:
    told = story()
    view = view_of(told)
    _, args = decoded([told.reveal_report(view, DETECTOR, 3, b"evidence")])
    assert args["index"] == 3
    assert args["proof"]["data"] == DATA
    assert args["proof"]["evidence"] == b"evidence"
    assert args["proof"]["request"]["inputRoot"] == told.signed.request.input_root
    court = replace(view, terms=replace(view.terms, kind=2))
    _, args = decoded([told.reveal_report(court, DETECTOR, 1)])
    assert args["proof"]["data"] == b""
    assert args["proof"]["request"]["fuel"] == 0
    _, args = decoded([CloseReports(unit=told.unit, target=view.on_chain, indexes=(1, 4))])
    assert args["indices"] == [1, 4]


def test_single_calls_do_not_batch() -> None:
    told = story()
    view = view_of(told)
    report = told.commit_report(view, DETECTOR)
    with pytest.raises(ValueError, match="takes one item"):
        encode([report, report])
    with pytest.raises(ValueError, match="calls one function"):
        encode([report, told.settle(view)])


def court_story() -> CourtStory:
    return CourtStory(
        domain=Domain(1, Address(bytes(20))), requester=REQUESTER, worker=WORKER, now=1_000, hidden=True
    )


def court_view(told: CourtStory) -> UnitView:
    (case,) = (record.case for record in trial(0) if isinstance(record, CaseOpened))
    draw = DrawView(secret=told.draw_secret, guard_r=told.guard_r, seed=keccak256(b"seed"))
    rounds = (RoundView(round=0, since=1, funder=case.accuser),)
    return replace(view_of(told), draw=draw, committed_at=77, case=CaseView(case=case, rounds=rounds))


SEAT = Seat(ticket=Ticket(id=4, owner=DETECTOR.address, staked_at=1), proof=SeatProof(attempt=3, tickets=9))


def test_secrets_travel_with_reveals_and_settlements() -> None:
    told = court_story()
    view = court_view(told)
    _, args = decoded([told.reveal(view), told.reveal(view, shown=True)])
    shown = [(opening["secret"], opening["guardR"]) for opening in args["openings"]]
    assert shown == [(bytes(32), bytes(32)), (told.draw_secret, told.guard_r)]
    _, args = decoded([told.settle(view, shown=True), told.settle(view)])
    shown = [(secret["secret"], secret["guardR"]) for secret in args["secrets"]]
    assert shown == [(told.draw_secret, told.guard_r), (bytes(32), bytes(32))]


def test_calls_of_a_check_and_a_dispute() -> None:
    told = court_story()
    view = court_view(told)
    calls: dict[str, ChainAction] = {
        "draw": told.draw(view),
        "commitCheck": told.commit_check(view, SEAT),
        "fineChecker": told.fine_checker(view, SEAT.proof),
        "showJury": told.show_jury(view),
        "defend": told.defend(view, 9),
        "demand": told.demand(view, 1),
        "supply": told.supply(view, 1),
    }
    seen = {}
    for name, call in calls.items():
        function, seen[name] = decoded([call])
        assert (function, target_of(call), value_of(call)) == (name, "BlockEdge", 0)
        assert tuple(seen[name]["unit"]["data"]) == view.data
        with pytest.raises(ValueError, match="takes one item"):
            encode([call, call])
    assert (seen["draw"]["secret"], seen["draw"]["guardR"]) == (told.draw_secret, told.guard_r)
    assert seen["commitCheck"]["proof"] == {"attempt": 3, "tickets": 9}
    assert (seen["fineChecker"]["drawSeed"], seen["fineChecker"]["committedAt"]) == (keccak256(b"seed"), 77)
    assert seen["showJury"]["sR"] == told.jury_secret
    assert (seen["defend"]["sW"], seen["defend"]["tickets"]) == (told.guard_secret, 9)
    assert seen["demand"]["result"]["outputRoot"] == told.result.output_root
    assert (seen["supply"]["count"], len(seen["supply"]["path"])) == (2, 1)


def test_calls_of_the_court_carry_its_case_and_appeals_their_fees() -> None:
    told = court_story()
    view = court_view(told)
    assert view.case is not None
    case = view.case.case
    calls: dict[str, ChainAction] = {
        "commitVote": told.vote(case, 0, 2, SEAT, None),
        "revealVote": told.show_vote(case, 0, 2, None),
        "appeal": told.appeal(view),
        "closeRound": told.close_round(view),
    }
    for name, call in calls.items():
        function, args = decoded([call])
        assert (function, target_of(call)) == (name, "Court")
        assert args["case_"]["seed"] == case.seed
        assert args["case_"]["fee"] == case.fee
        assert value_of(call) == (11 * case.fee if name == "appeal" else 0)
    _, args = decoded([calls["commitVote"]])
    assert (args["round"], args["seat"], args["attempt"]) == (0, 2, 3)


def test_keys_tell_calls_apart() -> None:
    told = story()
    assert key_of(told.award_commit()) == key_of(story().award_commit())
    assert key_of(told.award_commit()) != key_of(story(1).award_commit())
    assert key_of(told.register()) != key_of(told.register(acked=False))


def test_reverts_have_names_and_figures() -> None:
    errors = {signature.name: signature for signature in contract("BlockEdge").errors.values()}
    insolvent = errors["Insolvent"].selector + (5).to_bytes(32, "big") + (3).to_bytes(32, "big")
    assert str(explain(insolvent)) == "Insolvent: required 5, free 3"
    phase = errors["BadPhase"].selector + (1).to_bytes(32, "big") + (5).to_bytes(32, "big")
    assert str(explain(phase)) == "BadPhase: expected ASSIGNED, actual PAID"
    terms = errors["BadTerms"].selector + b"registerBy".ljust(32, b"\0")
    assert str(explain(terms)) == "BadTerms: field registerBy"
    assert str(explain(b"")) == "Reverted: without a reason"
    assert str(explain(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"))) == "Panic: 0x11"
    text = (
        bytes.fromhex("08c379a0")
        + (32).to_bytes(32, "big")
        + (3).to_bytes(32, "big")
        + b"why".ljust(32, b"\0")
    )
    assert str(explain(text)) == "Reverted: why"
    assert str(explain(b"\x01\x02\x03\x04")) == "Reverted: 0x01020304"
    assert skip_reason(errors["TooEarly"].selector) == "TooEarly"


def test_the_courts_reverts_have_its_own_names() -> None:
    errors = {signature.name: signature for signature in contract("Court").errors.values()}
    words = lambda *numbers: b"".join(n.to_bytes(32, "big") for n in numbers)  # noqa: E731
    assert str(explain(errors["BadValue"].selector + words(5, 3))) == "BadValue: expected 5, actual 3"
    state = errors["BadPhase"].selector + words(1, 2)
    assert str(explain(state, "Court")) == "BadPhase: expected OPEN, actual CLOSED"
    assert str(explain(errors["NotSeat"].selector)) == "NotSeat"
    insolvent = next(e for e in contract("BlockEdge").errors.values() if e.name == "Insolvent")
    assert str(explain(insolvent.selector + words(5, 3), "Court")) == "Insolvent: required 5, free 3"


def test_logs_of_others_are_nothing_and_broken_ones_an_error() -> None:
    skipped = next(e for e in contract("BlockEdge").events.values() if e.name == "Skipped")
    unit = keccak256(b"unit")
    assert decode_log([skipped.hash, unit], b"\1\2\3\4" + bytes(28)) == Skipped(unit, b"\1\2\3\4")  # type: ignore[arg-type]
    assert decode_log([keccak256(b"Other()")], b"") is None
    assert decode_log([], b"") is None
    with pytest.raises(ValueError, match="not \\(bytes4\\)"):
        decode_log([skipped.hash, unit], b"\1")
    with pytest.raises(ValueError, match="with 1 topics"):
        decode_log([skipped.hash], bytes(32))
