// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Params, Terms} from "../src/Types.sol";
import {vm} from "../script/Vm.sol";

/// What a harness shows of the books.
interface IBooks {
    function accountOf(address who) external view returns (Account memory);
    function burned() external view returns (uint96);
}

/// @title What every proof shares: constants, symbolic books, and the sum that must not change.
/// @notice Functions named check_… are run by halmos (`make prove`), with every argument symbolic: they hold for
/// all values, not for some. forge ignores them.
/// @dev Amounts are bounded as the ledger bounds them: all ether of the contract fits 96 bits, so any sum of what
/// accounts hold does too.
abstract contract Proof {
    uint256 internal constant MOST = type(uint96).max;

    /// @notice The shipped constants that touch money; windows of config/params.dev.json.
    function _params(address court) internal pure returns (Params memory p) {
        p.feeBps = 100;
        p.spotBpsMin = 1000;
        p.seat = 0.01 ether;
        p.grace = 5;
        p.secret = 6;
        p.reveal = 10;
        p.challenge = 5;
        p.report = 5;
        p.maxAward = 120;
        p.refFuel = 1_000_000_000;
        p.vwinBase = 4;
        p.vwinMax = 60;
        p.ticketAge = 10;
        p.unbond = 600;
        p.defend = 10;
        p.jcommit = 5;
        p.jreveal = 5;
        p.appeal = 10;
        p.daWindow = 10;
        p.feeUnit = 1e15;
        p.bidBlocks = 1;
        p.court = court;
    }

    function _holds(IBooks books, address who) internal view returns (uint256) {
        Account memory account = books.accountOf(who);
        return uint256(account.free) + account.locked;
    }

    /// @notice What two accounts, which may be one, hold together with what was burned.
    function _sum(IBooks books, address a, address b) internal view returns (uint256) {
        return books.burned() + _holds(books, a) + (b == a ? 0 : _holds(books, b));
    }

    function _sum(IBooks books, address a, address b, address c) internal view returns (uint256) {
        return _sum(books, a, b) + (c == a || c == b ? 0 : _holds(books, c));
    }

    /// @notice Terms that `award` lets through: amounts of 96 bits, and φ and price within a deposit's twentieth.
    function _assumeTerms(Terms memory terms) internal pure {
        vm.assume(terms.requester != terms.worker);
        vm.assume(uint256(terms.price) * 20 <= terms.deposit);
        vm.assume(uint256(terms.checkFee) * 20 <= terms.deposit);
    }
}
