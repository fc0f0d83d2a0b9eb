// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, Report, ReportOpening, ReportState, SeatProof} from "../../src/Types.sol";
import {Actor, Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title draw and commitCheck (docs/protocol.md §3.3, §6.2, §6.3).
contract DrawTest is JuryFixture {
    event Drawn(bytes32 indexed unit, bytes32 secret, bytes32 guardR);
    event CheckCommitted(bytes32 indexed unit, uint32 indexed ticket, address indexed author, bytes32 hash);

    // ── award ───────────────────────────────────────────────────────────────────────────────────────────

    function test_award_courtKindsNeedASpotCheck() public {
        Job memory job = _courtJob(true);
        job.request.spotBps = p.spotBpsMin - 1;
        _refused(job, "spotBps");
        job.request.spotBps = 10_001;
        _refused(job, "spotBps");
        job.request.spotBps = 1000;
        job.request.checkFee = 0;
        _refused(job, "checkFee");
        job.request.checkFee = p.seat / 10 + 1;
        _refused(job, "checkFee");
        job.request.checkFee = CHECK_FEE;
        job.item.award.drawCommit = 0;
        _refused(job, "drawCommit");
        job.item.award.drawCommit = keccak256("secret");
        job.request.acl = keccak256("list");
        _refused(job, "acl");
    }

    function test_award_judgedKindsHaveNone() public {
        Job memory job = _powJob();
        job.item.award.drawCommit = keccak256("secret");
        _refused(job, "drawCommit");
        job = _powJob();
        job.request.spotBps = 1000;
        _refused(job, "spotBps");
        job = _powJob();
        job.request.checkFee = 1;
        _refused(job, "checkFee");
        job = _powJob();
        _awardCommit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_award_locksTheCheckFee() public {
        Job memory job = _courtJob(true);
        _register(job);
        assertEq(_locked(requester), job.terms.price + _fee(job) + CHECK_FEE, "price, fee, check fee");
        _assertSolvent();
    }

    function _refused(Job memory job, bytes32 field) private {
        _sign(job);
        bytes memory expected = abi.encodeWithSelector(Errors.BadTerms.selector, field);
        vm.expectRevert(expected);
        this.awardCommit(job);
    }

    function awardCommit(Job memory job) external {
        _awardCommit(job);
    }

    // ── draw ────────────────────────────────────────────────────────────────────────────────────────────

    function test_draw_marksTheUnitAndKeepsItsTime() public {
        Job memory job = _courtJob(true);
        _register(job);
        _after(p.secret);
        vm.expectEmit(address(edge));
        emit Drawn(job.unit, secretOf[job.unit], _guardR());
        _draw(job);
        assertEq(_state(job).since, committedAt[job.unit], "since stays");
        _assertPhase(job, Phase.Committed);
        _commitCheck(job, WRONG); // the digest is the new one
    }

    function test_draw_endsWithSecret() public {
        Job memory job = _courtJob(true);
        _register(job);
        uint256 drawBy = block.timestamp + p.secret;
        vm.warp(drawBy + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, drawBy));
        edge.draw(_unit(job), secretOf[job.unit], _guardR());
    }

    function test_draw_onlyOfADrawnUnitByItsSecret() public {
        Job memory job = _courtJob(false);
        _register(job);
        vm.expectRevert(Errors.NotDrawn.selector);
        edge.draw(_unit(job), secretOf[job.unit], _guardR());
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.draw(_unit(job), keccak256("another"), _guardR());
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.draw(_unit(job), secretOf[job.unit], S_R);
    }

    function test_draw_once() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("drawn")));
        edge.draw(_unit(job), secretOf[job.unit], _guardR());
    }

    function test_draw_onlyWhileCommitted() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Committed, Phase.Revealed));
        edge.draw(_unit(job), secretOf[job.unit], _guardR());
    }

    // ── commitCheck ─────────────────────────────────────────────────────────────────────────────────────

    function test_commitCheck_isReportZero() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        (SeatProof memory proof, uint32 ticket, address owner) = _drawn(job);
        vm.expectEmit(address(edge));
        emit CheckCommitted(job.unit, ticket, owner, keccak256("hash"));
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, keccak256("hash"));
        Report memory check = edge.reportOf(job.unit, 0);
        assertEq(check.author, owner, "author");
        assertEq(check.hash, keccak256("hash"), "hash");
        assertEq(edge.docketOf(job.unit).ticket, uint256(ticket) + 1, "ticket");
        assertEq(edge.docketOf(job.unit).reports, 0, "is not counted");
        assertTrue(edge.isReporter(job.unit, owner), "may not judge");
        assertTrue(!edge.isReporter(job.unit, address(0)), "nobody is no reporter");
        assertEq(_locked(_as(owner)), 0, "the ticket stands for it");
    }

    function test_commitCheck_onlyByTheDrawnTicketsOwner() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        (SeatProof memory proof,, address owner) = _drawn(job);
        for (uint256 i = 0; i < owners.length; ++i) {
            if (owners[i].addr == owner) continue;
            vm.expectRevert(Errors.NotSeat.selector);
            vm.prank(owners[i].addr);
            edge.commitCheck(_unit(job), proof, 0);
        }
        proof.attempt += 1;
        vm.expectRevert(Errors.NotSeat.selector);
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, 0);
        proof.attempt -= 1;
        proof.tickets -= 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, OWNERS - 1));
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, 0);
    }

    function test_commitCheck_onceUntilCheckBy() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        uint256 checkBy = uint256(committedAt[job.unit]) + p.secret + job.terms.vwin;
        (SeatProof memory proof,, address owner) = _drawn(job);
        vm.warp(checkBy + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, checkBy));
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, 0);
        vm.warp(checkBy);
        _commitCheck(job, WRONG);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.BadPhase.selector, ReportState.None, ReportState.Committed)
        );
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, 0);
    }

    function test_commitCheck_onlyOfADrawnUnit() public {
        Job memory job = _courtJob(true);
        _register(job);
        vm.expectRevert(Errors.NotDrawn.selector);
        edge.commitCheck(_unit(job), SeatProof(0, uint32(OWNERS)), 0);
    }

    /// @dev The snapshot is the commitment's time: a ticket staked since changes nothing.
    function test_commitCheck_laterTicketsChangeNoDraw() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        (SeatProof memory proof, uint32 before, address owner) = _drawn(job);
        vm.deal(rival.addr, rival.addr.balance + p.seat);
        vm.prank(rival.addr);
        court.stake{value: p.seat}();
        vm.prank(owner);
        court.unstake(before);
        (, uint32 ticket,) = _drawn(job);
        assertEq(ticket, before, "the same");
        vm.prank(owner);
        edge.commitCheck(_unit(job), proof, 0);
    }

    function _as(address account) private pure returns (Actor memory) {
        return Actor(account, 0);
    }

    // ── its opening ─────────────────────────────────────────────────────────────────────────────────────

    function test_revealReport_opensTheCheck() public {
        Job memory job = _courtJob(true);
        ReportOpening memory opening = _toChecked(job, _resultHash(job));
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 0, _reportOpening(detector, WRONG), _noProof());
        _revealReport(job, 0, opening, "");
        assertEq(edge.reportOf(job.unit, 0).verdict, 1, "agrees");
        assertEq(edge.docketOf(job.unit).best, 0, "nobody contradicts");
        assertEq(
            edge.docketOf(job.unit).seedAcc, bytes16(keccak256(abi.encode(opening.salt))), "its salt counts"
        );
    }

    function test_revealReport_aContradictingCheckComesFirst() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, WRONG);
        _revealShown(job);
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        assertEq(edge.docketOf(job.unit).best, 2, "the report alone");
        _revealReport(job, 0, check, "");
        assertEq(edge.docketOf(job.unit).best, 1, "the check before it");
        assertEq(
            edge.docketOf(job.unit).seedAcc,
            bytes16(keccak256(abi.encode(report.salt)) ^ keccak256(abi.encode(check.salt))),
            "both salts"
        );
    }
}
