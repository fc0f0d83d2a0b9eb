// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {Account, Auction, Phase, UnitState} from "../../src/Types.sol";
import {Asserts} from "../utils/Asserts.sol";
import {Digests} from "../utils/Digests.sol";
import {Auctioneer} from "./Auctioneer.sol";
import {Handler} from "./Handler.sol";
import {Mirror, Record} from "./Mirror.sol";
import {Lead, Sale} from "./Sales.sol";

/// @title docs/protocol.md §11 after any sequence of calls by five citizens with several tasks each.
/// @dev Numbers 10, 11, 12 come with the Court; 15 is test/integration/Attacks.t.sol, 17 test/vectors, 18
/// Python's. Each invariant also reports what the Handler and the Mirror saw broken while a call ran.
contract InvariantsTest is Asserts {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private _handler;
    Mirror private _mirror;
    IBlockEdge private _edge;

    function setUp() public {
        _handler = new Handler();
        _handler.setUp();
        _mirror = _handler.mirror();
        _edge = IBlockEdge(_handler.blockEdge());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Waiting, registering, revealing and reporting often, or few units get far.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[15] memory calls = [
            Handler.award.selector,
            Auctioneer.announce.selector,
            Auctioneer.postBid.selector,
            Auctioneer.closeAuction.selector,
            Handler.commit.selector,
            Handler.reveal.selector,
            Handler.commitReport.selector,
            Handler.revealReport.selector,
            Handler.closeReports.selector,
            Handler.end.selector,
            Handler.wait.selector,
            Handler.repeat.selector,
            Handler.waitLong.selector,
            Handler.moveMoney.selector,
            Handler.forceEther.selector
        ];
        uint8[15] memory weights = [3, 1, 4, 2, 5, 6, 6, 4, 2, 3, 3, 1, 1, 1, 1];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), new bytes4[](43));
        uint256 next = 0;
        for (uint256 i = 0; i < 15; ++i) {
            for (uint256 k = 0; k < weights[i]; ++k) {
                targets[0].selectors[next++] = calls[i];
            }
        }
    }

    /// @dev Random calls that reach little test little: this many bring about every end and every verdict.
    function test_randomCallsReachEveryEnd() public {
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        for (uint256 i = 0; i < 3200; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            bytes4 selector = selectors[seed % selectors.length];
            uint256 choice = (seed >> 8) % (selector == Handler.end.selector ? 2 : 6);
            (bool done,) = address(_handler).call(abi.encodeWithSelector(selector, seed >> 16, choice));
            assertTrue(done, "no handler reverts");
            if (i % 320 != 319) continue;
            _count();
            setUp();
        }
        assertTrue(_ends[Phase.Paid] > 9, "paid");
        assertTrue(_ends[Phase.Refused] > 4, "refused");
        assertTrue(_ends[Phase.Unresolved] > 0, "unresolved");
        assertTrue(_convicted > 0, "convicted by evidence");
        assertTrue(_ends[Phase.Slashed] > _convicted, "slashed for a withheld reveal");
        assertTrue(_reports > 9, "reports");
        assertTrue(_auctioned[Phase.Paid] > 0, "auctioned and paid");
        assertTrue(_auctioned[Phase.Refused] > 0, "auctioned and refused");
        assertTrue(_outbids > 4, "outbid");
        assertTrue(_lapses > 0, "lapsed");
    }

    mapping(Phase phase => uint256) private _ends;
    mapping(Phase phase => uint256) private _auctioned;
    uint256 private _outbids;
    uint256 private _lapses;
    uint256 private _reports;
    uint256 private _convicted;

    function _count() private {
        bytes32[] memory units = _mirror.units();
        for (uint256 i = 0; i < units.length; ++i) {
            Record memory r = _mirror.recordOf(units[i]);
            ++_ends[r.phase];
            if (r.terms.mode & 1 != 0) ++_auctioned[r.phase];
            _reports += r.reports;
            if (r.best != 0 && r.phase == Phase.Slashed) ++_convicted;
        }
        _outbids += _mirror.outbids();
        _lapses += _mirror.lapses();
    }

    function _unbroken(uint256 number) private view {
        string memory what = _mirror.broken(number);
        assertTrue(bytes(what).length == 0, what);
    }

    function _sums() private view returns (uint256 free, uint256 locked) {
        address[] memory all = _handler.actors();
        for (uint256 i = 0; i < all.length; ++i) {
            Account memory account = _edge.accountOf(all[i]);
            free += account.free;
            locked += account.locked;
        }
    }

    function invariant_01_bucketsSumToBalance() public view {
        (uint256 free, uint256 locked) = _sums();
        uint256 sum = free + locked + _edge.burned() + _handler.forced();
        assertEq(sum, address(_edge).balance, "free + locked + burned + forced");
        _unbroken(1);
    }

    /// forge-config: default.invariant.runs = 4
    function invariant_02_nothingIsLockedAtTheEnd() public {
        uint256 id = vm.snapshotState();
        _handler.strangersEndAll();
        (, uint256 locked) = _sums();
        assertEq(locked, 0, "all units ended, all reports closed");
        invariant_01_bucketsSumToBalance();
        invariant_03_partsSumToWhatWasTaken();
        vm.revertToState(id);
    }

    function invariant_03_partsSumToWhatWasTaken() public view {
        address[] memory all = _handler.actors();
        for (uint256 i = 0; i < all.length; ++i) {
            Account memory account = _edge.accountOf(all[i]);
            (uint256 free, uint256 locked) = _mirror.balanceOf(all[i]);
            assertEq(account.free, free, "free, as the log explains it");
            assertEq(account.locked, locked, "locked, as the log explains it");
        }
        assertEq(_edge.burned(), _mirror.burned(), "burned, as the log explains it");
        _unbroken(3);
    }

    function invariant_04_endsAreFinalAndPayOnce() public view {
        _unbroken(4);
    }

    function invariant_05_awardsObeyTheirTerms() public view {
        _unbroken(5);
    }

    function invariant_06_replayedCommitmentsNeverOpen() public view {
        _unbroken(6);
    }

    function invariant_07_noCallOutsideItsPhase() public view {
        _unbroken(7);
    }

    /// forge-config: default.invariant.runs = 4
    function invariant_08_everyPhaseHasAnExit() public {
        bytes32[] memory units = _mirror.units();
        for (uint256 i = 0; i < units.length; ++i) {
            if (_mirror.phaseOf(units[i]) >= Phase.Paid) continue;
            uint256 id = vm.snapshotState();
            uint256 opens = _mirror.opensAt(units[i]) + 1;
            if (opens > block.timestamp) vm.warp(opens);
            Phase end = _mirror.endOf(units[i]);
            _handler.endAlone(units[i]);
            assertEq(uint256(_phaseOf(units[i])), uint256(end), "the way out of its phase");
            vm.revertToState(id);
        }
    }

    /// forge-config: default.invariant.runs = 4
    function invariant_09_strangersBringEveryUnitToAnEnd() public {
        uint256 id = vm.snapshotState();
        uint256 late = _handler.strangersEndAll();
        bytes32[] memory units = _mirror.units();
        for (uint256 i = 0; i < units.length; ++i) {
            assertTrue(_phaseOf(units[i]) >= Phase.Paid, "ended");
        }
        // registerBy 103 s ahead at most, delay 40 s; each window follows the other's end at once
        assertLe(late, 103 + 40 + 100, "seconds, in dev windows");
        vm.revertToState(id);
    }

    function invariant_13_noProvenWrongResultIsPaid() public view {
        _unbroken(13);
    }

    function invariant_14_reputationStaysInItsBounds() public view {
        address[] memory all = _handler.actors();
        for (uint256 i = 0; i < all.length; ++i) {
            (uint24 n, uint24 m, uint64 s, uint64 t, uint32 score) = _edge.repOf(all[i]);
            assertLe(n, m, "n of m");
            assertLe(s, t, "s of t");
            assertLe(score, 1_000_000, "R");
        }
    }

    function invariant_16_badItemsChangeNothingForOthers() public view {
        _unbroken(16);
    }

    function invariant_19_workersHaveGrace() public view {
        _unbroken(19);
    }

    function invariant_20_theLogTellsEveryUnit() public view {
        bytes32[] memory units = _mirror.units();
        UnitState[] memory states = _edge.phaseOf(units);
        for (uint256 i = 0; i < units.length; ++i) {
            Record memory r = _mirror.recordOf(units[i]);
            assertEq(uint256(states[i].phase), uint256(r.phase), "phase");
            assertEq(states[i].since, r.since, "since");
            assertEq(states[i].digest, Digests.slot(r.terms, r.data), "terms and data");
            assertTrue(states[i].docket == (r.reports != 0), "docket");
        }
        bytes32[] memory tasks = _mirror.tasksForSale();
        for (uint256 i = 0; i < tasks.length; ++i) {
            Sale memory sale = _mirror.saleOf(tasks[i]);
            for (uint16 shard = 0; shard < sale.request.shards; ++shard) {
                _sameAuction(tasks[i], shard, sale.closesAt);
            }
        }
        _unbroken(20);
    }

    function _sameAuction(bytes32 task, uint16 shard, uint256 closesAt) private view {
        Lead memory lead = _mirror.leadOf(Digests.unit(task, shard));
        (uint256 closes, Auction memory best) = _edge.auctionOf(task, shard);
        assertEq(closes, closesAt, "the last block of bids");
        assertTrue(best.closed == lead.lapsed, "lapsed");
        assertEq(best.worker, lead.over ? address(0) : lead.worker, "leads");
        if (best.worker == address(0)) return;
        assertEq(best.price, lead.price, "price");
        assertEq(best.deposit, lead.deposit, "deposit");
        assertEq(best.delay, lead.delay, "delay");
        assertEq(best.score, lead.score, "score");
    }

    function _phaseOf(bytes32 unit) private view returns (Phase) {
        bytes32[] memory units = new bytes32[](1);
        units[0] = unit;
        return _edge.phaseOf(units)[0].phase;
    }
}
