// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ICourtErrors as Errors} from "../../src/interfaces/ICourt.sol";
import {Case, Ticket} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title Seats against a plain reading of §6.2 (invariants 10 and 11), for any crowd that comes and goes.
contract CourtSeatsFuzzTest is CourtFixture {
    /// @dev Up to 24 tickets of 6 owners, staked, left and fined at random times.
    function _crowd(uint256 seed) private {
        uint256 n = seed % 25;
        for (uint256 i = 0; i < n; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            uint32 id = _stake(_owner(dice % 6));
            vm.warp(block.timestamp + dice / 64 % 7);
            uint32 who = uint32(dice / 1024 % (id + 1));
            if (dice / 8 % 4 == 0 && court.ticketOf(who).leftAt == 0) {
                vm.prank(court.ticketOf(who).owner);
                court.unstake(who);
            }
            if (dice / 8 % 4 == 1) edge.take(who, uint96(dice % p.seat));
        }
    }

    /// @dev The rule, word by word: which tickets existed, looked at one after the other.
    function _reference(
        Case memory c,
        bytes32 seed,
        uint256 seat,
        bool jury
    ) private view returns (uint256 attempt, uint256 id) {
        uint256 old = 0;
        for (uint256 i = 0; i < court.tickets(); ++i) {
            if (court.ticketOf(uint32(i)).stakedAt + p.ticketAge <= c.snapshot) ++old;
        }
        if (old == 0) return (8, 0);
        for (attempt = 0; attempt < 8; ++attempt) {
            id = uint256(keccak256(abi.encode(seed, seat, attempt))) % old;
            Ticket memory t = court.ticketOf(uint32(id));
            bool live = t.leftAt == 0 || t.leftAt >= c.snapshot;
            bool party = t.owner == c.worker || t.owner == c.requester;
            bool reporter = jury && edge.isReporter(c.unit, t.owner);
            if (live && !party && !reporter) return (attempt, id);
        }
        return (8, 0);
    }

    function testFuzz_seatOf_equalsAPlainReference(uint256 seed, uint8 parties, uint16 back) public {
        Case memory c = _fuzzedCase(seed, parties, back);
        for (uint8 round = 0; round < 3; ++round) {
            bytes32 drawn = round == 0 ? c.seed : keccak256(abi.encode(c.seed, uint256(round)));
            for (uint8 seat = 0; seat < 5; ++seat) {
                (uint256 attempt, uint256 id) = _reference(c, drawn, seat, true);
                (uint8 got, uint32 ticket, address owner) = court.seatOf(c, round, seat);
                assertEq(got, attempt, "attempt");
                assertEq(ticket, id, "ticket");
                assertEq(owner, attempt == 8 ? address(0) : court.ticketOf(ticket).owner, "owner");
            }
        }
    }

    function testFuzz_drawnTicket_equalsAPlainReference(uint256 seed, uint8 parties, uint16 back) public {
        Case memory c = _fuzzedCase(seed, parties, back);
        (uint256 right, uint256 id) = _reference(c, c.seed, 0, false);
        for (uint8 attempt = 0; attempt < 9; ++attempt) {
            if (attempt != right || attempt == 8) {
                vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
                court.drawnTicket(c.seed, attempt, c.tickets, c.snapshot, c.worker, c.requester);
                continue;
            }
            (uint32 ticket, address owner) =
                court.drawnTicket(c.seed, attempt, c.tickets, c.snapshot, c.worker, c.requester);
            assertEq(ticket, id, "ticket");
            assertEq(owner, court.ticketOf(ticket).owner, "owner");
        }
    }

    function testFuzz_snapshot_hasOneRightSize(uint256 seed, uint16 back, uint8 guess) public {
        Case memory c = _fuzzedCase(seed, 0, back);
        uint32 size = guess % 30;
        if (size != c.tickets) {
            vm.expectRevert(abi.encodeWithSelector(Errors.BadSnapshot.selector, size));
        }
        c.tickets = size;
        edge.open{value: 5 * uint256(c.fee)}(c, 0, 0);
    }

    /// @dev A snapshot up to 40 s before now, parties and a reporter out of the owners.
    function _fuzzedCase(uint256 seed, uint8 parties, uint16 back) private returns (Case memory c) {
        _crowd(seed);
        vm.warp(block.timestamp + 20);
        c = _case();
        c.seed = keccak256(abi.encode(seed));
        c.snapshot = uint40(block.timestamp - back % 40);
        c.tickets = _old(c.snapshot);
        c.worker = _owner(parties % 6);
        c.requester = _owner(parties / 6 % 6);
        edge.setReporter(c.unit, _owner(parties / 36 % 7));
    }
}
