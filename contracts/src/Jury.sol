// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NO_INPUT, Phase} from "./Types.sol";

/// @title How a jury counts: places, seats, and the outcome of a round (docs/protocol.md §6.5).
/// @notice A conviction needs more than half of all seats, silent and empty ones included: with a bare
/// plurality, jurors knocked offline would convict the innocent.
/// @dev The same rules as blockedge_node/core/jury.py, on tests/vectors/jury.json (invariant 17).
library Jury {
    uint256 internal constant LAST_ROUND = 2;

    /// @notice Seats of a round: 5, 11, 23.
    function seats(uint256 round) internal pure returns (uint256) {
        return round == 0 ? 5 : round == 1 ? 11 : 23;
    }

    /// @notice Where a round's seats begin when those of all rounds stand in one row.
    function first(uint256 round) internal pure returns (uint256) {
        return round == 0 ? 0 : round == 1 ? 5 : 16;
    }

    /// @notice What a vote's slot keeps of a resultHash. Of its hash, not of itself: whoever names the final
    /// hash when a case closes must know all of its bits.
    function mark(bytes32 resultHash) internal pure returns (uint256) {
        return uint208(uint256(keccak256(abi.encode(resultHash))));
    }

    /// @notice The outcome of a round and the mark of the hash that counts as right.
    /// @param votes One mark a place, of all rounds: what was revealed there, 0 for nothing.
    /// @param accused The mark of the worker's resultHash.
    /// @return outcome SLASHED if one accusing hash has more than half of all seats. Else PAID if the
    /// worker's hash, or NO_INPUT, has more votes than every accusing hash, and a third of all seats. Else
    /// UNRESOLVED.
    /// @return right The hash of that majority; or the greater of the worker's and NO_INPUT, the worker's if
    /// equal; or the one with most votes, of equals that of the lowest seat, 0 if nobody voted.
    function outcomeOf(
        uint256[] memory votes,
        uint256 round,
        uint256 accused
    ) internal pure returns (Phase outcome, uint256 right) {
        uint256 most = 0; // votes of the plurality
        uint256 against = 0; // votes of the strongest accusing hash
        uint256 innocent = 0;
        uint256 unseen = 0;
        unchecked {
            uint256 noInput = mark(NO_INPUT);
            uint256 end = first(round) + seats(round);
            for (uint256 i = first(round); i < end; ++i) {
                uint256 vote = votes[i];
                if (vote == 0) continue;
                uint256 count = _countFrom(votes, i, end); // the first of equals counts them all
                if (count > most) (most, right) = (count, vote);
                if (vote == accused) innocent = _max(innocent, count);
                else if (vote == noInput) unseen = _max(unseen, count);
                else against = _max(against, count);
            }
            // More than half is the plurality too.
            if (2 * against > seats(round)) return (Phase.Slashed, right);
            uint256 acquitting = _max(innocent, unseen);
            if (acquitting > against && 3 * acquitting >= seats(round)) {
                return (Phase.Paid, innocent < unseen ? noInput : accused);
            }
        }
        return (Phase.Unresolved, right);
    }

    /// @notice How often the vote at `i` was cast from there on.
    function _countFrom(uint256[] memory votes, uint256 i, uint256 end) private pure returns (uint256 count) {
        uint256 vote = votes[i];
        unchecked {
            for (; i < end; ++i) {
                if (votes[i] == vote) ++count;
            }
        }
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? b : a;
    }
}
