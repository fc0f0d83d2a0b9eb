// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJudge} from "./interfaces/IJudge.sol";
import {Request, Result, VERDICT_RIGHT, VERDICT_UNKNOWN, VERDICT_WRONG} from "./Types.sol";

/// @title The judge of kind 1, proof-of-work search (docs/protocol.md §6.1).
/// @notice The task: data = abi.encode(bytes32 challenge, uint256 target, uint64 rangeSize); shard i searches
/// the nonces [i * rangeSize, (i + 1) * rangeSize) for the smallest whose sha256(challenge, nonce as 8 bytes
/// big-endian) is below the target. The output is that nonce, or empty if there is none.
contract PowJudge is IJudge {
    struct Search {
        bytes32 challenge;
        uint256 target;
        uint256 first; // nonce of the range
        uint256 end; // first nonce behind it
    }

    /// @inheritdoc IJudge
    function verdict(
        Request calldata request,
        uint16 shard,
        bytes calldata data,
        Result calldata result,
        bytes calldata output,
        bytes calldata evidence
    ) external pure returns (uint8) {
        (bool valid, Search memory search) = _decode(request.shards, shard, data);
        if (!valid) return VERDICT_UNKNOWN; // workers refuse such a task; no judge punishes one who did not

        if (result.exit != 0 || result.fuelUsed != 0 || result.memoryHash != 0) return VERDICT_WRONG;
        bool found = output.length != 0;
        if (found && !_solves(search, output)) return VERDICT_WRONG;
        // A claim "none" is refuted by any solution, a nonce by a smaller one.
        uint256 claimed = found ? uint64(bytes8(output)) : search.end;
        if (_solves(search, evidence) && uint64(bytes8(evidence)) < claimed) return VERDICT_WRONG;
        // Nothing lies below the first nonce, or in an empty range.
        return claimed == search.first ? VERDICT_RIGHT : VERDICT_UNKNOWN;
    }

    function _decode(
        uint256 shards,
        uint256 shard,
        bytes calldata data
    ) private pure returns (bool, Search memory search) {
        if (data.length != 96) return (false, search);
        uint256 rangeSize;
        (search.challenge, search.target, rangeSize) = abi.decode(data, (bytes32, uint256, uint256));
        if (rangeSize > type(uint64).max || shards * rangeSize > 1 << 64) return (false, search);
        search.first = shard * rangeSize;
        search.end = search.first + rangeSize;
        return (true, search);
    }

    /// @notice Whether these are the 8 bytes of a nonce of the range that meets the target.
    function _solves(Search memory search, bytes calldata encoded) private pure returns (bool) {
        if (encoded.length != 8) return false;
        uint256 nonce = uint64(bytes8(encoded));
        if (nonce < search.first || nonce >= search.end) return false;
        return uint256(sha256(abi.encodePacked(search.challenge, encoded))) < search.target;
    }
}
