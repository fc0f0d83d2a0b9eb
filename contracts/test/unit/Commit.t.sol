// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Phase, Request, Sig} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title commit, and awardCommit with everything that may have happened before it.
contract CommitTest is Fixture {
    function _skips(Job memory job, bytes4 reason) private {
        bytes32 commitment = _commitment(job);
        _expectSkip(job, reason);
        _commitAs(job, worker, commitment, Sig(0, 0));
    }

    function _awardCommitSkips(Job memory job, bytes4 reason) private {
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        bytes32 commitment = _commitment(job);
        _expectSkip(job, reason);
        vm.prank(worker.addr);
        edge.awardCommit(requests, items, _words(commitment));
    }

    function _resultBy(uint256 start, Job memory job) private view returns (uint256) {
        return start + job.terms.delay + p.grace;
    }

    // ── commit ──────────────────────────────────────────────────────────────────────────────────────────

    function test_commit_recordsTheCommitment() public {
        Job memory job = _wasmJob();
        _assign(job);
        _after(3);
        vm.expectEmit(address(edge));
        emit Events.Committed(job.unit, _commitment(job));
        _commit(job);
        _assertPhase(job, Phase.Committed);
        assertEq(_state(job).since, block.timestamp, "since");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "digest");
    }

    function test_commit_bySomebodyElseNeedsTheWorkersCommit() public {
        Job memory job = _wasmJob();
        _assign(job);
        bytes32 commitment = _commitment(job);
        bytes32 digest = Digests.commit(address(edge), job.unit, Digests.terms(job.terms), commitment);
        bytes memory reason = abi.encodeWithSelector(Errors.BadSignature.selector, worker.addr);

        vm.expectRevert(reason);
        _commitAs(job, stranger, commitment, Sig(0, 0));
        vm.expectRevert(reason);
        _commitAs(job, stranger, commitment, _signed(stranger, digest));
        vm.expectRevert(reason); // signed for another commitment
        _commitAs(job, stranger, keccak256("other"), _signed(worker, digest));

        _commitAs(job, stranger, commitment, _signed(worker, digest));
        _assertPhase(job, Phase.Committed);
    }

    function test_commit_untilResultByFromTheStart() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp) + 7);
        _award(job, stranger);
        vm.warp(_resultBy(job.startAt, job) + 1);
        _skips(job, Errors.TooLate.selector);
        vm.warp(_resultBy(job.startAt, job));
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_commit_untilResultByFromRegistrationWithoutAck() public {
        Job memory job = _wasmJob();
        _signBid(job, 0);
        _after(20); // registered late: the worker, who may not know, has the whole delay
        _award(job, requester);
        uint256 since = block.timestamp;
        vm.warp(_resultBy(since, job) + 1);
        _skips(job, Errors.TooLate.selector);
        vm.warp(_resultBy(since, job));
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_commit_leavesGraceAfterALastSecondRegistration() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        vm.warp(job.item.award.registerBy); // far past startAt + delay
        _award(job, stranger);
        vm.warp(block.timestamp + p.grace);
        _commit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_commit_onceOnly() public {
        Job memory job = _wasmJob();
        _assign(job);
        bytes32[4] memory assigned = job.data;
        _commit(job);
        job.data = assigned;
        _skips(job, Errors.BadPhase.selector);
    }

    function test_commit_needsTheUnitOnRecord() public {
        Job memory job = _wasmJob();
        _skips(job, Errors.BadPhase.selector);
        _assign(job);
        job.data[0] = bytes32(uint256(job.startAt) + 1);
        _skips(job, Errors.BadUnit.selector);
        job.data[0] = bytes32(uint256(job.startAt));
        job.terms.price += 1;
        _skips(job, Errors.BadUnit.selector);
    }

    function test_commit_arraysMatch() public {
        Job memory job = _wasmJob();
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 1, 0));
        edge.commit(_units(job), new bytes32[](0), new Sig[](1));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 1, 2));
        edge.commit(_units(job), new bytes32[](1), new Sig[](2));
    }

    function test_commit_refusesDirtyWords() public {
        Job memory job = _wasmJob();
        _assign(job);
        bytes memory call = abi.encodeCall(edge.commit, (_units(job), _words(_commitment(job)), new Sig[](1)));
        // The shard, second word of the terms, behind selector, three offsets and a length, with a high bit set.
        call[4 + 3 * 32 + 32 + 32] = 0x80;
        vm.prank(worker.addr);
        (bool done,) = address(edge).call(call);
        assertTrue(!done, "reverted");
        _assertPhase(job, Phase.Assigned);
    }

    // ── awardCommit ─────────────────────────────────────────────────────────────────────────────────────

    function test_awardCommit_doesBoth() public {
        Job memory job = _wasmJob();
        vm.expectEmit(address(edge));
        emit Events.Awarded(job.unit, requester.addr, worker.addr, job.terms, job.item.award.notBefore);
        vm.expectEmit(address(edge));
        emit Events.Committed(job.unit, _commitment(job));
        _awardCommit(job);
        _assertPhase(job, Phase.Committed);
        assertEq(_locked(worker), job.terms.deposit, "deposit");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "digest");
    }

    function test_awardCommit_isTheWorkers() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp));
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        bytes32[] memory commitments = _words(_commitment(job));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, worker.addr));
        vm.prank(stranger.addr);
        edge.awardCommit(requests, items, commitments);
    }

    function test_awardCommit_arraysMatch() public {
        (Request[] memory requests, AwardItem[] memory items) = _registering(_wasmJob());
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 1, 2));
        vm.prank(worker.addr);
        edge.awardCommit(requests, items, new bytes32[](2));
    }

    function test_awardCommit_skipsAsAward() public {
        Job memory job = _wasmJob();
        vm.warp(job.item.award.registerBy + 1);
        _awardCommitSkips(job, Errors.TooLate.selector);
    }

    function test_awardCommit_afterTheWorkersOwnAward() public {
        Job memory job = _wasmJob();
        _assign(job);
        _after(5);
        _awardCommit(job);
        _assertPhase(job, Phase.Committed);
        assertEq(_locked(worker), job.terms.deposit, "locked once");
    }

    function test_awardCommit_afterRegistrationWithTheAck() public {
        Job memory job = _wasmJob();
        _acknowledge(job, uint40(block.timestamp) + 7);
        _award(job, stranger);
        _awardCommit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_awardCommit_afterRegistrationWithoutAck() public {
        Job memory job = _wasmJob();
        _signBid(job, 0);
        _award(job, requester);
        vm.warp(job.item.award.registerBy + 1); // registerBy bounds the registration, resultBy the commit
        vm.warp(block.timestamp - 25);
        _awardCommit(job);
        _assertPhase(job, Phase.Committed);
    }

    function test_awardCommit_afterRegistrationKeepsResultBy() public {
        Job memory job = _wasmJob();
        _assign(job);
        vm.warp(_resultBy(job.startAt, job) + 1);
        _awardCommitSkips(job, Errors.TooLate.selector);
    }

    function test_awardCommit_afterAnotherRegistration() public {
        Job memory job = _wasmJob();
        Job memory other = _jobOf(job.request, 0, worker);
        other.item.bids[0].price += 1;
        _sign(other);
        _assign(other); // same shard, other terms
        _awardCommitSkips(job, Errors.BadUnit.selector);
    }

    function test_awardCommit_onceOnly() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _awardCommitSkips(job, Errors.BadPhase.selector);
    }
}
