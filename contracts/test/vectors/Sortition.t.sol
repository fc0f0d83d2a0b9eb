// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashing} from "../../src/Hashing.sol";
import {Sortition} from "../../src/Sortition.sol";
import {VectorFile} from "./VectorFile.sol";

/// @title Draws fall on the tickets that Python computes (invariant 17).
contract SortitionVectorsTest is VectorFile {
    function setUp() public {
        _open("sortition");
    }

    function test_vectors_index() public view {
        bytes[] memory rows = _rows("seat", "seed seat attempt nSnap ticket");
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 seed, uint256 seat, uint256 attempt, uint256 old, uint256 ticket) =
                abi.decode(rows[i], (bytes32, uint256, uint256, uint256, uint256));
            assertEq(Sortition.index(seed, seat, attempt, old), ticket, _at("seat", i));
        }
    }

    function test_vectors_roundSeeds() public view {
        bytes[] memory rows = _rows("jury", "seed0 seed1 seed2");
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes32[3] memory seeds = abi.decode(rows[i], (bytes32[3]));
            for (uint256 r = 0; r < 3; ++r) {
                assertEq(Sortition.roundSeed(seeds[0], r), seeds[r], _at("round", i));
            }
        }
    }

    /// @dev seedAcc as revealReport gathers it, seed0 as `defend` hashes it.
    function test_vectors_jurySeed() public view {
        bytes[] memory rows = _rows("jury", "guardSecretW guardSecretR seedAcc seed0");
        bytes[] memory salts = _blobs("jury", "salts");
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 secretW, bytes32 secretR, bytes32 gathered, bytes32 seed) =
                abi.decode(rows[i], (bytes32, bytes32, bytes32, bytes32));
            bytes16 mix;
            for (uint256 end = 0x20; end <= salts[i].length; end += 0x20) {
                mix ^= bytes16(keccak256(abi.encode(_wordTo(salts[i], end))));
            }
            assertEq(mix, gathered, _at("seedAcc", i));
            assertEq(keccak256(abi.encode(secretW, secretR, mix)), seed, _at("seed0", i));
        }
    }

    function _wordTo(bytes memory joined, uint256 end) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(joined, end))
        }
    }

    function test_vectors_drawSeed() public view {
        bytes[] memory rows = _rows("draw", "secret commitment seed");
        uint256[] memory rates = _column("draw", "spotBps");
        bool[] memory drawn = _flags("draw", "drawn");
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 secret, bytes32 commitment, bytes32 seed) =
                abi.decode(rows[i], (bytes32, bytes32, bytes32));
            assertEq(Hashing.drawSeed(secret, commitment), seed, _at("seed", i));
            assertTrue((uint256(seed) % 10_000 < rates[i]) == drawn[i], _at("drawn", i));
        }
    }
}
