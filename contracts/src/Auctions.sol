// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashing} from "./Hashing.sol";
import {IAuctions} from "./interfaces/IBlockEdge.sol";
import {Requests} from "./Requests.sol";
import {Selection} from "./Selection.sol";
import {Single} from "./Single.sol";
import {State} from "./State.sol";
import {
    Announcement,
    Auction,
    AUCTION_SHARDS,
    AuctionState,
    Bid,
    MODE_ONCHAIN,
    Params,
    Phase,
    Request,
    Terms
} from "./Types.sol";
import {newSlot, UnitSlot} from "./UnitSlot.sol";

/// @title The auction that nobody can steer: announced in block b, bid for in (b, b + BID_BLOCKS], closed by anybody.
/// @dev docs/protocol.md §5. Only the best bid of each shard is kept, so a call costs the same whatever came before
/// it (invariant 15). Bidding counts blocks, not seconds: a proposer chooses a block's time, and the winner is
/// known to all as soon as the last block of bids stands. What a unit is worth is locked before it exists, so
/// closing cannot fail for want of money.
///
/// BlockEdge runs this contract's code on its own storage (README.md, Sizes and gas).
contract Auctions is Single, Requests, IAuctions {
    constructor(Params memory p) State(p) {}

    /// @inheritdoc IAuctions
    function announce(Request calldata request, bytes32[] calldata drawCommits) external nonReentrant {
        if (msg.sender != request.requester) revert BadSignature(request.requester);
        _checkRequest(request, MODE_ONCHAIN);
        if (request.shards == 0) revert BadTerms("shards");
        _vwin(request.fuel); // what reverts here would keep the auction from being closed
        _checkDrawCommits(request, drawCommits);
        if (block.timestamp > request.expiry) revert TooLate(request.expiry);
        bytes32 task = _taskOf(request);
        if (_announcements[task].closesAt != 0) {
            revert BadPhase(uint8(AuctionState.None), uint8(AuctionState.Open));
        }
        uint256 escrow = request.shards * _offerOf(request);
        uint256 free = _accounts[msg.sender].free;
        if (free < escrow) revert Insolvent(escrow, free);

        _lock(msg.sender, escrow);
        uint256 closesAt = block.number + BID_BLOCKS;
        _announcements[task] = Announcement(uint40(closesAt), _digest(drawCommits));
        emit Announced(task, msg.sender, request, closesAt, drawCommits);
    }

    /// @inheritdoc IAuctions
    function postBid(Request calldata request, Bid calldata bid) external nonReentrant {
        if (msg.sender != bid.worker) revert BadSignature(bid.worker);
        bytes32 task = _taskOf(request);
        uint256 closesAt = _requireOpen(task).closesAt;
        if (block.number <= closesAt - BID_BLOCKS) revert TooEarly(closesAt - BID_BLOCKS);
        if (block.number > closesAt) revert TooLate(closesAt);
        if (block.timestamp > request.expiry) revert TooLate(request.expiry);
        if (bid.shard >= request.shards) revert BadTerms("shard");
        // A bid that ran out before its auction could be closed would void it, at the price of some gas.
        if (bid.expiry < request.expiry) revert Ineligible("expiry");
        uint256 rep = _score(msg.sender);
        Selection.requireEligible(request, task, bid.shard, bid, rep, SEAT);
        uint256 score = Selection.score(request, bid, rep);

        bytes32 unit = Hashing.unit(task, bid.shard);
        Auction storage best = _auctions[unit];
        address outbid = best.worker;
        if (outbid != address(0)) {
            if (!Selection.outranks(bid, score, best)) revert Unranked(0);
            uint96 deposit = best.deposit;
            _release(outbid, deposit, deposit);
            emit Outbid(unit, outbid, deposit);
        }
        uint256 free = _accounts[msg.sender].free;
        if (free < bid.deposit) revert Insolvent(bid.deposit, free);
        _lock(msg.sender, bid.deposit);
        _auctions[unit] = Auction(msg.sender, bid.price, bid.deposit, bid.delay, uint32(score), false);
        emit BidPosted(unit, msg.sender, bid.price, bid.deposit, bid.delay, uint32(rep), score);
    }

    /// @inheritdoc IAuctions
    function closeAuction(
        Request calldata request,
        uint16 shard,
        bytes32[] calldata drawCommits
    ) external nonReentrant {
        bytes32 task = _taskOf(request);
        Announcement memory announced = _requireOpen(task);
        if (block.number <= announced.closesAt) revert TooEarly(announced.closesAt);
        if (_digest(drawCommits) != announced.drawCommits) revert BadOpening("drawCommits");
        if (shard >= request.shards) revert BadTerms("shard");
        bytes32 unit = Hashing.unit(task, shard);
        Auction memory best = _auctions[unit];
        if (best.closed || UnitSlot.unwrap(_units[unit]) != 0) {
            revert BadPhase(uint8(AuctionState.Open), uint8(AuctionState.Closed));
        }

        delete _auctions[unit];
        if (best.worker == address(0) || block.timestamp > request.expiry) {
            _lapse(request, unit, best);
        } else {
            emit Requested(task, request);
            _assign(request, task, shard, best, drawCommits.length == 0 ? bytes32(0) : drawCommits[shard]);
        }
    }

    /// @notice The unit, as `award` writes it of an Award whose worker has acknowledged.
    function _assign(
        Request calldata request,
        bytes32 task,
        uint16 shard,
        Auction memory best,
        bytes32 drawCommit
    ) private {
        uint256 excess = _offerOf(request) - _lockOf(best.price, request.checkFee);
        if (excess != 0) _release(request.requester, excess, excess);
        Terms memory terms = Terms({
            task: task,
            shard: shard,
            kind: request.kind,
            mode: request.mode,
            spotBps: request.spotBps,
            requester: request.requester,
            worker: best.worker,
            price: best.price,
            deposit: best.deposit,
            checkFee: request.checkFee,
            delay: best.delay,
            vwin: _vwin(request.fuel),
            drawCommit: drawCommit
        });
        bytes32 unit = Hashing.unit(task, shard);
        uint40 startAt = uint40(block.timestamp);
        uint208 digest = Hashing.digest(Hashing.hashMemory(terms), bytes32(uint256(startAt)));
        _units[unit] = newSlot(Phase.Assigned, digest);
        emit Awarded(unit, request.requester, best.worker, terms, startAt);
    }

    /// @notice Nobody gets the unit, now or later: the offer and the bid are off.
    function _lapse(Request calldata request, bytes32 unit, Auction memory best) private {
        _auctions[unit].closed = true;
        uint256 offer = _offerOf(request);
        _release(request.requester, offer, offer);
        if (best.worker != address(0)) _release(best.worker, best.deposit, best.deposit);
        emit Lapsed(unit, best.worker, best.deposit);
    }

    // ── shared ──────────────────────────────────────────────────────────────────────────────────────────

    function _requireOpen(bytes32 task) private view returns (Announcement memory announced) {
        announced = _announcements[task];
        if (announced.closesAt == 0) revert BadPhase(uint8(AuctionState.Open), uint8(AuctionState.None));
    }

    /// @notice What the requester locks for a shard until its price is known.
    function _offerOf(Request calldata request) private view returns (uint256) {
        return _lockOf(request.maxPrice, request.checkFee);
    }

    function _checkDrawCommits(Request calldata request, bytes32[] calldata drawCommits) private pure {
        uint256 needed = request.spotBps == 0 ? 0 : request.shards;
        if (needed > AUCTION_SHARDS) revert BadTerms("shards");
        if (drawCommits.length != needed) revert BadLength(needed, drawCommits.length);
        for (uint256 i = 0; i < needed; ++i) {
            if (drawCommits[i] == 0) revert BadTerms("drawCommit");
        }
    }

    function _digest(bytes32[] calldata drawCommits) private pure returns (uint216) {
        return uint216(uint256(keccak256(abi.encodePacked(drawCommits))));
    }
}
