// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {NO_INPUT, Phase, ReportOpening, Ruling} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title What BlockEdge does with a finding, and then with the bonds (docs/protocol.md §6.4, §6.5, §7.1). The
/// court's address speaks here without a trial; trials are in test/integration.
contract RuleTest is JuryFixture {
    uint96 private constant POOL = 5 * CHECK_FEE;

    event Ruled(bytes32 indexed unit, bytes32 finalHash);
    event ReportClosed(bytes32 indexed unit, uint256 index, uint256 returned);

    /// @notice A case of the detector with report 1; the rival's report 2 says `second`, unless 0.
    function _tried(bytes32 second) private returns (Job memory job) {
        job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory first = _commitReport(job, detector, WRONG);
        ReportOpening memory other;
        if (second == "worker") second = _resultHash(job);
        if (second != 0) other = _commitReport(job, rival, second);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, first, "");
        if (second != 0) _revealReport(job, 2, other, "");
        _dispute(job);
        _toCase(job);
    }

    function _ruling(Phase outcome, bytes32 finalHash) private view returns (Ruling memory r) {
        r.outcome = outcome;
        r.finalHash = finalHash;
        r.funders[0] = detector.addr;
    }

    // ── who and when ────────────────────────────────────────────────────────────────────────────────────

    function test_rule_onlyByTheCourtOnADisputedUnit() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        Ruling memory ruling = _ruling(Phase.Slashed, WRONG);
        vm.expectRevert(Errors.NotCourt.selector);
        edge.rule(_unit(job), ruling);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Disputed, Phase.Revealed));
        vm.prank(address(court));
        edge.rule(_unit(job), ruling);
    }

    function test_receive_onlyFromTheCourt() public {
        vm.deal(stranger.addr, 1 ether);
        vm.prank(stranger.addr);
        (bool done,) = address(edge).call{value: 1}("");
        assertTrue(!done, "users call fund");
    }

    // ── SLASHED ─────────────────────────────────────────────────────────────────────────────────────────

    function test_rule_slashedPaysTheAccuserAndTheDetector() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Slashed, WRONG);
        ruling.dues[0] = 5 * CHECK_FEE; // of which the pool holds none
        vm.expectEmit(address(edge));
        emit Ruled(job.unit, WRONG);
        _rule(job, ruling, 0);
        uint256 rest = job.terms.deposit - 5 * CHECK_FEE;
        assertEq(_free(detector), FUNDS + rest / 5, "X and fees back, and a fifth of what is left");
        assertEq(_free(requester), FUNDS + rest / 2, "half of what is left, and all it had locked");
        assertEq(edge.burned(), rest - rest / 2 - rest / 5, "the rest burns");
        _ended(job, Phase.Slashed);
    }

    function test_rule_slashedBySomebodyElsesHash() public {
        Job memory job = _tried(OTHER);
        Ruling memory ruling = _ruling(Phase.Slashed, OTHER);
        ruling.dues[0] = 5 * CHECK_FEE;
        _rule(job, ruling, POOL);
        assertEq(_free(detector), FUNDS - _courtBond(job), "the accuser was wrong too");
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS + job.terms.deposit / 5, "the detector is who said it first");
        assertEq(
            edge.burned(),
            job.terms.deposit * 3 / 10 + _accusation(job) + POOL,
            "the accuser's X, and the pool that was not due"
        );
        _ended(job, Phase.Slashed);
    }

    function test_rule_slashedByAHashNobodyReported() public {
        Job memory job = _tried(0);
        _rule(job, _ruling(Phase.Slashed, OTHER), 0);
        assertEq(_free(requester), FUNDS + job.terms.deposit / 2, "half");
        assertEq(edge.burned(), job.terms.deposit / 2 + _accusation(job), "the fifth burns");
        _ended(job, Phase.Slashed);
    }

    function test_closeReports_slashed() public {
        Job memory job = _tried("worker");
        _rule(job, _ruling(Phase.Slashed, WRONG), 0);
        _expectSkip(job, Errors.BadPhase.selector);
        _closeReport(job, 1); // the accuser's is closed
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS - _courtBond(job) / 10, "agreed with the worker: a tenth");
        _ended(job, Phase.Slashed);
    }

    function test_closeReports_slashedOthersThatWereWrongLoseX() public {
        Job memory job = _tried(OTHER);
        _rule(job, _ruling(Phase.Slashed, WRONG), 0);
        uint256 burned = edge.burned();
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS - _accusation(job), "X, but no juror fees");
        assertEq(edge.burned() - burned, _accusation(job), "burned");
        _ended(job, Phase.Slashed);
    }

    // ── PAID ────────────────────────────────────────────────────────────────────────────────────────────

    function test_rule_paidByTheAccuser() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Paid, job.data[0]);
        vm.expectEmit(address(edge));
        emit ReportClosed(job.unit, 1, 0);
        _rule(job, ruling, 0);
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "the price and half of X");
        assertEq(_free(detector), FUNDS - _courtBond(job), "all of the bond");
        assertEq(edge.burned(), _fee(job) + _accusation(job) / 2, "half of X burns");
        assertTrue(_r(worker) > 140_000, "with points");
        _ended(job, Phase.Paid);
    }

    function test_rule_paidAppellantBeforeTheWorker() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Paid, job.data[0]);
        (ruling.funders[1], ruling.dues[1]) = (rival.addr, POOL + 1000);
        _rule(job, ruling, POOL);
        assertEq(_free(rival), FUNDS + POOL + 1000, "out of the pool, then out of X");
        assertEq(
            _free(worker), FUNDS + job.terms.price + (_accusation(job) - 1000) / 2, "half of what is left"
        );
        _ended(job, Phase.Paid);
    }

    function test_rule_duesEndWhereTheMoneyDoes() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Paid, job.data[0]);
        (ruling.funders[1], ruling.dues[1]) = (rival.addr, 1 ether);
        (ruling.funders[2], ruling.dues[2]) = (stranger.addr, 1 ether);
        _rule(job, ruling, POOL);
        assertEq(_free(rival), FUNDS + POOL + _accusation(job), "all there is");
        assertEq(_free(stranger), 0, "nothing");
        assertEq(_free(worker), FUNDS + job.terms.price, "the price");
        _ended(job, Phase.Paid);
    }

    function test_rule_noInputKeepsTheAccuserWhole() public {
        Job memory job = _tried(OTHER);
        _rule(job, _ruling(Phase.Paid, NO_INPUT), POOL);
        assertEq(_free(detector), FUNDS - 5 * CHECK_FEE, "X back");
        assertEq(_free(worker), FUNDS + job.terms.price, "the price");
        _assertNoPoints();
        assertEq(edge.burned(), _fee(job) + POOL, "fee and pool");
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS, "back");
        _ended(job, Phase.Paid);
    }

    function test_closeReports_paidOthersLoseX() public {
        Job memory job = _tried(OTHER);
        _rule(job, _ruling(Phase.Paid, job.data[0]), 0);
        uint256 before = _free(worker);
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS - _accusation(job), "X, but no juror fees");
        assertEq(_free(worker) - before, _accusation(job) / 2, "half to the worker");
        _ended(job, Phase.Paid);
    }

    // ── UNRESOLVED ──────────────────────────────────────────────────────────────────────────────────────

    function test_rule_unresolvedGivesEverythingBack() public {
        Job memory job = _tried(OTHER);
        Ruling memory ruling = _ruling(Phase.Unresolved, OTHER);
        ruling.dues[0] = POOL / 2;
        _rule(job, ruling, POOL / 2);
        assertEq(_free(detector), FUNDS - POOL + POOL / 2, "X, and what the jurors left");
        assertEq(_free(requester), FUNDS, "price, fee and check fee");
        assertEq(_free(worker), FUNDS, "the deposit");
        assertEq(_r(worker), 140_000, "no change");
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS, "back");
        assertEq(edge.burned(), 0, "nothing burns");
        _ended(job, Phase.Unresolved);
    }

    function test_closeReports_unresolvedCostsNoReporterAnything() public {
        Job memory job = _tried("worker");
        _rule(job, _ruling(Phase.Unresolved, WRONG), 0);
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS, "agreed with the worker: back");
        job = _tried(OTHER);
        _rule(job, _ruling(Phase.Unresolved, WRONG), 0);
        _closeReport(job, 2);
        assertEq(_free(rival), FUNDS, "contradicted both: back");
        _ended(job, Phase.Unresolved);
    }

    /// @dev Who outvoted honest jurors is not repaid by them.
    function test_rule_finesBurnWhateverIsOwed() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Unresolved, OTHER);
        (ruling.dues[0], ruling.fines) = (POOL, 70 * CHECK_FEE);
        (ruling.funders[1], ruling.dues[1]) = (rival.addr, POOL);
        _rule(job, ruling, POOL + 70 * CHECK_FEE);
        assertEq(_free(detector), FUNDS, "what the pots held");
        assertEq(_free(rival), FUNDS, "nothing is left of them");
        assertEq(edge.burned(), 70 * CHECK_FEE, "burned");
        _ended(job, Phase.Unresolved);
    }

    function test_rule_finesBurnBesideWhatThePotsLeave() public {
        Job memory job = _tried(0);
        Ruling memory ruling = _ruling(Phase.Slashed, WRONG);
        (ruling.dues[0], ruling.fines) = (5 * CHECK_FEE, 40 * CHECK_FEE);
        _rule(job, ruling, 40 * CHECK_FEE + 1);
        uint256 rest = uint256(job.terms.deposit) - 5 * CHECK_FEE + 1;
        assertEq(_free(detector), FUNDS + rest / 5, "out of the pots and the deposit");
        assertEq(edge.burned(), rest - rest / 2 - rest / 5 + 40 * CHECK_FEE, "all fines");
        _ended(job, Phase.Slashed);
    }

    function test_closeReports_neverRevealedBurnsInAnyCase() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory first = _commitReport(job, detector, WRONG);
        _commitReport(job, rival, WRONG);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, first, "");
        _dispute(job);
        _toCase(job);
        _rule(job, _ruling(Phase.Unresolved, WRONG), 0);
        _closeReport(job, 2);
        assertEq(FUNDS - _free(rival), _courtBond(job), "all of it");
        assertEq(edge.burned(), _courtBond(job), "burned");
        _ended(job, Phase.Unresolved);
    }

    // ── the checker ─────────────────────────────────────────────────────────────────────────────────────

    /// @notice A case that a report opens; the drawn checker said `checked`, or stayed silent.
    function _triedWithCheck(bytes32 checked, bool silent) private returns (Job memory job, uint32 ticket) {
        job = _courtJob(true);
        if (checked == "worker") checked = _resultHash(job);
        ReportOpening memory check = _toChecked(job, checked);
        (, ticket,) = _drawn(job);
        _revealShown(job);
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        if (!silent) _revealReport(job, 0, check, "");
        _dispute(job);
        _toCase(job);
    }

    function test_closeReports_checkerThatAgreedWithAConvictedHash() public {
        (Job memory job, uint32 ticket) = _triedWithCheck("worker", false);
        _rule(job, _ruling(Phase.Slashed, WRONG), 0);
        uint256 burned = edge.burned();
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE, "alpha");
        assertEq(edge.burned() - burned, 10 * CHECK_FEE, "burned");
        _ended(job, Phase.Slashed);
    }

    function test_closeReports_checkerThatAccusedTheInnocent() public {
        (Job memory job, uint32 ticket) = _triedWithCheck(OTHER, false);
        Ruling memory ruling = _ruling(Phase.Paid, job.data[0]);
        ruling.funders[0] = edge.reportOf(job.unit, 0).author;
        _rule(job, ruling, 0);
        uint256 before = _free(worker);
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat - 5 * CHECK_FEE - _accusation(job), "fees and X");
        assertEq(_free(worker) - before, _accusation(job) / 2, "half to the worker");
        _closeReport(job, 1);
        assertEq(_free(detector), FUNDS - _accusation(job), "the report beyond the first loses X");
        _ended(job, Phase.Paid);
    }

    /// @dev Agreeing is no offence unless a jury says so.
    function test_closeReports_checkerThatAgreedOtherwiseLosesNothing() public {
        Phase[2] memory outcomes = [Phase.Paid, Phase.Unresolved];
        for (uint256 i = 0; i < 2; ++i) {
            (Job memory job, uint32 ticket) = _triedWithCheck("worker", false);
            uint256 stake = court.ticketOf(ticket).stake;
            _rule(job, _ruling(outcomes[i], job.data[0]), 0);
            _closeReport(job, 0);
            assertEq(court.ticketOf(ticket).stake, stake, "agreed");
        }
        Job memory undefended = _courtJob(true);
        ReportOpening memory check = _toChecked(undefended, _resultHash(undefended));
        (, uint32 id,) = _drawn(undefended);
        uint256 held = court.ticketOf(id).stake;
        _revealShown(undefended);
        ReportOpening memory report = _commitReport(undefended, detector, WRONG);
        vm.warp(_challengeBy(undefended) + 1);
        _revealReport(undefended, 1, report, "");
        _revealReport(undefended, 0, check, "");
        _dispute(undefended);
        _after(p.defend + 1);
        _timeout(undefended);
        _assertPhase(undefended, Phase.Slashed);
        _closeReport(undefended, 0);
        assertEq(court.ticketOf(id).stake, held, "no jury has spoken");
    }

    function test_closeReports_checkerIsChargedOnce() public {
        (Job memory job, uint32 ticket) = _triedWithCheck("worker", false);
        _rule(job, _ruling(Phase.Slashed, WRONG), 0);
        _closeReport(job, 0);
        uint256 stake = court.ticketOf(ticket).stake;
        _expectSkip(job, Errors.BadPhase.selector);
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, stake, "once");
    }

    function test_rule_paidGivesTheCheckFeeToAnAgreeingCheckerOnly() public {
        (Job memory job,) = _triedWithCheck("worker", false);
        address checker = edge.reportOf(job.unit, 0).author;
        _rule(job, _ruling(Phase.Paid, job.data[0]), 0);
        assertEq(edge.accountOf(checker).free, CHECK_FEE, "its fee");
        _ended(job, Phase.Paid);

        (job,) = _triedWithCheck(OTHER, false);
        checker = edge.reportOf(job.unit, 0).author;
        uint256 free = edge.accountOf(checker).free;
        _rule(job, _ruling(Phase.Paid, job.data[0]), 0);
        assertEq(edge.accountOf(checker).free, free, "accused: none");
    }

    /// @dev A checker that accuses has no bond here for an appellant's tenth; its ticket is charged later.
    function test_rule_paidAgainstTheCheckerOwesNoMoreThanThePool() public {
        (Job memory job,) = _triedWithCheck(OTHER, false);
        Ruling memory ruling = _ruling(Phase.Paid, job.data[0]);
        ruling.funders[0] = edge.reportOf(job.unit, 0).author;
        (ruling.funders[1], ruling.dues[1]) = (rival.addr, POOL + 1000);
        _rule(job, ruling, POOL);
        assertEq(_free(rival), FUNDS + POOL, "what the court sent");
        _assertSolvent();
    }

    function test_closeReports_silentCheckerBesideAReport() public {
        (Job memory job, uint32 ticket) = _triedWithCheck(WRONG, true);
        _rule(job, _ruling(Phase.Unresolved, WRONG), 0);
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat - 10 * CHECK_FEE, "alpha");
        _ended(job, Phase.Unresolved);
    }

    /// @notice A case that the drawn checker's silence opens, ended like this, and its report closed.
    function _silent(Phase outcome, bytes32 finalHash) private returns (Job memory job, uint256 lost) {
        job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket,) = _drawn(job);
        lost = court.ticketOf(ticket).stake;
        _revealShown(job);
        _dispute(job);
        _toCase(job);
        Ruling memory ruling = _ruling(outcome, finalHash == 0 ? job.data[0] : finalHash);
        ruling.funders[0] = address(0);
        _rule(job, ruling, 0);
        _closeReport(job, 0);
        lost -= court.ticketOf(ticket).stake;
    }

    /// @dev With alpha alone, silence would be a cheaper accusation than an accusation.
    function test_closeReports_silentCheckerAccusedTheInnocent() public {
        (Job memory job, uint256 lost) = _silent(Phase.Paid, 0);
        assertEq(lost, 10 * CHECK_FEE + _accusation(job), "the round, and X");
        assertEq(_free(worker), FUNDS + job.terms.price + _accusation(job) / 2, "half to the worker");
        assertEq(edge.burned(), _fee(job) + _accusation(job) / 2, "half burned");
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job), "the check fee comes back");
        _ended(job, Phase.Paid);
    }

    function test_closeReports_silentCheckerHasPaidForTheRound() public {
        (Job memory job, uint256 lost) = _silent(Phase.Slashed, WRONG);
        assertEq(lost, 10 * CHECK_FEE, "not twice");
        _ended(job, Phase.Slashed);
        (job, lost) = _silent(Phase.Paid, NO_INPUT);
        assertEq(lost, 10 * CHECK_FEE, "nobody could see");
        _ended(job, Phase.Paid);
        (job, lost) = _silent(Phase.Unresolved, OTHER);
        assertEq(lost, 10 * CHECK_FEE, "nobody knows");
        _ended(job, Phase.Unresolved);
    }

    function test_rule_checkerThatWasRightIsTheDetector() public {
        (Job memory job,) = _triedWithCheck(WRONG, false);
        address checker = edge.reportOf(job.unit, 0).author;
        Ruling memory ruling = _ruling(Phase.Slashed, WRONG);
        (ruling.funders[0], ruling.dues[0]) = (checker, POOL);
        _rule(job, ruling, POOL);
        assertEq(edge.accountOf(checker).free, POOL + job.terms.deposit / 5, "fees back and the fifth");
        _closeReport(job, 0);
        _closeReport(job, 1);
        assertEq(_free(detector), FUNDS, "right too: back");
        _ended(job, Phase.Slashed);
    }

    function _ended(Job memory job, Phase phase) private view {
        _assertPhase(job, phase);
        _assertSolvent();
        uint256 locked = _locked(requester) + _locked(worker) + _locked(detector);
        assertEq(locked, 0, "of the first three nothing is locked");
    }
}
