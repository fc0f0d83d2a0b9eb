// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Phase} from "../../src/Types.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title timeout: REFUSED with and without Ack, and the withheld reveal.
contract TimeoutTest is Fixture {
    function _refuse(Job memory job) private {
        vm.warp(uint256(_state(job).since) + job.terms.delay + p.grace + 1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
        assertEq(_locked(requester) + _locked(worker), 0, "nothing locked");
        _assertSolvent();
    }

    // ── REFUSED ─────────────────────────────────────────────────────────────────────────────────────────

    function test_timeout_refusalAfterAckCostsATenth() public {
        Job memory job = _wasmJob();
        job.item.bids[0].deposit += 19; // leaves remainders
        _sign(job);
        _acknowledge(job, uint40(block.timestamp));
        _award(job, stranger);
        uint256 fine = job.terms.deposit / 10;
        vm.warp(block.timestamp + job.terms.delay + p.grace + 1);
        vm.expectEmit(address(edge));
        emit Events.Settled(job.unit, Phase.Refused, 0, fine);
        _timeout(job);
        assertEq(_free(worker), FUNDS - fine, "worker");
        assertEq(_free(requester), FUNDS + fine / 2, "requester: all back, and half the fine");
        assertEq(edge.burned(), fine - fine / 2, "half burned");
        (uint24 n, uint24 m, uint64 s,,) = edge.repOf(worker.addr);
        assertEq(n, 1, "a fault");
        assertEq(m, 1, "of one unit");
        assertEq(s, 0, "what went back is not credited");
        _assertSolvent();
    }

    function test_timeout_workersOwnRegistrationIsAnAck() public {
        Job memory job = _wasmJob();
        _assign(job);
        _refuse(job);
        assertEq(_free(worker), FUNDS - job.terms.deposit / 10, "a tenth");
    }

    function test_timeout_goodReputationHalvesTheFine() public {
        for (uint256 i = 0; i < 16; ++i) {
            Job memory earned = _powJob(); // no cap on the deposit, so that the fee buys a whole point
            earned.request.maxPrice = 0.1 ether;
            earned.item.bids[0].price = 0.1 ether;
            earned.item.bids[0].deposit = 2 ether;
            _sign(earned);
            _toRevealed(earned);
            vm.warp(_challengeBy(earned) + 1);
            _settle(earned);
        }
        assertTrue(_r(worker) >= 800_000, "earned by 16 points");
        uint256 free = _free(worker);
        Job memory job = _wasmJob();
        _assign(job);
        _after(job.terms.delay + p.grace + 1);
        _timeout(job);
        assertEq(_free(worker), free - job.terms.deposit / 20, "a twentieth");
        assertTrue(_r(worker) < 990_000, "and R fell");
    }

    function test_timeout_refusalWithoutAckIsBurnedWhole() public {
        Job memory job = _wasmJob();
        _signBid(job, 0);
        _award(job, requester);
        _refuse(job);
        uint256 fine = job.terms.deposit / 100;
        assertTrue(fine < job.terms.price, "the smaller of the two");
        assertEq(_free(worker), FUNDS - fine, "one per cent");
        assertEq(_free(requester), FUNDS, "a fake award earns nothing");
        assertEq(edge.burned(), fine, "burned");
        (, uint24 m,,, uint32 r) = edge.repOf(worker.addr);
        assertEq(m, 0, "and ruins no rival");
        assertEq(r, 140_000, "R unchanged");
    }

    function test_timeout_refusalWithoutAckCostsAtMostThePrice() public {
        Job memory job = _wasmJob();
        job.item.bids[0].price = 0.0001 ether; // one per cent of the deposit is five times that
        _sign(job);
        _signBid(job, 0);
        _award(job, requester);
        _refuse(job);
        assertEq(_free(worker), FUNDS - job.terms.price, "the price");
    }

    function test_timeout_afterResultByOnly() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp) + 9);
        _award(job, stranger);
        uint256 resultBy = uint256(job.startAt) + job.terms.delay + p.grace;
        vm.warp(resultBy);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        vm.warp(resultBy + 1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
    }

    function test_timeout_leavesGraceAfterRegistration() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        vm.warp(job.item.award.registerBy);
        _award(job, stranger);
        vm.warp(block.timestamp + p.grace);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        _after(1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
    }

    // ── withheld ────────────────────────────────────────────────────────────────────────────────────────

    function test_timeout_withheldRevealTakesTheDeposit() public {
        Job memory job = _wasmJob();
        job.item.bids[0].deposit += 1; // leaves a remainder
        _sign(job);
        _awardCommit(job);
        uint256 deposit = job.terms.deposit;
        _after(p.reveal + 1);
        vm.expectEmit(address(edge));
        emit Events.Settled(job.unit, Phase.Slashed, 0, deposit);
        _timeout(job);
        _assertPhase(job, Phase.Slashed);
        assertEq(_free(worker), FUNDS - deposit, "worker");
        assertEq(_free(requester), FUNDS + deposit / 2, "requester: all back, and half");
        assertEq(edge.burned(), deposit - deposit / 2, "half burned");
        (uint24 n, uint24 m,,,) = edge.repOf(worker.addr);
        assertEq(n, 1, "a fault");
        assertEq(m, 1, "of one unit");
        _assertSolvent();
    }

    function test_timeout_afterRevealByOnly() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _after(p.reveal);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        _assertPhase(job, Phase.Committed);
    }

    // ── neither ─────────────────────────────────────────────────────────────────────────────────────────

    function test_timeout_ofNothingRevealedOrEnded() public {
        Job memory job = _wasmJob();
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        _toRevealed(job);
        _after(10_000);
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        _settle(job);
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        _assertPhase(job, Phase.Paid);
    }

    function test_timeout_doesNotCallSkippedWhatItEnded() public {
        Job memory job = _wasmJob();
        _assign(job);
        _after(job.terms.delay + p.grace + 1);
        vm.recordLogs();
        _timeout(job);
        assertEq(vm.getRecordedLogs().length, 1, "Settled, and nothing else");
    }

    function test_timeout_onceOnly() public {
        Job memory job = _wasmJob();
        _assign(job);
        _refuse(job);
        uint256 free = _free(worker);
        _expectSkip(job, Errors.BadPhase.selector);
        _timeout(job);
        assertEq(_free(worker), free, "fined once");
    }

    function test_timeout_needsTheUnitOnRecord() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        _award(job, stranger);
        _after(1000);
        job.data[0] = 0; // would be the smaller fine
        _expectSkip(job, Errors.BadUnit.selector);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
    }
}
