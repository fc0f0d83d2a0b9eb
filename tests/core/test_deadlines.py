"""Windows that neither overlap nor leave a gap, and the block times they allow (docs/protocol.md §3.3, §7.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import deadlines
from blockedge_node.core.court import DemandView
from blockedge_node.core.ids import Address, Hash, Root, Secret, TaskId
from blockedge_node.core.params import Params
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Phase, ReportView, Terms, UnitView
from tests.core.builders import DEV

PROD = replace(
    DEV,
    seat=10**18,
    grace=60,
    secret=120,
    reveal=300,
    challenge=600,
    report=300,
    max_award=900,
    ref_fuel=10**8,
    vwin_base=60,
    vwin_max=3600,
    ticket_age=86_400,
    unbond=86_400,
    defend=1800,
    jcommit=600,
    jreveal=300,
    appeal=3600,
    da_window=600,
)
REQUEST = Request(
    requester=Address(b"\x01" * 20),
    nonce=1,
    kind=1,
    shards=1,
    input_root=Root(b"\x02" * 32),
    fuel=10**9,
    max_price=10**15,
    min_deposit=0,
    max_delay=60,
    w_price=10_000,
    w_delay=0,
    w_rep=0,
    expiry=1_000,
)
ZERO = Hash(bytes(32))
REPORT = ReportView(index=1, author=Address(b"\x09" * 20), hash=ZERO)


def unit(phase: Phase, since: int, **changes: Any) -> UnitView:
    terms = Terms(
        task=TaskId(b"\x03" * 32),
        shard=0,
        kind=1,
        mode=0,
        spot_bps=changes.pop("spot_bps", 0),
        requester=REQUEST.requester,
        worker=Address(b"\x04" * 20),
        price=1,
        deposit=20,
        check_fee=0,
        delay=changes.pop("delay", 10),
        vwin=DEV.vwin(REQUEST.fuel),
    )
    facts: dict[str, Any] = {"flags": deadlines.SECRET_SHOWN} | changes
    return UnitView(
        unit=terms.unit, phase=phase, since=since, request=REQUEST, terms=terms, data=(ZERO,) * 4, **facts
    )


def test_work_is_due_after_the_promised_delay_and_grace() -> None:
    assert deadlines.result_by(unit(Phase.ASSIGNED, 1_000, start_at=995), DEV) == 1_010


def test_unacknowledged_unit_is_due_from_its_registration() -> None:
    assert deadlines.result_by(unit(Phase.ASSIGNED, 1_000), DEV) == 1_015


def test_i19_late_registration_leaves_grace() -> None:
    assert deadlines.result_by(unit(Phase.ASSIGNED, 1_000, start_at=900), DEV) == 1_005


def test_without_spot_check_reveal_opens_at_once() -> None:
    view = unit(Phase.COMMITTED, 1_000)
    assert deadlines.check_by(view, DEV) == 1_000
    assert deadlines.reveal_by(view, DEV) == 1_010


def test_spot_check_keeps_room_for_a_slow_checker() -> None:
    view = unit(Phase.COMMITTED, 1_000, spot_bps=1_000)
    assert view.terms.vwin == 7
    assert deadlines.secret_by(view, DEV) == 1_006
    assert deadlines.check_by(view, DEV) == 1_013
    assert deadlines.reveal_by(view, DEV) == 1_023


def test_settle_waits_for_reports_only_if_there_are_any() -> None:
    quiet = unit(Phase.REVEALED, 1_000)
    assert deadlines.challenge_by(quiet, DEV) == 1_012
    assert deadlines.settle_after(quiet, DEV) == 1_012
    assert deadlines.settle_after(replace(quiet, reports=(REPORT,)), DEV) == 1_017


def test_stranger_cannot_settle_without_the_secret_before_grace() -> None:
    assert deadlines.settle_after(unit(Phase.REVEALED, 1_000, flags=0), DEV) == 1_017


def test_who_shows_the_secret_settles_at_once() -> None:
    quiet = unit(Phase.REVEALED, 1_000, flags=0)
    assert deadlines.settle_after(quiet, DEV, shown=True) == 1_012
    assert deadlines.settles(quiet, DEV, 1_013, shown=True)
    assert not deadlines.settles(quiet, DEV, 1_012, shown=True)
    assert not deadlines.settles(quiet, DEV, 1_013)
    assert deadlines.settles(quiet, DEV, 1_018)
    assert not deadlines.settles(unit(Phase.DISPUTED, 1_000), DEV, 9_999)


def test_an_open_demand_is_waited_for_and_then_ends_the_unit() -> None:
    asked = (DemandView(chunk=0, by=1_020), DemandView(chunk=9, by=1_015))
    view = unit(Phase.REVEALED, 1_000, demands=asked)
    assert deadlines.open_demands(view) == asked
    assert deadlines.timeout_after(view, DEV) == 1_015
    assert not deadlines.settles(view, DEV, 1_019)
    answered = replace(view, demands=tuple(replace(demand, supplied=True) for demand in asked))
    assert deadlines.timeout_after(answered, DEV) is None
    assert deadlines.settles(answered, DEV, 1_019)


def test_a_contradicted_unit_goes_to_the_jury_whatever_was_demanded() -> None:
    asked = (DemandView(chunk=0, by=1_014),)
    wrong = replace(REPORT, result_hash=Hash(b"\x0f" * 32))
    view = unit(Phase.REVEALED, 1_000, demands=asked, reports=(wrong,), result_hash=Hash(b"\x0e" * 32))
    assert deadlines.timeout_after(view, DEV) is None, "no cheap way out of a lie"
    assert not deadlines.settles(view, DEV, 1_017)
    assert deadlines.settles(view, DEV, 1_018)
    assert deadlines.open_demands(replace(view, phase=Phase.DISPUTED)) == ()
    silent = replace(view, reports=(replace(REPORT, index=0),))
    assert deadlines.settles(silent, DEV, 1_018), "so does one whose check is not shown in time"
    agreed = replace(view, reports=(replace(REPORT, result_hash=view.result_hash),))
    assert not deadlines.settles(agreed, DEV, 1_018)
    assert deadlines.timeout_after(agreed, DEV) == 1_014


def test_a_defended_unit_ends_in_court() -> None:
    view = unit(Phase.DISPUTED, 1_000)
    assert deadlines.timeout_after(view, DEV) == 1_010
    assert deadlines.timeout_after(replace(view, defended=Secret(b"w" * 32)), DEV) is None


def test_dispute_halves_between_the_two_sides() -> None:
    view = unit(Phase.DISPUTED, 1_000)
    assert (deadlines.jury_shown_by(view, DEV), deadlines.defend_by(view, DEV)) == (1_005, 1_010)


def test_i08_every_phase_before_the_end_has_an_exit() -> None:
    for phase in Phase:
        after = deadlines.timeout_after(unit(phase, 1_000), DEV)
        assert (after is not None) == (phase in (Phase.ASSIGNED, Phase.COMMITTED, Phase.DISPUTED))


@given(st.integers(1, 2**40 - 1), st.integers(1, 604_800), st.integers(0, 10_000), st.integers(0, 2**39))
def test_windows_follow_each_other(since: int, delay: int, spot_bps: int, start_at: int) -> None:
    view = unit(Phase.ASSIGNED, since, delay=delay, spot_bps=spot_bps, start_at=start_at)
    assert deadlines.result_by(view, DEV) >= since + DEV.grace
    assert since <= deadlines.check_by(view, DEV) < deadlines.reveal_by(view, DEV)
    assert since < deadlines.challenge_by(view, DEV) < deadlines.report_by(view, DEV)
    assert deadlines.challenge_by(view, DEV) <= deadlines.settle_after(view, DEV)
    assert deadlines.opens(deadlines.report_by(view, DEV)) == deadlines.report_by(view, DEV) + 1


def test_registration_never_outlives_the_longest_award() -> None:
    assert deadlines.register_by(1_000, 60, DEV) == 1_065
    assert deadlines.register_by(1_000, 10_000, DEV) == 1_000 + DEV.max_award


@pytest.mark.parametrize(("params", "interval", "conf"), [(DEV, 1, 0), (PROD, 12, 2), (PROD, 6.4, 2)])
def test_published_profiles_fit_their_block_times(params: Params, interval: float, conf: int) -> None:
    assert deadlines.too_short(params, interval, conf) == ()


def test_short_windows_are_named() -> None:
    faults = deadlines.too_short(DEV, 2, 0)
    assert [fault.split(" ")[0] for fault in faults] == (
        "GRACE SECRET VWIN_BASE CHALLENGE REPORT DEFEND JCOMMIT JREVEAL".split()
    )
    assert faults[0] == "GRACE is 5 s, needs 8 s at 2 s blocks and CONF 0"


def test_secret_waits_for_confirmation() -> None:
    assert deadlines.too_short(DEV, 1, 2) == ()
    assert deadlines.too_short(DEV, 1, 3)[0].startswith("SECRET is 6 s, needs 7 s")


def test_promise_never_outlives_the_money_behind_it() -> None:
    assert deadlines.longest_duty(PROD) == 34_620
    assert deadlines.longest_duty(DEV) == 396
    assert "MAX_AWARD" in deadlines.too_short(replace(DEV, unbond=120), 1, 0)[0]
    assert "duty" in deadlines.too_short(replace(DEV, unbond=400), 1, 0)[0]
