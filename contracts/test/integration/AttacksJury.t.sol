// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {ICourt, ICourtErrors} from "../../src/interfaces/ICourt.sol";
import {Case, Phase, ReportOpening, Ruling, SeatProof} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title The threats of docs/protocol.md §12 against checks and juries, played by their villains.
contract AttacksJuryTest is JuryFixture {
    // ── copied work ─────────────────────────────────────────────────────────────────────────────────────

    /// @dev Another ticket's owner cannot sit, and the drawn one cannot copy: the hash binds its author.
    function test_attack_copiedCheckIsWorthless() public {
        Job memory first = _courtJob(true);
        ReportOpening memory seen = _toChecked(first, WRONG);
        bytes32 hash = edge.reportOf(first.unit, 0).hash;

        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        (SeatProof memory proof,, address lazy) = _drawn(job);
        vm.prank(lazy);
        edge.commitCheck(_unit(job), proof, hash); // of another unit, as seen
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 0, seen, _noProof());
        seen.author = lazy;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 0, seen, _noProof());
    }

    function test_attack_copiedReportIsWorthless() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory honest = _commitReport(job, detector, WRONG);
        bytes32 hash = edge.reportOf(job.unit, 1).hash;
        vm.prank(rival.addr);
        edge.commitReport(_unit(job), hash);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, honest, "");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 2, honest, _noProof());
        honest.author = rival.addr;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 2, honest, _noProof());
        _dispute(job);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWWW");
        _closeCase(job, case_, WRONG);
        _closeReport(job, 2);
        assertEq(FUNDS - _free(rival), _courtBond(job), "the copy cost its bond");
        assertTrue(_free(detector) > FUNDS, "the finder is paid");
    }

    /// @dev A check's hash is opened as index 0 only, a report's only as a report.
    function test_attack_checkCannotPassAsReport() public {
        Job memory job = _courtJob(true);
        ReportOpening memory check = _toChecked(job, WRONG);
        _revealShown(job);
        bytes32 hash = edge.reportOf(job.unit, 0).hash;
        _fundAddress(check.author);
        vm.prank(check.author);
        edge.commitReport(_unit(job), hash);
        vm.warp(_challengeBy(job) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 1, check, _noProof());
        _revealReport(job, 0, check, "");
    }

    function _fundAddress(address account) private {
        vm.deal(account, account.balance + 1 ether);
        vm.prank(account);
        edge.fund{value: 1 ether}();
    }

    // ── accusations ─────────────────────────────────────────────────────────────────────────────────────

    /// @dev The requester and a detector accuse an honest worker: it ends richer than unaccused, they poorer.
    function test_attack_falseAccusationPaysTheAccused() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WRRRW"); // two liars among five
        _closeCase(job, case_, job.data[0]);
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "the price and half of X");
        _assertAccusersPaid(job);
    }

    /// @dev Three liars among five: who appeals for the worker is repaid by the pots and by X, as far as they
    /// reach, and not by the liars' fines.
    function test_attack_falseAccusationPaysTheAppealAgainstIt() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWRR");
        _appeal(case_, rival, 11);
        _round(case_, 1, "RRRRRRRRRRR");
        uint256 stakes = _stakes();
        _closeCase(job, case_, job.data[0]);
        assertEq(_free(worker), FUNDS + job.terms.price, "the price");
        assertEq(
            _free(rival), FUNDS + (16 - 13) * CHECK_FEE + _accusation(job), "what the jurors left, and X"
        );
        uint256 fines = stakes + 13 * CHECK_FEE - _stakes();
        assertEq(edge.burned(), _fee(job) + fines, "the fee, and the fines");
        _assertAccusersPaid(job);
    }

    function _assertAccusersPaid(Job memory job) private view {
        uint256 coalition = _free(requester) + _free(detector);
        assertTrue(coalition < 2 * FUNDS - job.terms.price - _fee(job), "the accusers paid for the trial");
    }

    /// @dev A dispute for show: requester and worker are one, own tickets hold both juries, and honest jurors end
    /// in the minority. All that the coalition gets out is what it has put in.
    function test_attack_disputeForShowBringsNothing() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        uint256 stakes = _stakes();
        _round(case_, 0, "RRRRR"); // honest; right in the end only where the coalition says so
        _appeal(case_, rival, 11);
        _round(case_, 1, "WWWWWRRRRR.");
        _closeCase(job, case_, WRONG);
        _assertPhase(job, Phase.Unresolved);
        uint256 coalition = _free(requester) + _free(worker) + _free(detector) + _free(rival);
        // Five fees for its own jurors, which it pays; and not one of the ten honest ones' fines.
        assertEq(
            coalition, 4 * FUNDS - 5 * CHECK_FEE + 11 * CHECK_FEE, "its appeal was 11, sent from outside"
        );
        assertEq(edge.burned(), stakes + 5 * CHECK_FEE - _stakes(), "which burn, all of them");
        assertTrue(edge.burned() > 50 * CHECK_FEE, "and are many");
    }

    function _stakes() private view returns (uint256 sum) {
        for (uint32 id = 0; id < court.tickets(); ++id) {
            sum += court.ticketOf(id).stake;
        }
    }

    /// @dev A drawn checker of the coalition stays silent, so that a jury tries an honest worker: as dear as to
    /// accuse it.
    function test_attack_silenceIsNoCheapAccusation() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        uint256 held = court.ticketOf(ticket).stake;
        _revealShown(job);
        _dispute(job);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "RRRRR");
        _closeCase(job, case_, job.data[0]);
        uint256 earned = _seatsOf(case_, ticket) * CHECK_FEE;
        _closeReport(job, 0);
        assertEq(
            court.ticketOf(ticket).stake, held + earned - 10 * CHECK_FEE - _accusation(job), "alpha and X"
        );
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "the price and half of X");
    }

    function _seatsOf(Case memory case_, uint32 ticket) private view returns (uint256 seats) {
        for (uint8 seat = 0; seat < 5; ++seat) {
            (, uint32 id,) = court.seatOf(case_, 0, seat);
            if (id == ticket) ++seats;
        }
    }

    /// @dev Worker, detector and requester are one: at least 0.3 of what is left of the deposit burns.
    function test_attack_selfAccusationLoses() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWWW");
        _closeCase(job, case_, WRONG);
        uint256 coalition = _free(worker) + _free(requester) + _free(detector);
        uint256 fees = 5 * CHECK_FEE;
        assertLe(coalition, 3 * FUNDS - (uint256(job.terms.deposit) - fees) * 3 / 10 - fees, "30 % and fees");
        assertTrue(3 * FUNDS - coalition > 9 * job.terms.price / 2, "more than any price");
    }

    /// @dev Not defending so as not to be judged costs the same.
    function test_attack_workerWithholdsItsSecret() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        _showJury(job);
        _after(p.defend + 1);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.TooLate.selector, uint256(_state(job).since) + p.defend)
        );
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        _timeout(job);
        _assertPhase(job, Phase.Slashed);
        assertEq(_free(worker), FUNDS - job.terms.deposit, "all of it");
    }

    // ── checkers ────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A bribed checker that hides what it found pays for a jury, which finds it anyway.
    function test_attack_silentCheckerHidesNothing() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        _revealShown(job);
        _dispute(job);
        Case memory case_ = _toCase(job);
        _round(case_, 0, "WWWWW");
        _closeCase(job, case_, WRONG);
        _assertPhase(job, Phase.Slashed);
        assertEq(_free(worker), FUNDS - job.terms.deposit, "slashed all the same");
        assertLe(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE + CHECK_FEE * 2, "alpha is gone");
    }

    /// @dev Leaving after the draw frees no ticket of its duty.
    function test_attack_leavingAfterTheDraw() public {
        Job memory job = _courtJob(true);
        _toChecked(job, _resultHash(job));
        (, uint32 ticket, address owner) = _drawn(job);
        vm.prank(owner);
        court.unstake(ticket);
        _revealShown(job);
        _dispute(job);
        _toCase(job);
        assertEq(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE, "charged though gone");
    }

    // ── secrets ─────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A requester that hides its secret saves nothing and earns its worker no reputation.
    function test_attack_requesterHidesTheSecret() public {
        Job memory job = _courtJob(true);
        _register(job);
        _after(p.secret + 1);
        _revealHidden(job);
        vm.warp(_challengeBy(job) + p.grace + 1);
        _settle(job);
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job) - CHECK_FEE, "the check fee burned");
        assertLe(_r(worker), 440_000, "no points");
    }

    /// @dev The requester hides s_R: the worker defends without it, and gains no choice of juries by that:
    /// all reports were opened before.
    function test_attack_requesterHidesTheJurysSecret() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        vm.warp(uint256(_state(job).since) + p.defend / 2 + 1);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.TooLate.selector, uint256(_state(job).since) + p.defend / 2)
        );
        edge.showJury(_unit(job), secretOf[job.unit], S_R);
        Case memory case_ = _defend(job);
        _round(case_, 0, "RRRRR");
        _closeCase(job, case_, job.data[0]);
        _assertPhase(job, Phase.Paid);
    }

    /// @dev Eight own reports, opened or not: each subset is another jury, but s_R is not known yet when the
    /// window for opening them ends, and once it is, nothing can be opened any more.
    function test_attack_reRolledJuries() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening[] memory own = new ReportOpening[](8);
        for (uint256 i = 0; i < 8; ++i) {
            own[i] = _commitReport(job, detector, keccak256(abi.encode("own", i)));
        }
        vm.warp(_challengeBy(job) + 1);
        for (uint16 i = 0; i < 7; ++i) {
            _revealReport(job, i + 1, own[i], "");
        }
        bytes16 mix = edge.docketOf(job.unit).seedAcc;
        _dispute(job);
        _showJury(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.Disputed));
        edge.revealReport(_unit(job), 8, own[7], _noProof());
        assertEq(edge.docketOf(job.unit).seedAcc, mix, "the mix is closed before s_R is open");
        Case memory case_ = _defend(job);
        assertEq(case_.seed, keccak256(abi.encode(S_W, S_R, mix)), "and s_W is fixed since the award");
    }

    /// @dev Seats depend on no block value, caller or time of call.
    function test_invariant_10_seatsDependOnNoBlock() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        _showJury(job);
        uint256 id = vm.snapshotState();
        Case memory case_ = _defend(job);
        (uint8 attempt, uint32 ticket,) = court.seatOf(case_, 0, 3);
        vm.revertToState(id);
        _after(p.defend / 2 + 1);
        vm.prank(rival.addr);
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        (uint8 attemptLater, uint32 ticketLater,) = court.seatOf(case_, 0, 3);
        assertEq(attemptLater, attempt, "attempt");
        assertEq(ticketLater, ticket, "ticket");
    }

    /// @dev No party of the unit judges it, whatever tickets it holds (invariant 11).
    function test_invariant_11_noPartySits() public {
        address[3] memory parties = [requester.addr, worker.addr, detector.addr];
        for (uint256 i = 0; i < 30; ++i) {
            address party = parties[i % 3];
            vm.deal(party, party.balance + p.seat);
            vm.prank(party);
            court.stake{value: p.seat}();
        }
        _after(p.ticketAge);
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        _showJury(job);
        Case memory case_ = _case(job);
        case_.tickets = court.tickets();
        edge.defend(_unit(job), S_W, case_.tickets);
        for (uint8 seat = 0; seat < 5; ++seat) {
            (,, address owner) = court.seatOf(case_, 0, seat);
            for (uint256 i = 0; i < 3; ++i) {
                assertTrue(owner != parties[i], "no party sits");
            }
        }
    }

    // ── strangers ───────────────────────────────────────────────────────────────────────────────────────

    function test_attack_strangersCannotActForTheCourt() public {
        Job memory job = _courtJob(false);
        _toDisputed(job, WRONG);
        Ruling memory ruling;
        ruling.outcome = Phase.Slashed;
        ruling.finalHash = WRONG;
        vm.expectRevert(Errors.NotCourt.selector);
        vm.prank(detector.addr);
        edge.rule(_unit(job), ruling);
        vm.expectRevert(ICourtErrors.NotBlockEdge.selector);
        court.take(0, 1);
        Case memory case_ = _case(job);
        vm.expectRevert(ICourtErrors.NotBlockEdge.selector);
        court.open(case_, false, 0, 0);
    }

    /// @dev The code that BlockEdge runs for `settle` is no call of BlockEdge's.
    function test_attack_settleContestedIsNotOpen() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        bytes memory call = abi.encodePacked(
            bytes4(keccak256(_settleContestedSignature())), abi.encode(_unit(job), uint256(2))
        );
        (bool done,) = address(edge).call(call);
        assertTrue(!done, "unknown");
        assertTrue(address(ICourt(p.court)).code.length != 0, "with a court");
    }

    function _settleContestedSignature() private pure returns (bytes memory) {
        return "settleContested(((bytes32,uint16,uint8,uint8,uint16,address,address,uint96,uint96,uint96,uint32,uint32,bytes32),bytes32[4]),uint256)";
    }
}
