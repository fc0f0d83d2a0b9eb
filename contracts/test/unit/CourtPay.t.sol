// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Log, vm} from "../../script/Vm.sol";
import {ICourtErrors as Errors, ICourtEvents as Events} from "../../src/interfaces/ICourt.sol";
import {Case, NO_INPUT, Phase, Ruling} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title How a case ends: the outcome, what seats win and lose, and who is owed what (docs/protocol.md §6.5).
/// @dev FEE is φ, 10 FEE is α. All tables of outcomes: test/vectors/Jury.t.sol.
contract CourtPayTest is CourtFixture {
    bytes32 private immutable WRONG = _hashOf("W");

    function setUp() public override {
        super.setUp();
        _stakeMany(40);
    }

    /// @dev A case whose seats of round 0 are five different tickets'.
    function _openedDistinct() private returns (Case memory c) {
        while (true) {
            c = _case();
            bool distinct = true;
            for (uint8 i = 0; i < 5; ++i) {
                for (uint8 k = 0; k < i; ++k) {
                    distinct = distinct && _ticketAt(c, 0, i) != _ticketAt(c, 0, k);
                }
            }
            if (distinct) break;
        }
        _open(c);
    }

    function _assertSeat(Case memory c, uint8 seat, int256 change) private view {
        assertEq(_held(_ticketAt(c, 0, seat)), uint256(int256(uint256(p.seat)) + change), "stake");
    }

    // ── seats ───────────────────────────────────────────────────────────────────────────────────────────

    function test_pay_eachSeatByWhatItDid() public {
        Case memory c = _openedDistinct();
        _trial(c, "RRWh.");
        uint32 first = _ticketAt(c, 0, 0);
        uint32 wrong = _ticketAt(c, 0, 2);
        vm.warp(_closesAt(c) + 1);
        vm.expectEmit(address(court));
        emit Events.TicketCharged(wrong, 10 * FEE);
        vm.expectEmit(address(court));
        emit Events.TicketCharged(_ticketAt(c, 0, 3), 10 * FEE);
        vm.expectEmit(address(court));
        emit Events.TicketCharged(_ticketAt(c, 0, 4), FEE);
        vm.expectEmit(address(court));
        emit Events.TicketPaid(first, FEE);
        vm.expectEmit(address(court));
        emit Events.TicketPaid(_ticketAt(c, 0, 1), FEE);
        vm.expectEmit(address(court));
        emit Events.CaseClosed(c.unit, uint8(Phase.Paid), RIGHT);
        court.closeRound(_unit(), c, RIGHT);
        int256 fee = int256(uint256(FEE));
        _assertSeat(c, 0, fee);
        _assertSeat(c, 1, fee);
        _assertSeat(c, 2, -10 * fee);
        _assertSeat(c, 3, -10 * fee);
        _assertSeat(c, 4, -fee);
        assertEq(edge.pool(), (5 - 2) * FEE, "pot - fees");
        assertEq(edge.ruling().fines, 21 * FEE, "fines");
        assertEq(address(edge).balance, edge.pool() + 21 * FEE, "all of it sent");
        _assertBooks(0);
    }

    function test_pay_emptySeatsWinAndLoseNothing() public {
        Case memory c = _opened();
        for (uint256 i = 0; i < 40; ++i) {
            edge.setReporter(c.unit, _owner(i));
        }
        Ruling memory r = _close(c, 0);
        _assertOutcome(r, Phase.Unresolved, 0);
        assertEq(_stakes(), 40 * uint256(p.seat), "untouched");
        assertEq(edge.pool(), 5 * FEE, "the pot is left");
        assertEq(r.dues[0], 5 * FEE, "and goes back to the accuser");
    }

    function test_pay_finesReachAsFarAsTheStake() public {
        Case memory c = _openedDistinct();
        uint32 poor = _ticketAt(c, 0, 3);
        edge.take(poor, p.seat - FEE - 7);
        uint256 before = address(edge).balance;
        _trial(c, "RRRW.");
        _close(c, RIGHT);
        assertEq(_held(poor), 0, "all it had");
        assertEq(address(edge).balance - before, (5 - 3 + 1) * FEE + FEE + 7, "no more");
        _assertBooks(0);
    }

    function test_pay_aFineBelowHalfMakesTheTicketLeave() public {
        Case memory c = _openedDistinct();
        uint32 poor = _ticketAt(c, 0, 3);
        edge.take(poor, p.seat / 2);
        _trial(c, "RRRW.");
        _close(c, RIGHT);
        assertEq(court.ticketOf(poor).leftAt, block.timestamp, "left");
        assertEq(court.ticketOf(_ticketAt(c, 0, 4)).leftAt, 0, "a small fine leaves it in");
    }

    function test_pay_oneTicketInManySeats() public {
        // A court of one: its only ticket sits five times, wrong thrice.
        court = _deploy(p);
        edge.setCourt(court);
        _stakeMany(1);
        Case memory c = _opened();
        _trial(c, "RRWW.");
        _close(c, RIGHT);
        // Unresolved by a tie; the lowest seat's hash counts as right.
        assertEq(_held(0), p.seat - 21 * FEE + 2 * FEE, "fined for each seat, paid for each");
        _assertBooks(0);
    }

    function test_pay_aJurorLosesAtMostItsStake() public {
        court = _deploy(p);
        edge.setCourt(court);
        _stakeMany(1);
        Case memory c = _opened();
        _trial(c, "WXYhh");
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        _trial(c, "RRRRRRRRRRR");
        _close(c, RIGHT);
        // 50 fees of fines meet a stake of 33; then eleven fees are won.
        assertEq(p.seat / FEE, 33, "the example");
        assertEq(_held(0), 11 * FEE, "taken whole, then paid");
        assertEq(edge.pool(), (16 - 11) * FEE, "what the fees left");
        assertEq(edge.ruling().fines, p.seat, "and no more was taken");
        _assertBooks(0);
    }

    function test_pay_aShortPotPaysTheFirstSeats() public {
        uint32 payer = _stake(stranger); // too young to be drawn
        edge.take(payer, p.seat - 3 * FEE - 1);
        Case memory c = _case();
        edge.open(c, payer + 1, 10 * FEE);
        uint256 before = _stakes();
        _trial(c, "RRRRR");
        _close(c, RIGHT);
        assertEq(_stakes() - before, 3 * FEE + 1, "what there was");
        assertEq(edge.pool(), 0, "nothing left");
        _assertBooks(0);
    }

    function test_pay_seatsBeyondThePotGainNothing() public {
        uint32 payer = _stake(stranger);
        edge.take(payer, p.seat - 3 * FEE);
        Case memory c = _case();
        edge.open(c, payer + 1, 10 * FEE);
        _trial(c, "RRRRR");
        vm.warp(_closesAt(c) + 1);
        vm.recordLogs();
        court.closeRound(_unit(), c, RIGHT);
        Log[] memory logs = vm.getRecordedLogs();
        uint256 paid = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == Events.TicketPaid.selector) ++paid;
        }
        assertEq(paid, 3, "three fees, three payments: none of nothing");
    }

    // ── the price of a round ────────────────────────────────────────────────────────────────────────────

    /// @dev The pot of round 0 is never written down: it is what five seats cost, or jurors are paid out of stakes.
    function test_open_takesExactlyTheFeesOfFiveSeats() public {
        Case memory c = _case();
        uint256[3] memory wrong = [uint256(0), 5 * uint256(FEE) - 1, 5 * uint256(FEE) + 1];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(accuser);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadValue.selector, 5 * FEE, wrong[i]));
            edge.open{value: wrong[i]}(c, 0, 0);
        }
        _open(c);
    }

    // ── outcomes and dues ───────────────────────────────────────────────────────────────────────────────

    function test_close_paidOwesTheAccuserNothing() public {
        Case memory c = _opened();
        _trial(c, "RRRRR");
        Ruling memory r = _close(c, RIGHT);
        _assertOutcome(r, Phase.Paid, RIGHT);
        assertEq(r.funders[0], accuser, "accuser");
        assertEq(r.dues[0], 0, "nothing");
        assertEq(edge.pool(), 0, "five fees, five jurors");
    }

    function test_close_slashedOwesTheAccuserItsFees() public {
        Case memory c = _opened();
        _trial(c, "WWWWR");
        Ruling memory r = _close(c, WRONG);
        _assertOutcome(r, Phase.Slashed, WRONG);
        assertEq(r.dues[0], 5 * FEE, "whole");
    }

    function test_close_noInputAcquits() public {
        Case memory c = _opened();
        _trial(c, "NNNW.");
        _assertOutcome(_close(c, NO_INPUT), Phase.Paid, NO_INPUT);
    }

    function test_close_unresolvedOwesWhatIsLeft() public {
        Case memory c = _opened();
        _trial(c, "WW...");
        Ruling memory r = _close(c, WRONG);
        _assertOutcome(r, Phase.Unresolved, WRONG);
        assertEq(r.dues[0], 3 * FEE, "less juror fees");
        assertEq(edge.pool(), 3 * FEE, "which is the pool");
        assertEq(r.fines, 3 * FEE, "beside the fines");
    }

    /// @dev A dispute for show: who seats both juries has its appeal repaid by nobody it outvotes.
    function test_close_finesRepayNobody() public {
        Case memory c = _opened();
        _trial(c, "RRRRR");
        _appeal(c, accuser);
        _trial(c, "WWWWWRRRRR.");
        Ruling memory r = _close(c, WRONG);
        _assertOutcome(r, Phase.Unresolved, WRONG);
        assertEq(r.dues[0] + r.dues[1], (16 - 5) * FEE, "what the fees of five leave of the pots");
        assertEq(edge.pool(), (16 - 5) * FEE, "no more");
        assertEq(r.fines, (10 * 10 + 1) * FEE, "burn");
        _assertBooks(0);
    }

    function test_close_nobodyAccusesForASilentChecker() public {
        Case memory c = _case();
        c.accuser = address(0);
        edge.open(c, 40, 10 * FEE);
        _trial(c, "WWWWW");
        Ruling memory r = _close(c, WRONG);
        assertEq(r.funders[0], address(0), "nobody");
        assertEq(r.dues[0], 0, "nothing");
        assertEq(edge.pool(), 5 * FEE, "the surplus goes along");
    }

    // ── appeals ─────────────────────────────────────────────────────────────────────────────────────────

    function test_appeal_thatTurnsTheOutcomeIsRepaidWithATenth() public {
        Case memory c = _opened();
        _trial(c, "WWWRR");
        _appeal(c, worker);
        _trial(c, "RRRRRRRRRRR");
        Ruling memory r = _close(c, RIGHT);
        _assertOutcome(r, Phase.Paid, RIGHT);
        assertEq(r.funders[1], worker, "funder");
        assertEq(r.dues[1], 11 * FEE * 11 / 10, "11 fees and a tenth");
        assertEq(edge.pool(), (16 - 13) * FEE, "of which the pots hold what the jurors left");
        assertEq(r.fines, 30 * FEE, "the fines of the liars burn");
        _assertBooks(0);
    }

    function test_appeal_thatChangesNothingIsLost() public {
        Case memory c = _opened();
        _trial(c, "WWWRR");
        _appeal(c, worker);
        _trial(c, "WWWWWWRRRRR");
        Ruling memory r = _close(c, WRONG);
        assertEq(r.dues[1], 0, "nothing");
        assertEq(r.dues[0], 5 * FEE, "the accuser's");
    }

    function test_appeal_eachIsJudgedByTheRoundBeforeIt() public {
        Case memory c = _opened();
        _trial(c, "RRRRR");
        _appeal(c, accuser); // wrong: the end agrees with round 0
        _trial(c, "WWWWWWRRRRR");
        _appeal(c, worker); // right
        _trial(c, "RRRRRRRRRRRRRRRRRRRRRRR");
        Ruling memory r = _close(c, RIGHT);
        _assertOutcome(r, Phase.Paid, RIGHT);
        assertEq(r.funders[1], accuser, "first");
        assertEq(r.funders[2], worker, "second");
        assertEq(r.dues[1], 0, "wrong");
        assertEq(r.dues[2], 23 * FEE * 11 / 10, "right");
    }

    function test_appeal_twoCasesAtOnceKeepTheirMoneyApart() public {
        Case memory first = _opened();
        _trial(first, "WWWRR");
        _appeal(first, worker);
        _assertBooks(16 * FEE);
        Case memory second = _opened();
        _assertBooks(21 * FEE);
        _trial(second, "RRRRR");
        _close(second, RIGHT);
        _assertBooks(16 * FEE);
    }
}
