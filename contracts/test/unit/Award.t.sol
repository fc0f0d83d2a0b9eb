// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Bid, Phase, Request, Sig, UnitState} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Fixture, Job} from "../utils/Fixture.sol";

/// @title Registration: who may, what signed fields must obey (reverts), what state decides (skips).
contract AwardTest is Fixture {
    function _reverts(Job memory job, Actor memory sender, bytes memory reason) private {
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.expectRevert(reason);
        vm.prank(sender.addr);
        edge.award(requests, items);
    }

    function _badTerms(Job memory job, bytes32 field) private {
        _sign(job);
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadTerms.selector, field));
    }

    function _badMode(Job memory job, uint8 mode) private {
        job.request.mode = mode;
        _sign(job);
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadMode.selector, mode));
    }

    function _ineligible(Job memory job, bytes32 rule) private {
        _sign(job);
        _reverts(job, worker, abi.encodeWithSelector(Errors.Ineligible.selector, rule));
    }

    function _badSignature(Job memory job, Actor memory sender, Actor memory signer) private {
        _reverts(job, sender, abi.encodeWithSelector(Errors.BadSignature.selector, signer.addr));
    }

    function _skips(Job memory job, bytes4 reason) private {
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        UnitState memory before = _state(job);
        _expectSkip(job, reason);
        vm.prank(worker.addr);
        edge.award(requests, items);
        assertTrue(_state(job).digest == before.digest, "unchanged");
    }

    // ── what it does ────────────────────────────────────────────────────────────────────────────────────

    function test_award_locksPriceFeeAndDeposit() public {
        Job memory job = _wasmJob();
        _assign(job);
        uint256 escrow = uint256(job.terms.price) + _fee(job);
        assertEq(_locked(requester), escrow, "requester's lock");
        assertEq(_free(requester), FUNDS - escrow, "requester's rest");
        assertEq(_locked(worker), job.terms.deposit, "deposit");
        assertEq(_free(worker), FUNDS - job.terms.deposit, "worker's rest");
        _assertSolvent();
    }

    function test_award_recordsTermsAndStart() public {
        Job memory job = _wasmJob();
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.expectEmit(address(edge));
        emit Events.Requested(job.terms.task, job.request);
        vm.expectEmit(address(edge));
        emit Events.Awarded(job.unit, requester.addr, worker.addr, job.terms, job.item.award.notBefore);
        vm.prank(worker.addr);
        edge.award(requests, items);
        _markAssigned(job, worker);

        UnitState memory state = _state(job);
        _assertPhase(job, Phase.Assigned);
        assertEq(state.since, block.timestamp, "since");
        assertEq(state.digest, Digests.slot(job.terms, job.data), "digest");
        assertTrue(!state.docket, "no docket");
    }

    function test_award_vwinFollowsTheFuel() public {
        Job memory job = _wasmJob();
        job.request.fuel = 1e9 + 1; // 3.000000003 s at 1e9 a second
        _sign(job);
        assertEq(job.terms.vwin, p.vwinBase + 4, "rounded up");
        _assign(job);
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "recorded");
    }

    // ── who registers ───────────────────────────────────────────────────────────────────────────────────

    function test_award_byTheRequesterWithoutAck() public {
        Job memory job = _wasmJob();
        job.item.awardSig = Sig(0, 0);
        _signBid(job, 0);
        _award(job, requester);
        assertEq(job.startAt, 0, "unacknowledged");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "recorded");
    }

    function test_award_byTheRequesterWithAck() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp) + 7);
        _award(job, requester);
        assertEq(job.startAt, block.timestamp + 7, "acknowledged");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "recorded");
    }

    function test_award_byAnybodyWithAck() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp) + 7);
        _award(job, stranger);
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "recorded");
    }

    function test_award_byAStrangerWithoutAckReverts() public {
        Job memory job = _wasmJob();
        _signBid(job, 0); // the bid is public: it is no consent to this registrant
        _reverts(job, stranger, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("ack")));
    }

    function test_award_byTheRequesterNeedsTheBidSigned() public {
        _badSignature(_wasmJob(), requester, worker);
    }

    function test_award_needsTheRequestersSignature() public {
        Job memory job = _wasmJob();
        job.item.awardSig = Sig(0, 0);
        _badSignature(job, worker, requester);
        job.item.awardSig = _signed(stranger, Digests.award(address(edge), job.item.award));
        _badSignature(job, worker, requester);
    }

    function test_award_signatureIsLowS() public {
        Job memory job = _wasmJob();
        Sig memory sig = job.item.awardSig;
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        uint256 s = uint256(sig.vs) & (type(uint256).max >> 1);
        uint256 flipped = 1 - (uint256(sig.vs) >> 255);
        // The other root of the same signature. As it exceeds 2^255 for many s, its top bit reads as parity.
        job.item.awardSig.vs = bytes32(order - s | flipped << 255);
        _badSignature(job, worker, requester);
    }

    function test_award_signatureIsOfThisChainAndContract() public {
        Job memory job = _wasmJob();
        vm.chainId(block.chainid + 1);
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("task")));
        vm.prank(worker.addr);
        edge.award(requests, items);
    }

    function test_award_ackIsOfThisAward() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        job.item.award.registerBy += 1;
        _sign(job);
        _reverts(job, stranger, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("ack")));
    }

    function test_award_ackIsTheWorkers() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        job.item.ackSig = _signed(stranger, Digests.ack(address(edge), job.item.ack));
        _badSignature(job, stranger, worker);
        _badSignature(job, requester, worker);
    }

    function test_award_startAtLiesInTheWindow() public {
        Job memory job = _wasmJob();
        bytes memory reason = abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("startAt"));
        _acknowledge(job, job.item.award.notBefore - 1);
        _reverts(job, stranger, reason);
        _acknowledge(job, job.item.award.registerBy + 1);
        _reverts(job, stranger, reason);
        _acknowledge(job, job.item.award.registerBy);
        _award(job, stranger);
        _assertPhase(job, Phase.Assigned);
    }

    // ── signed fields: reverts ──────────────────────────────────────────────────────────────────────────

    function test_award_kindsOneAndTwoOnly() public {
        Job memory job = _wasmJob();
        job.request.kind = 0;
        _badTerms(job, "kind");
        job.request.kind = 3;
        _badTerms(job, "kind");
    }

    function test_award_modeBits() public {
        Job memory job = _wasmJob();
        _badMode(job, 1); // ONCHAIN has its own entry
        _badMode(job, 3);
        _badMode(job, 4);
        _badMode(_powJob(), 2); // kind 1 always shows its output
        job.request.mode = 2;
        _sign(job);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    function test_award_laterStagesFieldsAreZero() public {
        Job memory job = _wasmJob();
        job.request.spotBps = 1000;
        _badTerms(job, "spotBps");
        job = _wasmJob();
        job.request.checkFee = 1;
        _badTerms(job, "checkFee");
        job = _wasmJob();
        job.request.acl = keccak256("list");
        _badTerms(job, "acl");
        job = _wasmJob();
        job.item.award.drawCommit = keccak256("secret");
        _badTerms(job, "drawCommit");
    }

    function test_award_requestLimits() public {
        Job memory job = _wasmJob();
        job.request.maxPrice = 0;
        _badTerms(job, "maxPrice");
        job = _wasmJob();
        job.request.maxDelay = 0;
        _badTerms(job, "maxDelay");
        job.request.maxDelay = 604_801;
        _badTerms(job, "maxDelay");
        job = _wasmJob();
        job.request.wRep += 1;
        _badTerms(job, "weights");
    }

    function test_award_fuelCap() public {
        Job memory job = _wasmJob();
        uint64 cap = (p.vwinMax - p.vwinBase) * p.refFuel / 3; // 1.86e10 in dev
        job.request.fuel = cap + 1;
        _badTerms(job, "fuel");
        job.request.fuel = cap;
        _sign(job);
        _assign(job);
        assertEq(job.terms.vwin, p.vwinMax, "the longest window");
    }

    function test_award_namesItsTaskShardAndBid() public {
        Job memory job = _wasmJob();
        job.item.award.task = keccak256("another");
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("task")));
        job = _wasmJob();
        job.item.award.shard = job.request.shards;
        _badTerms(job, "shard");
        job = _wasmJob();
        job.item.bids[0].price += 1; // not what the requester awarded
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("bid")));
    }

    function test_award_registerByIsBounded() public {
        Job memory job = _wasmJob();
        job.item.award.registerBy = job.item.award.notBefore;
        _badTerms(job, "registerBy");
        job.item.award.registerBy = job.item.award.notBefore + p.maxAward + 1;
        _badTerms(job, "registerBy");
        job.item.award.registerBy = job.item.award.notBefore + p.maxAward;
        job.request.expiry = job.item.award.registerBy - 1;
        _badTerms(job, "registerBy");
        job.request.expiry = job.item.award.registerBy;
        job.item.bids[0].expiry = job.item.award.registerBy - 1;
        _badTerms(job, "registerBy");
        job.item.bids[0].expiry = job.item.award.registerBy;
        _sign(job);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    function test_award_arraysMatch() public {
        Job memory job = _wasmJob();
        job.item.bidSigs = new Sig[](0);
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadLength.selector, 1, 0));
        job.item.bids = new Bid[](0);
        _reverts(job, worker, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("bids")));
    }

    function test_award_winnerIsEligible() public {
        Job memory job = _wasmJob();
        job.item.bids[0].worker = requester.addr;
        _ineligible(job, "worker");
        job = _wasmJob();
        job.item.bids[0].price = 0;
        _ineligible(job, "price");
        job.item.bids[0].price = job.request.maxPrice + 1;
        _ineligible(job, "price");
        job = _wasmJob();
        job.item.bids[0].delay = 0;
        _ineligible(job, "delay");
        job.item.bids[0].delay = job.request.maxDelay + 1;
        _ineligible(job, "delay");
        job = _wasmJob();
        job.item.bids[0].rep = 1_000_001;
        _ineligible(job, "rep");
        job.request.repMin = 140_001;
        job.item.bids[0].rep = 140_000;
        _ineligible(job, "rep");
        job.request.repMin = 0;
        job.request.repMax = 139_999;
        _ineligible(job, "rep");
    }

    function test_award_depositFloors() public {
        Job memory job = _wasmJob();
        job.item.bids[0].deposit = job.item.bids[0].price * 20 - 1;
        _ineligible(job, "deposit");
        job.request.minDeposit = job.item.bids[0].price * 20 + 1;
        job.item.bids[0].deposit = job.item.bids[0].price * 20;
        _ineligible(job, "deposit");
        job.request.minDeposit = job.item.bids[0].price * 20;
        _sign(job);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    function test_award_courtKindsCapTheDeposit() public {
        Job memory job = _wasmJob();
        job.item.bids[0].deposit = 10 * p.seat + 1;
        _ineligible(job, "deposit");
        job = _powJob(); // judged kinds need no ticket that could answer for it
        job.item.bids[0].deposit = 10 * p.seat + 1;
        _sign(job);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    // ── losers ──────────────────────────────────────────────────────────────────────────────────────────

    function _loser(Job memory job, uint96 price) private view returns (Bid memory bid) {
        bid = _bid(job.request, job.item.award.shard, rival);
        bid.price = price;
    }

    function test_award_acceptsRankedLosers() public {
        Job memory job = _wasmJob();
        _addLoser(job, _loser(job, job.terms.price + 1e12));
        _assign(job);
        _assertPhase(job, Phase.Assigned);
        assertEq(_locked(rival), 0, "losers lock nothing");
    }

    function test_award_scoresDescend() public {
        Job memory job = _wasmJob();
        _addLoser(job, _loser(job, job.terms.price - 1e12));
        _reverts(job, worker, abi.encodeWithSelector(Errors.Unranked.selector, 1));
    }

    function test_award_tiesGoToTheLowerPrice() public {
        Job memory job = _wasmJob();
        // One wei of price changes no score (floor division).
        _addLoser(job, _loser(job, job.terms.price - 1));
        assertEq(
            edge.scoreOf(job.request, job.item.bids[1]),
            edge.scoreOf(job.request, job.item.bids[0]) + 0,
            "equal scores"
        );
        _reverts(job, worker, abi.encodeWithSelector(Errors.Unranked.selector, 1));
    }

    function test_award_fullTiesGoToTheHigherHash() public {
        Job memory job = _wasmJob();
        _addLoser(job, _loser(job, job.terms.price));
        bytes32 winners = keccak256(abi.encode(job.terms.task, job.terms.shard, worker.addr));
        bytes32 losers = keccak256(abi.encode(job.terms.task, job.terms.shard, rival.addr));
        if (winners > losers) {
            _assign(job);
            _assertPhase(job, Phase.Assigned);
        } else {
            _reverts(job, worker, abi.encodeWithSelector(Errors.Unranked.selector, 1));
        }
    }

    function test_award_losersAreEligibleLiveAndSigned() public {
        Job memory job = _wasmJob();
        Bid memory bid = _loser(job, job.terms.price + 1e12);
        bid.delay = job.request.maxDelay + 1;
        _addLoser(job, bid);
        _reverts(job, worker, abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("delay")));

        job = _wasmJob();
        bid = _loser(job, job.terms.price + 1e12);
        bid.expiry = job.item.award.notBefore - 1;
        _addLoser(job, bid);
        _reverts(job, worker, abi.encodeWithSelector(Errors.Ineligible.selector, bytes32("expiry")));

        job = _wasmJob();
        _addLoser(job, _loser(job, job.terms.price + 1e12));
        job.item.bidSigs[1] = Sig(0, 0);
        _badSignature(job, worker, rival);
    }

    // ── state: skips ────────────────────────────────────────────────────────────────────────────────────

    function test_award_onceOnly() public {
        Job memory job = _wasmJob();
        _assign(job);
        _skips(job, Errors.BadPhase.selector);
        assertEq(_locked(worker), job.terms.deposit, "locked once");
    }

    function test_award_neverAgainAfterTheEnd() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        _after(job.terms.vwin + p.challenge + 1);
        _settle(job);
        _skips(job, Errors.BadPhase.selector);
        _assertPhase(job, Phase.Paid);
    }

    function test_award_onceAShardWhoeverWins() public {
        Request memory request = _request(2);
        _assign(_jobOf(request, 3, worker));
        Job memory second = _jobOf(request, 3, rival);
        (Request[] memory requests, AwardItem[] memory items) = _registering(second);
        _expectSkip(second, Errors.BadPhase.selector);
        vm.prank(rival.addr);
        edge.award(requests, items);
    }

    function test_award_windowIsInclusive() public {
        Job memory job = _wasmJob();
        job.item.award.notBefore += 1;
        _sign(job);
        _skips(job, Errors.TooEarly.selector);
        _after(1);
        uint256 opens = vm.snapshotState();
        _assign(job);
        _assertPhase(job, Phase.Assigned);
        vm.revertToState(opens);

        vm.warp(job.item.award.registerBy + 1);
        _skips(job, Errors.TooLate.selector);
        vm.warp(job.item.award.registerBy);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    function test_award_requesterMustCoverPriceAndFee() public {
        Job memory job = _wasmJob();
        uint256 escrow = uint256(job.terms.price) + _fee(job);
        _leave(requester, escrow - 1);
        _skips(job, Errors.Insolvent.selector);
        _fund(requester, 1);
        _assign(job);
        assertEq(_free(requester), 0, "to the last wei");
    }

    function test_award_workerMustCoverTheDeposit() public {
        Job memory job = _wasmJob();
        _leave(worker, job.terms.deposit - 1);
        _skips(job, Errors.Insolvent.selector);
        assertEq(_locked(requester), 0, "nothing locked");
        _fund(worker, 1);
        _assign(job);
        assertEq(_free(worker), 0, "to the last wei");
    }

    function test_award_ignoresTheCurrentScore() public {
        Job memory job = _wasmJob();
        job.request.repMin = 500_000;
        job.item.bids[0].rep = 700_000; // a false one hurts only the requester that accepts it
        _sign(job);
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    /// @dev Withdraws all but `rest` of an actor's balance, at an unchanged clock.
    function _leave(Actor memory actor, uint256 rest) private {
        uint256 time = block.timestamp;
        uint96 amount = uint96(_free(actor) - rest);
        vm.prank(actor.addr);
        edge.exit(amount);
        vm.warp(time + p.unbond);
        vm.prank(actor.addr);
        edge.withdraw();
        vm.warp(time);
    }
}
