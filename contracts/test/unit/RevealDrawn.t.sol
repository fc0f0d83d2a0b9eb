// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Opening, Phase, Secret} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title reveal and settle of units that may be drawn (docs/protocol.md §3.3, §6.2, §7.1).
contract RevealDrawnTest is JuryFixture {
    function _opened(Job memory job) private view returns (Opening memory opening) {
        opening = _opening(job);
        (opening.secret, opening.guardR) = (secretOf[job.unit], _guardR());
    }

    // ── reveal ──────────────────────────────────────────────────────────────────────────────────────────

    function test_reveal_undrawnAtOnceWithTheSecret() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        _assertPhase(job, Phase.Revealed);
        _after(job.terms.vwin + p.challenge + 1);
        uint256 before = _free(requester);
        _settle(job);
        assertEq(_free(requester) - before, CHECK_FEE, "the check fee comes back");
        assertEq(_free(worker), FUNDS + job.terms.price, "paid");
        assertTrue(_r(worker) > 140_000, "with points");
        _assertSolvent();
    }

    function test_reveal_withoutTheSecretAfterSecret() public {
        Job memory job = _courtJob(false);
        _register(job);
        _after(p.secret);
        _expectSkip(job, Errors.TooEarly.selector);
        _revealWith(job, _opening(job));
        _after(1);
        _revealHidden(job);
        _assertPhase(job, Phase.Revealed);
    }

    function test_reveal_drawnWaitsForTheCheck() public {
        Job memory job = _courtJob(true);
        _register(job);
        _expectSkip(job, Errors.CheckPending.selector);
        _revealWith(job, _opened(job)); // not marked yet, but shown to be drawn
        _draw(job);
        _expectSkip(job, Errors.CheckPending.selector);
        _revealWith(job, _opened(job));
        vm.warp(uint256(committedAt[job.unit]) + p.secret + job.terms.vwin);
        _expectSkip(job, Errors.CheckPending.selector);
        _revealWith(job, _opening(job));
        uint256 id = vm.snapshotState();
        _commitCheck(job, WRONG);
        _revealWith(job, _opened(job));
        _assertPhase(job, Phase.Revealed);
        assertTrue(_state(job).docket, "the docket stays");
        vm.revertToState(id);
        _after(1);
        _revealShown(job);
        assertEq(uint256(job.data[2]), 7, "drawn, shown, missed");
        _settleAfterChallenge(job);
    }

    function test_reveal_drawnButNotMarkedGoesAsHidden() public {
        Job memory job = _courtJob(true);
        _register(job);
        _after(p.secret + 1);
        bytes32 commitment = job.data[0];
        _revealWith(job, _opened(job));
        job.data = [_resultHash(job), job.guard, bytes32(0), commitment];
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + p.grace);
        _expectSkip(job, Errors.TooEarly.selector);
        _settleShown(job); // shows it drawn, not undrawn
        _after(1);
        _settleShown(job);
        _assertBurnedFee(job);
    }

    function test_reveal_wrongSecretReverts() public {
        Job memory job = _courtJob(false);
        _register(job);
        Opening memory opening = _opened(job);
        opening.guardR = S_R;
        Opening[] memory openings = new Opening[](1);
        openings[0] = opening;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.reveal(_units(job), openings);
    }

    function test_reveal_drawnHasUntilCheckByAndReveal() public {
        Job memory job = _courtJob(true);
        _register(job);
        uint256 revealBy = uint256(committedAt[job.unit]) + p.secret + job.terms.vwin + p.reveal;
        _draw(job);
        vm.warp(revealBy);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        uint256 id = vm.snapshotState();
        _revealWith(job, _opened(job));
        _assertPhase(job, Phase.Revealed);
        vm.revertToState(id);
        _after(1);
        _expectSkip(job, Errors.TooLate.selector);
        _revealWith(job, _opened(job));
        _timeout(job);
        _assertPhase(job, Phase.Slashed);
    }

    function test_reveal_outputMayStayOffTheChain() public {
        Job memory job = _courtJob(false);
        _register(job);
        Opening memory opening = _opened(job);
        opening.output = "";
        _revealWith(job, opening);
        _assertPhase(job, Phase.Revealed);
    }

    // ── settle ──────────────────────────────────────────────────────────────────────────────────────────

    function test_settle_hiddenSecretBurnsTheFeeAndThePoints() public {
        Job memory job = _courtJob(false);
        _register(job);
        _after(p.secret + 1);
        _revealHidden(job);
        vm.warp(_challengeBy(job) + p.grace);
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        _after(1);
        _settle(job);
        _assertBurnedFee(job);
        _assertNoPoints();
    }

    function test_settle_secretShownLateCounts() public {
        Job memory job = _courtJob(false);
        _register(job);
        _after(p.secret + 1);
        _revealHidden(job);
        vm.warp(_challengeBy(job) + 1);
        uint256 before = _free(requester);
        _settleShown(job);
        _assertPhase(job, Phase.Paid);
        assertEq(_free(requester) - before, CHECK_FEE, "back");
        assertTrue(_r(worker) > 140_000, "with points");
    }

    function test_settle_wrongSecretReverts() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        Secret[] memory secrets = new Secret[](1);
        secrets[0] = Secret(keccak256("another"), _guardR());
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        edge.settle(_units(job), secrets);
    }

    /// @dev Starving the checker of input costs the requester as much as the checker.
    function test_settle_missedCheckBurnsTheFee() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        _after(p.secret + job.terms.vwin + 1);
        _revealShown(job);
        uint256 before = _free(requester);
        _settleAfterChallenge(job);
        assertEq(_free(requester), before, "nothing back");
        assertEq(edge.burned(), _fee(job) + CHECK_FEE, "burned");
        assertTrue(_r(worker) > 140_000, "with points: the secret was shown");
        _assertSolvent();
    }

    function test_timeout_withheldPaysTheChecker() public {
        Job memory job = _courtJob(true);
        _toChecked(job, WRONG);
        (, uint32 ticket, address checker) = _drawn(job);
        vm.warp(uint256(committedAt[job.unit]) + p.secret + job.terms.vwin + p.reveal + 1);
        _timeout(job);
        assertEq(edge.accountOf(checker).free, CHECK_FEE, "its fee");
        assertEq(_free(requester), FUNDS + job.terms.deposit / 2 - CHECK_FEE, "out of the half");
        _closeReport(job, 0);
        assertEq(court.ticketOf(ticket).stake, p.seat, "and nothing else is asked of it");
        _assertSolvent();
    }

    function test_timeout_withheldWithoutACheckerSharesWithNobody() public {
        Job memory job = _courtJob(false);
        _register(job);
        vm.warp(uint256(committedAt[job.unit]) + p.secret + job.terms.vwin + p.reveal + 1);
        _timeout(job);
        assertEq(_free(requester), FUNDS + job.terms.deposit / 2, "the whole half");
        assertEq(edge.accountOf(address(0)).free, 0, "and nothing to nobody");
        _assertSolvent();
    }

    function _settleAfterChallenge(Job memory job) private {
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
    }

    function _assertBurnedFee(Job memory job) private view {
        _assertPhase(job, Phase.Paid);
        assertEq(_free(worker), FUNDS + job.terms.price, "paid");
        assertEq(edge.burned(), _fee(job) + CHECK_FEE, "check fee burned");
        (, uint24 m,,,) = edge.repOf(worker.addr);
        assertEq(m, 1, "counted");
        assertLe(_r(worker), 440_000, "no points: deposits alone raise R");
        _assertSolvent();
    }
}
