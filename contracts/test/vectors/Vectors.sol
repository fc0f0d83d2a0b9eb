// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Fixture} from "../utils/Fixture.sol";
import {VectorFile} from "./VectorFile.sol";

/// @title The vectors' tables, and a deployed BlockEdge to hold against them.
abstract contract Vectors is Fixture, VectorFile {
    /// @notice The domain of the vectors: chain 31337, BlockEdge at anvil's first deployment.
    address internal constant EDGE = 0x5FbDB2315678afecb367f032d93F642f64180aa3;

    /// @notice Puts code that was deployed elsewhere at the vectors' BlockEdge.
    function _moveToEdge(address deployed) internal {
        vm.chainId(31337);
        vm.etch(EDGE, deployed.code);
    }
}
