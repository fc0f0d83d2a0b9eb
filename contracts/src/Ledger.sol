// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {State} from "./State.sol";
import {Account} from "./Types.sol";

/// @title The only functions that move value between the buckets of docs/protocol.md §1.
/// @dev Σ free + Σ locked + burned <= balance of the contract (invariant 1). `fund` keeps that balance below
/// 2^96 wei, so the casts here lose nothing and no credit overflows.
abstract contract Ledger is State {
    /// @notice Takes `amount` out of use; the caller has checked that it is free.
    function _lock(address owner, uint256 amount) internal {
        Account storage account = _accounts[owner];
        (uint96 free, uint96 locked) = (account.free - uint96(amount), account.locked + uint96(amount));
        (account.free, account.locked) = (free, locked); // one store
    }

    /// @notice Ends a lock of `unlocked` and adds `credited` to the free balance. What the two differ by
    /// is the caller's to credit to others or to burn in the same call.
    function _release(address owner, uint256 unlocked, uint256 credited) internal {
        Account storage account = _accounts[owner];
        (uint96 free, uint96 locked) = (account.free + uint96(credited), account.locked - uint96(unlocked));
        (account.free, account.locked) = (free, locked); // one store
    }

    function _credit(address owner, uint256 amount) internal {
        _accounts[owner].free += uint96(amount);
    }

    function _burn(uint256 amount) internal {
        _burned += uint96(amount);
    }
}
