// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Case, Unit} from "../../src/Types.sol";
import {Console} from "../utils/Console.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title What the calls of a trial cost, each a transaction of its own, against their budgets.
/// forge-config: default.isolate = true
contract CourtGasTest is CourtFixture {
    function setUp() public override {
        super.setUp();
        _stakeMany(40);
        edge.setQuick(true); // what BlockEdge does with a ruling is measured with BlockEdge
    }

    function test_gas_oneRound() public {
        Case memory c = _opened();
        _record("open", _used(), 110_000);
        uint256 most;
        for (uint8 seat = 0; seat < 5; ++seat) {
            _vote(c, 0, seat, RIGHT);
            if (_used() > most) most = _used();
        }
        _record("commitVote", most, 63_000);
        vm.warp(_commitBy(c) + 1);
        most = 0;
        for (uint8 seat = 0; seat < 5; ++seat) {
            _show(c, 0, seat, RIGHT);
            if (_used() > most) most = _used();
        }
        _record("revealVote", most, 40_000);
        Unit memory unit = _unit();
        vm.warp(_closesAt(c) + 1);
        court.closeRound(unit, c, RIGHT);
        _record("closeRound of 5, all right, without rule", _used(), 110_000);
    }

    function test_gas_threeRoundsNobodyCame() public {
        Case memory c = _opened();
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        _record("appeal", _used(), 70_000);
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        Unit memory unit = _unit();
        vm.warp(_closesAt(c) + 1);
        court.closeRound(unit, c, 0);
        _record("closeRound of 39, all absent", _used(), 1_000_000);
    }

    /// @dev The most that one call can cost: 39 seats of 8 attempts each, every ticket a reporter's.
    function test_gas_threeRoundsOfEmptySeats() public {
        Case memory c = _opened();
        for (uint256 i = 0; i < 40; ++i) {
            edge.setReporter(c.unit, _owner(i));
        }
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        Unit memory unit = _unit();
        vm.warp(_closesAt(c) + 1);
        court.closeRound(unit, c, 0);
        _record("closeRound of 39, all seats empty", _used(), 1_500_000);
    }

    function _used() private view returns (uint256 used) {
        (, used,,,) = vm.lastCallGas();
    }

    function _record(string memory call, uint256 used, uint256 budget) private {
        vm.snapshotValue("GasOfTrial", call, used);
        Console.log(string.concat(call, ": ", vm.toString(used), " gas"));
        assertLe(used, budget, call);
    }
}
