// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Endings} from "../src/Endings.sol";
import {State} from "../src/State.sol";
import {Account, Params, Phase, Terms} from "../src/Types.sol";
import {UnitSlot} from "../src/UnitSlot.sol";
import {vm} from "../script/Vm.sol";
import {IBooks, Proof} from "./Proof.sol";

contract EndingsBooks is Endings, IBooks {
    constructor(Params memory p) State(p) {}

    /// @notice What a registered unit has locked, beside what its parties have otherwise.
    function put(
        Terms calldata terms,
        uint96 ofRequester,
        uint96 ofWorker,
        address other,
        uint96 free
    ) external {
        _accounts[other].free = free;
        _accounts[terms.requester].free += ofRequester;
        _accounts[terms.worker].free += ofWorker;
        _accounts[terms.requester].locked += uint96(_escrowOf(terms));
        _accounts[terms.worker].locked += terms.deposit;
    }

    function escrowOf(Terms calldata terms) external view returns (uint256) {
        return _escrowOf(terms);
    }

    function paid(Terms calldata terms, uint256 flags, bool scored, address checker) external {
        _endPaid(bytes32(0), UnitSlot.wrap(0), terms, flags, scored, checker);
    }

    function convicted(Terms calldata terms, address detector, uint256 spent) external {
        _endConvicted(bytes32(0), UnitSlot.wrap(0), terms, detector, spent);
    }

    function slashed(Terms calldata terms, uint256 toRequester, uint256 credited) external {
        _endSlashed(bytes32(0), UnitSlot.wrap(0), terms, toRequester, credited);
    }

    function end(Terms calldata terms, Phase phase, uint256 toRequester, uint256 toWorker) external {
        _end(bytes32(0), UnitSlot.wrap(0), terms, phase, toRequester, toWorker, 0);
    }

    function accountOf(address who) external view returns (Account memory) {
        return _accounts[who];
    }

    function burned() external view returns (uint96) {
        return _burned;
    }
}

/// @title Every ending pays out exactly what its unit had locked (invariants 1 to 3).
/// @notice The third party, a checker, a detector or nobody, may be one of the two or a stranger.
contract EndingsProof is Proof {
    EndingsBooks internal books;

    function setUp() public {
        vm.warp(1_800_000_000);
        books = new EndingsBooks(_params(address(0)));
    }

    function _begin(Terms memory terms, address third, uint96[3] memory free) private returns (uint256) {
        _assumeTerms(terms);
        vm.assume(uint256(free[0]) + free[1] + free[2] + 4 * uint256(terms.deposit) <= MOST);
        books.put(terms, free[0], free[1], third, free[2]);
        return _sum(books, terms.requester, terms.worker, third);
    }

    function _requireSame(uint256 before, Terms memory terms, address third) private view {
        assert(_sum(books, terms.requester, terms.worker, third) == before);
        assert(third == terms.requester || books.accountOf(terms.requester).locked == 0);
        assert(third == terms.worker || books.accountOf(terms.worker).locked == 0);
    }

    function check_paid(
        Terms memory terms,
        uint256 flags,
        bool scored,
        address checker,
        uint96[3] memory free
    ) external {
        uint256 before = _begin(terms, checker, free);
        uint256 worker = _holds(books, terms.worker);
        books.paid(terms, flags, scored, checker);
        _requireSame(before, terms, checker);
        if (checker != terms.worker) assert(_holds(books, terms.worker) == worker + terms.price);
    }

    function check_convicted(
        Terms memory terms,
        address detector,
        uint256 spent,
        uint96[3] memory free
    ) external {
        uint256 before = _begin(terms, detector, free);
        vm.assume(spent <= terms.deposit);
        books.convicted(terms, detector, spent);
        // `spent` has been credited by the caller.
        assert(_sum(books, terms.requester, terms.worker, detector) + spent == before);
    }

    function check_withheld(Terms memory terms, uint96[3] memory free) external {
        uint256 before = _begin(terms, terms.worker, free);
        uint256 requester = _holds(books, terms.requester);
        books.slashed(terms, terms.deposit / 2, 0);
        _requireSame(before, terms, terms.worker);
        assert(_holds(books, terms.requester) == requester + terms.deposit / 2);
    }

    function check_refused(Terms memory terms, uint256 fine, uint96[3] memory free) external {
        uint256 before = _begin(terms, terms.worker, free);
        vm.assume(fine <= terms.deposit);
        books.end(terms, Phase.Refused, books.escrowOf(terms) + fine / 2, terms.deposit - fine);
        _requireSame(before, terms, terms.worker);
    }

    function check_unresolved(Terms memory terms, uint96[3] memory free) external {
        uint256 before = _begin(terms, terms.worker, free);
        books.end(terms, Phase.Unresolved, books.escrowOf(terms), terms.deposit);
        _requireSame(before, terms, terms.worker);
        assert(books.burned() == 0);
    }
}
