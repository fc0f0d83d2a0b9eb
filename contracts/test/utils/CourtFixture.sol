// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParamsFile} from "../../script/ParamsFile.sol";
import {vm} from "../../script/Vm.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {Case, NO_INPUT, Params, Phase, Ruling, Unit} from "../../src/Types.sol";
import {CourtEdge} from "../mocks/CourtEdge.sol";
import {Asserts} from "./Asserts.sol";
import {Digests} from "./Digests.sol";

/// @title A Court in dev windows with a stand-in for BlockEdge, ticket owners, and builders for every call.
/// @notice A trial in one line: `_trial(c, "RRWW.")`, one letter a seat: R votes the worker's hash, W, X, Y
/// another one, N says that it had no input, h commits and hides, `.` stays away. `_close(c)` then ends it.
abstract contract CourtFixture is Asserts {
    uint40 internal constant START = 1_800_000_000;
    uint96 internal constant FEE = 0.0003 ether; // of a seat; dev: SEAT is 0.01 ether
    bytes32 internal constant RIGHT = keccak256("the worker's result");

    ICourt internal court;
    CourtEdge internal edge;
    Params internal p;

    address internal worker = address(0xA1);
    address internal requester = address(0xA2);
    address internal accuser = address(0xA3);
    address internal stranger = address(0xA4);

    uint256 private _cases;

    function setUp() public virtual {
        vm.warp(START);
        p = ParamsFile.load("dev");
        edge = new CourtEdge();
        court = _deploy(p);
        edge.setCourt(court);
        vm.deal(accuser, 1000 ether);
    }

    function _deploy(Params memory params) internal returns (ICourt) {
        return ICourt(vm.deployCode("Court.sol:Court", abi.encode(params, address(edge))));
    }

    // ── tickets ─────────────────────────────────────────────────────────────────────────────────────────

    function _owner(uint256 i) internal pure returns (address) {
        return address(uint160(0xB000 + i));
    }

    function _stake(address owner) internal returns (uint32) {
        vm.deal(owner, owner.balance + p.seat);
        vm.prank(owner);
        return court.stake{value: p.seat}();
    }

    /// @notice `n` tickets of as many owners, old enough to be drawn.
    function _stakeMany(uint256 n) internal {
        for (uint256 i = 0; i < n; ++i) {
            _stake(_owner(i));
        }
        vm.warp(block.timestamp + p.ticketAge);
    }

    function _held(uint256 id) internal view returns (uint256) {
        return court.ticketOf(uint32(id)).stake;
    }

    function _stakes() internal view returns (uint256 sum) {
        for (uint256 id = 0; id < court.tickets(); ++id) {
            sum += _held(id);
        }
    }

    /// @notice Invariant 1 while the pots of open cases are `pots`.
    function _assertBooks(uint256 pots) internal view {
        assertEq(address(court).balance, _stakes() + pots, "balance = stakes + pots");
    }

    // ── cases ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A case that opens now, over all tickets that are old enough.
    function _case() internal returns (Case memory c) {
        bytes32 task = keccak256(abi.encode("task", ++_cases));
        c.unit = Digests.unit(task, 0);
        c.seed = keccak256(abi.encode("seed", _cases));
        c.accused = RIGHT;
        c.worker = worker;
        c.requester = requester;
        c.accuser = accuser;
        c.snapshot = uint40(block.timestamp);
        c.tickets = _old(c.snapshot);
        c.vwin = 7;
        c.fee = FEE;
    }

    /// @notice The unit that the last case is about.
    function _unit() internal view returns (Unit memory unit) {
        unit.terms.task = keccak256(abi.encode("task", _cases));
    }

    function _old(uint256 snapshot) internal view returns (uint32 old) {
        while (old < court.tickets() && court.ticketOf(old).stakedAt + p.ticketAge <= snapshot) {
            ++old;
        }
    }

    function _open(Case memory c) internal {
        vm.prank(accuser);
        edge.open{value: 5 * uint256(c.fee)}(c, 0, 0);
    }

    function _opened() internal returns (Case memory c) {
        c = _case();
        _open(c);
    }

    // ── the clock of the current round ──────────────────────────────────────────────────────────────────

    function _commitBy(Case memory c) internal view returns (uint256) {
        return uint256(court.caseOf(c.unit).roundAt) + p.jcommit + c.vwin;
    }

    function _revealBy(Case memory c) internal view returns (uint256) {
        return _commitBy(c) + p.jreveal;
    }

    function _appealBy(Case memory c) internal view returns (uint256) {
        return _revealBy(c) + p.appeal;
    }

    function _closesAt(Case memory c) internal view returns (uint256) {
        return court.caseOf(c.unit).round == 2 ? _revealBy(c) : _appealBy(c);
    }

    // ── votes ───────────────────────────────────────────────────────────────────────────────────────────

    function _salt(uint8 round, uint8 seat) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", round, seat));
    }

    /// @notice What the owner of a seat commits to.
    function _ballot(
        Case memory c,
        uint8 round,
        uint8 seat,
        bytes32 resultHash
    ) internal view returns (bytes32) {
        (,, address owner) = court.seatOf(c, round, seat);
        return Digests.vote(address(edge), c.unit, round, seat, owner, resultHash, _salt(round, seat));
    }

    function _vote(Case memory c, uint8 round, uint8 seat, bytes32 resultHash) internal {
        (uint8 attempt,, address owner) = court.seatOf(c, round, seat);
        bytes32 commitment = _ballot(c, round, seat, resultHash);
        vm.prank(owner);
        court.commitVote(c, round, seat, attempt, commitment);
    }

    function _show(Case memory c, uint8 round, uint8 seat, bytes32 resultHash) internal {
        vm.prank(stranger);
        court.revealVote(c, round, seat, resultHash, _salt(round, seat));
    }

    /// @notice What a letter of a trial votes for.
    function _hashOf(bytes1 letter) internal pure returns (bytes32) {
        if (letter == "R") return RIGHT;
        return letter == "N" ? NO_INPUT : keccak256(abi.encode(letter));
    }

    /// @notice The current round from its first vote to the end of its reveals, one letter a seat. Seats
    /// that nobody sits in are passed over.
    function _trial(Case memory c, string memory letters) internal {
        bytes memory seats = bytes(letters);
        uint8 round = court.caseOf(c.unit).round;
        for (uint8 i = 0; i < seats.length; ++i) {
            if (seats[i] != "." && _seated(c, round, i)) _vote(c, round, i, _hashOf(seats[i]));
        }
        vm.warp(_commitBy(c) + 1);
        for (uint8 i = 0; i < seats.length; ++i) {
            if (seats[i] == "." || seats[i] == "h" || !_seated(c, round, i)) continue;
            _show(c, round, i, _hashOf(seats[i]));
        }
        vm.warp(_revealBy(c) + 1);
    }

    function _seated(Case memory c, uint8 round, uint8 seat) internal view returns (bool) {
        (uint8 attempt,,) = court.seatOf(c, round, seat);
        return attempt != 8;
    }

    function _ticketAt(Case memory c, uint8 round, uint8 seat) internal view returns (uint32 ticket) {
        (, ticket,) = court.seatOf(c, round, seat);
    }

    // ── appeals and the end ─────────────────────────────────────────────────────────────────────────────

    function _appeal(Case memory c, address funder) internal {
        uint256 cost = (court.caseOf(c.unit).round == 0 ? 11 : 23) * uint256(c.fee);
        vm.deal(funder, funder.balance + cost);
        vm.prank(funder);
        court.appeal{value: cost}(c);
    }

    /// @notice Closes the last case once nobody can appeal any more.
    function _close(Case memory c, bytes32 finalHash) internal returns (Ruling memory) {
        vm.warp(_closesAt(c) + 1);
        vm.prank(stranger);
        court.closeRound(_unit(), c, finalHash);
        return edge.ruling();
    }

    function _assertOutcome(Ruling memory r, Phase outcome, bytes32 finalHash) internal pure {
        assertEq(uint256(r.outcome), uint256(outcome), "outcome");
        assertEq(r.finalHash, finalHash, "final hash");
    }
}
