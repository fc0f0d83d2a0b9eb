// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Phase, ReportOpening, UnitState} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title The table of docs/protocol.md §7.1 for any price, deposit, delay and second.
contract AmountsFuzzTest is Fixture {
    struct Amounts {
        uint96 price;
        uint96 extra; // deposit above 20 prices
        uint32 delay;
    }

    /// @dev From one wei to what the parties own, in steps of a random power of two.
    function _jobWith(Amounts memory a) private returns (Job memory job) {
        job = _powJob();
        job.request.maxPrice = type(uint96).max;
        job.request.minDeposit = 0;
        job.request.maxDelay = 604_800;
        job.request.expiry = type(uint40).max;
        a.price = uint96(1 + (a.price >> a.price % 96) % 20 ether);
        a.extra = uint96((a.extra >> a.extra % 96) % 500 ether);
        a.delay = 1 + a.delay % 604_800;
        job.item.bids[0].price = a.price;
        job.item.bids[0].deposit = 20 * a.price + a.extra;
        job.item.bids[0].delay = a.delay;
        job.item.bids[0].expiry = type(uint40).max;
        _sign(job);
    }

    function _worth() private view returns (uint256[4] memory) {
        return [_free(requester), _free(worker), _free(detector), uint256(edge.burned())];
    }

    function _changes(uint256 r, uint256 w, uint256 d, uint256 burned) private view {
        uint256[4] memory now_ = _worth();
        assertEq(now_[0], r, "requester");
        assertEq(now_[1], w, "worker");
        assertEq(now_[2], d, "detector");
        assertEq(now_[3], burned, "burned");
        assertEq(_locked(requester) + _locked(worker) + _locked(detector), 0, "locked");
        _assertSolvent();
    }

    function testFuzz_paid(Amounts memory a) public {
        Job memory job = _jobWith(a);
        _toRevealed(job);
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        uint256 fee = uint256(a.price) / 100;
        _changes(FUNDS - a.price - fee, FUNDS + a.price, FUNDS, fee);
    }

    function testFuzz_convicted(Amounts memory a) public {
        Job memory job = _jobWith(a);
        _answer(job, "");
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, _powAnswer(0));
        _after(p.report);
        _settle(job);
        _closeReport(job, 1);
        uint256 deposit = job.terms.deposit;
        _changes(
            FUNDS + deposit / 2, FUNDS - deposit, FUNDS + deposit / 5, deposit - deposit / 2 - deposit / 5
        );
    }

    function testFuzz_falselyAccused(Amounts memory a, bytes memory evidence) public {
        vm.assume(evidence.length != 8);
        Job memory job = _jobWith(a);
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256(evidence));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, evidence);
        _after(p.report);
        _settle(job);
        _closeReport(job, 1);
        uint256 fee = uint256(a.price) / 100;
        uint256 bond = job.terms.deposit / 20;
        _changes(FUNDS - a.price - fee, FUNDS + a.price + bond / 2, FUNDS - bond, fee + bond - bond / 2);
    }

    function testFuzz_withheld(Amounts memory a) public {
        Job memory job = _jobWith(a);
        _awardCommit(job);
        _after(p.reveal + 1);
        _timeout(job);
        uint256 deposit = job.terms.deposit;
        _changes(FUNDS + deposit / 2, FUNDS - deposit, FUNDS, deposit - deposit / 2);
    }

    function testFuzz_refusedAfterAck(Amounts memory a) public {
        Job memory job = _jobWith(a);
        _assign(job);
        _after(uint256(a.delay) + p.grace + 1);
        _timeout(job);
        uint256 fine = job.terms.deposit / 10;
        _changes(FUNDS + fine / 2, FUNDS - fine, FUNDS, fine - fine / 2);
    }

    /// @dev min(1 % D, I), all burned: a fake award earns its author nothing.
    function testFuzz_refusedWithoutAck(Amounts memory a) public {
        Job memory job = _jobWith(a);
        _signBid(job, 0);
        _award(job, requester);
        _after(uint256(a.delay) + p.grace + 1);
        _timeout(job);
        uint256 fine = job.terms.deposit / 100 < a.price ? job.terms.deposit / 100 : a.price;
        _changes(FUNDS, FUNDS - fine, FUNDS, fine);
    }

    /// @dev Whoever registers, at whatever second: the worker has GRACE from then, and its delay from its start.
    function testFuzz_resultBy(uint32 delay, uint40 start, uint40 registered) public {
        Job memory job = _powJob();
        job.request.maxDelay = 604_800;
        job.item.bids[0].delay = 1 + delay % 1000;
        _sign(job);
        uint40 notBefore = job.item.award.notBefore;
        start = notBefore + start % 31;
        registered = notBefore + registered % 31;
        _acknowledge(job, start);
        vm.warp(registered);
        _award(job, stranger);
        UnitState memory state = _state(job);
        assertEq(state.digest, Digests.slot(job.terms, job.data), "the acknowledged start");
        uint256 promised = uint256(start) + job.terms.delay;
        uint256 resultBy = (promised > registered ? promised : registered) + p.grace;
        vm.warp(resultBy);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
        assertTrue(resultBy >= uint256(registered) + p.grace, "GRACE from registration");
        vm.warp(resultBy + 1);
        _timeout(job);
        _assertPhase(job, Phase.Refused);
    }

    /// @dev Reputation's formulas for any row of ends: bounds hold and pairs stay ordered (invariant 14).
    function testFuzz_reputation(uint8[6] memory ends, uint96[6] memory prices) public {
        for (uint256 i = 0; i < 6; ++i) {
            uint256 before = _r(worker);
            Job memory job = _jobWith(Amounts(prices[i] % 1 ether, 0, 1));
            uint256 end = ends[i] % 3;
            if (end == 0) _toRevealed(job);
            else if (end == 1) _awardCommit(job);
            else _assign(job);
            _after(60);
            if (end == 0) _settle(job);
            else _timeout(job);
            (uint24 n, uint24 m, uint64 s, uint64 t, uint32 score) = edge.repOf(worker.addr);
            assertTrue(n <= m && s <= t && score <= 1_000_000, "bounds");
            assertEq(m, i + 1, "every end counts");
            if (end == 0) assertTrue(score >= before, "work never lowers R");
            else assertTrue(score <= before, "faults never raise it");
            _after(ends[i] % 2 == 0 ? 0 : 3 weeks);
        }
    }
}
