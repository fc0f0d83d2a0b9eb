// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Case, CaseState, Phase, ReportOpening} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title From REVEALED to the court: settle, showJury, defend, default (docs/protocol.md §3.3, §6.2).
contract DisputeTest is JuryFixture {
    event Disputed(bytes32 indexed unit, uint256 challengeBy, uint256 flags);
    event CaseOpened(bytes32 indexed unit, Case case_);

    // ── settle ──────────────────────────────────────────────────────────────────────────────────────────

    function test_settle_agreeingCheckerIsPaid() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, _resultHash(job));
        _revealShown(job);
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + 1);
        _revealReport(job, 0, check, "");
        vm.warp(challengeBy + p.report);
        _expectSkip(job, Errors.TooEarly.selector); // a check counts as a report
        _settle(job);
        _after(1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        assertEq(edge.accountOf(check.author).free, CHECK_FEE, "the checker's fee");
        _closeReport(job, 0);
        assertEq(edge.burned(), _fee(job), "nothing else burns");
        _assertSolvent();
    }

    function test_settle_contradictionIsDisputed() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory opening = _commitReport(job, detector, WRONG);
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + 1);
        _revealReport(job, 1, opening, "");
        vm.warp(challengeBy + p.report);
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        _after(1);
        vm.expectEmit(address(edge));
        emit Disputed(job.unit, challengeBy, 2);
        _settle(job);
        _assertPhase(job, Phase.Disputed);
        assertEq(_state(job).since, block.timestamp, "now");
    }

    function test_settle_silentCheckerIsDisputed() public {
        Job memory job = _courtJob(true);
        _toChecked(job, _resultHash(job));
        _revealShown(job);
        _dispute(job);
        _assertPhase(job, Phase.Disputed);
    }

    function test_settle_agreeingReportIsPaid() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory opening = _commitReport(job, detector, _resultHash(job));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, "");
        vm.warp(_challengeBy(job) + p.report + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        _closeReport(job, 1);
        assertEq(FUNDS - _free(detector), _courtBond(job) / 10, "a tenth");
        assertEq(_locked(detector), 0, "and the rest is free");
        _assertSolvent();
    }

    /// @dev The secret that is shown to `settle` counts in a dispute too.
    function test_settle_secretShownLateIsKept() public {
        Job memory job = _courtJob(false);
        _register(job);
        _after(p.secret + 1);
        _revealHidden(job);
        ReportOpening memory opening = _commitReport(job, detector, WRONG);
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + 1);
        _revealReport(job, 1, opening, "");
        vm.warp(challengeBy + p.report + 1);
        vm.expectEmit(address(edge));
        emit Disputed(job.unit, challengeBy, 2);
        _settleShown(job);
    }

    // ── reports ─────────────────────────────────────────────────────────────────────────────────────────

    function test_commitReport_anybodyButTheWorker() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        _commitReport(job, detector, WRONG);
        assertEq(_locked(detector), _courtBond(job), "X and the first jurors");
        assertTrue(edge.isReporter(job.unit, detector.addr), "may not judge");
        assertTrue(!edge.isReporter(job.unit, rival.addr), "may");
        vm.expectRevert(abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("worker")));
        vm.prank(worker.addr);
        edge.commitReport(_unit(job), 0);
    }

    function test_commitReport_judgedKindsPayNoJurors() public {
        Job memory job = _powJob();
        _toRevealed(job);
        _commitReport(job, detector, WRONG);
        assertEq(_locked(detector), _accusation(job), "X");
    }

    /// @dev Who reports later is no accuser, but has a side all the same.
    function test_commitReport_theSecondMayNotJudgeEither() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        _commitReport(job, detector, WRONG);
        _commitReport(job, rival, WRONG);
        assertTrue(edge.isReporter(job.unit, rival.addr), "may not judge");
    }

    /// @notice No seat of any round is this ticket owner's.
    function _neverSits(Case memory case_, address owner) private view {
        uint8[3] memory seats = [5, 11, 23];
        for (uint8 round = 0; round < 3; ++round) {
            for (uint8 seat = 0; seat < seats[round]; ++seat) {
                (,, address sits) = court.seatOf(case_, round, seat);
                assertTrue(sits != owner, "a reporter sits in its own case");
            }
        }
    }

    function test_defend_otherReportersDoNotSit() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory first = _commitReport(job, detector, WRONG);
        _fund(owners[3], 1 ether);
        _commitReport(job, owners[3], OTHER);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, first, "");
        _dispute(job);
        _neverSits(_toCase(job), owners[3].addr);
    }

    function test_defend_theCheckerBesideAReportDoesNotSit() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, _resultHash(job));
        _revealShown(job);
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        _dispute(job);
        _neverSits(_toCase(job), check.author);
    }

    /// @dev Its silence called the jury, though it is nobody's accuser.
    function test_defend_theSilentCheckerDoesNotSit() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, WRONG);
        _revealShown(job);
        _dispute(job);
        _neverSits(_toCase(job), check.author);
    }

    // ── showJury ────────────────────────────────────────────────────────────────────────────────────────

    function test_showJury_onceUntilHalfOfDefend() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        uint256 showBy = uint256(_state(job).since) + p.defend / 2;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.showJury(_unit(job), secretOf[job.unit], S_W);
        vm.warp(showBy + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, showBy));
        edge.showJury(_unit(job), secretOf[job.unit], S_R);
        vm.warp(showBy);
        uint256 since = _state(job).since;
        _showJury(job);
        assertEq(_state(job).since, since, "since stays");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("shown")));
        edge.showJury(_unit(job), secretOf[job.unit], S_R);
    }

    // ── defend ──────────────────────────────────────────────────────────────────────────────────────────

    function test_defend_opensTheCaseForFiveFees() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        _showJury(job);
        vm.expectEmit(address(court));
        emit CaseOpened(job.unit, _case(job));
        _defend(job);
        assertTrue(court.caseOf(job.unit).state == CaseState.Open, "open");
        assertEq(_locked(detector), _accusation(job), "X stays");
        _assertCourtSolvent(5 * CHECK_FEE);
        assertTrue(edge.docketOf(job.unit).defended, "once");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("defended")));
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        vm.warp(uint256(_state(job).since) + p.defend + 1);
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
    }

    function test_defend_byAContradictingCheckersTicket() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 0, check, "");
        _dispute(job);
        Case memory case_ = _toCase(job);
        assertEq(case_.accuser, check.author, "accuser");
        assertEq(court.ticketOf(ticket).stake, p.seat - 5 * CHECK_FEE, "its ticket pays");
        _assertCourtSolvent(5 * CHECK_FEE);
    }

    function test_defend_byASilentCheckersTicket() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        _dispute(job);
        Case memory case_ = _toCase(job);
        assertEq(case_.accuser, address(0), "nobody accused");
        assertEq(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE, "its ticket pays");
        _assertCourtSolvent(10 * CHECK_FEE);
    }

    function test_defend_withoutTheRequestersSecretLater() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        uint256 showBy = uint256(_state(job).since) + p.defend / 2;
        vm.warp(showBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, showBy));
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        _after(1);
        _defend(job);
    }

    function test_defend_opensTheGuardInTimeWithTheSnapshot() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        _showJury(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("guard")));
        edge.defend(_unit(job), S_R, uint32(OWNERS));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, OWNERS - 1));
        edge.defend(_unit(job), S_W, uint32(OWNERS - 1));
        uint256 defendBy = uint256(_state(job).since) + p.defend;
        vm.warp(defendBy + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, defendBy));
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        vm.warp(defendBy);
        _defend(job);
    }

    // ── default ─────────────────────────────────────────────────────────────────────────────────────────

    function test_timeout_undefendedIsSlashed() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        vm.warp(uint256(_state(job).since) + p.defend);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        _after(1);
        _timeout(job);
        _assertPhase(job, Phase.Slashed);
        uint256 deposit = job.terms.deposit;
        assertEq(_free(requester), FUNDS + deposit / 2, "half");
        _closeReport(job, 1);
        assertEq(_free(detector), FUNDS + deposit / 5, "a fifth, and the bond back");
        assertEq(edge.burned(), deposit - deposit / 2 - deposit / 5, "the rest burns");
        assertEq(_locked(detector) + _locked(worker) + _locked(requester), 0, "nothing stays locked");
        _assertSolvent();
    }

    function test_timeout_undefendedAgainstSilenceBurnsTheFifth() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        _dispute(job);
        _after(p.defend + 1);
        _timeout(job);
        assertEq(_free(requester), FUNDS + job.terms.deposit / 2, "half");
        assertEq(edge.burned(), job.terms.deposit / 2, "half");
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE, "silence costs alpha");
        assertEq(edge.burned(), job.terms.deposit / 2 + 10 * CHECK_FEE, "burned");
        _assertSolvent();
        _assertCourtSolvent(0);
    }
}
