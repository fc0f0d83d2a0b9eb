// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Jury} from "../../src/Jury.sol";
import {Case, NO_INPUT, Phase, Ruling, Unit} from "../../src/Types.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";
import {Digests} from "../utils/Digests.sol";
import {VectorFile} from "./VectorFile.sol";

/// @title Juries end as Python says (invariant 17): each round's outcome, and whole trials on the shipped Court,
/// with the seats that its own draws give.
contract JuryVectorsTest is CourtFixture, VectorFile {
    struct Row {
        bytes32 task;
        bytes32 seed;
        address accuser;
        address funder1;
        address funder2;
        uint8 outcome;
        bytes32 finalHash;
    }

    struct Money {
        uint256 pool;
        uint256 fines;
        uint256 due0;
        uint256 due1;
        uint256 due2;
    }

    function setUp() public override {
        super.setUp();
        _open("jury");
        assertEq(_value(".fee"), FEE, "fee");
        assertEq(_value(".seat"), p.seat, "seat");
        assertEq(_word(".accused"), RIGHT, "accused");
        assertEq(_word(".noInput"), NO_INPUT, "noInput");
    }

    // ── one round ───────────────────────────────────────────────────────────────────────────────────────

    function test_vectors_outcome() public view {
        uint256[] memory rounds = _column("outcome", "round");
        uint256[] memory outcomes = _column("outcome", "outcome");
        bytes32[] memory rights = _hashes("outcome", "right");
        string[] memory letters = _texts("outcome", "votes");
        for (uint256 i = 0; i < rounds.length; ++i) {
            uint256[] memory marks = _marks(bytes(letters[i]), Jury.first(rounds[i]));
            (Phase outcome, uint256 right) = Jury.outcomeOf(marks, rounds[i], Jury.mark(RIGHT));
            assertEq(uint256(outcome), outcomes[i], _at(letters[i], i));
            assertEq(right, rights[i] == 0 ? 0 : Jury.mark(rights[i]), _at(letters[i], i));
        }
    }

    /// @dev Among votes of other rounds, which must not count.
    function _marks(bytes memory letters, uint256 first) private pure returns (uint256[] memory marks) {
        marks = new uint256[](39);
        for (uint256 i = 0; i < 39; ++i) {
            marks[i] = Jury.mark(_hashOf("W"));
        }
        for (uint256 i = 0; i < letters.length; ++i) {
            bool shown = letters[i] != "." && letters[i] != "h";
            marks[first + i] = shown ? Jury.mark(_hashOf(letters[i])) : 0;
        }
    }

    // ── whole trials ────────────────────────────────────────────────────────────────────────────────────

    function test_vectors_ruling() public {
        bytes[] memory rows = _rows("ruling", "task seed accuser funder1 funder2 outcome finalHash");
        bytes[] memory moneys = _rows("ruling", "pool fines due0 due1 due2");
        string[] memory letters = _texts("ruling", "votes");
        bytes[] memory stakes = _blobs("ruling", "stakes");
        bytes[] memory stakesAfter = _blobs("ruling", "stakesAfter");
        bool[] memory fromTicket = _flags("ruling", "fromTicket");
        uint256 id = vm.snapshotState();
        for (uint256 i = 0; i < rows.length; ++i) {
            Row memory row = abi.decode(rows[i], (Row));
            _crowd(stakes[i]);
            Case memory c = _openAs(row, fromTicket[i]);
            string[] memory rounds = vm.split(letters[i], "/");
            for (uint256 r = 0; r < rounds.length; ++r) {
                if (r != 0) _appeal(c, r == 1 ? row.funder1 : row.funder2);
                _trial(c, rounds[r]);
            }
            _sameEnd(c, row, abi.decode(moneys[i], (Money)), _at(letters[i], i));
            _sameStakes(stakesAfter[i], _at(letters[i], i));
            _assertBooks(0);
            vm.revertToState(id);
        }
    }

    /// @dev One owner a ticket, holding what the row says. A fine makes a ticket leave, at the snapshot.
    function _crowd(bytes memory joined) private {
        _stakeMany(joined.length / 16);
        for (uint256 i = 0; i < joined.length / 16; ++i) {
            uint256 held = _amount(joined, i);
            if (held < p.seat) edge.take(uint32(i), uint96(p.seat - held));
        }
    }

    function _openAs(Row memory row, bool fromTicket) private returns (Case memory c) {
        c = _case();
        c.unit = Digests.unit(row.task, 0);
        c.seed = row.seed;
        c.accuser = row.accuser;
        if (fromTicket) edge.open(c, 1, 10 * FEE);
        else _open(c);
    }

    function _sameEnd(Case memory c, Row memory row, Money memory money, string memory what) private {
        Unit memory unit;
        unit.terms.task = row.task;
        vm.warp(_closesAt(c) + 1);
        court.closeRound(unit, c, row.finalHash);
        Ruling memory ruling = edge.ruling();
        assertEq(uint256(ruling.outcome), row.outcome, what);
        assertEq(ruling.finalHash, row.finalHash, what);
        assertEq(ruling.funders[0], row.accuser, what);
        assertEq(ruling.funders[1], row.funder1, what);
        assertEq(ruling.funders[2], row.funder2, what);
        assertEq(ruling.dues[0], money.due0, what);
        assertEq(ruling.dues[1], money.due1, what);
        assertEq(ruling.dues[2], money.due2, what);
        assertEq(ruling.fines, money.fines, what);
        assertEq(edge.pool(), money.pool, what);
    }

    function _sameStakes(bytes memory joined, string memory what) private view {
        for (uint256 i = 0; i < joined.length / 16; ++i) {
            assertEq(_held(i), _amount(joined, i), what);
        }
    }

    function _amount(bytes memory joined, uint256 i) private pure returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := shr(128, mload(add(add(joined, 0x20), mul(i, 16))))
        }
    }
}
