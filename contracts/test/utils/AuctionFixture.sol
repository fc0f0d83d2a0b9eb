// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Auction, Bid, Request} from "../../src/Types.sol";
import {Digests} from "./Digests.sol";
import {Actor, Fixture, Job} from "./Fixture.sol";

/// @title Builders for auctions: `_announce(r); _nextBlock(); _post(r, bid); _nextBlock(); Job memory job = _close(r, bid);`
/// @notice The job then goes on like any other that is ASSIGNED.
abstract contract AuctionFixture is Fixture {
    bytes32[] internal drawCommits; // of the Request at hand; none if nothing is spot-checked

    function _auctioned(uint8 kind) internal returns (Request memory r) {
        r = _request(kind);
        r.shards = 2;
        r.mode = 1;
    }

    function _nextBlock() internal {
        vm.roll(block.number + 1);
        _after(1);
    }

    function _announce(Request memory r) internal {
        vm.prank(r.requester);
        edge.announce(r, drawCommits);
    }

    /// @notice Announced, and in the first block of bids.
    function _opened(uint8 kind) internal returns (Request memory r) {
        r = _auctioned(kind);
        _announce(r);
        _nextBlock();
    }

    /// @notice A bid of this score order: the higher the rank, the lower the price.
    function _offer(Request memory r, Actor memory bidder, uint96 rank) internal view returns (Bid memory b) {
        b = _bid(r, 0, bidder);
        b.price -= rank * 0.0001 ether;
    }

    function _post(Request memory r, Bid memory b) internal {
        vm.prank(b.worker);
        edge.postBid(r, b);
    }

    /// @notice As a stranger; the shard of this bid, which has won.
    function _close(Request memory r, Bid memory b) internal returns (Job memory job) {
        vm.prank(stranger.addr);
        edge.closeAuction(r, b.shard, drawCommits);
        job = _wonBy(r, b);
    }

    /// @notice The unit that closing this auction now makes of this bid.
    function _wonBy(Request memory r, Bid memory b) internal view returns (Job memory job) {
        job = _jobOf(r, b.shard, _who(b.worker));
        job.item.bids[0] = b;
        if (drawCommits.length != 0) job.item.award.drawCommit = drawCommits[b.shard];
        _sign(job);
        job.startAt = uint40(block.timestamp);
        job.data = [bytes32(uint256(job.startAt)), 0, 0, 0];
    }

    function _best(Request memory r, uint16 shard) internal view returns (Auction memory best) {
        (, best) = edge.auctionOf(_task(r), shard);
    }

    function _task(Request memory r) internal view returns (bytes32) {
        return Digests.task(address(edge), r);
    }

    /// @notice What the requester locks for a shard until its price is known.
    function _offerOf(Request memory r) internal view returns (uint256) {
        return uint256(r.maxPrice) + uint256(r.maxPrice) * p.feeBps / 10_000 + r.checkFee;
    }
}
