// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {Case, CaseState, NO_INPUT, Phase, Ruling, Ticket, Unit, VoteState} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title The random calls of the court's invariant suite: six owners, several cases at a time.
/// @dev Each call takes one seed, does what the state allows, and never reverts. `breach` keeps the first thing
/// that was wrong on the way.
contract CourtCrowd is CourtFixture {
    uint256 private constant OWNERS = 6;

    Case[] private _open_;
    mapping(bytes32 unit => bytes32) private _tasks;
    mapping(bytes32 unit => bytes32) private _seating; // who sat in round 0 when the case opened
    uint256 public pots; // of open cases
    uint256 public toEdge; // what the court should have sent
    uint256 public paidIn; // stakes and pots
    uint256 public paidOut; // to owners
    uint256 public closed;
    uint256 public outcomes; // bits of the Phases seen
    string public breach;

    function theCourt() external view returns (ICourt) {
        return court;
    }

    function theEdge() external view returns (address) {
        return address(edge);
    }

    function rulings() external view returns (uint256) {
        return edge.rulings();
    }

    function _expect(bool holds, string memory what) private {
        if (!holds && bytes(breach).length == 0) breach = what;
    }

    // ── time ────────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A few seconds, or to the edge of some case's window; rarely so long that tickets may leave.
    function wait(uint256 seed) external {
        uint256 until = block.timestamp + 1 + seed % 5;
        if (_open_.length != 0 && seed % 3 != 0) {
            Case memory c = _open_[(seed >> 8) % _open_.length];
            uint256[3] memory edges = [_commitBy(c), _revealBy(c), _closesAt(c)];
            for (uint256 i = 0; i < 3; ++i) {
                if (edges[i] < block.timestamp) continue;
                until = edges[i] + 1;
                break;
            }
        }
        if (seed % 41 == 0) until += p.unbond;
        vm.warp(until);
    }

    // ── tickets ─────────────────────────────────────────────────────────────────────────────────────────

    function stake(uint256 seed) external {
        if (court.tickets() >= 24) return;
        _stake(_owner(seed % OWNERS));
        paidIn += p.seat;
    }

    /// @dev Leaves, withdraws or collects, whatever the ticket is ready for.
    function depart(uint256 seed) external {
        if (court.tickets() == 0) return;
        uint32 id = uint32(seed % court.tickets());
        Ticket memory ticket = court.ticketOf(id);
        uint256 before = ticket.owner.balance;
        vm.startPrank(ticket.owner);
        if (ticket.leftAt != 0 && block.timestamp > ticket.leftAt + p.unbond) {
            court.withdrawTicket(id);
            _expect(ticket.owner.balance == before + ticket.stake, "withdrawn: all of the stake");
        } else if (ticket.stake > p.seat) {
            court.collect(id);
            _expect(ticket.owner.balance + p.seat == before + ticket.stake, "collected: what it earned");
        } else if (ticket.leftAt == 0 && seed % 3 == 0) {
            court.unstake(id);
        }
        vm.stopPrank();
        paidOut += ticket.owner.balance - before;
    }

    function fine(uint256 seed) external {
        if (court.tickets() == 0) return;
        uint32 id = uint32(seed % court.tickets());
        Ticket memory before = court.ticketOf(id);
        uint256 taken = edge.take(id, uint96((seed >> 32) % p.seat));
        toEdge += taken;
        Ticket memory ticket = court.ticketOf(id);
        _expect(taken + ticket.stake == before.stake, "taken from the stake");
        bool poor = taken != 0 && ticket.stake < p.seat / 2;
        _expect(!poor || ticket.leftAt != 0, "a poor ticket leaves");
        _expect(before.leftAt == 0 || before.leftAt == ticket.leftAt, "a ticket leaves once");
    }

    // ── cases ───────────────────────────────────────────────────────────────────────────────────────────

    function open(uint256 seed) external {
        if (_open_.length >= 4) return;
        Case memory c = _case();
        _tasks[c.unit] = _unit().terms.task;
        c.worker = _owner(seed % (2 * OWNERS));
        c.requester = _owner((seed >> 8) % (2 * OWNERS));
        edge.setReporter(c.unit, _owner((seed >> 16) % (2 * OWNERS)));
        if (seed % 4 == 0 && court.tickets() != 0) {
            uint32 payer = uint32((seed >> 24) % court.tickets());
            c.accuser = address(0);
            edge.open(c, payer + 1, 10 * FEE);
        } else {
            _open(c);
            paidIn += 5 * FEE;
        }
        pots += _pot(c, 0);
        _open_.push(c);
        _seating[c.unit] = _seats(c);
    }

    function _seats(Case memory c) private view returns (bytes32 seats) {
        for (uint8 i = 0; i < 5; ++i) {
            (uint8 attempt, uint32 ticket, address owner) = court.seatOf(c, 0, i);
            seats = keccak256(abi.encode(seats, attempt, ticket, owner));
        }
    }

    /// @notice Invariant 10 and 11: whatever has happened since, the same tickets sit.
    function seatsHaveNotMoved() external view returns (bool) {
        for (uint256 i = 0; i < _open_.length; ++i) {
            if (_seats(_open_[i]) != _seating[_open_[i].unit]) return false;
        }
        return true;
    }

    /// @dev The vote of a seat: most owners of a case agree.
    function _choice(Case memory c, uint8 round, uint8 seat) private pure returns (bytes32) {
        uint256 dice = uint256(keccak256(abi.encode(c.unit, round, seat)));
        uint256 mood = uint256(c.unit) % 4;
        bytes32 common = mood == 0 ? NO_INPUT : mood == 1 ? RIGHT : keccak256("wrong");
        return dice % 3 == 0 ? (dice % 2 == 0 ? RIGHT : keccak256("other")) : common;
    }

    /// @dev Most seats of a round commit, if it is time; else most show, if it is time.
    function vote(uint256 seed) external {
        if (_open_.length == 0) return;
        Case memory c = _open_[seed % _open_.length];
        uint8 round = court.caseOf(c.unit).round;
        for (uint8 seat = 0; seat < (round == 0 ? 5 : round == 1 ? 11 : 23); ++seat) {
            if ((seed >> (8 + seat)) % 8 == 0 || !_seated(c, round, seat)) continue;
            VoteState state = court.voteOf(c.unit, round, seat).state;
            if (block.timestamp <= _commitBy(c)) {
                if (state == VoteState.None) _vote(c, round, seat, _choice(c, round, seat));
            } else if (block.timestamp <= _revealBy(c) && state == VoteState.Committed) {
                _show(c, round, seat, _choice(c, round, seat));
            }
        }
    }

    function appeal(uint256 seed) external {
        if (_open_.length == 0) return;
        Case memory c = _open_[seed % _open_.length];
        uint8 round = court.caseOf(c.unit).round;
        if (round == 2 || block.timestamp <= _revealBy(c) || block.timestamp > _appealBy(c)) return;
        _appeal(c, stranger);
        pots += court.fundingOf(c.unit, round + 1).pot;
        paidIn += court.fundingOf(c.unit, round + 1).pot;
    }

    function _pot(Case memory c, uint8 round) private view returns (uint256) {
        bool bonded = round == 0 && court.caseOf(c.unit).bonded;
        return bonded ? 5 * uint256(c.fee) : court.fundingOf(c.unit, round).pot;
    }

    /// @dev Any stranger that has read the log: it counts what was shown, and names each hash until one fits.
    function close(uint256 seed) external {
        if (_open_.length == 0) return;
        uint256 which = seed % _open_.length;
        Case memory c = _open_[which];
        if (block.timestamp <= _closesAt(c)) return;
        Unit memory unit;
        unit.terms.task = _tasks[c.unit];
        uint256 pot = 0;
        for (uint8 r = 0; r < 3; ++r) {
            pot += _pot(c, r);
        }
        uint256 stakes = _stakes();
        bytes32[5] memory hashes = [RIGHT, NO_INPUT, keccak256("wrong"), keccak256("other"), bytes32(0)];
        bool ended = false;
        for (uint256 i = 0; i < 5 && !ended; ++i) {
            try court.closeRound(unit, c, hashes[i]) {
                ended = true;
            } catch {}
        }
        _expect(ended, "invariant 8: an exit that anybody can call");
        if (!ended) return;
        Ruling memory ruling = edge.ruling();
        outcomes |= 1 << uint256(ruling.outcome);
        _expect(edge.pool() + ruling.fines + _stakes() == stakes + pot, "pots - fees + fines");
        _expect(edge.pool() <= pot, "a fine repays nobody");
        _expect(edge.task() == unit.terms.task, "its own unit");
        _expect(ruling.outcome != Phase.Paid || ruling.dues[0] == 0, "an acquittal owes no accuser");
        _expect(court.caseOf(c.unit).state == CaseState.Closed, "closed");
        pots -= pot;
        toEdge += edge.pool() + ruling.fines;
        ++closed;
        _open_[which] = _open_[_open_.length - 1];
        _open_.pop();
    }
}
