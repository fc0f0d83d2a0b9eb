// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Auction, AuctionState, Bid, Params, Phase, Request, UnitState} from "../../src/Types.sol";
import {AuctionFixture} from "../utils/AuctionFixture.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Job} from "../utils/Fixture.sol";

/// @title Auctions on the chain: who may announce, bid and close, when, and what moves (docs/protocol.md §5).
contract AuctionTest is AuctionFixture {
    bytes32[] private _none;

    function _announceReverts(Request memory r, bytes memory reason) private {
        vm.expectRevert(reason);
        _announce(r);
    }

    function _badTerms(Request memory r, bytes32 field) private {
        _announceReverts(r, abi.encodeWithSelector(Errors.BadTerms.selector, field));
    }

    function _postReverts(Request memory r, Bid memory b, bytes memory reason) private {
        vm.expectRevert(reason);
        _post(r, b);
    }

    function _ineligible(Request memory r, Bid memory b, bytes32 rule) private {
        _postReverts(r, b, abi.encodeWithSelector(Errors.Ineligible.selector, rule));
    }

    function _closeReverts(Request memory r, uint16 shard, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(stranger.addr);
        edge.closeAuction(r, shard, drawCommits);
    }

    function _badPhase(AuctionState expected, AuctionState actual) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Errors.BadPhase.selector, uint8(expected), uint8(actual));
    }

    function _unranked() private pure returns (bytes memory) {
        return abi.encodeWithSelector(Errors.Unranked.selector, 0);
    }

    // ── announce ────────────────────────────────────────────────────────────────────────────────────────

    function test_announce_locksTheHighestPriceOfEveryShard() public {
        Request memory r = _auctioned(2);
        _announce(r);
        assertEq(_locked(requester), 2 * _offerOf(r), "price, fee and check fee, twice");
        assertEq(_free(requester), FUNDS - 2 * _offerOf(r), "the rest");
        _assertSolvent();
    }

    function test_announce_tellsTheRequestAndTheLastBlockOfBids() public {
        Request memory r = _auctioned(2);
        vm.expectEmit(address(edge));
        emit Events.Announced(_task(r), requester.addr, r, block.number + p.bidBlocks, _none);
        _announce(r);
        (uint256 closesAt, Auction memory best) = edge.auctionOf(_task(r), 0);
        assertEq(closesAt, block.number + p.bidBlocks, "last block");
        assertEq(best.worker, address(0), "no bid");
        assertTrue(!best.closed, "open");
    }

    function test_announce_byTheRequesterOnly() public {
        Request memory r = _auctioned(2);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, requester.addr));
        vm.prank(worker.addr);
        edge.announce(r, _none);
    }

    function test_announce_onceATask() public {
        Request memory r = _opened(2);
        bytes memory reason = _badPhase(AuctionState.None, AuctionState.Open);
        _announceReverts(r, reason);
        _nextBlock();
        _closeEmpty(r, 0);
        _closeEmpty(r, 1);
        _announceReverts(r, reason); // nor when all its shards have lapsed
        r.nonce += 1000;
        _announce(r);
    }

    function _closeEmpty(Request memory r, uint16 shard) private {
        vm.prank(stranger.addr);
        edge.closeAuction(r, shard, drawCommits);
    }

    function test_announce_modeBits() public {
        Request memory r = _auctioned(2);
        for (uint8 mode = 0; mode < 8; ++mode) {
            r.mode = mode;
            if (mode == 1 || mode == 3) _announce(r); // ONCHAIN, and with NO_DEMAND
            else _announceReverts(r, abi.encodeWithSelector(Errors.BadMode.selector, mode));
        }
        r = _auctioned(1);
        r.mode = 3;
        _announceReverts(r, abi.encodeWithSelector(Errors.BadMode.selector, 3));
        r.mode = 1;
        _announce(r);
    }

    function test_announce_requestLimits() public {
        Request memory r = _auctioned(3);
        _badTerms(r, "kind");
        r = _auctioned(2);
        r.maxPrice = 0;
        _badTerms(r, "maxPrice");
        r = _auctioned(2);
        r.maxDelay = 604_801;
        _badTerms(r, "maxDelay");
        r = _auctioned(2);
        r.wRep += 1;
        _badTerms(r, "weights");
        r = _auctioned(2);
        r.acl = keccak256("list");
        _badTerms(r, "acl");
        r = _auctioned(2);
        r.shards = 0;
        _badTerms(r, "shards");
        r = _auctioned(2);
        r.spotBps = 1000;
        _badTerms(r, "spotBps"); // no court here
        // What would keep everybody from closing.
        r = _auctioned(2);
        r.fuel = uint64(uint256(p.vwinMax - p.vwinBase) * p.refFuel / 3);
        _announce(r);
        r.fuel += 1;
        _badTerms(r, "fuel");
    }

    function test_announce_untilTheRequestExpires() public {
        Request memory r = _auctioned(2);
        vm.warp(r.expiry);
        uint256 id = vm.snapshotState();
        _announce(r);
        vm.revertToState(id);
        vm.warp(r.expiry + 1);
        _announceReverts(r, abi.encodeWithSelector(Errors.TooLate.selector, r.expiry));
    }

    function test_announce_takesNoDrawCommitsWhereNothingIsDrawn() public {
        Request memory r = _auctioned(2);
        drawCommits.push(keccak256("secret"));
        _announceReverts(r, abi.encodeWithSelector(Errors.BadLength.selector, 0, 1));
    }

    function test_announce_mustBeCovered() public {
        Request memory r = _auctioned(2);
        r.maxPrice = 600 ether;
        _announceReverts(
            r, abi.encodeWithSelector(Errors.Insolvent.selector, 2 * _offerOf(r), uint256(FUNDS))
        );
        // Of all shards that a Request can have, without a loop.
        (r.maxPrice, r.shards) = (type(uint96).max, type(uint16).max);
        _announceReverts(
            r, abi.encodeWithSelector(Errors.Insolvent.selector, 65_535 * _offerOf(r), uint256(FUNDS))
        );
    }

    // ── postBid: what it does ───────────────────────────────────────────────────────────────────────────

    function test_postBid_theFirstLeads() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 1, worker);
        uint256 score = edge.scoreOf(r, b); // its rep is what the contract reads of a newcomer
        vm.expectEmit(address(edge));
        emit Events.BidPosted(
            Digests.unit(b.task, 1), worker.addr, b.price, b.deposit, b.delay, 140_000, score
        );
        _post(r, b);
        assertEq(_locked(worker), b.deposit, "the deposit is locked");
        Auction memory best = _best(r, 1);
        assertEq(best.worker, worker.addr, "leads");
        assertEq(best.price, b.price, "price");
        assertEq(best.deposit, b.deposit, "deposit");
        assertEq(best.delay, b.delay, "delay");
        assertEq(best.score, score, "score");
        assertEq(_best(r, 0).worker, address(0), "the other shard has no bid");
        _assertSolvent();
    }

    function test_postBid_aBetterOneFreesTheOther() public {
        Request memory r = _opened(2);
        Bid memory first = _offer(r, worker, 0);
        Bid memory second = _offer(r, rival, 1);
        _post(r, first);
        vm.expectEmit(address(edge));
        emit Events.Outbid(Digests.unit(first.task, 0), worker.addr, first.deposit);
        _post(r, second);
        assertEq(_free(worker), FUNDS, "the outbid one has all of its balance back");
        assertEq(_locked(worker), 0, "nothing locked");
        assertEq(_locked(rival), second.deposit, "only the leader's deposit");
        assertEq(_best(r, 0).worker, rival.addr, "leads");
    }

    function test_postBid_aWorseOneIsRefused() public {
        Request memory r = _opened(2);
        _post(r, _offer(r, worker, 1));
        _postReverts(r, _offer(r, rival, 0), _unranked());
        _postReverts(r, _offer(r, worker, 1), _unranked()); // the same again
        assertEq(_locked(rival), 0, "nothing locked");
        assertEq(_best(r, 0).worker, worker.addr, "leads still");
    }

    function test_postBid_tiesGoToTheLowerPriceThenTheHigherHash() public {
        Request memory r = _auctioned(2);
        (r.wPrice, r.wDelay, r.wRep) = (0, 5000, 5000);
        _announce(r);
        _nextBlock();
        Bid memory mine = _offer(r, worker, 1);
        _post(r, mine);
        _postReverts(r, _offer(r, rival, 0), _unranked()); // the same score, dearer
        _post(r, _offer(r, rival, 2));
        Bid memory equal = _offer(r, detector, 2);
        bytes32 ofRival = keccak256(abi.encode(mine.task, uint16(0), rival.addr));
        bool higher = keccak256(abi.encode(mine.task, uint16(0), detector.addr)) > ofRival;
        if (higher) _post(r, equal);
        else _postReverts(r, equal, _unranked());
        assertEq(_best(r, 0).worker, higher ? detector.addr : rival.addr, "the higher hash");
    }

    function test_postBid_oneMayOutbidOneself() public {
        Actor memory poor = _actor("poor");
        Request memory r = _opened(2);
        Bid memory b = _offer(r, poor, 0);
        _fund(poor, b.deposit);
        _post(r, b);
        b.delay -= 1;
        _post(r, b); // the first deposit is free again before the second is locked
        assertEq(edge.accountOf(poor.addr).locked, b.deposit, "one deposit");
        b.delay -= 1;
        b.deposit += 1;
        _postReverts(
            r,
            b,
            abi.encodeWithSelector(Errors.Insolvent.selector, uint256(b.deposit), uint256(b.deposit) - 1)
        );
    }

    function test_postBid_countsTheReputationOnTheChain() public {
        Request memory r = _opened(2);
        Bid memory boast = _offer(r, worker, 0);
        boast.rep = 1_000_000;
        _post(r, boast);
        assertEq(_best(r, 0).score, edge.scoreOf(r, _offer(r, worker, 0)), "a newcomer's, whatever it says");
        boast = _offer(r, rival, 0);
        (boast.rep, boast.price) = (1_000_000, boast.price + 1);
        _postReverts(r, boast, _unranked());

        r = _auctioned(2);
        r.repMin = 140_001;
        _announce(r);
        _nextBlock();
        boast = _offer(r, worker, 0);
        boast.rep = 200_000;
        _ineligible(r, boast, "rep");
        r.nonce += 1000;
        (r.repMin, r.repMax) = (0, 139_999);
        _announce(r);
        _nextBlock();
        _ineligible(r, _bid(r, 0, worker), "rep");
    }

    // ── postBid: what it asks for ───────────────────────────────────────────────────────────────────────

    function test_postBid_byItsWorkerOnly() public {
        Request memory r = _opened(2);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, worker.addr));
        vm.prank(rival.addr);
        edge.postBid(r, _bid(r, 0, worker));
    }

    function test_postBid_afterTheAnnouncementsBlockForSoManyBlocks() public {
        Params memory longer = p;
        longer.bidBlocks = 3;
        edge = _deploy(longer, powJudge);
        _fund(requester, FUNDS);
        _fund(worker, FUNDS);
        Request memory r = _auctioned(2);
        _announce(r);
        uint256 b = block.number;
        Bid memory bid = _bid(r, 0, worker);
        _postReverts(r, bid, abi.encodeWithSelector(Errors.TooEarly.selector, b));
        for (uint256 i = 1; i <= 3; ++i) {
            vm.roll(b + i);
            bid.delay -= 1;
            _post(r, bid);
        }
        vm.roll(b + 4);
        bid.delay -= 1;
        _postReverts(r, bid, abi.encodeWithSelector(Errors.TooLate.selector, b + 3));
    }

    function test_postBid_onWhatIsAnnouncedOnly() public {
        Request memory r = _opened(2);
        r.maxPrice += 1;
        Bid memory b = _bid(r, 0, worker);
        _postReverts(r, b, _badPhase(AuctionState.Open, AuctionState.None));
    }

    function test_postBid_untilTheRequestExpires() public {
        Request memory r = _opened(2);
        vm.warp(r.expiry);
        _post(r, _offer(r, worker, 0));
        vm.warp(r.expiry + 1);
        _postReverts(r, _offer(r, rival, 1), abi.encodeWithSelector(Errors.TooLate.selector, r.expiry));
    }

    function test_postBid_isGoodForAsLongAsTheRequest() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        b.expiry = r.expiry - 1;
        _ineligible(r, b, "expiry");
        b.expiry = r.expiry + 1;
        _post(r, b);
    }

    function test_postBid_isEligible() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        b.task = keccak256("another");
        _ineligible(r, b, "task");
        b = _bid(r, 2, worker);
        _postReverts(r, b, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("shard")));
        b = _bid(r, 0, requester);
        _ineligible(r, b, "worker");
        b = _bid(r, 0, worker);
        b.price = 0;
        _ineligible(r, b, "price");
        b.price = r.maxPrice + 1;
        _ineligible(r, b, "price");
        b = _bid(r, 0, worker);
        b.delay = 0;
        _ineligible(r, b, "delay");
        b.delay = r.maxDelay + 1;
        _ineligible(r, b, "delay");
        b = _bid(r, 0, worker);
        b.deposit = 20 * b.price - 1;
        _ineligible(r, b, "deposit");
        b.deposit = 10 * p.seat + 1;
        _ineligible(r, b, "deposit");
    }

    function test_postBid_mustBeCovered() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, stranger);
        _postReverts(r, b, abi.encodeWithSelector(Errors.Insolvent.selector, uint256(b.deposit), uint256(0)));
    }

    // ── closeAuction ────────────────────────────────────────────────────────────────────────────────────

    function test_closeAuction_writesTheUnitAsAnAwardWould() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 1, worker);
        _post(r, b);
        _nextBlock();
        Job memory job = _wonBy(r, b);
        vm.expectEmit(address(edge));
        emit Events.Requested(_task(r), r);
        vm.expectEmit(address(edge));
        emit Events.Awarded(job.unit, requester.addr, worker.addr, job.terms, uint40(block.timestamp));
        _close(r, b);

        UnitState memory state = _state(job);
        _assertPhase(job, Phase.Assigned);
        assertEq(state.since, block.timestamp, "since");
        assertEq(state.digest, Digests.slot(job.terms, job.data), "digest");
        assertTrue(!state.docket, "no docket");
        assertEq(_best(r, 1).worker, address(0), "no trace is left");
        assertEq(_best(r, 1).deposit, 0, "nor of what it promised");
    }

    function test_closeAuction_freesWhatTheRequesterNeedNotPay() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        _post(r, b);
        _nextBlock();
        Job memory job = _close(r, b);
        uint256 escrow = uint256(job.terms.price) + _fee(job);
        assertEq(_locked(requester), escrow + _offerOf(r), "this unit, and the shard that is not closed");
        assertEq(_locked(worker), job.terms.deposit, "the deposit stays");
        _assertSolvent();
    }

    function test_closeAuction_atTheHighestPriceFreesNothing() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        (b.price, b.deposit) = (r.maxPrice, 20 * r.maxPrice);
        _post(r, b);
        _nextBlock();
        _close(r, b);
        assertEq(_locked(requester), 2 * _offerOf(r), "all of it");
    }

    function test_closeAuction_afterTheLastBlockOfBids() public {
        Request memory r = _opened(2);
        _post(r, _bid(r, 0, worker));
        _closeReverts(r, 0, abi.encodeWithSelector(Errors.TooEarly.selector, block.number));
        _nextBlock();
        _close(r, _bid(r, 0, worker));
    }

    function test_closeAuction_onceAShard() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        _post(r, b);
        _nextBlock();
        _close(r, b);
        bytes memory reason = _badPhase(AuctionState.Open, AuctionState.Closed);
        _closeReverts(r, 0, reason);
        _closeEmpty(r, 1);
        _closeReverts(r, 1, reason);
        Job memory job = _wonBy(r, b);
        _after(b.delay + p.grace + 1);
        _timeout(job);
        _closeReverts(r, 0, reason); // nor when the unit has ended
        assertEq(_locked(requester) + _locked(worker), 0, "everything was returned once");
        _assertSolvent();
    }

    function test_closeAuction_ofWhatWasAnnouncedOnly() public {
        Request memory r = _opened(2);
        _nextBlock();
        _closeReverts(r, 2, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("shard")));
        r.nonce += 1;
        _closeReverts(r, 0, _badPhase(AuctionState.Open, AuctionState.None));
    }

    function test_closeAuction_withoutABidReturnsTheRequestersLock() public {
        Request memory r = _opened(2);
        _nextBlock();
        vm.expectEmit(address(edge));
        emit Events.Lapsed(Digests.unit(_task(r), 0), address(0), 0);
        _closeEmpty(r, 0);
        assertEq(_locked(requester), _offerOf(r), "the other shard's");
        assertTrue(_best(r, 0).closed, "closed");
        assertEq(uint256(_state(_wonBy(r, _bid(r, 0, worker))).phase), uint256(Phase.None), "no unit");
        _closeEmpty(r, 1);
        assertEq(_free(requester), FUNDS, "all of it");
    }

    function test_closeAuction_afterTheRequestExpiredFreesBoth() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        _post(r, b);
        _nextBlock();
        vm.warp(r.expiry);
        uint256 id = vm.snapshotState();
        _assertPhase(_close(r, b), Phase.Assigned);
        vm.revertToState(id);

        vm.warp(r.expiry + 1);
        vm.expectEmit(address(edge));
        emit Events.Lapsed(Digests.unit(b.task, 0), worker.addr, b.deposit);
        _closeEmpty(r, 0);
        assertEq(_free(worker), FUNDS, "the deposit");
        assertEq(_locked(requester), _offerOf(r), "the other shard's offer");
        assertEq(_best(r, 0).worker, address(0), "the bid is gone");
        _closeReverts(r, 0, _badPhase(AuctionState.Open, AuctionState.Closed));
        _assertSolvent();
    }

    function test_auctionOf_layout() public {
        Request memory r = _opened(2);
        Bid memory b = _bid(r, 0, worker);
        _post(r, b);
        bytes32 first = keccak256(abi.encode(Digests.unit(b.task, 0), uint256(12)));
        // price:96 | worker:160; score:32 | delay:32 | deposit:96, from the highest bits in use down (§3.2)
        uint256 word = uint256(vm.load(address(edge), first));
        assertEq(address(uint160(word)), worker.addr, "worker");
        assertEq(word >> 160, b.price, "price");
        word = uint256(vm.load(address(edge), bytes32(uint256(first) + 1)));
        assertEq(uint96(word), b.deposit, "deposit");
        assertEq(uint32(word >> 96), b.delay, "delay");
        assertEq(uint32(word >> 128), edge.scoreOf(r, b), "score");
        word = uint256(vm.load(address(edge), keccak256(abi.encode(b.task, uint256(11)))));
        assertEq(uint40(word), block.number, "the last block of bids");
        bytes32 commits = keccak256(abi.encodePacked(_none));
        assertEq(word >> 40, uint216(uint256(commits)), "the drawCommits' digest");
    }

    // ── the unit's life afterwards ──────────────────────────────────────────────────────────────────────

    function _won() private returns (Job memory job) {
        Request memory r = _auctioned(1);
        r.shards = 1;
        _announce(r);
        _nextBlock();
        Bid memory b = _bid(r, 0, worker);
        _post(r, b);
        _nextBlock();
        job = _close(r, b);
        _answer(job, _powAnswer(0));
    }

    function test_auctioned_isPaidLikeAnyOther() public {
        Job memory job = _won();
        _commit(job);
        _reveal(job);
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        assertEq(_free(worker), FUNDS + job.terms.price, "price and deposit");
        assertEq(_free(requester), FUNDS - job.terms.price - _fee(job), "price and fee");
        _assertSolvent();
    }

    /// @dev Invariant 19, whoever closes and however late.
    function test_auctioned_theWorkersTimeRunsFromClosing() public {
        Job memory job = _won();
        uint256 resultBy = block.timestamp + job.terms.delay + p.grace;
        vm.warp(resultBy);
        _expectSkip(job, Errors.TooEarly.selector);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_auctioned_refusingCostsWhatItCostsAfterAnAck() public {
        Job memory job = _won();
        uint256 before = _r(worker);
        _after(job.terms.delay + p.grace + 1);
        _timeout(job);
        uint256 fine = job.terms.deposit / 10;
        _assertPhase(job, Phase.Refused);
        assertEq(_free(worker), FUNDS - fine, "a tenth of the deposit");
        assertEq(_free(requester), FUNDS + fine / 2, "half of it to the requester");
        assertTrue(_r(worker) < before, "R falls");
        _assertSolvent();
    }
}
