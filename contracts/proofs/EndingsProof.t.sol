// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Endings} from "../src/Endings.sol";
import {State} from "../src/State.sol";
import {Account, FLAG_CHECK_MISSED, FLAG_SECRET_SHOWN, Params, Phase, Terms} from "../src/Types.sol";
import {UnitSlot} from "../src/UnitSlot.sol";
import {vm} from "../script/Vm.sol";
import {IBooks, Proof} from "./Proof.sol";

contract EndingsBooks is Endings, IBooks {
    constructor(Params memory p) State(p) {}

    /// @notice What a registered unit has locked, beside what everybody has otherwise.
    function put(Terms calldata terms, address third, uint96[3] calldata free) external {
        _accounts[third].free = free[2];
        _accounts[terms.requester].free += free[0];
        _accounts[terms.worker].free += free[1];
        _accounts[terms.requester].locked += uint96(_escrowOf(terms));
        _accounts[terms.worker].locked += terms.deposit;
    }

    function escrowOf(Terms calldata terms) external view returns (uint256) {
        return _escrowOf(terms);
    }

    function paid(Terms calldata terms, uint256 flags, bool scored, address checker) external {
        _endPaid(bytes32(0), UnitSlot.wrap(0), terms, flags, scored, checker);
    }

    /// @notice `spent` goes to the third party, as a due or a fee would.
    function convicted(Terms calldata terms, address detector, address third, uint96 spent) external {
        _credit(third, spent);
        _endConvicted(bytes32(0), UnitSlot.wrap(0), terms, detector, spent);
    }

    function slashed(Terms calldata terms, uint256 toRequester) external {
        _endSlashed(bytes32(0), UnitSlot.wrap(0), terms, toRequester, 0);
    }

    function end(
        Terms calldata terms,
        Phase phase,
        uint256 toRequester,
        uint256 toWorker,
        address third,
        uint256 credited
    ) external {
        _credit(third, credited);
        _end(bytes32(0), UnitSlot.wrap(0), terms, phase, toRequester, toWorker, credited);
    }

    function accountOf(address who) external view returns (Account memory) {
        return _accounts[who];
    }

    function burned() external view returns (uint96) {
        return _burned;
    }
}

