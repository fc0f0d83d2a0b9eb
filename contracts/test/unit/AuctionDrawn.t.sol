// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge, IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Bid, Params, Phase, ReportOpening, Request} from "../../src/Types.sol";
import {AuctionFixture} from "../utils/AuctionFixture.sol";
import {Fixture, Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title Auctions of spot-checked work: a drawCommit a shard, fixed before anybody knows the worker.
contract AuctionDrawnTest is AuctionFixture, JuryFixture {
    bytes32[2] private _secrets = [keccak256("secret 0"), keccak256("secret 1")];

    function setUp() public override(Fixture, JuryFixture) {
        super.setUp();
    }

    function _deploy(
        Params memory params,
        address judge
    ) internal override(Fixture, JuryFixture) returns (IBlockEdge) {
        return super._deploy(params, judge);
    }

    function _ofOthers() internal view override(Fixture, JuryFixture) returns (uint256) {
        return super._ofOthers();
    }

    function _checkedRequest() private returns (Request memory r) {
        r = _auctioned(2);
        (r.spotBps, r.checkFee) = (1000, CHECK_FEE);
        drawCommits = new bytes32[](2);
        for (uint256 i = 0; i < 2; ++i) {
            drawCommits[i] = keccak256(abi.encode(_secrets[i], _guardR()));
        }
    }

    function _announceReverts(Request memory r, bytes memory reason) private {
        vm.expectRevert(reason);
        _announce(r);
    }

    function test_announce_needsADrawCommitAShard() public {
        Request memory r = _checkedRequest();
        drawCommits.pop();
        _announceReverts(r, abi.encodeWithSelector(Errors.BadLength.selector, 2, 1));
        drawCommits.push(bytes32(0));
        _announceReverts(r, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("drawCommit")));
        drawCommits[1] = keccak256("another");
        _announce(r);
        assertEq(_locked(requester), 2 * _offerOf(r), "the check fee is locked too");
    }

    function test_announce_ofSixtyFourCheckedShardsAtMost() public {
        Request memory r = _checkedRequest();
        r.shards = 65;
        while (drawCommits.length < 65) {
            drawCommits.push(keccak256(abi.encode(drawCommits.length)));
        }
        _announceReverts(r, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("shards")));
        r.shards = 64;
        drawCommits.pop();
        _announce(r);
    }

    function test_announce_checkFeeAndSpotChecksAsForAwards() public {
        Request memory r = _checkedRequest();
        r.checkFee = p.seat / 10 + 1;
        _announceReverts(r, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("checkFee")));
        r = _checkedRequest();
        r.spotBps = 999;
        _announceReverts(r, abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("spotBps")));
    }

    function test_closeAuction_withTheDrawCommitsThatWereAnnounced() public {
        Request memory r = _checkedRequest();
        _announce(r);
        _nextBlock();
        Bid memory b = _bid(r, 1, worker);
        _post(r, b);
        _nextBlock();
        bytes memory reason = abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("drawCommits"));
        bytes32[] memory others = new bytes32[](0);
        vm.expectRevert(reason);
        edge.closeAuction(r, 1, others);
        others = new bytes32[](2);
        (others[0], others[1]) = (drawCommits[1], drawCommits[0]);
        vm.expectRevert(reason);
        edge.closeAuction(r, 1, others);
        Job memory job = _close(r, b);
        assertEq(job.terms.drawCommit, drawCommits[1], "of this shard");
        _assertPhase(job, Phase.Assigned);
    }

    /// @dev A whole spot check: the worker's salt decides whether the announced secret draws its unit.
    function test_auctioned_isDrawnCheckedAndPaid() public {
        Request memory r = _checkedRequest();
        _announce(r);
        _nextBlock();
        Bid memory b = _bid(r, 1, worker);
        _post(r, b);
        _nextBlock();
        Job memory job = _close(r, b);
        _answer(job, abi.encode("right"));
        job.guard = keccak256(abi.encode(S_W));
        secretOf[job.unit] = _secrets[1];
        while (uint256(_seed(job)) % 10_000 >= r.spotBps) {
            job.salt = keccak256(abi.encode(job.salt));
        }
        _commit(job);
        committedAt[job.unit] = uint40(block.timestamp);
        _draw(job);
        ReportOpening memory check = _commitCheck(job, _resultHash(job));
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 0, check, "");
        _after(p.report);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        assertEq(edge.accountOf(check.author).free, CHECK_FEE, "the checker's fee");
        assertEq(_free(worker), FUNDS + job.terms.price, "the worker's price");
        assertEq(_locked(requester), _offerOf(r), "the shard that nobody wanted");
        vm.prank(stranger.addr);
        edge.closeAuction(r, 0, drawCommits);
        assertEq(_locked(requester), 0, "returned");
        _assertSolvent();
    }
}
