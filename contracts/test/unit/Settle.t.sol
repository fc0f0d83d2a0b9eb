// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, ReportOpening, Secret} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title settle: PAID, SLASHED by evidence, UNRESOLVED, and when each may happen.
contract SettleTest is Fixture {
    function _pastChallenge(Job memory job) private {
        vm.warp(_challengeBy(job) + 1);
    }

    function _pastReports(Job memory job) private {
        vm.warp(_challengeBy(job) + p.report + 1);
    }

    function _expectSettled(Job memory job, Phase phase, uint256 paid, uint256 slashed) private {
        vm.expectEmit(address(edge));
        emit Events.Settled(job.unit, phase, paid, slashed);
    }

    function test_settle_paysTheWorker() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        _pastChallenge(job);
        _expectSettled(job, Phase.Paid, job.terms.price, 0);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        assertEq(_free(worker), FUNDS + job.terms.price, "price and deposit");
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job), "price and fee");
        assertEq(edge.burned(), _fee(job), "fee burned");
        assertEq(_locked(worker) + _locked(requester), 0, "nothing locked");
        assertEq(_state(job).since, block.timestamp, "since");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "the digest stays");
        _assertSolvent();
    }

    function test_settle_afterChallengeByOnly() public {
        Job memory job = _powJob();
        _toRevealed(job);
        vm.warp(_challengeBy(job));
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        _after(1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
    }

    function test_settle_afterReportByOnceReported() public {
        Job memory job = _powJob();
        _toRevealed(job);
        _commitReport(job, detector, keccak256("nothing"));
        vm.warp(_challengeBy(job) + p.report);
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        _after(1);
        _settle(job);
        _assertPhase(job, Phase.Paid); // an unrevealed report proves nothing
    }

    function test_settle_onceOnly() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        _pastChallenge(job);
        _settle(job);
        uint256 balance = _free(worker);
        _expectSkip(job, Errors.BadPhase.selector);
        _settle(job);
        assertEq(_free(worker), balance, "paid once");
    }

    function test_settle_needsTheUnitOnRecord() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        _pastChallenge(job);
        job.terms.price += 1;
        _expectSkip(job, Errors.BadUnit.selector);
        _settle(job);
    }

    function test_settle_neverBeforeTheReveal() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _after(1000);
        _expectSkip(job, Errors.BadPhase.selector);
        _settle(job);
    }

    function test_settle_secretsAreZero() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        Secret[] memory secrets = new Secret[](1);
        secrets[0].secret = keccak256("secret");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.settle(_units(job), secrets);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 1, 0));
        edge.settle(_units(job), new Secret[](0));
    }

    // ── SLASHED ─────────────────────────────────────────────────────────────────────────────────────────

    function test_settle_slashesFiftyTwentyThirty() public {
        Job memory job = _powJob();
        _answer(job, ""); // claims that there is no solution
        job.item.bids[0].deposit += 3; // leaves remainders
        _sign(job);
        _toRevealed(job);
        ReportOpening memory report = _commitReport(job, detector, keccak256(_powAnswer(0)));
        _pastChallenge(job);
        _revealReport(job, 1, report, _powAnswer(0));
        _pastReports(job);
        _expectSettled(job, Phase.Slashed, 0, job.terms.deposit);
        _settle(job);
        _closeReport(job, 1);

        uint256 deposit = job.terms.deposit;
        assertTrue(_state(job).docket, "the docket stays marked");
        assertEq(_free(requester), FUNDS + deposit / 2, "requester: price and fee back, and half");
        assertEq(_free(detector), FUNDS + deposit * 20 / 100, "detector: bond back, and a fifth");
        assertEq(_free(worker), FUNDS - deposit, "worker: nothing");
        assertEq(edge.burned(), deposit - deposit / 2 - deposit * 20 / 100, "the rest burned");
        assertEq(_locked(requester) + _locked(worker) + _locked(detector), 0, "nothing locked");
        _assertSolvent();
    }

    function test_settle_paysTheLowestRightIndex() public {
        Job memory job = _powJob();
        _answer(job, "");
        _toRevealed(job);
        ReportOpening memory junk = _commitReport(job, rival, keccak256("junk"));
        ReportOpening memory first = _commitReport(job, detector, keccak256(_powAnswer(1)));
        ReportOpening memory second = _commitReport(job, requester, keccak256(_powAnswer(0)));
        _pastChallenge(job);
        _revealReport(job, 3, second, _powAnswer(0)); // revealing first does not help
        _revealReport(job, 1, junk, "junk");
        _revealReport(job, 2, first, _powAnswer(1));
        assertEq(edge.docketOf(job.unit).best, 3, "index 2");
        _pastReports(job);
        uint256 free = _free(detector);
        _settle(job);
        assertEq(_free(detector), free + job.terms.deposit / 5, "the earliest right one");
        _assertPhase(job, Phase.Slashed);
    }

    function test_settle_selfConvictingResultNeedsAReportToo() public {
        Job memory job = _powJob();
        _answer(job, abi.encodePacked(uint64(RANGE))); // out of range
        _toRevealed(job);
        ReportOpening memory report = _commitReport(job, detector, keccak256(""));
        _pastChallenge(job);
        _revealReport(job, 1, report, "");
        _pastReports(job);
        _settle(job);
        _assertPhase(job, Phase.Slashed);
    }

    // ── UNRESOLVED ──────────────────────────────────────────────────────────────────────────────────────

    function test_settle_unresolvedBurnsPriceAndFee() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory report = _commitReport(job, requester, keccak256("my own result"));
        _pastChallenge(job);
        _revealReport(job, 1, report, "");
        _pastReports(job);
        _expectSettled(job, Phase.Unresolved, 0, 0);
        _settle(job);
        _closeReport(job, 1);

        uint256 lost = uint256(job.terms.price) + _fee(job);
        assertEq(_free(requester), FUNDS - lost, "pays as if it had been right");
        assertEq(_free(worker), FUNDS, "deposit back, no price");
        assertEq(edge.burned(), lost, "burned");
        (uint24 n, uint24 m,,,) = edge.repOf(worker.addr);
        assertEq(uint256(n) + m, 0, "no reputation change");
        _assertSolvent();
    }

    function test_settle_agreeingReportPays() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        ReportOpening memory report = _commitReport(job, requester, Digests.result(job.result));
        _pastChallenge(job);
        _revealReport(job, 1, report, "");
        _pastReports(job);
        _settle(job);
        _assertPhase(job, Phase.Paid);
    }

    function test_settle_doesNotCallSkippedWhatItEnded() public {
        Job memory job = _powJob();
        _toRevealed(job);
        vm.warp(_challengeBy(job) + 1);
        vm.recordLogs();
        _settle(job);
        assertEq(vm.getRecordedLogs().length, 1, "Settled, and nothing else");
    }
}
