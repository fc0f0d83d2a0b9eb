// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBlockEdge} from "./interfaces/IBlockEdge.sol";
import {Ledger} from "./Ledger.sol";
import {Account} from "./Types.sol";

/// @title Prepaid balances: how ether comes in and leaves.
/// @notice Payouts credit balances and users pull: a receiver that refuses ether hurts only itself.
abstract contract Escrow is Ledger, IBlockEdge {
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc IBlockEdge
    function fund() external payable nonReentrant {
        if (address(this).balance > type(uint96).max) revert BadTerms("value");
        _accounts[msg.sender].free += uint96(msg.value);
        emit Funded(msg.sender, msg.value);
    }

    /// @inheritdoc IBlockEdge
    function exit(uint96 amount) external nonReentrant {
        Account storage account = _accounts[msg.sender];
        uint256 exitAt = amount == 0 ? 0 : block.timestamp + UNBOND;
        account.exitAt = uint40(exitAt);
        account.exitAmount = amount;
        emit ExitRequested(msg.sender, amount, exitAt);
    }

    /// @inheritdoc IBlockEdge
    function withdraw() external nonReentrant {
        Account storage account = _accounts[msg.sender];
        uint256 exitAt = account.exitAt;
        if (exitAt == 0) revert NotExiting();
        if (block.timestamp < exitAt) revert TooEarly(exitAt);

        uint96 amount = account.exitAmount < account.free ? account.exitAmount : account.free;
        account.free -= amount;
        account.exitAt = 0;
        account.exitAmount = 0;
        emit Withdrawn(msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc IBlockEdge
    function flushBurn() external nonReentrant {
        uint96 amount = _burned;
        _burned = 0;
        emit Burned(amount);
        _send(BURN_ADDRESS, amount);
    }

    /// @inheritdoc IBlockEdge
    function accountOf(address account) external view returns (Account memory) {
        return _accounts[account];
    }

    /// @inheritdoc IBlockEdge
    function burned() external view returns (uint96) {
        return _burned;
    }

    function _send(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to);
    }
}
