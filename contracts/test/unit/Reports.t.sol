// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Docket, Phase, Proof, Report, ReportOpening, ReportState} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Two-stage reports and their bonds: every row of docs/protocol.md §6.4 without a court.
contract ReportsTest is Fixture {
    function _toStageTwo(Job memory job) private {
        vm.warp(_challengeBy(job) + 1);
    }

    function _end(Job memory job) private {
        vm.warp(_challengeBy(job) + p.report + 1);
        _settle(job);
    }

    function _cheat() private returns (Job memory job) {
        job = _powJob();
        _answer(job, "");
        _toRevealed(job);
    }

    function _honest() private returns (Job memory job) {
        job = _powJob();
        _toRevealed(job);
    }

    // ── commitReport ────────────────────────────────────────────────────────────────────────────────────

    function test_commitReport_locksTheBond() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _reportOpening(detector, keccak256("evidence"));
        bytes32 hash = _reportHash(job, opening);
        vm.expectEmit(address(edge));
        emit Events.Reported(job.unit, 1, detector.addr, hash);
        _commitReport(job, detector, keccak256("evidence"));
        assertEq(_locked(detector), job.terms.deposit / 20, "a twentieth of the deposit");
        assertEq(_free(detector), FUNDS - job.terms.deposit / 20, "the rest");
        assertTrue(_state(job).docket, "docket marked");
        _assertPhase(job, Phase.Revealed);
        Report memory report = edge.reportOf(job.unit, 1);
        assertEq(report.author, detector.addr, "author");
        assertEq(report.hash, hash, "hash");
        assertEq(uint256(report.state), uint256(ReportState.Committed), "state");
        _assertSolvent();
    }

    function test_commitReport_keepsSinceAndDigest() public {
        Job memory job = _cheat();
        uint40 since = _state(job).since;
        _after(3);
        _commitReport(job, detector, keccak256("evidence"));
        assertEq(_state(job).since, since, "windows do not move");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "digest");
    }

    function test_commitReport_countsFromOne() public {
        Job memory job = _cheat();
        _commitReport(job, detector, keccak256("1"));
        _commitReport(job, detector, keccak256("2")); // any number, also by one author
        _commitReport(job, rival, keccak256("3"));
        Docket memory docket = edge.docketOf(job.unit);
        assertEq(docket.reports, 3, "count");
        assertEq(edge.reportOf(job.unit, 3).author, rival.addr, "third");
        assertEq(uint256(edge.reportOf(job.unit, 0).state), 0, "index 0 is a drawn checker's");
    }

    function test_commitReport_untilChallengeBy() public {
        Job memory job = _cheat();
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + 1);
        bytes32 hash = keccak256("hash");
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, challengeBy));
        vm.prank(detector.addr);
        edge.commitReport(_unit(job), hash);
        vm.warp(challengeBy);
        _commitReport(job, detector, keccak256("evidence"));
    }

    function test_commitReport_notByTheWorker() public {
        Job memory job = _cheat();
        vm.expectRevert(abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("worker")));
        vm.prank(worker.addr);
        edge.commitReport(_unit(job), keccak256("hash"));
    }

    function test_commitReport_ofACourtKindByTheRequesterOnly() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        vm.expectRevert(Errors.NotCourt.selector);
        vm.prank(detector.addr);
        edge.commitReport(_unit(job), keccak256("hash"));
        _commitReport(job, requester, keccak256("my result"));
        assertEq(_locked(requester), uint256(job.terms.price) + _fee(job) + _bond(job), "bonded too");
    }

    function test_commitReport_needsTheBond() public {
        Job memory job = _cheat();
        vm.expectRevert(abi.encodeWithSelector(Errors.Insolvent.selector, _bond(job), 0));
        vm.prank(stranger.addr);
        edge.commitReport(_unit(job), keccak256("hash"));
    }

    function test_commitReport_takesTheLastWei() public {
        Job memory job = _cheat();
        _fund(stranger, _bond(job));
        _commitReport(job, stranger, keccak256("evidence"));
        assertEq(_free(stranger), 0, "exactly the bond");
    }

    function test_commitReport_whileRevealedOnly() public {
        Job memory job = _powJob();
        bytes memory notYet =
            abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.Committed);
        _awardCommit(job);
        vm.expectRevert(notYet);
        vm.prank(detector.addr);
        edge.commitReport(_unit(job), keccak256("hash"));
        _reveal(job);
        job.terms.price += 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.BadUnit.selector, _state(job).digest, Digests.slot(job.terms, job.data)
            )
        );
        vm.prank(detector.addr);
        edge.commitReport(_unit(job), keccak256("hash"));
    }

    // ── revealReport ────────────────────────────────────────────────────────────────────────────────────

    function test_revealReport_recordsTheVerdict() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        vm.expectEmit(address(edge));
        emit Events.ReportRevealed(job.unit, 1, keccak256(_powAnswer(0)), 2, _powAnswer(0));
        _revealReport(job, 1, opening, _powAnswer(0));
        Report memory report = edge.reportOf(job.unit, 1);
        assertEq(uint256(report.state), uint256(ReportState.Revealed), "state");
        assertEq(report.verdict, 2, "wrong");
        assertEq(report.hash, keccak256(_powAnswer(0)), "what was opened");
        Docket memory docket = edge.docketOf(job.unit);
        assertEq(docket.revealed, 1, "revealed");
        assertEq(docket.best, 2, "index 1, counted from 1");
    }

    function test_revealReport_inItsWindowOnly() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy);
        _revealReverts(job, 1, opening, abi.encodeWithSelector(Errors.TooEarly.selector, challengeBy));
        vm.warp(challengeBy + p.report + 1);
        _revealReverts(
            job, 1, opening, abi.encodeWithSelector(Errors.TooLate.selector, challengeBy + p.report)
        );
        vm.warp(challengeBy + p.report);
        _revealReport(job, 1, opening, _powAnswer(0));
    }

    function test_revealReport_onceOnly() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        _revealReport(job, 1, opening, _powAnswer(0));
        _revealReverts(job, 1, opening, abi.encodeWithSelector(Errors.BadPhase.selector, 1, 2));
        _revealReverts(job, 2, opening, abi.encodeWithSelector(Errors.BadPhase.selector, 1, 0));
    }

    function test_revealReport_copiedHashNeverOpens() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _reportOpening(detector, keccak256(_powAnswer(0)));
        bytes32 hash = _reportHash(job, opening);
        vm.prank(rival.addr); // copies the hash it saw, in front of the detector
        edge.commitReport(_unit(job), hash);
        _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        bytes memory reason = abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report"));
        _revealReverts(job, 1, opening, reason);
        ReportOpening memory claimed = opening;
        claimed.author = rival.addr;
        _revealReverts(job, 1, claimed, reason);
    }

    function test_revealReport_checksTheProof() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        Proof memory proof = _proof(job, _powAnswer(1));
        _proofReverts(job, opening, proof, "evidence");
        proof = _proof(job, _powAnswer(0));
        proof.request = _request(1);
        _proofReverts(job, opening, proof, "request");
        proof = _proof(job, _powAnswer(0));
        proof.data = abi.encode(CHALLENGE, TARGET, RANGE + 1);
        _proofReverts(job, opening, proof, "data");
        proof = _proof(job, _powAnswer(0));
        proof.result.exit = 1;
        _proofReverts(job, opening, proof, "result");
        proof.result.exit = 0; // it is the job's own
        proof = _proof(job, _powAnswer(0));
        proof.output = _powAnswer(0);
        _proofReverts(job, opening, proof, "output");
    }

    function test_revealReport_needsGasForTheJudge() public {
        Job memory job = _cheat();
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        Proof memory proof = _proof(job, _powAnswer(0));
        bytes memory call = abi.encodeCall(edge.revealReport, (_unit(job), 1, opening, proof));
        (bool done, bytes memory reason) = address(edge).call{gas: 330_000}(call);
        assertTrue(!done && bytes4(reason) == Errors.LowGas.selector, "starved");
        assertEq(uint256(edge.reportOf(job.unit, 1).state), uint256(ReportState.Committed), "untouched");
        (done,) = address(edge).call{gas: 500_000}(call);
        assertTrue(done, "served");
    }

    function test_revealReport_ofACourtKindComparesHashes() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory differs = _commitReport(job, requester, keccak256("my result"));
        ReportOpening memory agrees = _commitReport(job, requester, Digests.result(job.result));
        _toStageTwo(job);
        _revealReport(job, 2, agrees, "");
        assertEq(edge.docketOf(job.unit).best, 0, "agreement contradicts nothing");
        assertEq(edge.reportOf(job.unit, 2).verdict, 1, "agrees");
        _revealReport(job, 1, differs, "");
        assertEq(edge.docketOf(job.unit).best, 2, "index 1");
        assertEq(edge.reportOf(job.unit, 1).verdict, 0, "nobody can tell");
    }

    function _revealReverts(
        Job memory job,
        uint16 index,
        ReportOpening memory opening,
        bytes memory reason
    ) private {
        Proof memory proof = _proof(job, _powAnswer(0));
        vm.expectRevert(reason);
        edge.revealReport(_unit(job), index, opening, proof);
    }

    function _proofReverts(
        Job memory job,
        ReportOpening memory opening,
        Proof memory proof,
        bytes32 what
    ) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, what));
        edge.revealReport(_unit(job), 1, opening, proof);
    }

    // ── closeReports ────────────────────────────────────────────────────────────────────────────────────

    function _closes(Job memory job, uint16 index, uint256 returned) private {
        vm.expectEmit(address(edge));
        emit Events.ReportClosed(job.unit, index, returned);
        _closeReport(job, index);
        assertEq(uint256(edge.reportOf(job.unit, index).state), uint256(ReportState.Closed), "closed");
        _assertSolvent();
    }

    function test_closeReports_rightReportsGetTheirBondBack() public {
        Job memory job = _cheat();
        ReportOpening memory first = _commitReport(job, detector, keccak256(_powAnswer(0)));
        ReportOpening memory later = _commitReport(job, rival, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        _revealReport(job, 1, first, _powAnswer(0));
        _revealReport(job, 2, later, _powAnswer(0));
        _end(job);
        _closes(job, 1, _bond(job));
        _closes(job, 2, _bond(job));
        assertEq(_free(rival), FUNDS, "whole");
        assertEq(_locked(detector) + _locked(rival), 0, "nothing locked");
    }

    function test_closeReports_falseAccusationPaysTheAccused() public {
        Job memory job = _powJob();
        job.item.bids[0].deposit += 20; // the bond leaves a remainder
        _sign(job);
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256("no evidence"));
        _toStageTwo(job);
        _revealReport(job, 1, opening, "no evidence");
        _end(job);
        _assertPhase(job, Phase.Paid);
        uint256 burned = edge.burned();
        uint256 bond = _bond(job);
        _closes(job, 1, 0);
        assertEq(_free(worker), FUNDS + job.terms.price + bond / 2, "half to the worker");
        assertEq(edge.burned(), burned + bond - bond / 2, "half burned");
        assertEq(_free(detector), FUNDS - bond, "lost");
    }

    function test_closeReports_silenceBurnsTheBond() public {
        Job memory job = _honest();
        _commitReport(job, detector, keccak256("never shown"));
        _end(job);
        uint256 burned = edge.burned();
        _closes(job, 1, 0);
        assertEq(edge.burned(), burned + _bond(job), "all of it");
    }

    function test_closeReports_agreementCostsATenth() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, requester, Digests.result(job.result));
        _toStageTwo(job);
        _revealReport(job, 1, opening, "");
        _end(job);
        uint256 returned = uint256(_bond(job)) * 90 / 100;
        _closes(job, 1, returned);
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job) - (_bond(job) - returned), "a tenth");
    }

    function test_closeReports_unresolvedReturnsTheBond() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, requester, keccak256("my result"));
        _commitReport(job, requester, keccak256("never shown"));
        _toStageTwo(job);
        _revealReport(job, 1, opening, "");
        _end(job);
        _assertPhase(job, Phase.Unresolved);
        _closes(job, 1, _bond(job));
        _closes(job, 2, 0); // silence burns, whatever the outcome
    }

    function test_closeReports_onceOnly() public {
        Job memory job = _honest();
        _commitReport(job, detector, keccak256("never shown"));
        _end(job);
        _closeReport(job, 1);
        uint256 burned = edge.burned();
        _expectSkip(job, Errors.BadPhase.selector);
        _closeReport(job, 1);
        _expectSkip(job, Errors.BadPhase.selector);
        _closeReport(job, 2); // never was
        assertEq(edge.burned(), burned, "burned once");
    }

    function test_closeReports_afterTheEndOnly() public {
        Job memory job = _honest();
        _commitReport(job, detector, keccak256("never shown"));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Paid, Phase.Revealed));
        edge.closeReports(_unit(job), new uint16[](1));
    }

    function test_closeReports_sixteenAtMost() public {
        Job memory job = _honest();
        for (uint256 i = 0; i < 17; ++i) {
            _commitReport(job, detector, keccak256(abi.encode(i)));
        }
        _end(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 16, 17));
        edge.closeReports(_unit(job), new uint16[](17));
        uint16[] memory indices = new uint16[](16);
        for (uint16 i = 0; i < 16; ++i) {
            indices[i] = i + 1;
        }
        edge.closeReports(_unit(job), indices);
        assertEq(_locked(detector), _bond(job), "one left");
    }

    function test_closeReports_needsTheUnitOnRecord() public {
        Job memory job = _honest();
        _commitReport(job, detector, keccak256("never shown"));
        _end(job);
        uint208 recorded = _state(job).digest;
        job.terms.deposit *= 2; // would release twice the bond
        vm.expectRevert(
            abi.encodeWithSelector(Errors.BadUnit.selector, recorded, Digests.slot(job.terms, job.data))
        );
        edge.closeReports(_unit(job), new uint16[](1));
    }

    // ── floods ──────────────────────────────────────────────────────────────────────────────────────────

    function test_reports_fiftyJunkOnesDoNotStopTheHonestOne() public {
        Job memory job = _cheat();
        for (uint256 i = 0; i < 50; ++i) {
            _commitReport(job, rival, keccak256(abi.encode(i)));
        }
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _toStageTwo(job);
        _revealReport(job, 51, opening, _powAnswer(0));
        _end(job);
        _assertPhase(job, Phase.Slashed);
        _closeReport(job, 51);
        assertEq(_free(detector), FUNDS + job.terms.deposit / 5, "paid");
    }
}
