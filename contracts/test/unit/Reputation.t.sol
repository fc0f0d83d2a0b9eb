// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Phase} from "../../src/Types.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title n/m, s/t and R (docs/protocol.md §8) after every kind of end.
contract ReputationTest is Fixture {
    struct Rep {
        uint256 n;
        uint256 m;
        uint256 s;
        uint256 t;
        uint256 r;
    }

    function _rep() private view returns (Rep memory rep) {
        (rep.n, rep.m, rep.s, rep.t, rep.r) = edge.repOf(worker.addr);
    }

    /// @param good,bad In 1/1000 points.
    function _expectedScore(uint256 good, uint256 bad, uint256 s, uint256 t) private view returns (uint256) {
        uint256 ofVerdicts = 1e6 * (good + 1000) / (good + 5 * bad + 5000);
        uint256 ofDeposits = 1e6 * s / (t + p.seat / 1 gwei);
        return (7000 * ofVerdicts + 3000 * ofDeposits) / 10_000;
    }

    function _pay(uint96 price, uint96 deposit) private returns (Job memory job) {
        job = _powJob();
        job.request.maxPrice = price;
        job.item.bids[0].price = price;
        job.item.bids[0].deposit = deposit;
        _sign(job);
        _toRevealed(job);
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
    }

    function test_repOf_newcomer() public view {
        Rep memory rep = _rep();
        assertEq(rep.r, 140_000, "R");
        assertEq(rep.n + rep.m + rep.s + rep.t, 0, "counters");
    }

    function test_repOf_paidUnitEarnsPointsForItsFee() public {
        _pay(0.004 ether, 0.08 ether); // fee 4e13 wei: 40/1000 points
        Rep memory rep = _rep();
        assertEq(rep.m, 1, "m");
        assertEq(rep.n, 0, "n");
        assertEq(rep.s, 0.08e9, "s");
        assertEq(rep.t, 0.08e9, "t");
        assertEq(rep.r, _expectedScore(40, 0, 0.08e9, 0.08e9), "R");
    }

    function test_repOf_atMostOnePointAUnit() public {
        _pay(1 ether, 20 ether); // fee 1e16 wei would be ten
        assertEq(_rep().r, _expectedScore(1000, 0, 20e9, 20e9), "R");
    }

    function test_repOf_depositsCountUpToTwentyPrices() public {
        _pay(0.004 ether, 50 ether);
        assertEq(_rep().t, 0.08e9, "t");
        assertEq(_rep().s, 0.08e9, "s");
    }

    function test_repOf_roundsStakedUpAndReturnedDown() public {
        _pay(0.01 ether + 1, 0.2 ether + 20);
        assertEq(_rep().t, 0.2e9 + 1, "t");
        assertEq(_rep().s, 0.2e9, "s");
    }

    function test_repOf_unitsInFlightDoNotMoveIt() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        assertEq(_rep().m + _rep().t, 0, "counted at the end");
    }

    function test_repOf_slashedLosesAPoint() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _after(p.reveal + 1);
        _timeout(job);
        Rep memory rep = _rep();
        uint256 t = 20 * uint256(job.terms.price) / 1 gwei;
        assertEq(rep.n, 1, "n");
        assertEq(rep.m, 1, "m");
        assertEq(rep.s, 0, "s");
        assertEq(rep.t, t, "t");
        assertEq(rep.r, _expectedScore(0, 1000, 0, t), "R");
    }

    function test_repOf_refusedLosesAQuarter() public {
        Job memory job = _wasmJob();
        _assign(job);
        _after(100);
        _timeout(job);
        uint256 t = 20 * uint256(job.terms.price) / 1 gwei;
        assertEq(_rep().r, _expectedScore(0, 250, 0, t), "R");
        assertTrue(_rep().r < 140_000, "no refusal ever raises R");
    }

    function test_repOf_pointsDecayAnEighthAWeek() public {
        _pay(0.1 ether, 2 ether); // one whole point
        vm.warp((block.timestamp / 1 weeks + 1) * 1 weeks);
        assertEq(_rep().r, _expectedScore(875, 0, 2e9, 2e9), "one week");
        vm.warp(block.timestamp + 1 weeks);
        assertEq(_rep().r, _expectedScore(875 - 109, 0, 2e9, 2e9), "two weeks, floored");
        assertEq(_rep().m, 1, "counters are for life");
    }

    function test_repOf_decayIsTheSameReadOrWritten() public {
        _pay(0.1 ether, 2 ether);
        uint256 start = block.timestamp;
        vm.warp(start + 3 weeks);
        uint256 read = _rep().r;
        // An end in between writes the decayed points back; a quarter bad point apart, nothing else moves.
        Job memory job = _wasmJob();
        _signBid(job, 0);
        _award(job, requester);
        _after(100);
        _timeout(job); // REFUSED without Ack: no reputation change
        assertEq(_rep().r, read, "unchanged");
        _pay(0.1 ether, 2 ether);
        assertEq(_rep().r, _expectedScore(671 + 1000, 0, 4e9, 4e9), "875, 766, 671, and a new point");
    }

    function test_repOf_decayTakesAtMost32Steps() public {
        _pay(0.1 ether, 2 ether);
        uint256 good = 1000;
        for (uint256 i = 0; i < 32; ++i) {
            good -= good / 8;
        }
        vm.warp(block.timestamp + 520 weeks);
        assertEq(_rep().r, _expectedScore(good, 0, 2e9, 2e9), "ten years");
    }

    function test_repOf_farmingToPointEightBurnsFifteenFeeUnits() public {
        uint256 burned = 0;
        uint256 paid = 0;
        while (_rep().r < 800_000) {
            Job memory job = _pay(0.1 ether, 2 ether);
            burned += _fee(job);
            ++paid;
        }
        assertTrue(burned >= 10 * uint256(p.feeUnit), "a whole point costs a whole fee unit");
        assertEq(burned, paid * p.feeUnit, "and no less");
    }
}
