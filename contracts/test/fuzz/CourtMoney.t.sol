// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Case, NO_INPUT, Phase, Ruling} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title Random trials against a second book kept by letters: money only changes hands (invariants 1 and 12).
/// @notice Votes, absences, hidden votes, empty seats, poor tickets, tickets in many seats, short pots, one to
/// three rounds, and another case open all the while.
contract CourtMoneyFuzzTest is CourtFixture {
    bytes private constant LETTERS = "RRRWWWXN.h";

    /// The second book: stakes by ticket, and what is in the pot.
    uint256[] private _book;
    uint256 private _pool;
    uint256 private _fines;
    uint256[3] private _pots;
    string[] private _rounds;

    function testFuzz_trial_keepsTheBooks(uint256 seed, uint8 crowd, uint8 rounds, bool silent) public {
        _gather(crowd % 14, seed);
        // Somebody else's case, whose pot must not move.
        _opened();
        Case memory c = _openFuzzed(silent, seed);
        uint256 others = 5 * FEE;
        for (uint256 r = 0; r <= rounds % 3; ++r) {
            if (r != 0) _appeal(c, stranger);
            if (r != 0) _pots[r] = (r == 1 ? 11 : 23) * FEE;
            _pool += r == 0 ? 0 : _pots[r];
            _rounds.push(_letters(c, uint8(r), seed));
            _trial(c, _rounds[r]);
            _assertBooks(others + _pool);
        }
        uint256 stakesBefore = _stakes();
        uint256 pots = _pool;
        uint256 last = _rounds.length - 1;
        (Phase outcome, bytes32 finalHash) = _tally(_rounds[last]);
        Ruling memory ruling = _close(c, finalHash);

        _assertOutcome(ruling, outcome, finalHash);
        _keepBook(c, finalHash);
        for (uint256 id = 0; id < _book.length; ++id) {
            assertEq(_held(id), _book[id], "stake");
        }
        assertEq(edge.pool(), _pool, "pool");
        assertEq(ruling.fines, _fines, "fines");
        assertEq(edge.pool() + _fines + _stakes(), pots + stakesBefore, "pots - fees + fines");
        _assertBooks(others);
        _assertDues(ruling, silent);
    }

    // ── the crowd, the case, the votes ──────────────────────────────────────────────────────────────────

    function _gather(uint256 n, uint256 seed) private {
        for (uint256 i = 0; i < n; ++i) {
            _stake(_owner(i % 5));
        }
        vm.warp(block.timestamp + p.ticketAge);
        for (uint256 i = 0; i < n; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, "poor", i)));
            if (dice % 3 == 0) edge.take(uint32(i), uint96(dice / 3 % (p.seat + 1)));
        }
    }

    function _openFuzzed(bool silent, uint256 seed) private returns (Case memory c) {
        c = _case();
        c.seed = keccak256(abi.encode(seed));
        c.worker = _owner(seed % 7);
        edge.setReporter(c.unit, _owner(seed / 7 % 7));
        if (silent && court.tickets() != 0) {
            uint32 payer = uint32(seed / 49 % court.tickets());
            c.accuser = address(0);
            uint256 before = _held(payer);
            edge.open(c, payer + 1, 10 * FEE);
            _pots[0] = before - _held(payer);
            assertEq(_pots[0], before < 10 * FEE ? before : 10 * FEE, "as far as it reaches");
        } else {
            _open(c);
            _pots[0] = 5 * FEE;
        }
        _pool = _pots[0];
        for (uint256 id = 0; id < court.tickets(); ++id) {
            _book.push(_held(id));
        }
    }

    /// @dev `_` where nobody sits.
    function _letters(Case memory c, uint8 round, uint256 seed) private view returns (string memory) {
        bytes memory letters = new bytes(round == 0 ? 5 : round == 1 ? 11 : 23);
        // Some rounds nearly agree, or nothing would ever be decided.
        bytes1 crowd = LETTERS[uint256(keccak256(abi.encode(seed, round))) % 10];
        for (uint8 i = 0; i < letters.length; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, round, i)));
            letters[i] = dice % 2 == 0 ? crowd : LETTERS[dice / 2 % 10];
            if (!_seated(c, round, i)) letters[i] = "_";
        }
        return string(letters);
    }

    // ── the second book ─────────────────────────────────────────────────────────────────────────────────

    function _times(bytes memory letters, bytes1 letter) private pure returns (uint256 times) {
        for (uint256 i = 0; i < letters.length; ++i) {
            if (letters[i] == letter) ++times;
        }
    }

    /// @dev §6.5 in letters.
    function _tally(string memory round) private pure returns (Phase, bytes32) {
        bytes memory v = bytes(round);
        uint256 w = _times(v, "W");
        uint256 x = _times(v, "X");
        uint256 against = w < x ? x : w;
        if (2 * against > v.length) return (Phase.Slashed, _hashOf(w < x ? bytes1("X") : bytes1("W")));
        uint256 innocent = _times(v, "R");
        uint256 unseen = _times(v, "N");
        if (unseen > innocent && unseen > against && 3 * unseen >= v.length) return (Phase.Paid, NO_INPUT);
        if (innocent >= unseen && innocent > against && 3 * innocent >= v.length) return (Phase.Paid, RIGHT);
        return (Phase.Unresolved, _plurality(v));
    }

    function _plurality(bytes memory v) private pure returns (bytes32 hash) {
        uint256 most = 0;
        for (uint256 i = 0; i < v.length; ++i) {
            bool voted = v[i] != "." && v[i] != "h" && v[i] != "_";
            if (voted && _times(v, v[i]) > most) (most, hash) = (_times(v, v[i]), _hashOf(v[i]));
        }
    }

    function _keepBook(Case memory c, bytes32 finalHash) private {
        for (uint8 r = 0; r < _rounds.length; ++r) {
            bytes memory v = bytes(_rounds[r]);
            for (uint8 i = 0; i < v.length; ++i) {
                if (v[i] == "_" || _right(v[i], finalHash)) continue;
                uint256 fine = v[i] == "." ? FEE : 10 * FEE;
                uint256 id = _ticketAt(c, r, i);
                if (fine > _book[id]) fine = _book[id];
                _book[id] -= fine;
                _fines += fine;
            }
        }
        for (uint8 r = 0; r < _rounds.length; ++r) {
            bytes memory v = bytes(_rounds[r]);
            for (uint8 i = 0; i < v.length; ++i) {
                if (v[i] == "_" || !_right(v[i], finalHash)) continue;
                uint256 fee = FEE < _pool ? FEE : _pool;
                _book[_ticketAt(c, r, i)] += fee;
                _pool -= fee;
            }
        }
    }

    function _right(bytes1 letter, bytes32 finalHash) private pure returns (bool) {
        return letter != "." && letter != "h" && _hashOf(letter) == finalHash;
    }

    function _assertDues(Ruling memory ruling, bool silent) private view {
        uint256[3] memory due;
        if (ruling.outcome != Phase.Paid && !(silent && _book.length != 0)) due[0] = _pots[0];
        uint256 sum = ruling.dues[0];
        for (uint256 r = 1; r < _rounds.length; ++r) {
            (Phase before,) = _tally(_rounds[r - 1]);
            if (before != ruling.outcome) due[r] = _pots[r] * 11 / 10;
            assertEq(ruling.funders[r], stranger, "funder");
            sum += ruling.dues[r];
        }
        if (ruling.outcome == Phase.Unresolved) assertLe(sum, edge.pool(), "limited to the pool");
        for (uint256 r = 0; r < 3; ++r) {
            assertLe(ruling.dues[r], due[r], "no more than is due");
            bool limited = ruling.outcome == Phase.Unresolved && sum == edge.pool();
            if (!limited) assertEq(ruling.dues[r], due[r], "due");
        }
    }
}
