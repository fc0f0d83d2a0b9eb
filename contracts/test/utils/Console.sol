// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Prints a line under `forge test -vv`.
library Console {
    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    function log(string memory line) internal view {
        (bool ignored,) = CONSOLE.staticcall(abi.encodeWithSignature("log(string)", line));
        ignored;
    }
}
