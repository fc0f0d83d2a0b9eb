// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Opening, Phase} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title reveal: what opens a commitment, until when, and which outputs go inline.
contract RevealTest is Fixture {
    function _badOpening(Job memory job, Opening memory opening, bytes32 what) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, what));
        _revealWith(job, opening);
    }

    function test_reveal_publishesTheResult() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _after(2);
        vm.expectEmit(address(edge));
        emit Events.Revealed(job.unit, Digests.result(job.result), job.guard, 2, job.result, job.output);
        _reveal(job); // sent by a stranger: the opening is bound to its author
        _assertPhase(job, Phase.Revealed);
        assertEq(_state(job).since, block.timestamp, "since");
        assertEq(_state(job).digest, Digests.slot(job.terms, job.data), "digest");
    }

    function test_reveal_untilRevealBy() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _after(p.reveal + 1);
        _expectSkip(job, Errors.TooLate.selector);
        _revealWith(job, _opening(job));
        vm.warp(block.timestamp - 1);
        _reveal(job);
        _assertPhase(job, Phase.Revealed);
    }

    function test_reveal_onceOnly() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        bytes32[4] memory committed = job.data;
        _reveal(job);
        job.data = committed;
        _expectSkip(job, Errors.BadPhase.selector);
        _revealWith(job, _opening(job));
    }

    function test_reveal_neverBeforeTheCommit() public {
        Job memory job = _wasmJob();
        _assign(job);
        job.data = [_commitment(job), 0, 0, 0];
        _expectSkip(job, Errors.BadPhase.selector);
        _revealWith(job, _opening(job));
    }

    function test_reveal_needsTheUnitOnRecord() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        job.terms.price += 1;
        _expectSkip(job, Errors.BadUnit.selector);
        _revealWith(job, _opening(job));
    }

    function test_reveal_opensTheCommitmentOnly() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        Opening memory o = _opening(job);
        o.salt = keccak256("another");
        _badOpening(job, o, "commitment");
        o = _opening(job);
        o.guard = keccak256("another");
        _badOpening(job, o, "commitment");
        o = _opening(job);
        o.result.fuelUsed += 1;
        _badOpening(job, o, "commitment");
        vm.chainId(block.chainid + 1); // bound to the chain
        _badOpening(job, _opening(job), "commitment");
    }

    function test_reveal_ofACopiedCommitmentFails() public {
        Job memory job = _wasmJob();
        Job memory copy = _jobOf(job.request, 1, rival);
        _answer(copy, job.output);
        _awardCommit(job);
        // The rival records the worker's commitment as its own, sees the opening, and cannot use it.
        copy.data = [_commitment(job), 0, 0, 0];
        Opening memory seen = _opening(job);
        _badOpening(copy, seen, "commitment");
    }

    function test_reveal_laterStagesFieldsAreZero() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        Opening memory o = _opening(job);
        o.secret = keccak256("secret");
        _badOpening(job, o, "secret");
        o.secret = 0;
        o.guardR = keccak256("guardR");
        _badOpening(job, o, "secret");
    }

    function test_reveal_arraysMatch() public {
        Job memory job = _wasmJob();
        vm.expectRevert(abi.encodeWithSelector(Errors.BadLength.selector, 1, 0));
        edge.reveal(_units(job), new Opening[](0));
    }

    // ── outputs ─────────────────────────────────────────────────────────────────────────────────────────

    function test_reveal_carriesTheOutput() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        Opening memory o = _opening(job);
        o.output = "";
        _badOpening(job, o, "output");
        o.output = "something else";
        _badOpening(job, o, "output");
    }

    function test_reveal_emptyOutputIsABlobToo() public {
        Job memory job = _wasmJob();
        _answer(job, "");
        _awardCommit(job);
        _reveal(job);
        _assertPhase(job, Phase.Revealed);
    }

    function test_reveal_atMostOneChunkInline() public {
        Job memory job = _wasmJob();
        _answer(job, new bytes(1024));
        _awardCommit(job);
        _reveal(job);
        _assertPhase(job, Phase.Revealed);

        job = _wasmJob();
        _answer(job, new bytes(1025));
        _awardCommit(job);
        _badOpening(job, _opening(job), "output");
    }

    function test_reveal_bareRootUnderNoDemand() public {
        Job memory job = _wasmJob();
        job.request.mode = 2;
        _sign(job);
        _answer(job, new bytes(5000));
        _awardCommit(job);
        job.output = "";
        _reveal(job);
        _assertPhase(job, Phase.Revealed);
    }

    function test_reveal_inlineUnderNoDemandIsStillChecked() public {
        Job memory job = _wasmJob();
        job.request.mode = 2;
        _sign(job);
        _awardCommit(job);
        Opening memory o = _opening(job);
        o.output = "something else";
        _badOpening(job, o, "output");
    }

    function test_reveal_errorExitHasNoOutput() public {
        Job memory job = _wasmJob();
        job.result.exit = 2 << 16 | 1;
        job.result.outputRoot = 0;
        job.result.fuelUsed = 0;
        job.result.memoryHash = 0;
        job.output = "";
        _awardCommit(job);
        _reveal(job);
        _assertPhase(job, Phase.Revealed);
    }

    function test_reveal_normalExitNeedsARoot() public {
        Job memory job = _wasmJob();
        job.result.outputRoot = 0;
        job.output = "";
        _awardCommit(job);
        _badOpening(job, _opening(job), "output");
    }
}
