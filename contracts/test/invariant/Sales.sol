// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {Request, Terms} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Books} from "./Books.sol";

/// A Request whose shards are for sale, as its announcement told it.
struct Sale {
    Request request;
    uint256 announcedIn; // a block
    uint256 closesAt; // the last block of bids
}

/// The leading bid of a shard, as the bids told it.
struct Lead {
    address worker; // 0: none
    uint96 price;
    uint96 deposit;
    uint32 delay;
    uint256 score;
    bool over; // a unit, or lapsed
    bool lapsed;
}

/// @title Auctions read from the log: docs/protocol.md §5, ONCHAIN, written down a second time.
abstract contract Sales is Books {
    bytes32[] private _tasks; // in the order of their announcements
    mapping(bytes32 task => Sale) private _sales;
    mapping(bytes32 unit => Lead) private _leads;
    uint256 public outbids;
    uint256 public lapses;

    function tasksForSale() external view returns (bytes32[] memory) {
        return _tasks;
    }

    function saleOf(bytes32 task) external view returns (Sale memory) {
        return _sales[task];
    }

    function leadOf(bytes32 unit) public view returns (Lead memory) {
        return _leads[unit];
    }

    /// @notice Whether this bid would take the lead: a higher score, then a lower price, then a higher hash.
    function leads(
        bytes32 task,
        uint16 shard,
        address worker,
        uint96 price,
        uint256 score
    ) public view returns (bool) {
        Lead storage lead = _leads[Digests.unit(task, shard)];
        if (lead.worker == address(0) || score != lead.score) {
            return lead.worker == address(0) || score > lead.score;
        }
        if (price != lead.price) return price < lead.price;
        return keccak256(abi.encode(task, shard, worker)) > keccak256(abi.encode(task, shard, lead.worker));
    }

    function offerOf(Request memory r) public view returns (uint256) {
        return uint256(r.maxPrice) + _feeOf(r.maxPrice) + r.checkFee;
    }

    function _feeOf(uint256 price) internal view virtual returns (uint256);

    // ── the log ─────────────────────────────────────────────────────────────────────────────────────────

    function _announced(address edge, uint256 blocks, bytes32 task, bytes calldata data) internal {
        (Request memory r, uint256 closesAt, bytes32[] memory drawCommits) =
            abi.decode(data, (Request, uint256, bytes32[]));
        Sale storage sale = _sales[task];
        _must(sale.closesAt == 0, 5, "announced twice");
        _must(Digests.task(edge, r) == task, 20, "Announced: another task");
        _must(r.mode & 1 == 1 && r.shards != 0, 5, "announced without the ONCHAIN bit or a shard");
        _must(closesAt == block.number + blocks, 7, "bids for so many blocks");
        _must(block.timestamp <= r.expiry, 7, "announced after it expired");
        _must(drawCommits.length == 0, 20, "nothing is drawn here");
        _tasks.push(task);
        (sale.request, sale.announcedIn, sale.closesAt) = (r, block.number, closesAt);
        _hold(r.requester, r.shards * offerOf(r));
    }

    function _outbid(bytes32 unit, address worker, bytes calldata data) internal {
        Lead storage lead = _leads[unit];
        _must(worker != address(0) && worker == lead.worker, 20, "outbid, but did not lead");
        _must(abi.decode(data, (uint96)) == lead.deposit, 3, "outbid: another deposit");
        _let(worker, lead.deposit, lead.deposit);
        lead.worker = address(0);
        ++outbids;
    }

    /// @dev That it ranks above the one before is the handler's to tell: `Outbid` has taken that away by now.
    function _bidPosted(IBlockEdge edge, bytes32 unit, address worker, bytes calldata data) internal {
        (uint96 price, uint96 deposit, uint32 delay, uint32 rep, uint256 score) =
            abi.decode(data, (uint96, uint96, uint32, uint32, uint256));
        Lead storage lead = _leads[unit];
        _must(lead.worker == address(0) && !lead.over, 5, "leads beside another, or after the end");
        (,,,, uint32 r) = edge.repOf(worker);
        _must(rep == r, 5, "another reputation than the chain's");
        (lead.worker, lead.price, lead.deposit) = (worker, price, deposit);
        (lead.delay, lead.score) = (delay, score);
        _hold(worker, deposit);
    }

    /// @notice What had been locked for the shard is free for a moment: the unit takes its part of it again.
    function _sold(Terms memory terms, uint256 startAt) internal {
        Sale storage sale = _sales[terms.task];
        Lead storage lead = _leads[Digests.unit(terms.task, terms.shard)];
        _endSale(sale, lead);
        _must(block.timestamp <= sale.request.expiry, 5, "sold after the Request's expiry");
        _must(terms.worker == lead.worker && terms.price == lead.price, 5, "another than the best bid");
        _must(terms.deposit == lead.deposit && terms.delay == lead.delay, 5, "other promises than the bid's");
        _must(startAt == block.timestamp, 19, "the worker's time does not run from the closing");
        _let(lead.worker, lead.deposit, lead.deposit);
    }

    function _lapsed(bytes32 unit, address worker, bytes calldata data) internal {
        Sale storage sale = _sales[_taskFor(unit)];
        Lead storage lead = _leads[unit];
        _endSale(sale, lead);
        _must(worker == lead.worker && abi.decode(data, (uint96)) == lead.deposit, 20, "lapsed: another's");
        _must(worker == address(0) || block.timestamp > sale.request.expiry, 5, "the best bid was dropped");
        if (worker != address(0)) _let(worker, lead.deposit, lead.deposit);
        lead.lapsed = true;
        ++lapses;
    }

    function _endSale(Sale storage sale, Lead storage lead) private {
        _must(sale.closesAt != 0 && block.number > sale.closesAt, 7, "closed before its last block was over");
        _must(!lead.over, 4, "closed twice");
        lead.over = true;
        _let(sale.request.requester, offerOf(sale.request), offerOf(sale.request));
    }

    /// @dev A node keeps the units of what it has seen announced; here they are few.
    function _taskFor(bytes32 unit) private view returns (bytes32) {
        for (uint256 i = 0; i < _tasks.length; ++i) {
            for (uint16 shard = 0; shard < _sales[_tasks[i]].request.shards; ++shard) {
                if (Digests.unit(_tasks[i], shard) == unit) return _tasks[i];
            }
        }
        return bytes32(0);
    }
}
