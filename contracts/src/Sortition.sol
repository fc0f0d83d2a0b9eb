// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which ticket a seed names: no block value, caller or time enters a draw.
/// @dev docs/protocol.md §6.2; the same bytes as blockedge_node/core/sortition.py (invariants 10 and 17).
library Sortition {
    // How many tickets are looked at for one seat before it stays empty.
    uint256 internal constant TRIES = 8;

    /// @notice The seed of a jury's round: of the first, the case's own.
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
