// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Bid, Request} from "../../src/Types.sol";
import {AuctionFixture} from "../utils/AuctionFixture.sol";
import {Console} from "../utils/Console.sol";
import {Job} from "../utils/Fixture.sol";

/// @title What an auction costs (docs/protocol.md §3.5). Every call is a transaction of its own; all accounts are in
/// use already.
/// forge-config: default.isolate = true
contract GasOfAuctionTest is AuctionFixture {
    function _keep(string memory call, uint256 limit) private {
        (, uint256 used,,,) = vm.lastCallGas();
        vm.snapshotValue("GasOfAuction", call, used);
        Console.log(string.concat(call, ": ", vm.toString(used)));
        assertLe(used, limit, call);
    }

    function test_gas_auction() public {
        Request memory r = _auctioned(2);
        _announce(r);
        _keep("1 announce", 110_000);
        _nextBlock();
        _post(r, _offer(r, worker, 0));
        _keep("2 postBid, the first", 120_000);
        Bid memory best = _offer(r, rival, 1);
        _post(r, best);
        _keep("3 postBid, outbidding", 90_000);
        _nextBlock();
        Job memory job = _close(r, best);
        _keep("4 closeAuction", 110_000);
        _commit(job);
        _keep("5 commit", 50_000);
        vm.prank(stranger.addr);
        edge.closeAuction(r, 1, drawCommits);
        _keep("6 closeAuction, without a bid", 70_000);
    }
}
