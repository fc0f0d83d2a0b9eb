// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Auction, Bid, Phase, Request} from "../../src/Types.sol";
import {AuctionFixture} from "../utils/AuctionFixture.sol";
import {Actor, Job} from "../utils/Fixture.sol";

/// @title Whatever is bid in whatever order, the best bid wins and only its deposit stays locked.
contract AuctionsFuzzTest is AuctionFixture {
    uint256 private constant BIDS = 8;

    /// @dev Few distinct prices and delays, so that scores and prices often tie.
    function _anyBid(Request memory r, uint256 seed) private view returns (Bid memory b) {
        Actor[4] memory bidders = [worker, rival, detector, stranger];
        b = _bid(r, 0, bidders[seed % 4]);
        b.price = uint96(1 + (seed >> 2) % 4) * r.maxPrice / 4;
        b.deposit = 20 * b.price + uint96((seed >> 8) % 1 ether);
        b.delay = uint32(1 + (seed >> 4) % 3) * 20;
        b.rep = uint32(seed >> 200); // a lie, or noise
    }

    /// @dev §5, without the contract: by the score of the true rep, then the price, then the hash.
    function _ranksAbove(Request memory r, Bid memory a, Bid memory b) private view returns (bool) {
        (uint256 ofA, uint256 ofB) = (_scoreOf(r, a), _scoreOf(r, b));
        if (ofA != ofB) return ofA > ofB;
        if (a.price != b.price) return a.price < b.price;
        return uint256(keccak256(abi.encode(a.task, a.shard, a.worker)))
            > uint256(keccak256(abi.encode(b.task, b.shard, b.worker)));
    }

    function _scoreOf(Request memory r, Bid memory b) private view returns (uint256) {
        uint32 said = b.rep;
        b.rep = 140_000;
        uint256 score = edge.scoreOf(r, b);
        b.rep = said;
        return score;
    }

    function testFuzz_auction_theBestBidWins(
        uint256[BIDS] memory seeds,
        uint96 maxPrice,
        uint16 weight
    ) public {
        _fund(stranger, FUNDS);
        Request memory r = _auctioned(1);
        r.shards = 1;
        r.maxPrice = uint96(4 + maxPrice % 12 ether);
        r.minDeposit = 0;
        r.wPrice = weight % 10_001;
        (r.wDelay, r.wRep) = (10_000 - r.wPrice, 0);
        _announce(r);
        _nextBlock();
        Bid memory best;
        for (uint256 i = 0; i < BIDS; ++i) {
            Bid memory b = _anyBid(r, seeds[i]);
            bool leads = best.worker == address(0) || _ranksAbove(r, b, best);
            vm.prank(b.worker);
            (bool done,) = address(edge).call(abi.encodeCall(edge.postBid, (r, b)));
            assertTrue(done == leads, "leads if and only if it ranks above");
            if (leads) best = b;
            _assertOnlyLocked(best);
        }
        Auction memory kept = _best(r, 0);
        assertEq(kept.worker, best.worker, "the best worker");
        _nextBlock();
        Job memory job = _close(r, best);
        _assertPhase(job, Phase.Assigned);
        assertEq(_locked(requester), uint256(job.terms.price) + _fee(job), "what the unit costs, not more");
        _assertOnlyLocked(best);

        _after(uint256(best.delay) + p.grace + 1);
        _timeout(job);
        assertEq(_locked(requester) + _locked(_who(best.worker)), 0, "and then nothing");
        _assertSolvent();
    }

    function _assertOnlyLocked(Bid memory best) private view {
        Actor[4] memory bidders = [worker, rival, detector, stranger];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 expected = bidders[i].addr == best.worker ? best.deposit : 0;
            assertEq(_locked(bidders[i]), expected, "the leader's deposit");
            assertEq(_of(bidders[i]), FUNDS, "nobody has paid anything");
        }
    }

    /// @dev Never closed in time: both parties are where they were, for any amounts and any second.
    function testFuzz_auction_lapsesWithoutCost(uint96 price, uint96 extra, uint32 late, bool bids) public {
        Request memory r = _auctioned(1);
        r.shards = 1;
        r.maxPrice = uint96(1 + price % 40 ether);
        r.minDeposit = 0;
        _announce(r);
        _nextBlock();
        if (bids) {
            Bid memory b = _bid(r, 0, worker);
            (b.price, b.deposit) = (r.maxPrice, 20 * r.maxPrice + extra % 100 ether);
            _post(r, b);
        }
        vm.warp(uint256(r.expiry) + 1 + late);
        _nextBlock();
        vm.prank(stranger.addr);
        edge.closeAuction(r, 0, drawCommits);
        assertEq(_free(requester), FUNDS, "requester");
        assertEq(_free(worker), FUNDS, "worker");
        _assertSolvent();
    }
}
