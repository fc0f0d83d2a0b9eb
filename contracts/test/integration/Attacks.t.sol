// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Bid, Phase, ReportOpening, Request, Secret, Unit} from "../../src/Types.sol";
import {Gift} from "../mocks/Gift.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Fixture, Job} from "../utils/Fixture.sol";

/// @title The attacks of docs/protocol.md §12 that stage 1 must withstand, one a test.
/// @dev Hostile receivers and judges are in Hostile.t.sol, attacks on reports in AttacksReports.t.sol.
contract AttacksTest is Fixture {
    // ── registration ────────────────────────────────────────────────────────────────────────────────────

    /// @dev The requester keeps a fully run award secret and registers it at the last second: with an Ack
    /// whose delay is long over, the worker still has GRACE, from the registration (invariant 19).
    function test_attack_lastSecondRegistrationLeavesGrace() public {
        Job memory job = _powJob();
        job.item.bids[0].delay = 1;
        _sign(job);
        _acknowledge(job, job.item.award.notBefore);
        vm.warp(job.item.award.registerBy);
        _award(job, requester);
        vm.warp(uint256(job.item.award.registerBy) + p.grace);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    /// @dev Without an Ack the worker may not even have begun: it has its whole delay and GRACE.
    function test_attack_lastSecondRegistrationWithoutAckLeavesTheDelayToo() public {
        Job memory job = _powJob();
        _signBid(job, 0);
        vm.warp(job.item.award.registerBy);
        _award(job, requester);
        vm.warp(uint256(job.item.award.registerBy) + job.terms.delay + p.grace);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    /// @dev A refuser's friend registers the award without the Ack, for the smaller fine.
    function test_attack_accompliceCannotDropTheAck() public {
        Job memory job = _powJob();
        _acknowledge(job, job.item.award.notBefore);
        _signBid(job, 0);
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        delete items[0].ack;
        delete items[0].ackSig;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("ack")));
        vm.prank(stranger.addr);
        edge.award(requests, items);
        // ... nor can the worker itself: what it sends counts as acknowledged.
        vm.prank(worker.addr);
        edge.award(requests, items);
        job.data[0] = bytes32(uint256(job.item.award.notBefore));
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "acknowledged");
    }

    /// @dev A requester that awards without any Ack and lets the worker fail gains nothing.
    function test_attack_fakeAwardDoesNotPay() public {
        Job memory job = _powJob();
        _signBid(job, 0);
        _award(job, requester);
        uint256 r = _r(worker);
        _after(uint256(job.terms.delay) + p.grace + 1);
        _timeout(job);
        assertEq(_free(requester), FUNDS, "not a wei for the requester");
        assertEq(_r(worker), r, "and no reputation lost");
        assertLe(FUNDS - _free(worker), job.terms.price, "at most the price for the worker");
    }

    function test_attack_secondAwardOfAShardIsSkipped() public {
        Job memory first = _powJob();
        Job memory second = _jobOf(first.request, 0, rival);
        _answer(second, first.output);
        _assign(first);
        _expectSkip(second, Errors.BadPhase.selector);
        _award(second, rival);
        assertEq(_locked(rival), 0, "nothing taken from the second winner");
        _commit(first);
        _reveal(first);
        _after(100);
        _settle(first);
        _expectSkip(second, Errors.BadPhase.selector); // nor after the end
        _award(second, rival);
        assertEq(_locked(rival) + _locked(requester), 0, "the tombstone stays");
    }

    /// @dev Every listed bidder's R moves between the Award and its registration: the signed `rep` counts.
    function test_attack_changedReputationsDoNotSpoilAnAward() public {
        Job memory job = _powJob();
        job.request.repMin = 140_000;
        job.request.repMax = 140_000;
        _sign(job);
        Bid memory loser = _bid(job.request, 0, rival);
        loser.price += 1;
        _addLoser(job, loser);

        Actor[2] memory bidders = [worker, rival];
        for (uint256 i = 0; i < 2; ++i) {
            Job memory other = _jobOf(_request(1), 0, bidders[i]);
            _answer(other, _powAnswer(0));
            if (i == 0) _toRevealed(other); // one rises
            else _awardCommit(other); // the other is slashed
            vm.warp(block.timestamp + 12);
            if (i == 0) _settle(other);
            else _timeout(other);
        }
        assertTrue(_r(worker) > 140_000 && _r(rival) < 140_000, "both have left the range");
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    // ── ends ────────────────────────────────────────────────────────────────────────────────────────────

    /// @dev Before challengeBy nobody settles, whatever secret is claimed; in stage 1 there is none to claim.
    function test_attack_strangerCannotSettleEarly() public {
        Job memory job = _powJob();
        _toRevealed(job);
        vm.warp(_challengeBy(job));
        _expectSkip(job, Errors.TooEarly.selector);
        _settle(job);
        Secret[] memory secrets = new Secret[](1);
        secrets[0].secret = keccak256("made up");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("secret")));
        vm.prank(stranger.addr);
        edge.settle(_units(job), secrets);
        _assertPhase(job, Phase.Revealed);
    }

    function test_attack_priceIsPaidOnce() public {
        Job memory job = _powJob();
        _toRevealed(job);
        _after(100);
        Unit[] memory twice = new Unit[](2);
        (twice[0], twice[1]) = (_unit(job), _unit(job));
        edge.settle(twice, new Secret[](2));
        _settle(job);
        _timeout(job);
        assertEq(_free(worker), FUNDS + job.terms.price, "once");
        assertEq(edge.burned(), _fee(job), "one fee");
        _assertSolvent();
    }

    function test_attack_cheatCannotEscapeByNotRevealing() public {
        Job memory cheat = _powJob();
        _answer(cheat, "");
        _awardCommit(cheat);
        _after(p.reveal + 1);
        _timeout(cheat);
        assertEq(_free(worker), FUNDS - cheat.terms.deposit, "withholding costs what a conviction costs");
    }

    /// @dev Worker, requester and detector are one: each part of the deposit that is not burned comes home.
    function test_attack_selfAccusationLosesThirtyPercent() public {
        Job memory job = _powJob();
        _answer(job, "");
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, _powAnswer(0));
        _after(p.report);
        _settle(job);
        _closeReport(job, 1);
        uint256 coalition = _free(requester) + _free(worker) + _free(detector);
        assertTrue(3 * uint256(FUNDS) - coalition >= uint256(job.terms.deposit) * 30 / 100, "30 % at least");
        assertTrue(_r(worker) < 140_000, "and R");
    }

    /// @dev Trading with oneself: 15 points, at least 15 FEE_UNIT burned, whatever the unit's size.
    function test_attack_farmingReputationCostsFees() public {
        uint96[3] memory prices = [uint96(0.02 ether), 0.1 ether, 2 ether];
        for (uint256 i = 0; i < 3; ++i) {
            uint256 id = vm.snapshotState();
            uint256 burned = edge.burned();
            while (_pointsOf(_r(worker)) < 15) {
                Job memory job = _powJob();
                job.request.maxPrice = prices[i];
                job.item.bids[0].price = prices[i];
                job.item.bids[0].deposit = prices[i] * 20;
                _sign(job);
                _toRevealed(job);
                _after(20);
                _settle(job);
            }
            assertTrue(edge.burned() - burned >= 15 * uint256(p.feeUnit), "fees burned");
            vm.revertToState(id);
        }
    }

    /// @dev Rv = (good + 1) / (good + 5) of an honest account; R is at most 0.7 Rv + 0.3.
    function _pointsOf(uint256 r) private pure returns (uint256) {
        uint256 rv = r <= 300_000 ? 0 : (r - 300_000) * 10 / 7;
        return rv <= 200_000 ? 0 : (5 * rv - 1_000_000) / (1_000_000 - rv);
    }

    // ── money ───────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A requester leaves under an Award that it has signed: UNBOND outlives every registration.
    function test_attack_exitDoesNotOutrunAnAward() public {
        vm.prank(requester.addr);
        edge.exit(FUNDS);
        uint256 exitAt = edge.accountOf(requester.addr).exitAt;
        vm.warp(exitAt - p.maxAward);
        Job memory job = _powJob(); // the last moment at which a worker still trusts the balance
        job.item.award.registerBy = job.item.award.notBefore + uint40(p.maxAward);
        _sign(job);
        vm.warp(exitAt - 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, exitAt));
        vm.prank(requester.addr);
        edge.withdraw();
        _assign(job);
        vm.warp(exitAt);
        vm.prank(requester.addr);
        edge.withdraw();
        uint256 locked = uint256(job.terms.price) + _fee(job);
        assertEq(requester.addr.balance, FUNDS - locked, "what an award has locked stays");
        assertEq(_locked(requester), locked, "for its unit");
        _assertSolvent();
    }

    /// @dev The other way round: gone is gone, and the unit is skipped instead of going unpaid.
    function test_attack_awardAfterTheWithdrawalIsSkipped() public {
        vm.prank(requester.addr);
        edge.exit(FUNDS);
        _after(p.unbond);
        Job memory job = _powJob();
        vm.prank(requester.addr);
        edge.withdraw();
        _expectSkip(job, Errors.Insolvent.selector);
        _assign(job);
        assertEq(_locked(worker), 0, "and the worker's deposit is not touched");
    }

    function test_attack_withdrawTwicePaysOnce() public {
        vm.prank(worker.addr);
        edge.exit(1 ether);
        _after(p.unbond);
        vm.prank(worker.addr);
        edge.withdraw();
        vm.expectRevert(Errors.NotExiting.selector);
        vm.prank(worker.addr);
        edge.withdraw();
        assertEq(worker.addr.balance, 1 ether, "once");
    }

    function test_attack_forcedEtherChangesNothing() public {
        Gift.force(address(edge), 5 ether);
        assertEq(address(edge).balance, 4 * uint256(FUNDS) + 5 ether, "it came");
        Job memory job = _powJob();
        _toRevealed(job);
        _after(100);
        _settle(job);
        edge.flushBurn();
        uint256 sum = _free(requester) + _free(worker) + _free(rival) + _free(detector);
        assertEq(sum + 5 ether, address(edge).balance, "nobody's, and in nobody's way");
    }

    /// @dev Plain transfers are refused, so nobody loses ether by mistake.
    function test_attack_plainTransferIsRefused() public {
        vm.deal(stranger.addr, 1 ether);
        vm.prank(stranger.addr);
        (bool sent,) = address(edge).call{value: 1 ether}("");
        assertTrue(!sent, "refused");
    }
}
