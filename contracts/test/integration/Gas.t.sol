// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {AwardItem, Opening, Request, Secret, Unit} from "../../src/Types.sol";
import {Console} from "../utils/Console.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title The gas table of docs/protocol.md §3.5, first column, against its budgets.
/// @notice A settled unit: awardCommit + reveal + settle, 32-byte inline output, the worker sends its own, one
/// requester, both accounts and the reputation in use already. Every call is a transaction of its own.
/// forge-config: default.isolate = true
contract GasTest is Fixture {
    struct Row {
        uint256 awardCommit;
        uint256 reveal;
        uint256 settle;
        uint256 total;
    }

    function setUp() public override {
        super.setUp();
        // First use of a slot costs 17k more and is not what repeats.
        Job memory job = _wasmJob();
        _toRevealed(job);
        _after(job.terms.vwin + p.challenge + 1);
        _settle(job);
    }

    function test_gas_oneUnit() public {
        Row memory row = _measure(1);
        _record("1", row);
        assertLe(row.total, 210_000, "a unit alone");
    }

    function test_gas_eightUnits() public {
        Row memory row = _measure(8);
        _record("8", row);
        assertLe(row.total, 115_000, "a unit of 8");
    }

    function test_gas_sixtyFourUnits() public {
        Row memory row = _measure(64);
        _record("64", row);
        assertLe(row.total, 105_000, "a unit of 64");
    }

    /// @return row Gas per unit.
    function _measure(uint16 n) private returns (Row memory row) {
        Request[] memory requests = new Request[](1);
        AwardItem[] memory items = new AwardItem[](n);
        bytes32[] memory commitments = new bytes32[](n);
        Unit[] memory units = new Unit[](n);
        Opening[] memory openings = new Opening[](n);
        requests[0] = _request(2);
        Job[] memory jobs = new Job[](n);
        for (uint16 i = 0; i < n; ++i) {
            Job memory job = _jobOf(requests[0], i, worker);
            _answer(job, abi.encode(keccak256(abi.encode(i))));
            commitments[i] = _commitment(job);
            items[i] = job.item;
            job.data = [commitments[i], 0, 0, 0];
            units[i] = _unit(job);
            openings[i] = _opening(job);
            jobs[i] = job;
        }
        vm.prank(worker.addr);
        edge.awardCommit(requests, items, commitments);
        row.awardCommit = _gasOfLastCall() / n;

        vm.prank(worker.addr);
        edge.reveal(units, openings);
        row.reveal = _gasOfLastCall() / n;

        for (uint256 i = 0; i < n; ++i) {
            units[i].data = [_resultHash(jobs[i]), jobs[i].guard, bytes32(uint256(2)), 0];
        }
        _after(jobs[0].terms.vwin + p.challenge + 1);
        vm.prank(worker.addr);
        edge.settle(units, new Secret[](n));
        row.settle = _gasOfLastCall() / n;
        row.total = row.awardCommit + row.reveal + row.settle;
    }

    function _gasOfLastCall() private view returns (uint256 used) {
        (, used,,,) = vm.lastCallGas();
    }

    /// @notice One row of the table: printed, and kept in snapshots/GasPerUnit.json.
    function _record(string memory units, Row memory row) private {
        _keep(units, "1 awardCommit", row.awardCommit);
        _keep(units, "2 reveal", row.reveal);
        _keep(units, "3 settle", row.settle);
        _keep(units, "4 total", row.total);
        string memory parts = string.concat(
            _thousands(row.awardCommit), " + ", _thousands(row.reveal), " + ", _thousands(row.settle)
        );
        Console.log(string.concat(units, " units per tx: ", _thousands(row.total), " gas (", parts, ")"));
    }

    function _keep(string memory units, string memory call, uint256 gasUsed) private {
        vm.snapshotValue("GasPerUnit", string.concat(units, " per tx: ", call), gasUsed);
    }

    function _thousands(uint256 gasUsed) private pure returns (string memory) {
        return string.concat(vm.toString(gasUsed / 1000), ".", vm.toString(gasUsed % 1000 / 100), "k");
    }
}
