// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, Proof, ReportOpening, ReportState, Secret} from "../../src/Types.sol";
import {GasBombJudge} from "../mocks/Hostile.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title The attacks of docs/protocol.md §12 on two-stage reports.
contract AttacksReportsTest is Fixture {
    function _cheat() private returns (Job memory job) {
        job = _powJob();
        _answer(job, "");
        _toRevealed(job);
    }

    function _end(Job memory job) private {
        vm.warp(_challengeBy(job) + p.report + 1);
        _settle(job);
    }

    /// @dev At every amount of gas the call either reverts, leaving the report whole, or asks the judge with
    /// all that a verdict takes: nobody spoils another's report by starving it.
    function testFuzz_attack_judgeCannotBeStarved(uint256 gas_) public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        bytes memory call =
            abi.encodeCall(edge.revealReport, (_unit(job), 1, opening, _proof(job, _powAnswer(0))));
        gas_ = 100_000 + gas_ % 500_000;
        vm.prank(rival.addr);
        (bool done,) = address(edge).call{gas: gas_}(call);
        ReportState state = edge.reportOf(job.unit, 1).state;
        if (!done) assertTrue(state == ReportState.Committed, "whole");
        else assertEq(edge.reportOf(job.unit, 1).verdict, 2, "judged");
    }

    /// @dev A judge that eats all its gas still leaves enough to record its silence.
    function test_attack_gasBombJudgeStopsNobody() public {
        edge = _deploy(p, address(new GasBombJudge()));
        _fund(requester, FUNDS);
        _fund(worker, FUNDS);
        _fund(detector, FUNDS);
        Job memory job = _powJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256("evidence"));
        vm.warp(_challengeBy(job) + 1);
        bytes memory call =
            abi.encodeCall(edge.revealReport, (_unit(job), 1, opening, _proof(job, "evidence")));
        uint256 before = gasleft();
        (bool done,) = address(edge).call{gas: 600_000}(call);
        assertTrue(done && before - gasleft() < 600_000, "within the gas callers are told to give");
        _end(job);
        _assertPhase(job, Phase.Paid);
    }

    function test_attack_fiftyJunkReportsDoNotHideTheHonestOne() public {
        Job memory job = _cheat();
        for (uint256 i = 0; i < 50; ++i) {
            _commitReport(job, rival, keccak256(abi.encode("junk", i)));
        }
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        for (uint16 i = 0; i < 50; i += 7) {
            bytes memory junk = abi.encode("junk", uint256(i)); // some of them opened too
            _revealReport(job, i + 1, _reportOpening(rival, keccak256(junk)), junk);
        }
        _revealReport(job, 51, opening, _powAnswer(0));
        _end(job);
        _assertPhase(job, Phase.Slashed);
        for (uint16 i = 1; i <= 51; ++i) {
            _closeReport(job, i);
        }
        assertEq(_free(detector), FUNDS + job.terms.deposit / 5, "the honest one is paid");
        assertEq(_free(rival), FUNDS - 50 * uint256(_bond(job)), "the flood cost 50 bonds");
        assertEq(_locked(detector) + _locked(rival) + _locked(worker) + _locked(requester), 0, "locked");
        _assertSolvent();
    }

    /// @dev Invariant 15: no call costs more because others have reported before.
    function test_invariant_15_gasDoesNotGrowWithReports() public {
        uint256[2] memory settle;
        uint256[2] memory report;
        for (uint256 k = 0; k < 2; ++k) {
            Job memory job = _cheat();
            uint256 flood = k == 0 ? 1 : 60;
            for (uint256 i = 0; i < flood; ++i) {
                _commitReport(job, rival, keccak256(abi.encode(i)));
            }
            report[k] = _gasOf(detector.addr, abi.encodeCall(edge.commitReport, (_unit(job), bytes32("x"))));
            vm.warp(_challengeBy(job) + p.report + 1);
            settle[k] = _gasOf(stranger.addr, abi.encodeCall(edge.settle, (_units(job), new Secret[](1))));
            _assertPhase(job, Phase.Paid);
        }
        // a storage read a report would be 2100 gas each; the test's own memory grows a little
        assertLe(report[1], report[0] + 1000, "commitReport");
        assertLe(settle[1], settle[0] + 1000, "settle");
    }

    /// @dev Copied in stage I, a hash opens for its author only; copied in stage II, evidence comes too late.
    function test_attack_reportCopiedFromTheMempoolIsWorthless() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _reportOpening(detector, keccak256(_powAnswer(0)));
        bytes32 hash = _reportHash(job, opening);
        vm.prank(rival.addr); // in front of the detector, with its hash
        edge.commitReport(_unit(job), hash);
        _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        Proof memory proof = _proof(job, _powAnswer(0));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 1, opening, proof);

        // sees the evidence in the detector's stage II: stage I is over
        ReportOpening memory late = _reportOpening(rival, keccak256(_powAnswer(0)));
        bytes32 lateHash = _reportHash(job, late);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, _challengeBy(job)));
        vm.prank(rival.addr);
        edge.commitReport(_unit(job), lateHash);

        // sends the detector's own opening for it: the detector is paid all the same
        vm.prank(rival.addr);
        edge.revealReport(_unit(job), 2, opening, proof);
        _end(job);
        _closeReport(job, 1);
        _closeReport(job, 2);
        assertEq(_free(detector), FUNDS + job.terms.deposit / 5, "the author");
        assertEq(_free(rival), FUNDS - _bond(job), "the copyist");
    }

    function test_attack_falseAccusationPaysTheAccused() public {
        Job memory job = _powJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(1)));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, _powAnswer(1)); // a solution, but not a smaller one
        _end(job);
        _closeReport(job, 1);
        _assertPhase(job, Phase.Paid);
        assertEq(_free(worker), FUNDS + job.terms.price + _bond(job) / 2, "half the bond");
        assertEq(_free(detector), FUNDS - _bond(job), "its bond");
    }

    function test_attack_closeReportsTwiceReleasesOnce() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _commitReport(job, detector, keccak256("second bond, still held"));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, _powAnswer(0));
        _end(job);
        uint16[] memory indices = new uint16[](3);
        (indices[0], indices[1], indices[2]) = (1, 1, 1);
        edge.closeReports(_unit(job), indices);
        edge.closeReports(_unit(job), indices);
        assertEq(_locked(detector), _bond(job), "the other bond stays locked");
        _closeReport(job, 2);
        assertEq(_locked(detector), 0, "each once");
        _assertSolvent();
    }

    /// @dev The lowest index that is right is paid, in whatever order they are opened.
    function test_attack_laterReportCannotTakeTheShareOfAnEarlierOne() public {
        for (uint256 order = 0; order < 2; ++order) {
            uint256 id = vm.snapshotState();
            Job memory job = _cheat();
            ReportOpening memory honest = _commitReport(job, detector, keccak256(_powAnswer(0)));
            ReportOpening memory greedy = _commitReport(job, rival, keccak256(_powAnswer(1)));
            vm.warp(_challengeBy(job) + 1);
            if (order == 0) _revealReport(job, 1, honest, _powAnswer(0));
            _revealReport(job, 2, greedy, _powAnswer(1));
            if (order == 1) _revealReport(job, 1, honest, _powAnswer(0));
            _end(job);
            _closeReport(job, 1);
            _closeReport(job, 2);
            assertEq(_free(detector), FUNDS + job.terms.deposit / 5, "the first");
            assertEq(_free(rival), FUNDS, "right too: bond back, no more");
            vm.revertToState(id);
        }
    }

    /// @dev A requester that lies about a court kind loses price and fee: it pays I whether it lies or not.
    function test_attack_lyingRequesterSavesNothing() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, requester, keccak256("a lie"));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, "");
        _end(job);
        _closeReport(job, 1);
        _assertPhase(job, Phase.Unresolved);
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job), "as dear as honesty");
        assertEq(_free(worker), FUNDS, "the deposit is back");
        assertEq(_r(worker), 140_000, "and R is untouched");
    }
}
