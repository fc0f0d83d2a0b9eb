// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";

/// @title Forces ether on a contract that does not accept any, as a self-destruct can.
library Gift {
    error NotForced();

    function force(address to, uint256 amount) internal {
        address gift = address(uint160(uint256(keccak256("gift"))));
        vm.deal(gift, amount);
        vm.etch(gift, abi.encodePacked(hex"73", to, hex"ff")); // PUSH20 to, SELFDESTRUCT
        uint256 before = to.balance;
        (bool done,) = gift.call("");
        if (!done || to.balance != before + amount) revert NotForced();
    }
}
