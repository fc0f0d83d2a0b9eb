// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ICourtErrors as Errors} from "../../src/interfaces/ICourt.sol";
import {Case} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title Who may be drawn: snapshots, neighbours, and seats that nothing done later can move.
contract CourtDrawsTest is CourtFixture {
    bytes32 private constant SEED = keccak256("draw");

    // ── the snapshot's size ─────────────────────────────────────────────────────────────────────────────

    /// @dev Three tickets, staked at 0, 5 and 5 seconds.
    function _threeTickets() private {
        _stake(_owner(0));
        vm.warp(START + 5);
        _stake(_owner(1));
        _stake(_owner(2));
        vm.warp(START + 1000);
    }

    function test_snapshot_isCheckedAgainstItsNeighbours() public {
        _threeTickets();
        uint40 age = uint40(p.ticketAge);
        _onlySize(START + age - 1, 0);
        _onlySize(START + age, 1); // old enough at this second
        _onlySize(START + age + 4, 1);
        _onlySize(START + age + 5, 3); // both of one block
        _onlySize(START + 1000, 3);
    }

    /// @dev That size passes (or finds nobody), every other one is refused.
    function _onlySize(uint40 snapshot, uint32 size) private {
        for (uint32 n = 0; n < 6; ++n) {
            if (n == size) {
                if (n == 0) vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
                court.drawnTicket(SEED, 0, n, snapshot, worker, requester);
            } else {
                vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, n));
                court.drawnTicket(SEED, 0, n, snapshot, worker, requester);
            }
        }
    }

    function test_snapshot_ofNoTicketsAtAll() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.drawnTicket(SEED, 0, 0, START, worker, requester);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, 1));
        court.drawnTicket(SEED, 0, 1, START, worker, requester);
    }

    function test_open_needsTheSizeOfItsSnapshot() public {
        _stakeMany(3);
        Case memory c = _case();
        c.tickets = 2;
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, 2));
        edge.open(c, 0, 0);
    }

    // ── who may sit ─────────────────────────────────────────────────────────────────────────────────────

    function test_drawnTicket_isTheFirstThatMaySit() public {
        _stakeMany(4);
        uint40 snapshot = uint40(block.timestamp);
        uint32 first = _index(SEED, 0, 4);
        (uint32 ticket, address owner) = court.drawnTicket(SEED, 0, 4, snapshot, worker, requester);
        assertEq(ticket, first, "attempt 0");
        assertEq(owner, _owner(first), "its owner");
        // A party's ticket is passed over, whichever party it is.
        (uint8 attempt, uint32 next) = _nextOther(first);
        (ticket,) = court.drawnTicket(SEED, attempt, 4, snapshot, _owner(first), requester);
        assertEq(ticket, next, "not the worker's");
        (ticket,) = court.drawnTicket(SEED, attempt, 4, snapshot, worker, _owner(first));
        assertEq(ticket, next, "not the requester's");
    }

    function test_drawnTicket_onlyOneAttemptIsRight() public {
        _stakeMany(4);
        uint40 snapshot = uint40(block.timestamp);
        (uint8 right,) = _nextOther(_index(SEED, 0, 4));
        for (uint8 attempt = 0; attempt < 10; ++attempt) {
            if (attempt != right) vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
            court.drawnTicket(SEED, attempt, 4, snapshot, _owner(_index(SEED, 0, 4)), requester);
        }
    }

    function test_drawnTicket_emptyAfterEightTries() public {
        _stakeMany(1);
        uint40 snapshot = uint40(block.timestamp);
        for (uint8 attempt = 0; attempt < 9; ++attempt) {
            vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
            court.drawnTicket(SEED, attempt, 1, snapshot, _owner(0), requester);
        }
    }

    function test_drawnTicket_aReporterMayStillBeDrawnForACheck() public {
        _stakeMany(1);
        edge.setReporter(bytes32(0), _owner(0));
        court.drawnTicket(SEED, 0, 1, uint40(block.timestamp), worker, requester);
    }

    function test_seatOf_noReporterJudges() public {
        _stakeMany(1);
        Case memory c = _opened();
        (uint8 attempt,, address owner) = court.seatOf(c, 0, 3);
        assertEq(owner, _owner(0), "the only one");
        assertEq(attempt, 0, "at once");
        edge.setReporter(c.unit, _owner(0));
        uint32 ticket;
        (attempt, ticket, owner) = court.seatOf(c, 0, 3);
        assertEq(attempt, 8, "empty");
        assertEq(uint256(ticket) + uint160(owner), 0, "nobody");
    }

    function test_seatOf_emptyWithoutTickets() public {
        Case memory c = _opened();
        (uint8 attempt,,) = court.seatOf(c, 0, 0);
        assertEq(attempt, 8, "empty");
    }

    // ── what comes later changes nothing (invariants 10, 11) ────────────────────────────────────────────

    function test_seats_leavingBeforeTheSnapshotFreesTheSeat() public {
        _stakeMany(1);
        vm.prank(_owner(0));
        court.unstake(0);
        vm.warp(block.timestamp + 1);
        assertTrue(!_seated(_opened(), 0, 0), "left");
    }

    function test_seats_leavingAtTheSnapshotOrLaterChangesNothing() public {
        _stakeMany(1);
        Case memory c = _opened();
        vm.prank(_owner(0));
        court.unstake(0); // in the snapshot's own second
        assertTrue(_seated(c, 0, 0), "seated");
        vm.warp(block.timestamp + p.unbond + 1);
        vm.prank(_owner(0));
        court.withdrawTicket(0);
        assertTrue(_seated(c, 0, 0), "the seat stays where it was drawn");
    }

    function test_seats_newTicketsDisplaceNobody() public {
        _stakeMany(5);
        Case memory c = _opened();
        uint32[5] memory before;
        for (uint8 seat = 0; seat < 5; ++seat) {
            before[seat] = _ticketAt(c, 0, seat);
        }
        for (uint256 i = 0; i < 20; ++i) {
            _stake(_owner(100 + i));
        }
        vm.warp(block.timestamp + 1000);
        vm.roll(block.number + 77);
        for (uint8 seat = 0; seat < 5; ++seat) {
            assertEq(_ticketAt(c, 0, seat), before[seat], "the same");
        }
    }

    function test_seats_aFineMakesATicketLeaveForLaterDrawsOnly() public {
        _stakeMany(1);
        Case memory first = _opened();
        vm.warp(block.timestamp + 1);
        edge.take(0, p.seat);
        assertTrue(_seated(first, 0, 0), "its duty stays");
        vm.warp(block.timestamp + 1);
        assertTrue(!_seated(_opened(), 0, 0), "no new one");
    }

    function _index(bytes32 seed, uint256 attempt, uint256 n) private pure returns (uint32) {
        return uint32(uint256(keccak256(abi.encode(seed, uint256(0), attempt))) % n);
    }

    /// @dev The first attempt of the draw that looks at another ticket.
    function _nextOther(uint32 passed) private pure returns (uint8 attempt, uint32 ticket) {
        for (ticket = passed; ticket == passed;) {
            ticket = _index(SEED, ++attempt, 4);
        }
    }
}
