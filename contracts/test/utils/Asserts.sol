// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The few assertions that these tests need. A failed one reverts, and forge prints why.
abstract contract Asserts {
    error NotEqual(string what, uint256 actual, uint256 expected);
    error NotEqualAddress(string what, address actual, address expected);
    error NotEqualWord(string what, bytes32 actual, bytes32 expected);
    error NotTrue(string what);
    error TooBig(string what, uint256 actual, uint256 limit);

    /// @notice Tells forge that this is a test contract.
    bool public constant IS_TEST = true;

    function assertEq(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(what, actual, expected);
    }

    function assertEq(address actual, address expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualAddress(what, actual, expected);
    }

    function assertEq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualWord(what, actual, expected);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertLe(uint256 actual, uint256 limit, string memory what) internal pure {
        if (actual > limit) revert TooBig(what, actual, limit);
    }
}
