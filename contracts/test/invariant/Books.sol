// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";

/// @title Every account as the event log alone explains it, and the list of rules that a call has broken.
abstract contract Books {
    struct Balance {
        uint256 free;
        uint256 locked;
    }

    mapping(address account => Balance) private _balances;
    uint256 public burned;
    mapping(uint256 invariant => string) private _broken;

    function balanceOf(address account) external view returns (uint256 free, uint256 locked) {
        return (_balances[account].free, _balances[account].locked);
    }

    /// @notice The first breach of an invariant that was seen; empty if none.
    function broken(uint256 invariant) external view returns (string memory) {
        return _broken[invariant];
    }

    /// @notice For rules that only the caller can see broken.
    function breach(uint256 invariant, string calldata what) external {
        _must(false, invariant, what);
    }

    function _must(bool holds, uint256 invariant, string memory what) internal {
        if (holds || bytes(_broken[invariant]).length != 0) return;
        _broken[invariant] = string.concat(what, ", at ", vm.toString(block.timestamp));
    }

    function _in(address owner, uint256 amount) internal {
        _balances[owner].free += amount;
    }

    function _out(address owner, uint256 amount) internal {
        Balance storage balance = _balances[owner];
        _must(balance.free >= amount, 1, "paid out more than was free");
        balance.free -= amount <= balance.free ? amount : balance.free;
    }

    function _hold(address owner, uint256 amount) internal {
        _out(owner, amount);
        _balances[owner].locked += amount;
    }

    /// @notice Ends a hold; what is not handed back must be handed on or burned by the caller.
    function _let(address owner, uint256 held, uint256 back) internal {
        Balance storage balance = _balances[owner];
        _must(balance.locked >= held, 3, "let go of more than was locked");
        balance.locked -= held <= balance.locked ? held : balance.locked;
        balance.free += back;
    }

    function _burn(uint256 amount) internal {
        burned += amount;
    }

    function _flush(uint256 amount) internal {
        _must(amount == burned, 3, "flushed another amount than was burned");
        burned = 0;
    }
}
