// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, ReportOpening, ReportState, SeatProof} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title What a drawn ticket pays that committed nothing (docs/protocol.md §6.3).
contract FineCheckerTest is JuryFixture {
    event CheckMissed(bytes32 indexed unit, uint32 indexed ticket, uint256 fine);

    function _missed() private returns (Job memory job) {
        job = _courtJob(true);
        _register(job);
        _draw(job);
        _after(p.secret + job.terms.vwin + 1);
        _revealShown(job);
    }

    function _fine(Job memory job) private {
        (SeatProof memory proof,,) = _drawn(job);
        edge.fineChecker(_unit(job), _seed(job), committedAt[job.unit], proof);
    }

    function test_fineChecker_burnsOutOfTheTicketOnce() public {
        Job memory job = _missed();
        (, uint32 ticket,) = _drawn(job);
        uint256 fine = p.seat / 20; // less than the check fee
        assertTrue(fine <= CHECK_FEE, "the smaller of the two");
        vm.expectEmit(address(edge));
        emit CheckMissed(job.unit, ticket, fine);
        _fine(job);
        assertEq(court.ticketOf(ticket).stake, p.seat - fine, "out of the stake");
        assertEq(edge.burned(), fine, "burned");
        (SeatProof memory proof,,) = _drawn(job);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.BadPhase.selector, ReportState.Committed, ReportState.Closed)
        );
        edge.fineChecker(_unit(job), _seed(job), committedAt[job.unit], proof);
        _assertSolvent();
        _assertCourtSolvent(0);
    }

    /// @notice What the drawn ticket loses that missed a check for this fee.
    function _finedFor(uint96 checkFee) private returns (uint256 stake) {
        Job memory job = _courtJob(true);
        job.request.checkFee = checkFee;
        _sign(job);
        _setSecret(job, true);
        _register(job);
        _draw(job);
        _after(p.secret + job.terms.vwin + 1);
        _revealShown(job);
        (, uint32 ticket,) = _drawn(job);
        stake = court.ticketOf(ticket).stake;
        _fine(job);
        stake -= court.ticketOf(ticket).stake;
    }

    function test_fineChecker_theSmallerOfFeeAndTwentieth() public {
        assertEq(_finedFor(p.seat / 20 - 1), p.seat / 20 - 1, "the fee");
        assertEq(_finedFor(p.seat / 20 + 1), p.seat / 20, "a twentieth of a seat");
    }

    /// @dev Or anybody could fine any ticket: the seed and the time hash to whatever word one likes.
    function test_fineChecker_notByAnInventedDraw() public {
        Job memory job = _missed();
        (SeatProof memory proof,,) = _drawn(job);
        uint40 at = committedAt[job.unit] + 1;
        bytes32 seed = keccak256("a seed that draws whom one likes");
        job.data[3] = keccak256(abi.encode(seed, uint256(at)));
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.BadUnit.selector, _state(job).digest, Digests.slot(job.terms, job.data)
            )
        );
        edge.fineChecker(_unit(job), seed, at, proof);
    }

    function test_fineChecker_alsoAfterTheEnd() public {
        Job memory job = _missed();
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        _fine(job);
        _assertSolvent();
        _assertCourtSolvent(0);
    }

    function test_fineChecker_needsTheSeedAndTimeOnRecord() public {
        Job memory job = _missed();
        (SeatProof memory proof,,) = _drawn(job);
        bytes32 seed = _seed(job);
        uint40 at = committedAt[job.unit];
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("draw")));
        edge.fineChecker(_unit(job), seed, at + 1, proof);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("draw")));
        edge.fineChecker(_unit(job), keccak256("seed"), at, proof);
    }

    function test_fineChecker_notIfItCommitted() public {
        Job memory job = _courtJob(true);
        ReportOpening memory opening = _toChecked(job, _resultHash(job));
        (SeatProof memory proof,,) = _drawn(job);
        bytes32 seed = _seed(job);
        uint40 at = committedAt[job.unit];
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.Committed));
        edge.fineChecker(_unit(job), seed, at, proof);
        _revealShown(job);
        vm.expectRevert(Errors.NotDrawn.selector);
        edge.fineChecker(_unit(job), seed, at, proof);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 0, opening, "");
    }

    function test_fineChecker_notOfADisputedUnit() public {
        Job memory job = _missed();
        (SeatProof memory proof,,) = _drawn(job);
        bytes32 seed = _seed(job);
        uint40 at = committedAt[job.unit];
        ReportOpening memory opening = _commitReport(job, detector, WRONG);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, "");
        _dispute(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.Disputed));
        edge.fineChecker(_unit(job), seed, at, proof);
        _after(p.defend + 1);
        _timeout(job);
        vm.expectRevert(Errors.NotDrawn.selector);
        edge.fineChecker(_unit(job), seed, at, proof);
    }
}
