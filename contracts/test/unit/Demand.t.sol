// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Demand, Phase, ReportOpening} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title demand and supply of outputs that are not on the chain (docs/protocol.md §10).
contract DemandTest is JuryFixture {
    uint32 private constant CHUNKS = 5;

    event Demanded(bytes32 indexed unit, uint32 chunk, uint256 by);
    event Supplied(bytes32 indexed unit, uint32 chunk, bytes data);

    function _chunk(uint256 i) private pure returns (bytes memory) {
        return i + 1 < CHUNKS ? abi.encodePacked(new bytes(1023), uint8(i)) : abi.encodePacked("last");
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function _leaf(uint256 i) private pure returns (bytes32) {
        return Digests.root(_chunk(i));
    }

    /// @dev Of five leaves the fifth moves up twice.
    function _root() private pure returns (bytes32) {
        return _node(_node(_node(_leaf(0), _leaf(1)), _node(_leaf(2), _leaf(3))), _leaf(4));
    }

    function _path(uint256 i) private pure returns (bytes32[] memory path) {
        if (i == 4) {
            path = new bytes32[](1);
            path[0] = _node(_node(_leaf(0), _leaf(1)), _node(_leaf(2), _leaf(3)));
        } else {
            path = new bytes32[](3);
            path[0] = _leaf(i ^ 1);
            path[1] = i < 2 ? _node(_leaf(2), _leaf(3)) : _node(_leaf(0), _leaf(1));
            path[2] = _leaf(4);
        }
    }

    /// @notice A REVEALED unit whose five chunks stay off the chain.
    function _large() private returns (Job memory job) {
        job = _courtJob(false);
        job.result.outputRoot = _root();
        _reveal_(job);
    }

    function _reveal_(Job memory job) private {
        job.output = "";
        _setSecret(job, false);
        _toOpen(job);
    }

    function _demand(Job memory job, uint32 chunk) private {
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, chunk);
    }

    function _supply(Job memory job, uint32 chunk, uint256 index) private {
        vm.prank(stranger.addr);
        edge.supply(_unit(job), job.result, chunk, CHUNKS, _chunk(index), _path(index));
    }

    function test_demand_isAnsweredByAnybody() public {
        Job memory job = _large();
        for (uint32 i = 0; i < 3; ++i) {
            vm.expectEmit(address(edge));
            emit Demanded(job.unit, 2 * i, block.timestamp + p.daWindow);
            _demand(job, 2 * i);
        }
        assertEq(edge.docketOf(job.unit).demands, 3, "open");
        _expectSkip(job, Errors.DemandOpen.selector);
        _settle(job);
        for (uint32 i = 0; i < 3; ++i) {
            vm.expectEmit(address(edge));
            emit Supplied(job.unit, 2 * i, _chunk(2 * i));
            _supply(job, 2 * i, 2 * i);
        }
        assertEq(_free(stranger), 3 * CHECK_FEE, "a bond a chunk");
        Demand[] memory demands = edge.demandsOf(job.unit);
        assertEq(demands.length, 3, "three");
        assertTrue(demands[2].supplied && demands[2].chunk == 4, "the last");
        vm.warp(_challengeBy(job) + 1);
        _settle(job); // no report: the challenge window is all
        _assertPhase(job, Phase.Paid);
        assertEq(_locked(requester), 0, "nothing locked");
        _assertSolvent();
    }

    /// @dev An answered demand ends nothing: the others may report until the challenge window closes.
    function test_settle_notRightAfterASupply() public {
        Job memory job = _large();
        _demand(job, 0);
        _supply(job, 0, 0);
        vm.warp(_challengeBy(job));
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        _after(1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
    }

    /// @dev The requester does not know how many chunks there are: one behind the end means the last.
    function test_demand_behindTheEndIsTheLast() public {
        Job memory job = _large();
        _demand(job, 1000);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("chunk")));
        edge.supply(_unit(job), job.result, 1000, CHUNKS, _chunk(3), _path(3));
        _supply(job, 1000, 4);
        _demand(job, CHUNKS); // the first that there is not
        _supply(job, CHUNKS, 4);
    }

    function test_demand_ofJudgedKindsIsNone() public {
        Job memory job = _powJob();
        _toRevealed(job);
        vm.expectRevert(Errors.NotCourt.selector);
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
    }

    /// @dev A demand that nothing can answer would be a fine for the worker.
    function test_demand_ofTheWorkersResultOnly() public {
        Job memory job = _large();
        job.result.fuelUsed += 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("result")));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
    }

    function test_demand_locksTheLastWeiAndNoMore() public {
        Job memory job = _courtJob(false);
        uint96 escrow = job.terms.price + _fee(job) + CHECK_FEE;
        vm.prank(requester.addr);
        edge.exit(FUNDS - escrow - CHECK_FEE);
        vm.warp(block.timestamp + p.unbond);
        vm.prank(requester.addr);
        edge.withdraw();
        job = _large(); // signed now
        _demand(job, 0);
        assertEq(_free(requester), 0, "all it had");
        vm.expectRevert(abi.encodeWithSelector(Errors.Insolvent.selector, CHECK_FEE, 0));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
    }

    /// @dev A chunk beyond 1 KiB need not fit what others can carry.
    function test_supply_noMoreThanAChunk() public {
        Job memory job = _courtJob(false);
        bytes memory blob = new bytes(1025);
        job.result.outputRoot = Digests.root(blob);
        _reveal_(job);
        _demand(job, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("chunk")));
        edge.supply(_unit(job), job.result, 0, 1, blob, new bytes32[](0));
    }

    function test_supply_lateSaysSince() public {
        Job memory job = _large();
        _demand(job, 0);
        uint256 by = block.timestamp + p.daWindow;
        vm.warp(by + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, by));
        edge.supply(_unit(job), job.result, 0, CHUNKS, _chunk(0), _path(0));
    }

    function test_demand_ofASmallOutput() public {
        Job memory job = _courtJob(false);
        bytes memory output = job.output;
        _reveal_(job);
        _demand(job, 0);
        edge.supply(_unit(job), job.result, 0, 1, output, new bytes32[](0));
    }

    function test_demand_onlyOfWhatCanBeAnswered() public {
        Job memory job = _courtJob(false);
        (job.result.exit, job.result.outputRoot) = (1 << 16, 0);
        _reveal_(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("output")));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
    }

    function test_demand_limits() public {
        Job memory job = _large();
        vm.expectRevert(abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("requester")));
        edge.demand(_unit(job), job.result, 0);
        _demand(job, 0);
        _demand(job, 0);
        _demand(job, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 3, 4));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
        _supply(job, 0, 0); // one answers one
        assertEq(edge.docketOf(job.unit).demands, 2, "still open");
        job.result.fuelUsed += 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("result")));
        edge.supply(_unit(job), job.result, 0, CHUNKS, _chunk(0), _path(0));
    }

    function test_demand_untilChallengeBy() public {
        Job memory job = _large();
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, challengeBy));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
        vm.warp(challengeBy);
        _demand(job, 0);
    }

    function test_demand_notUnderNoDemand() public {
        Job memory job = _courtJob(false);
        job.request.mode = 2;
        job.result.outputRoot = _root();
        _sign(job);
        _reveal_(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadMode.selector, 2));
        vm.prank(requester.addr);
        edge.demand(_unit(job), job.result, 0);
    }

    function test_supply_ofWhatIsDemandedInTime() public {
        Job memory job = _large();
        _demand(job, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("demand")));
        edge.supply(_unit(job), job.result, 0, CHUNKS, _chunk(0), _path(0));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("chunk")));
        edge.supply(_unit(job), job.result, 1, CHUNKS, _chunk(0), _path(1));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("chunk")));
        edge.supply(_unit(job), job.result, 1, 0, _chunk(1), _path(1));
        uint256 by = block.timestamp + p.daWindow;
        vm.warp(by + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, by));
        edge.supply(_unit(job), job.result, 1, CHUNKS, _chunk(1), _path(1));
        vm.warp(by);
        _supply(job, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("demand")));
        edge.supply(_unit(job), job.result, 1, CHUNKS, _chunk(1), _path(1));
    }

    /// @dev Bait with a free exit: liars who dislike the jury that they face let a chunk go overdue.
    function test_demand_isNoWayOutOfADispute() public {
        Job memory job = _large();
        _demand(job, 0); // overdue long before the reports are shown
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        vm.warp(_challengeBy(job));
        _demand(job, 1); // not even overdue at the end of the report window
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        vm.warp(_challengeBy(job) + p.report);
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        uint256 free = _free(requester);
        _dispute(job);
        _assertPhase(job, Phase.Disputed);
        assertEq(edge.docketOf(job.unit).demands, 0, "none is open");
        assertEq(_free(requester), free + 2 * CHECK_FEE, "their bonds are back");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.Disputed));
        edge.supply(_unit(job), job.result, 1, CHUNKS, _chunk(1), _path(1));
        _after(p.defend + 1);
        _timeout(job);
        assertEq(_free(worker), FUNDS - job.terms.deposit, "a lie costs the deposit");
        assertEq(_locked(requester), 0, "nothing locked");
        _assertSolvent();
    }

    function test_demand_agreeingReportsLeaveTheExit() public {
        Job memory job = _large();
        ReportOpening memory report = _commitReport(job, detector, _resultHash(job));
        vm.warp(_challengeBy(job));
        _demand(job, 1);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        vm.warp(_challengeBy(job) + p.report + 1);
        _expectSkip(job, Errors.DemandOpen.selector);
        _settle(job);
        _after(p.daWindow);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
    }

    function test_demand_doesNotHoldUpASilentChecksJury() public {
        Job memory job = _courtJob(true);
        job.result.outputRoot = _root();
        job.output = "";
        _setSecret(job, true);
        _toChecked(job, WRONG);
        _revealShown(job);
        vm.warp(_challengeBy(job));
        _demand(job, 0);
        _dispute(job);
        _assertPhase(job, Phase.Disputed);
        assertEq(edge.docketOf(job.unit).demands, 0, "none is open");
        _toCase(job);
    }

    function test_timeout_refusedAsksNothingOfTheChecker() public {
        Job memory job = _courtJob(true);
        job.result.outputRoot = _root();
        job.output = "";
        _setSecret(job, true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        _demand(job, 0);
        _after(p.daWindow + 1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat, "it had nothing to show any more");
        _assertSolvent();
    }

    function test_timeout_unansweredIsRefused() public {
        Job memory job = _large();
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        _demand(job, 0);
        _demand(job, 1);
        _supply(job, 1, 1);
        _after(p.daWindow);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        _after(1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
        uint256 fine = job.terms.deposit / 10;
        assertEq(_free(worker), FUNDS - fine, "a tenth, as after an Ack");
        assertEq(_free(requester), FUNDS + fine / 2 - CHECK_FEE, "all back but the bond of the answered one");
        _closeReport(job, 1);
        assertEq(_free(detector), FUNDS, "ended before its report could count");
        assertTrue(report.salt != 0, "never opened");
        assertEq(_locked(requester) + _locked(worker) + _locked(detector), 0, "nothing locked");
        _assertSolvent();
    }
}
