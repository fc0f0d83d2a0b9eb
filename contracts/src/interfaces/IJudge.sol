// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Request, Result} from "../Types.sol";

/// @title Tells right results of one judged kind from wrong ones.
/// @notice Registered at deployment, never chosen by a requester. BlockEdge asks it while a report is being
/// revealed, after checking that `data`, `result` and `output` are the ones on record.
interface IJudge {
    /// @notice Is this result of a shard wrong?
    /// @param request The task's Request.
    /// @param shard Which part of it.
    /// @param data The task's input blob; its root is `request.inputRoot`.
    /// @param result What the worker revealed.
    /// @param output The output whose root is in `result`.
    /// @param evidence The reporter's; may be empty where the result convicts itself.
    /// @return 0 unknown, 1 right, 2 wrong. A call that fails, or takes more than 300 000 gas, counts as 0.
    function verdict(
        Request calldata request,
        uint16 shard,
        bytes calldata data,
        Result calldata result,
        bytes calldata output,
        bytes calldata evidence
    ) external view returns (uint8);
}
