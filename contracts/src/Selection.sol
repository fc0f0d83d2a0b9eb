// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBlockEdgeErrors} from "./interfaces/IBlockEdge.sol";
import {Auction, Bid, BPS, DEPOSIT_FACTOR, KIND_POW, PPM, Request} from "./Types.sol";

/// @title Which bids may win and which of them does (docs/protocol.md §5).
/// @dev Integer arithmetic with floor division, identical in blockedge_node/core/selection.py;
/// tests/vectors/selection.json binds the two (invariant 17).
library Selection {
    /// @notice Reverts unless the bid obeys the request. Its expiry is the caller's to check.
    /// @param seat Wei; caps a court kind's deposit at what a drawn checker's ticket can answer for.
    function requireEligible(
        Request calldata request,
        bytes32 task,
        uint16 shard,
        Bid calldata bid,
        uint256 seat
    ) internal pure {
        requireEligible(request, task, shard, bid, bid.rep, seat);
    }

    /// @notice The same for a bid whose worker has the reputation `rep`, whatever the bid says.
    function requireEligible(
        Request calldata request,
        bytes32 task,
        uint16 shard,
        Bid calldata bid,
        uint256 rep,
        uint256 seat
    ) internal pure {
        if (bid.task != task) revert IBlockEdgeErrors.Ineligible("task");
        if (bid.shard != shard) revert IBlockEdgeErrors.Ineligible("shard");
        if (bid.worker == request.requester) revert IBlockEdgeErrors.Ineligible("worker");
        if (bid.price == 0 || bid.price > request.maxPrice) revert IBlockEdgeErrors.Ineligible("price");
        if (bid.delay == 0 || bid.delay > request.maxDelay) revert IBlockEdgeErrors.Ineligible("delay");
        uint256 atStake = bid.price > request.checkFee ? bid.price : request.checkFee;
        if (bid.deposit < request.minDeposit || bid.deposit < DEPOSIT_FACTOR * atStake) {
            revert IBlockEdgeErrors.Ineligible("deposit");
        }
        if (request.kind != KIND_POW && bid.deposit > 10 * seat) {
            revert IBlockEdgeErrors.Ineligible("deposit");
        }
        if (rep < request.repMin || rep > request.repMax || rep > PPM) {
            revert IBlockEdgeErrors.Ineligible("rep");
        }
    }

    /// @notice Price, delay and reputation as one figure of at most 1e6; the highest wins. The bid is eligible.
    function score(Request calldata request, Bid calldata bid) internal pure returns (uint256) {
        return score(request, bid, bid.rep);
    }

    /// @notice The same for a bid whose worker has the reputation `rep`, whatever the bid says.
    function score(Request calldata request, Bid calldata bid, uint256 rep) internal pure returns (uint256) {
        uint256 ofPrice = PPM * (request.maxPrice - bid.price) / request.maxPrice;
        uint256 ofDelay = PPM * (request.maxDelay - bid.delay) / request.maxDelay;
        return (request.wPrice * ofPrice + request.wDelay * ofDelay + request.wRep * rep) / BPS;
    }

    /// @notice Whether `first` wins over `second`: higher score, then lower price, then higher hash.
    function ranks(
        Bid calldata first,
        uint256 firstScore,
        Bid calldata second,
        uint256 secondScore
    ) internal pure returns (bool) {
        if (firstScore != secondScore) return firstScore > secondScore;
        if (first.price != second.price) return first.price < second.price;
        return tieHash(first, first.worker) > tieHash(second, second.worker);
    }

    /// @notice Whether a bid wins over the best posted so far for its shard, which is `best`.
    function outranks(Bid calldata bid, uint256 bidScore, Auction storage best) internal view returns (bool) {
        if (bidScore != best.score) return bidScore > best.score;
        if (bid.price != best.price) return bid.price < best.price;
        return tieHash(bid, bid.worker) > tieHash(bid, best.worker);
    }

    /// @notice The last word between equal scores and prices, for this worker and the bid's shard.
    function tieHash(Bid calldata bid, address worker) internal pure returns (bytes32) {
        return keccak256(abi.encode(bid.task, bid.shard, worker));
    }
}
