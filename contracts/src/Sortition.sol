// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Draws from the committed secrets of opposed parties; no block value enters one.
/// @dev docs/protocol.md §6.2; the same bytes as blockedge_node/core/sortition.py (invariants 10 and 17).
library Sortition {
    // How many tickets are looked at for one seat before it stays empty.
    uint256 internal constant TRIES = 8;

    /// @notice The seed of a spot check: the requester fixed `secret`, the worker's commitment hides a salt.
    function drawSeed(bytes32 secret, bytes32 commitment) internal pure returns (bytes32) {
        return keccak256(abi.encode(secret, commitment));
    }

    /// @notice Whether the unit behind `seed` is checked, at a rate of `spotBps` in 10 000.
    function drawn(bytes32 seed, uint256 spotBps) internal pure returns (bool) {
        return uint256(seed) % 10_000 < spotBps;
    }

    /// @notice The seed of round 0.
    /// @param secretR 0 if the requester did not show it.
    /// @param salts XOR of keccak256(salt) over all revealed reports.
    function jurySeed(bytes32 secretW, bytes32 secretR, bytes32 salts) internal pure returns (bytes32) {
        return keccak256(abi.encode(secretW, secretR, salts));
    }

    function roundSeed(bytes32 seed, uint256 round) internal pure returns (bytes32) {
        return round == 0 ? seed : keccak256(abi.encode(seed, round));
    }

    /// @notice The ticket that `seat` looks at in its `attempt`-th try, of the `tickets` > 0 old enough ones.
    function index(
        bytes32 seed,
        uint256 seat,
        uint256 attempt,
        uint256 tickets
    ) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, seat, attempt))) % tickets;
    }
}