/// @title Every ending pays out exactly what its unit had locked (invariants 1 to 3).
/// @notice Amounts are symbolic. Who the third party is, a checker, a detector or the funder of a round, is told
/// case by case: a stranger, the requester or the worker, and for fees and fifths also nobody.
/// @dev The fee is 0 here, so that no solver has to divide 256-bit words. It enters the endings by `_escrowOf`
/// alone, as one more summand beside price and check fee, which are any numbers here.
contract EndingsProof is Proof {
    address private constant REQUESTER = address(0xbee);
    address private constant WORKER = address(0xace);
    address private constant STRANGER = address(0xe17);

    // 5 billion ether: more than there is, and a dozen of them fit the 96 bits of a balance.
    uint256 private constant MUCH = 1 << 92;

    EndingsBooks internal books;

    function setUp() public {
        vm.warp(1_800_000_000);
        Params memory p = _params(address(0));
        p.feeBps = 0;
        books = new EndingsBooks(p);
    }

    // ── any shares at all: what every ending comes down to ──────────────────────────────────────────────

    function _requireEnds(
        Terms memory terms,
        uint256 toRequester,
        uint256 toWorker,
        uint96 credited,
        address third,
        Phase phase
    ) private {
        uint256 before = _sum(books, REQUESTER, WORKER, third);
        books.end(terms, phase, toRequester, toWorker, third, credited);
        _requireSame(before, third);
    }

    function check_anySharesWithStranger(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 toRequester,
        uint96 toWorker,
        uint96 credited
    ) external {
        Terms memory terms = _begin(amounts, STRANGER, free);
        vm.assume(toRequester < MUCH && toWorker < MUCH && credited < MUCH);
        _requireEnds(terms, toRequester, toWorker, credited, STRANGER, Phase.Slashed);
    }

    function check_anySharesWithWorker(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 toRequester,
        uint96 toWorker,
        uint96 credited
    ) external {
        Terms memory terms = _begin(amounts, WORKER, free);
        vm.assume(toRequester < MUCH && toWorker < MUCH && credited < MUCH);
        _requireEnds(terms, toRequester, toWorker, credited, WORKER, Phase.Slashed);
    }

    function check_anySharesWithRequester(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 toRequester,
        uint96 toWorker,
        uint96 credited
    ) external {
        Terms memory terms = _begin(amounts, REQUESTER, free);
        vm.assume(toRequester < MUCH && toWorker < MUCH && credited < MUCH);
        _requireEnds(terms, toRequester, toWorker, credited, REQUESTER, Phase.Slashed);
    }

    // ── the outcomes of §7.1 ────────────────────────────────────────────────────────────────────────────

    function _paid(uint96[3] memory amounts, uint96[3] memory free, uint256 flags, address checker) private {
        address third = checker == address(0) ? STRANGER : checker;
        Terms memory terms = _begin(amounts, third, free);
        uint256 before = _sum(books, REQUESTER, WORKER, third);
        uint256 worker = _holds(books, WORKER) + (checker == WORKER ? terms.checkFee : 0);
        books.paid(terms, flags, true, checker);
        _requireSame(before, third);
        assert(_holds(books, WORKER) == worker + terms.price);
    }

    function check_paidShown(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, FLAG_SECRET_SHOWN, address(0));
    }

    function check_paidHidden(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, 0, address(0));
    }

    function check_paidCheckMissed(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, FLAG_SECRET_SHOWN | FLAG_CHECK_MISSED, address(0));
    }

    function check_paidChecked(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, FLAG_SECRET_SHOWN, STRANGER);
    }

    function check_paidCheckedByRequester(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, FLAG_SECRET_SHOWN, REQUESTER);
    }

    function check_paidCheckedByWorker(uint96[3] memory amounts, uint96[3] memory free) external {
        _paid(amounts, free, FLAG_SECRET_SHOWN, WORKER);
    }

    function _convicted(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 spent,
        address detector,
        address third
    ) private {
        Terms memory terms = _begin(amounts, third, free);
        vm.assume(spent <= terms.deposit);
        uint256 before = _sum(books, REQUESTER, WORKER, third);
        uint256 worker = _holds(books, WORKER);
        books.convicted(terms, detector, third, spent);
        _requireSame(before, third);
        if (third != WORKER) assert(_holds(books, WORKER) + terms.deposit == worker);
    }

    function check_convicted(uint96[3] memory amounts, uint96[3] memory free, uint96 spent) external {
        _convicted(amounts, free, spent, address(0), STRANGER);
    }

    function check_convictedByStranger(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 spent
    ) external {
        _convicted(amounts, free, spent, STRANGER, STRANGER);
    }

    function check_convictedByRequester(
        uint96[3] memory amounts,
        uint96[3] memory free,
        uint96 spent
    ) external {
        _convicted(amounts, free, spent, REQUESTER, STRANGER);
    }

    function check_convictedByWorker(uint96[3] memory amounts, uint96[3] memory free, uint96 spent) external {
        _convicted(amounts, free, spent, WORKER, WORKER);
    }

    function check_withheld(uint96[3] memory amounts, uint96[3] memory free) external {
        Terms memory terms = _begin(amounts, STRANGER, free);
        uint256 before = _sum(books, REQUESTER, WORKER, STRANGER);
        uint256 requester = _holds(books, REQUESTER);
        books.slashed(terms, terms.deposit / 2);
        _requireSame(before, STRANGER);
        assert(_holds(books, REQUESTER) == requester + terms.deposit / 2);
    }

    function check_refused(uint96[3] memory amounts, uint96[3] memory free, uint96 fine) external {
        Terms memory terms = _begin(amounts, STRANGER, free);
        vm.assume(fine <= terms.deposit);
        uint256 escrow = books.escrowOf(terms);
        _requireEnds(terms, escrow + fine / 2, terms.deposit - fine, 0, STRANGER, Phase.Refused);
    }

    function check_unresolved(uint96[3] memory amounts, uint96[3] memory free) external {
        Terms memory terms = _begin(amounts, STRANGER, free);
        _requireEnds(terms, books.escrowOf(terms), terms.deposit, 0, STRANGER, Phase.Unresolved);
        assert(books.burned() == 0);
    }

    // ── helpers ─────────────────────────────────────────────────────────────────────────────────────────

    /// @param amounts Price, check fee, deposit.
    /// @param free What requester, worker and third party have free.
    function _begin(
        uint96[3] memory amounts,
        address third,
        uint96[3] memory free
    ) private returns (Terms memory terms) {
        (terms.requester, terms.worker) = (REQUESTER, WORKER);
        (terms.price, terms.checkFee, terms.deposit) = (amounts[0], amounts[1], amounts[2]);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assume(amounts[i] < MUCH && free[i] < MUCH);
        }
        books.put(terms, third, free);
    }

    function _requireSame(uint256 before, address third) private view {
        assert(_sum(books, REQUESTER, WORKER, third) == before);
        assert(books.accountOf(REQUESTER).locked == 0 && books.accountOf(WORKER).locked == 0);
    }
}
