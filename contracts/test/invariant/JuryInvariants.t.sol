// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {ICourtEvents as CourtEvents} from "../../src/interfaces/ICourt.sol";
import {Phase} from "../../src/Types.sol";
import {Asserts} from "../utils/Asserts.sol";
import {Digests} from "../utils/Digests.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryHandler} from "./JuryHandler.sol";

/// @title docs/protocol.md §11 of both contracts after any sequence of checks, reports, demands and trials.
contract JuryInvariantsTest is Asserts {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    JuryHandler private _handler;
    IBlockEdge private _edge;
    address private _court;

    function setUp() public {
        _handler = new JuryHandler();
        _handler.setUp();
        address edge;
        (edge, _court) = _handler.contracts();
        _edge = IBlockEdge(edge);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[4] memory calls = [
            JuryHandler.act.selector,
            JuryHandler.wait.selector,
            JuryHandler.begin.selector,
            JuryHandler.moveTicket.selector
        ];
        uint8[4] memory weights = [12, 3, 1, 1];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), new bytes4[](17));
        uint256 next = 0;
        for (uint256 i = 0; i < 4; ++i) {
            for (uint256 k = 0; k < weights[i]; ++k) {
                targets[0].selectors[next++] = calls[i];
            }
        }
    }

    /// @dev Random calls that reach little test little: this many bring about every end and every event.
    function test_randomCallsReachEveryVerdict() public {
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        for (uint256 i = 0; i < 3000; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("jury", i)));
            bytes4 selector = selectors[seed % selectors.length];
            (bool done,) = address(_handler).call(abi.encodeWithSelector(selector, seed >> 16));
            assertTrue(done, "no handler reverts");
            if (i % 1000 != 999) continue;
            _check();
            _count();
            setUp();
        }
        assertTrue(_ends[Phase.Paid] > 0, "paid");
        assertTrue(_ends[Phase.Slashed] > 0, "slashed");
        assertTrue(_ends[Phase.Unresolved] > 0, "unresolved");
        assertTrue(_ends[Phase.Refused] > 0, "refused for a chunk");
        assertTrue(_ruled > 1, "ruled");
        assertTrue(_appeals > 0, "appealed");
        assertTrue(_checks > 3, "checked");
        assertTrue(_fines > 0, "fined");
    }

    mapping(Phase phase => uint256) private _ends;
    uint256 private _ruled;
    uint256 private _appeals;
    uint256 private _checks;
    uint256 private _fines;

    function _count() private {
        bytes32[] memory units = _handler.units();
        for (uint256 i = 0; i < units.length; ++i) {
            ++_ends[_handler.slotOf(units[i]).phase];
        }
        _ruled += _handler.seen(Events.Ruled.selector);
        _appeals += _handler.seen(CourtEvents.Appealed.selector);
        _checks += _handler.seen(Events.CheckCommitted.selector);
        _fines += _handler.seen(Events.CheckMissed.selector);
    }

    function _check() private {
        invariant_01_bothBooksBalance();
        invariant_02_nothingStaysAtTheEnd();
        invariant_20_theLogTellsEveryUnit();
    }

    /// forge-config: default.invariant.runs = 6
    function invariant_01_bothBooksBalance() public view {
        (uint256 free, uint256 locked, uint256 ofOwners) = _handler.sums();
        uint256 sum = free + locked + ofOwners + _edge.burned();
        assertEq(sum, address(_edge).balance, "free + locked + burned");
        (uint256 stakes, uint256 pots) = _handler.courtSums();
        assertEq(stakes + pots, _court.balance, "stakes + pots");
        // A checker's and a juror's duty never touches what backs other promises (invariant 12).
        assertEq(ofOwners, 0, "ticket owners have nothing locked");
        _unbroken();
    }

    /// forge-config: default.invariant.runs = 4
    function invariant_02_nothingStaysAtTheEnd() public {
        uint256 id = vm.snapshotState();
        _handler.strangersEndAll();
        (, uint256 locked,) = _handler.sums();
        assertEq(locked, 0, "all ended, all closed: nothing is locked");
        (, uint256 pots) = _handler.courtSums();
        assertEq(pots, 0, "and no pot is left");
        invariant_01_bothBooksBalance();
        vm.revertToState(id);
    }

    /// forge-config: default.invariant.runs = 6
    function invariant_20_theLogTellsEveryUnit() public view {
        bytes32[] memory units = _handler.units();
        for (uint256 i = 0; i < units.length; ++i) {
            Job memory job = _handler.jobOf(units[i]);
            assertEq(_handler.slotOf(units[i]).digest, Digests.slot(job.terms, job.data), "terms and data");
            assertLe(_handler.settled(units[i]), 1, "ended at most once");
        }
        _unbroken();
    }

    function _unbroken() private view {
        string memory what = _handler.broken();
        assertTrue(bytes(what).length == 0, what);
    }
}
