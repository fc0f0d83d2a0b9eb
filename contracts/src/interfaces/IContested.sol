// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Unit} from "../Types.sol";

/// @title The one call between BlockEdge's code and that of Disputes, which users never make.
interface IContested {
    /// @notice What `settle` does with a REVEALED unit that has a docket. BlockEdge runs it on its storage, and
    /// has checked the digest and opened the secret.
    /// @param flags The unit's, with those that the secret adds.
    /// @return reason Why the unit is skipped; 0 if it is not.
    function settleContested(Unit calldata unit, uint256 flags) external returns (bytes4 reason);
}
