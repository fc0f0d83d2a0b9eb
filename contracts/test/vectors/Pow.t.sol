// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJudge} from "../../src/interfaces/IJudge.sol";
import {Request, Result} from "../../src/Types.sol";
import {Vectors} from "./Vectors.sol";

/// @title The shipped judge of kind 1 says what Python says (invariant 17).
contract PowVectorsTest is Vectors {
    function test_vectors_verdict() public {
        _open("pow");
        bytes[] memory shards = _rows("verdict", "shards shard");
        bytes[] memory results = _rows("verdict", "exit outputRoot fuelUsed memoryHash");
        bytes[] memory data = _blobs("verdict", "data");
        bytes[] memory outputs = _blobs("verdict", "output");
        bytes[] memory evidence = _blobs("verdict", "evidence");
        uint256[] memory verdicts = _column("verdict", "verdict");
        Request memory request;
        uint16 shard;
        for (uint256 i = 0; i < verdicts.length; ++i) {
            (request.shards, shard) = abi.decode(shards[i], (uint16, uint16));
            Result memory result = abi.decode(results[i], (Result));
            uint8 said = IJudge(powJudge).verdict(request, shard, data[i], result, outputs[i], evidence[i]);
            assertEq(said, verdicts[i], _at("verdict", i));
        }
    }
}
