// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, ReportOpening} from "../../src/Types.sol";
import {GasBombJudge, HostileReceiver, ReturnBombJudge, ScriptedJudge} from "../mocks/Hostile.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Receivers that refuse, burn gas or call back, and judges that do not answer as they should.
contract HostileTest is Fixture {
    // ── receivers ───────────────────────────────────────────────────────────────────────────────────────

    function _matureExit() private returns (HostileReceiver receiver) {
        receiver = new HostileReceiver(edge);
        vm.deal(address(this), 10 ether);
        receiver.fund{value: 10 ether}();
        receiver.exit(4 ether);
        _after(p.unbond);
    }

    function test_withdraw_refusingReceiverHurtsOnlyItself() public {
        HostileReceiver receiver = _matureExit();
        receiver.set(HostileReceiver.Mood.Refuse, "");
        vm.expectRevert(abi.encodeWithSelector(Errors.TransferFailed.selector, address(receiver)));
        receiver.withdraw();
        assertEq(edge.accountOf(address(receiver)).free, 10 ether, "untouched");
        receiver.set(HostileReceiver.Mood.Accept, "");
        receiver.withdraw();
        assertEq(address(receiver).balance, 4 ether, "whenever it changes its mind");
    }

    function test_withdraw_reentryIsRefused() public {
        bytes[] memory calls = new bytes[](4);
        calls[0] = abi.encodeCall(edge.withdraw, ());
        calls[1] = abi.encodeCall(edge.flushBurn, ());
        calls[2] = abi.encodeCall(edge.exit, (1 ether));
        calls[3] = abi.encodeCall(edge.timeout, (_units(_wasmJob())));
        for (uint256 i = 0; i < calls.length; ++i) {
            HostileReceiver receiver = _matureExit();
            receiver.set(HostileReceiver.Mood.Reenter, calls[i]);
            receiver.withdraw();
            assertTrue(!receiver.reentered(), "refused");
            assertEq(address(receiver).balance, 4 ether, "paid once");
            assertEq(edge.accountOf(address(receiver)).free, 6 ether, "and booked once");
        }
    }

    function test_withdraw_reentryIntoReportsIsRefusedToo() public {
        HostileReceiver receiver = _matureExit();
        Job memory job = _powJob();
        _toRevealed(job);
        bytes memory report = abi.encodeCall(edge.commitReport, (_unit(job), keccak256("hash")));
        receiver.set(HostileReceiver.Mood.Reenter, report);
        receiver.withdraw();
        assertTrue(!receiver.reentered(), "refused");
        assertEq(edge.docketOf(job.unit).reports, 0, "no report");

        vm.prank(address(receiver)); // the control: alone, the same call passes
        (bool done,) = address(edge).call(report);
        assertTrue(done, "it was the guard");
    }

    function test_settle_payoutsRunNoForeignCode() public {
        // A worker that is a contract refusing ether is paid by a credit, beside everybody else.
        Job memory job = _wasmJob();
        vm.etch(worker.addr, address(new HostileReceiver(edge)).code);
        _toRevealed(job);
        _after(100);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        assertEq(_free(worker), FUNDS + job.terms.price, "credited");
    }

    // ── judges ──────────────────────────────────────────────────────────────────────────────────────────

    function _judgedBy(address judge) private returns (Job memory job) {
        edge = _deploy(p, judge);
        _fund(requester, FUNDS);
        _fund(worker, FUNDS);
        _fund(detector, FUNDS);
        job = _powJob();
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256("evidence"));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, "evidence");
    }

    /// @dev A judge that fails counts as "unknown": the unit is paid, the bond is lost, nothing is stuck.
    function _countsAsUnknown(address judge) private {
        Job memory job = _judgedBy(judge);
        assertEq(edge.reportOf(job.unit, 1).verdict, 0, "unknown");
        vm.warp(_challengeBy(job) + p.report + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        _closeReport(job, 1);
        assertEq(_locked(detector) + _locked(worker) + _locked(requester), 0, "nothing locked");
    }

    function test_revealReport_gasBombCountsAsUnknown() public {
        _countsAsUnknown(address(new GasBombJudge()));
    }

    function test_revealReport_returnBombIsNotCopied() public {
        uint256 before = gasleft();
        Job memory job = _judgedBy(address(new ReturnBombJudge()));
        assertEq(edge.reportOf(job.unit, 1).verdict, 2, "its first word counts");
        assertTrue(before - gasleft() < 12_000_000, "no memory grew here");
    }

    function test_revealReport_failingJudgesCountAsUnknown() public {
        _countsAsUnknown(address(new ScriptedJudge(abi.encode(2), true)));
        _countsAsUnknown(address(new ScriptedJudge("", false)));
        _countsAsUnknown(address(new ScriptedJudge(new bytes(31), false)));
        _countsAsUnknown(address(new ScriptedJudge(abi.encode(3), false)));
        _countsAsUnknown(address(new ScriptedJudge(abi.encode(256 + 2), false)));
    }

    function test_revealReport_wrongByTheJudgeConvicts() public {
        Job memory job = _judgedBy(address(new ScriptedJudge(abi.encode(2), false)));
        vm.warp(_challengeBy(job) + p.report + 1);
        _settle(job);
        _assertPhase(job, Phase.Slashed);
    }

    function test_revealReport_gasBombLeavesTheCallAlive() public {
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
        (bool done,) = address(edge).call{gas: 600_000}(call);
        assertTrue(done, "within the 600 000 gas that callers are told to give");
    }
}
