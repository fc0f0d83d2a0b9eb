// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Phase, Reputation} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {Slots} from "./Slots.sol";

/// @title R and its counters after every kind of end equal Python's (invariant 17), on the shipped bytecode.
contract ReputationVectorsTest is Slots {
    function setUp() public override {
        super.setUp();
        _open("reputation");
        assertEq(_value(".seat"), p.seat, "seat");
        assertEq(_value(".feeUnit"), p.feeUnit, "feeUnit");
        assertEq(_value(".feeBps"), p.feeBps, "feeBps");
    }

    function test_vectors_score() public {
        bytes[] memory stored = _rows("score", "good bad week n m t s");
        uint256[] memory times = _column("score", "now");
        uint256[] memory scores = _column("score", "score");
        for (uint256 i = 0; i < stored.length; ++i) {
            _put(worker.addr, abi.decode(stored[i], (Reputation)));
            vm.warp(times[i]);
            assertEq(_r(worker), scores[i], _at("score", i));
        }
    }

    function test_vectors_update() public {
        bytes[] memory before =
            _rows("update", "beforeGood beforeBad beforeWeek beforeN beforeM beforeT beforeS");
        bytes[] memory afterwards =
            _rows("update", "afterGood afterBad afterWeek afterN afterM afterT afterS");
        bytes[] memory ends = _rows("update", "op price deposit now score");
        for (uint256 i = 0; i < ends.length; ++i) {
            (uint256 op, uint256 price, uint256 deposit, uint256 time, uint256 score) =
                abi.decode(ends[i], (uint256, uint256, uint256, uint256, uint256));
            if (op == 1) continue; // paid without the secret: no unit of stage 1 has one
            _put(worker.addr, abi.decode(before[i], (Reputation)));
            _end(op, uint96(price), deposit, time);
            bytes memory stored = abi.encode(_rep(worker.addr));
            assertEq(keccak256(stored), keccak256(afterwards[i]), _at("counters", i));
            assertEq(_r(worker), score, _at("score", i));
        }
    }

    /// @dev R of 0.8 to the last ppm, which no short history of units comes to (§7.1).
    function test_timeout_fineHalvesFromFourFifthsOn() public {
        Job memory job = _wasmJob();
        _assign(job);
        _after(job.terms.delay + p.grace + 1);
        uint64 gweiOfSeat = uint64(p.seat / 1 gwei);
        _put(
            worker.addr,
            Reputation({
                good: 15_000,
                bad: 0,
                week: uint16(block.timestamp / 1 weeks),
                n: 0,
                m: 15,
                t: 4 * gweiOfSeat,
                s: 4 * gweiOfSeat
            })
        );
        assertEq(_r(worker), 800_000, "exactly");
        _timeout(job);
        assertEq(_free(worker), FUNDS - job.terms.deposit / 20, "a twentieth");
    }

    /// @dev Ends a unit of these amounts at this time: 0 paid, 2 slashed, 3 refused after an Ack.
    function _end(uint256 op, uint96 price, uint256 deposit, uint256 time) private {
        Job memory job = _powJob();
        job.terms.price = price;
        // More than 20 prices never count (§8), and no contract holds two parties' 2^96 wei.
        job.terms.deposit = uint96(deposit < 1 << 94 ? deposit : 1 << 94);
        _putLocked(requester.addr, 1 << 95);
        _putLocked(worker.addr, 1 << 95);
        vm.warp(time);
        if (op == 0) {
            job.data[2] = bytes32(uint256(2));
            _put(job, Phase.Revealed, time - job.terms.vwin - p.challenge - 1, false);
            _settle(job);
            _assertPhase(job, Phase.Paid);
        } else if (op == 2) {
            _put(job, Phase.Committed, time - p.reveal - 1, false);
            _timeout(job);
            _assertPhase(job, Phase.Slashed);
        } else {
            job.data[0] = bytes32(time - job.terms.delay - p.grace - 1);
            _put(job, Phase.Assigned, time - job.terms.delay - p.grace - 1, false);
            _timeout(job);
            _assertPhase(job, Phase.Refused);
        }
    }
}
