// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IAuctions, IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Bid, Phase, Request} from "../../src/Types.sol";
import {HostileReceiver} from "../mocks/Hostile.sol";
import {AuctionFixture} from "../utils/AuctionFixture.sol";
import {Deployment} from "../utils/Deployment.sol";
import {Actor, Job} from "../utils/Fixture.sol";

/// @title Attacks on auctions, one a test (docs/protocol.md §5, §12).
contract AttacksAuctionTest is AuctionFixture {
    // ── the requester ───────────────────────────────────────────────────────────────────────────────────

    /// @dev "Ignored bids": the requester would rather give the work to its friend.
    function test_attack_theBestBidWinsWhateverTheRequesterWants() public {
        Request memory r = _opened(1);
        Bid memory friends = _offer(r, rival, 0);
        Bid memory best = _offer(r, worker, 1);
        _post(r, best);
        vm.expectRevert(abi.encodeWithSelector(Errors.Unranked.selector, 0));
        _post(r, friends);
        _nextBlock();

        // It cannot award the shard to the friend beside the auction, ...
        Job memory job = _jobOf(r, 0, rival);
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadMode.selector, 1));
        vm.prank(rival.addr);
        edge.award(requests, items);
        // ... nor begin again, ...
        vm.expectRevert();
        _announce(r);
        // ... nor keep the winner from closing.
        vm.prank(worker.addr);
        edge.closeAuction(r, 0, drawCommits);
        _assertPhase(_wonBy(r, best), Phase.Assigned);
    }

    /// @dev A friend that knows of the announcement before its block stands cannot bid within it.
    function test_attack_nobodyBidsInTheBlockOfTheAnnouncement() public {
        Request memory r = _auctioned(1);
        _announce(r);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, block.number));
        _post(r, _offer(r, rival, 0));
    }

    /// @dev What the unit may cost is locked before anybody bids for it, through a mature exit too.
    function test_attack_theRequesterCannotWithdrawWhatItHasOffered() public {
        vm.prank(requester.addr);
        edge.exit(FUNDS);
        _after(p.unbond);
        Request memory r = _opened(1);
        vm.prank(requester.addr);
        edge.withdraw();
        assertEq(_free(requester), 0, "took all it could");
        Bid memory b = _offer(r, worker, 0);
        _post(r, b);
        _nextBlock();
        Job memory job = _close(r, b);
        _answer(job, _powAnswer(0));
        _commit(job);
        _reveal(job);
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        assertEq(_free(worker), FUNDS + job.terms.price, "paid all the same");
    }

    /// @dev It closes only when it thinks the worker has gone: the worker could have closed before, and still has
    /// its whole delay and GRACE.
    function test_attack_lateClosingLeavesTheWorkerItsTime() public {
        Request memory r = _opened(1);
        Bid memory b = _offer(r, worker, 0);
        _post(r, b);
        _nextBlock();
        vm.warp(r.expiry);
        Job memory job = _close(r, b);
        _after(uint256(b.delay) + p.grace);
        _timeout(job);
        _assertPhase(job, Phase.Assigned);
        _answer(job, _powAnswer(0));
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    // ── bidders ─────────────────────────────────────────────────────────────────────────────────────────

    /// @dev The withdraw race: an exit that matures while the bid leads takes nothing of its deposit.
    function test_attack_theLeaderCannotWithdrawItsDeposit() public {
        vm.prank(worker.addr);
        edge.exit(FUNDS);
        _after(p.unbond);
        Request memory r = _opened(1);
        Bid memory b = _offer(r, worker, 0);
        _post(r, b);
        vm.prank(worker.addr);
        edge.withdraw();
        assertEq(worker.addr.balance, FUNDS - b.deposit, "all but the deposit");
        _nextBlock();
        Job memory job = _close(r, b);
        _after(uint256(b.delay) + p.grace + 1);
        _timeout(job);
        assertEq(_free(worker), b.deposit - b.deposit / 10, "and it pays for refusing");
        _assertSolvent();
    }

    /// @dev The best price, good for a second: the auction would be void before anybody could close it.
    function test_attack_noBidRunsOutBeforeItsAuction() public {
        Request memory r = _opened(1);
        Bid memory b = _offer(r, rival, 10);
        b.expiry = uint40(block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("expiry")));
        _post(r, b);
    }

    /// @dev Winning in order to refuse: as nobody can pass the winner over, its R has to tell, and falls each time
    /// until the next Request's repMin keeps it out.
    function test_attack_whoWinsToRefuseIsKeptOutByItsReputation() public {
        uint256 r0 = _r(rival);
        Request memory r = _opened(1);
        Bid memory b = _offer(r, rival, 10);
        _post(r, b);
        _nextBlock();
        Job memory job = _close(r, b);
        _after(uint256(b.delay) + p.grace + 1);
        _timeout(job);
        uint256 r1 = _r(rival);
        assertTrue(r1 < r0, "a refusal counts");
        r = _auctioned(1);
        r.repMin = uint32(r1 + 1);
        _announce(r);
        _nextBlock();
        vm.expectRevert(abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("rep")));
        _post(r, _offer(r, rival, 10));
        _post(r, _offer(r, worker, 0));
    }

    /// @dev One balance behind many bids covers as many as it can.
    function test_attack_oneBalanceCannotLeadTwice() public {
        Actor memory poor = _actor("poor");
        Request memory r = _opened(1);
        Bid memory b = _offer(r, poor, 0);
        _fund(poor, b.deposit);
        _post(r, b);
        b.shard = 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.Insolvent.selector, uint256(b.deposit), uint256(0)));
        _post(r, b);
    }

    /// @dev A leader whose contract refuses ether: being outbid only credits its balance.
    function test_attack_nobodyRefusesToBeOutbid() public {
        HostileReceiver hostile = new HostileReceiver(edge);
        hostile.fund{value: 1 ether}();
        hostile.set(HostileReceiver.Mood.Refuse, "");
        Request memory r = _opened(1);
        Actor memory its = Actor(address(hostile), 0);
        Bid memory b = _offer(r, its, 0);
        _post(r, b);
        _post(r, _offer(r, worker, 1));
        assertEq(edge.accountOf(address(hostile)).free, 1 ether, "credited");
        assertEq(edge.accountOf(address(hostile)).locked, 0, "and free");
    }

    // ── anybody ─────────────────────────────────────────────────────────────────────────────────────────

    /// @dev Invariant 8 and 9: with requester and worker gone, a stranger ends it in every state.
    function test_attack_abandonedAuctionsAreEndedByStrangers() public {
        Request memory r = _opened(1);
        Bid memory b = _offer(r, worker, 0);
        _post(r, b);
        _nextBlock();
        vm.warp(r.expiry + 1);
        vm.startPrank(stranger.addr);
        edge.closeAuction(r, 0, drawCommits);
        edge.closeAuction(r, 1, drawCommits);
        vm.stopPrank();
        assertEq(_locked(requester) + _locked(worker), 0, "nothing stays locked");
        assertEq(_free(requester), FUNDS, "the requester lost nothing");
        assertEq(_free(worker), FUNDS, "nor did the worker");
    }

    /// @dev Called directly the sibling has an empty storage: nobody has a balance there, and nothing is announced.
    function test_attack_theSiblingAloneDoesNothing() public {
        IAuctions alone = IAuctions(Deployment.rare(p, powJudge).auctions);
        Request memory r = _auctioned(1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Insolvent.selector, 2 * _offerOf(r), uint256(0)));
        vm.prank(requester.addr);
        alone.announce(r, drawCommits);
        Bid memory b = _offer(r, worker, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, 1, 0));
        vm.prank(worker.addr);
        alone.postBid(r, b);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, 1, 0));
        alone.closeAuction(r, 0, drawCommits);
    }

    /// @dev Invariant 15: no bid, and no closing, costs more because others have bid before.
    function test_invariant_15_gasDoesNotGrowWithBids() public {
        uint256[2] memory post;
        uint256[2] memory close;
        for (uint256 k = 0; k < 2; ++k) {
            Request memory r = _auctioned(1);
            r.maxDelay = 1000;
            _announce(r);
            _nextBlock();
            uint32 flood = k == 0 ? 2 : 80;
            for (uint32 i = 0; i < flood; ++i) {
                Bid memory b = _offer(r, i % 2 == 0 ? worker : rival, 0);
                b.delay = 900 - i;
                _post(r, b);
            }
            Bid memory last = _offer(r, detector, 1);
            post[k] = _gasOf(detector.addr, abi.encodeCall(edge.postBid, (r, last)));
            _nextBlock();
            close[k] = _gasOf(stranger.addr, abi.encodeCall(edge.closeAuction, (r, 0, drawCommits)));
        }
        assertLe(post[1], post[0] + 1000, "postBid");
        assertLe(close[1], close[0] + 1000, "closeAuction");
    }
}
