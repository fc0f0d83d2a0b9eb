// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Bid, Phase, Request} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Job} from "../utils/Fixture.sol";
import {Crowd} from "./Crowd.sol";
import {Lead, Sale} from "./Sales.sol";

/// @title The random calls of auctions. What they sell goes on among the units of all other calls.
abstract contract Auctioneer is Crowd {
    uint256 private constant MOST_SALES = 5;

    bytes32[] private _none; // drawCommits: nothing is spot-checked here

    /// @dev Rarely by another than its requester; once in a while the last one again.
    function announce(uint256 seed) external {
        bytes32[] memory tasks = mirror.tasksForSale();
        bool again = tasks.length != 0 && (tasks.length == MOST_SALES || seed % 8 == 0);
        Request memory r = again ? mirror.saleOf(tasks[tasks.length - 1]).request : _newSale(seed >> 8);
        address sender = (seed >> 4) % 8 == 0 ? _citizen(seed >> 64).addr : r.requester;
        bool may = !again && sender == r.requester && _free(_who(r.requester)) >= r.shards * mirror.offerOf(r);
        bool done = _send(sender, abi.encodeCall(edge.announce, (r, _none)));
        _expect(done == may, 5, "announced once, by its requester, if it can pay for it");
    }

    function _newSale(uint256 seed) private returns (Request memory r) {
        r = _request(seed % 3 == 0 ? 2 : 1);
        r.requester = _citizen(seed >> 2).addr;
        r.mode = r.kind == 2 && seed >> 8 & 1 == 0 ? 3 : 1;
        r.shards = uint16(1 + (seed >> 9) % 3);
        r.minDeposit = 1;
        if ((seed >> 12) % 4 == 0) r.maxPrice = uint96(1 + (seed >> 16) % 100);
        else if ((seed >> 12) % 4 == 1 && r.kind == 1) r.maxPrice = 20 ether;
        bool brief = (seed >> 32) % 4 == 0;
        r.expiry = uint40(block.timestamp + (brief ? (seed >> 40) % 20 : 1000 weeks));
    }

    /// @dev Mostly in its window, of a sale that still has one.
    function postBid(uint256 seed) external {
        bytes32[] memory tasks = mirror.tasksForSale();
        if (tasks.length == 0) return;
        bytes32 task = _runningSale(tasks, seed);
        Sale memory sale = mirror.saleOf(task);
        Request memory r = sale.request;
        if ((seed >> 8) % 8 != 0 && block.number <= sale.announcedIn) vm.roll(sale.announcedIn + 1);
        Bid memory b = _anyBid(r, task, seed >> 16);
        bool done = _send(b.worker, abi.encodeCall(edge.postBid, (r, b)));
        // Looked at afterwards, a lead that was taken is this bid's.
        _expect(done == _mayPost, 5, "leads if and only if in time, covered, eligible and the best");
    }

    bool private _mayPost;

    function _anyBid(Request memory r, bytes32 task, uint256 seed) private returns (Bid memory b) {
        b = _bid(r, uint16(seed % r.shards), _citizen(seed >> 8));
        b.price = uint96(1 + (seed >> 16) % r.maxPrice);
        b.deposit = 20 * b.price + uint96((seed >> 112) % 3);
        b.delay = uint32(1 + (seed >> 120) % 40);
        (,,,, b.rep) = edge.repOf(b.worker);
        _mayPost = _mayBeLed(r, task, b);
        b.rep = uint32(seed >> 200); // which nobody reads
    }

    function _mayBeLed(Request memory r, bytes32 task, Bid memory b) private view returns (bool) {
        Sale memory sale = mirror.saleOf(task);
        bool open = block.number > sale.announcedIn && block.number <= sale.closesAt;
        if (!open || block.timestamp > r.expiry || b.worker == r.requester) return false;
        if (r.kind == 2 && b.deposit > 10 * p.seat) return false;
        if (!mirror.leads(task, b.shard, b.worker, b.price, edge.scoreOf(r, b))) return false;
        Lead memory lead = mirror.leadOf(Digests.unit(task, b.shard));
        return _free(_who(b.worker)) + (lead.worker == b.worker ? lead.deposit : 0) >= b.deposit;
    }

    function _runningSale(bytes32[] memory tasks, uint256 seed) private view returns (bytes32 task) {
        for (uint256 i = 0; i < tasks.length; ++i) {
            task = tasks[(seed + i) % tasks.length];
            if (block.number <= mirror.saleOf(task).closesAt) return task;
        }
    }

    /// @dev Mostly once the last block of bids is over.
    function closeAuction(uint256 seed) external {
        bytes32[] memory tasks = mirror.tasksForSale();
        if (tasks.length == 0) return;
        bytes32 task = tasks[seed % tasks.length];
        Sale memory sale = mirror.saleOf(task);
        uint16 shard = uint16((seed >> 8) % sale.request.shards);
        if ((seed >> 16) % 8 != 0 && block.number <= sale.closesAt) vm.roll(sale.closesAt + 1);
        _closeSale(task, shard, _citizen(seed >> 24).addr, seed >> 32);
    }

    function _closeSale(bytes32 task, uint16 shard, address sender, uint256 seed) internal {
        Sale memory sale = mirror.saleOf(task);
        bytes32 unit = Digests.unit(task, shard);
        Lead memory lead = mirror.leadOf(unit);
        bool may = block.number > sale.closesAt && !lead.over;
        bool done = _send(sender, abi.encodeCall(edge.closeAuction, (sale.request, shard, _none)));
        _expect(done == may, 7, "closed once, by anybody, after the last block of bids");
        if (!done) return;
        bool sells = lead.worker != address(0) && block.timestamp <= sale.request.expiry;
        Phase expected = sells ? Phase.Assigned : Phase.None;
        _expect(_stateOf(unit).phase == expected, 5, "a unit if and only if there is a bid, in time");
        if (sells) _keepSold(sale.request, shard, lead, seed);
    }

    /// @notice What its worker goes on with.
    function _keepSold(Request memory r, uint16 shard, Lead memory lead, uint256 seed) private {
        Job memory job = _jobOf(r, shard, _who(lead.worker));
        Bid memory b = job.item.bids[0];
        (b.price, b.deposit, b.delay) = (lead.price, lead.deposit, lead.delay);
        _decide(job, seed);
        _resign(job);
        job.salt = keccak256(abi.encode("salt", job.unit, seed));
        _keep(job);
    }

    /// @notice A stranger closes what nobody has closed.
    function closeAllSales() public {
        bytes32[] memory tasks = mirror.tasksForSale();
        for (uint256 i = 0; i < tasks.length; ++i) {
            Sale memory sale = mirror.saleOf(tasks[i]);
            if (block.number <= sale.closesAt) vm.roll(sale.closesAt + 1);
            for (uint16 shard = 0; shard < sale.request.shards; ++shard) {
                if (!mirror.leadOf(Digests.unit(tasks[i], shard)).over) {
                    _closeSale(tasks[i], shard, address(0x57), shard);
                }
            }
        }
    }
}
