// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {Phase} from "../../src/Types.sol";
import {Asserts} from "../utils/Asserts.sol";
import {CourtCrowd} from "./CourtCrowd.sol";

/// @title docs/protocol.md §11 for the Court, after any sequence of calls by owners, jurors and strangers.
contract CourtInvariantsTest is Asserts {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    CourtCrowd private _crowd;
    ICourt private _court;

    function setUp() public {
        _crowd = new CourtCrowd();
        _crowd.setUp();
        _court = _crowd.theCourt();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_crowd);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[8] memory calls = [
            CourtCrowd.wait.selector,
            CourtCrowd.stake.selector,
            CourtCrowd.depart.selector,
            CourtCrowd.fine.selector,
            CourtCrowd.open.selector,
            CourtCrowd.vote.selector,
            CourtCrowd.appeal.selector,
            CourtCrowd.close.selector
        ];
        uint8[8] memory weights = [6, 3, 2, 1, 3, 8, 2, 3];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_crowd), new bytes4[](28));
        uint256 next = 0;
        for (uint256 i = 0; i < 8; ++i) {
            for (uint256 k = 0; k < weights[i]; ++k) {
                targets[0].selectors[next++] = calls[i];
            }
        }
    }

    /// @dev Random calls that reach little test little.
    function test_randomCallsReachEveryOutcome() public {
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        for (uint256 i = 0; i < 1200; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            (bool done,) =
                address(_crowd).call(abi.encodeWithSelector(selectors[seed % selectors.length], seed >> 8));
            assertTrue(done, "no call reverts");
        }
        assertTrue(_crowd.closed() > 20, "cases end");
        uint256 all = 1 << uint256(Phase.Paid) | 1 << uint256(Phase.Slashed) | 1 << uint256(Phase.Unresolved);
        assertEq(_crowd.outcomes(), all, "in every way");
        invariant_01_courtHoldsStakesAndPots();
        invariant_02_noEtherIsMadeOrLost();
    }

    function invariant_01_courtHoldsStakesAndPots() public view {
        uint256 stakes = 0;
        for (uint32 id = 0; id < _court.tickets(); ++id) {
            stakes += _court.ticketOf(id).stake;
        }
        assertEq(address(_court).balance, stakes + _crowd.pots(), "stakes + pots");
    }

    function invariant_02_noEtherIsMadeOrLost() public view {
        assertEq(_crowd.theEdge().balance, _crowd.toEdge(), "what was sent to BlockEdge");
        assertEq(
            address(_court).balance + _crowd.toEdge() + _crowd.paidOut(), _crowd.paidIn(), "in = here + out"
        );
    }

    function invariant_04_aCaseEndsOnce() public view {
        assertEq(_crowd.rulings(), _crowd.closed(), "one ruling a case");
    }

    function invariant_10_seatsDoNotMove() public view {
        assertTrue(_crowd.seatsHaveNotMoved(), "the tickets of the opening sit");
    }

    function invariant_12_nothingWasWrongOnTheWay() public view {
        string memory breach = _crowd.breach();
        assertTrue(bytes(breach).length == 0, breach);
    }
}
