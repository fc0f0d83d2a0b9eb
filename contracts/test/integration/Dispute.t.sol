// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Case, NO_INPUT, Phase, ReportOpening} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title Whole disputes through the real Court: from the award to the last bond (docs/protocol.md §6, §7.1).
contract DisputeFlowTest is JuryFixture {
    // ── one round ───────────────────────────────────────────────────────────────────────────────────────

    function test_flow_guiltyWorkerIsSlashed() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWWW");
        _closeCase(job, case_, WRONG);
        uint256 deposit = job.terms.deposit;
        assertEq(_free(worker), FUNDS - deposit, "the deposit is gone");
        uint256 rest = deposit - 5 * CHECK_FEE; // nobody was fined: the accuser's fees come out of it
        assertEq(_free(requester), FUNDS + rest / 2, "half of the rest");
        assertEq(_free(detector), FUNDS + rest / 5, "a fifth");
        _allEnded(job, Phase.Slashed);
    }

    function test_flow_innocentWorkerGainsHalfOfX() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "RRRRW");
        _closeCase(job, case_, job.data[0]);
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "richer than unaccused");
        assertEq(_free(detector), FUNDS - _courtBond(job), "the accuser lost its bond");
        _allEnded(job, Phase.Paid);
    }

    /// @dev 3 of 5 seats convict; 2 do not, however few others spoke.
    function test_flow_twoOfFiveConvictNobody() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WW...");
        _closeCase(job, case_, WRONG);
        assertEq(_free(worker), FUNDS, "the deposit is back");
        assertEq(_free(requester), FUNDS, "and everything of the requester's");
        _allEnded(job, Phase.Unresolved);
    }

    function test_flow_nobodyVotes() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, ".....");
        _closeCase(job, case_, 0);
        assertEq(_free(detector), FUNDS, "whole again: no juror took a fee");
        _allEnded(job, Phase.Unresolved);
    }

    function test_flow_jurorsWithoutInput() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "NNNW.");
        _closeCase(job, case_, NO_INPUT);
        assertEq(_free(worker), FUNDS + job.terms.price, "paid");
        assertLe(_r(worker), 440_000, "without points");
        assertEq(_locked(detector), 0, "the accuser keeps X");
        _allEnded(job, Phase.Paid);
    }

    function test_flow_contradictingCheckerIsRight() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, WRONG);
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 0, check, "");
        _dispute(job);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWWR");
        _closeCase(job, case_, WRONG);
        uint256 free = edge.accountOf(check.author).free;
        assertTrue(free > job.terms.deposit / 5, "the detector's fifth, and the fees that its ticket paid");
        _closeReport(job, 0);
        _allEnded(job, Phase.Slashed);
    }

    function test_flow_silentCheckerFundsTheJury() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        _dispute(job);
        Case memory case_ = _toCase(job);
        assertEq(case_.accuser, address(0), "nobody accuses");
        _round(case_, 0, "RRRRR");
        _closeCase(job, case_, job.data[0]);
        _closeReport(job, 0);
        assertLe(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE - _accusation(job), "alpha, and X");
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "paid, and half of X");
        _allEnded(job, Phase.Paid);
    }

    // ── appeals ─────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A captured first jury convicts the innocent; the worker's watchtower appeals to 11.
    function test_flow_appealToEleven() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWRR");
        _appeal(case_, rival, 11);
        assertEq(court.caseOf(job.unit).round, 1, "round 1");
        _round(case_, 1, "RRRRRRWWW..");
        uint256 before = _free(rival);
        _closeCase(job, case_, job.data[0]);
        uint256 due = uint256(11 * CHECK_FEE) * 11 / 10;
        assertEq(_free(rival) - before, due, "repaid with a tenth");
        uint256 left = _accusation(job) - (due - (16 - 8) * CHECK_FEE);
        assertEq(_free(worker), FUNDS + job.terms.price + left / 2, "the price, and half of what X leaves");
        _allEnded(job, Phase.Paid);
    }

    /// @dev Two wrong juries, and 23 that are right: the accuser appealed twice and is whole.
    function test_flow_appealToTwentyThree() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "RRRWW");
        _appeal(case_, rival, 11);
        _round(case_, 1, "RRRRRRWWWWW");
        _appeal(case_, stranger, 23);
        _round(case_, 2, "WWWWWWWWWWWWWWRRRRRRRRR");
        _closeCase(job, case_, WRONG);
        assertTrue(_free(detector) > FUNDS, "the detector gains");
        assertEq(_free(rival), FUNDS + uint256(11 * CHECK_FEE) * 11 / 10, "first appellant");
        assertEq(_free(stranger), uint256(23 * CHECK_FEE) * 11 / 10, "second appellant");
        _allEnded(job, Phase.Slashed);
    }

    function _allEnded(Job memory job, Phase phase) private {
        _assertPhase(job, phase);
        assertEq(_locked(requester) + _locked(worker) + _locked(detector), 0, "nothing is locked");
        assertEq(address(court).balance, _stakes(), "no pot is left");
        _assertSolvent();
        // Everything is over: nobody can end it once more.
        Phase before = _state(job).phase;
        _settle(job);
        _timeout(job);
        assertTrue(_state(job).phase == before, "ends are final");
    }

    function _stakes() private view returns (uint256 stakes) {
        for (uint32 id = 0; id < court.tickets(); ++id) {
            stakes += court.ticketOf(id).stake;
        }
    }
}
