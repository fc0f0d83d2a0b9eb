// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Opening, Phase, ReportOpening, Request, Sig} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Fixture, Job} from "../utils/Fixture.sol";

/// @title Signatures that are not the signer's, and commitments that are somebody else's (invariant 6).
contract SignaturesFuzzTest is Fixture {
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function _refused(Job memory job, Sig memory sig, address signer) private {
        job.item.awardSig = sig;
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, signer));
        vm.prank(worker.addr);
        edge.award(requests, items);
        _assertPhase(job, Phase.None);
    }

    /// @dev The other root of the same signature: s' = n - s, v' the other parity. EIP-2098 has no room for it.
    function testFuzz_award_noMalleableTwin(uint64 nonce) public {
        Job memory job = _powJob();
        job.request.nonce = nonce;
        _sign(job);
        Sig memory sig = job.item.awardSig;
        uint256 s = uint256(sig.vs) & type(uint256).max >> 1;
        uint256 parity = uint256(sig.vs) >> 255;
        _refused(job, Sig(sig.r, bytes32((N - s) | (1 - parity) << 255)), requester.addr);
        _refused(job, Sig(sig.r, bytes32((N - s) & type(uint256).max >> 1)), requester.addr);
        job.item.awardSig = sig;
        _assign(job);
        _assertPhase(job, Phase.Assigned);
    }

    function testFuzz_award_noFlippedBit(uint8 bit, bool inR) public {
        Job memory job = _powJob();
        Sig memory sig = job.item.awardSig;
        bytes32 flip = bytes32(uint256(1) << bit);
        _refused(job, inR ? Sig(sig.r ^ flip, sig.vs) : Sig(sig.r, sig.vs ^ flip), requester.addr);
    }

    function testFuzz_award_noRandomSignature(bytes32 r, bytes32 vs) public {
        _refused(_powJob(), Sig(r, vs), requester.addr);
    }

    /// @dev One field of the signed Award changed, by anybody: the signature covers all of it.
    function testFuzz_award_coversEveryField(uint8 field, uint40 by) public {
        Job memory job = _powJob();
        uint40 change = 1 + by % 20;
        if (field % 2 == 0) job.item.award.registerBy += change;
        else job.item.award.notBefore -= change;
        _refused(job, job.item.awardSig, requester.addr);
    }

    function testFuzz_award_ofAnotherDeployment(uint64 chain, address elsewhere) public {
        vm.assume(elsewhere != address(edge));
        Job memory job = _powJob();
        bytes32 here = Digests.award(elsewhere, job.item.award);
        _refused(job, _signed(requester, here), requester.addr);
        vm.assume(chain != 0 && chain != block.chainid);
        uint256 id = block.chainid;
        vm.chainId(chain);
        bytes32 there = Digests.award(address(edge), job.item.award);
        vm.chainId(id);
        _refused(job, _signed(requester, there), requester.addr);
    }

    function testFuzz_commit_byTheWorkerOnly(uint256 key) public {
        key = 1 + key % (N - 1);
        vm.assume(vm.addr(key) != worker.addr);
        Job memory job = _powJob();
        _assign(job);
        bytes32 digest = Digests.commit(address(edge), job.unit, Digests.terms(job.terms), _commitment(job));
        Sig memory forged = _signed(Actor(vm.addr(key), key), digest);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, worker.addr));
        this.commitAs(job, forged);
        _commitAs(job, stranger, _commitment(job), _signed(worker, digest));
        _assertPhase(job, Phase.Committed);
    }

    /// @dev One call down, where vm.expectRevert can see it.
    function commitAs(Job memory job, Sig memory sig) external {
        _commitAs(job, stranger, _commitment(job), sig);
    }

    // ── replayed commitments ────────────────────────────────────────────────────────────────────────────

    struct Origin {
        uint64 chain;
        address blockEdge;
        bytes32 unit;
        uint8 role;
        address author;
    }

    function _made(Origin memory o, Job memory job) private returns (bytes32 commitment) {
        uint256 chain = block.chainid;
        vm.chainId(o.chain);
        commitment =
            Digests.commitment(o.blockEdge, o.unit, o.role, o.author, _resultHash(job), job.salt, job.guard);
        vm.chainId(chain);
    }

    /// @dev A commitment made for any other chain, contract, unit, role or author opens nowhere but there.
    function testFuzz_reveal_replayNeverOpens(uint8 which, uint64 chain, address other, bytes32 unit) public {
        Job memory job = _powJob();
        Origin memory o = Origin(uint64(block.chainid), address(edge), job.unit, 0, worker.addr);
        which %= 5;
        if (which == 0) o.chain = chain;
        else if (which == 1) o.blockEdge = other;
        else if (which == 2) o.unit = unit;
        else if (which == 3) o.role = uint8(1 + chain % 255);
        else o.author = other;
        vm.assume(o.chain != 0);
        bytes32 commitment = _made(o, job);
        vm.assume(commitment != _commitment(job));
        _assign(job);
        _commitAs(job, worker, commitment, Sig(0, 0));
        job.data = [commitment, bytes32(0), bytes32(0), bytes32(0)];

        Opening[] memory openings = new Opening[](1);
        openings[0] = _opening(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("commitment")));
        edge.reveal(_units(job), openings);
        _after(p.reveal + 1);
        _timeout(job);
        _assertPhase(job, Phase.Slashed); // copying a commitment costs the deposit
    }

    function testFuzz_revealReport_replayNeverOpens(uint8 which, address other, bytes32 unit) public {
        Job memory job = _powJob();
        _answer(job, "");
        _toRevealed(job);
        bytes memory evidence = _powAnswer(0);
        ReportOpening memory o = _reportOpening(detector, keccak256(evidence));
        which %= 3;
        bytes32 hash = Digests.commitment(
            address(edge),
            which == 0 ? unit : job.unit,
            which == 1 ? 1 : 2,
            which == 2 ? other : detector.addr,
            o.resultHash,
            o.salt,
            0
        );
        vm.assume(hash != _reportHash(job, o));
        vm.prank(detector.addr);
        edge.commitReport(_unit(job), hash);
        vm.warp(_challengeBy(job) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("report")));
        edge.revealReport(_unit(job), 1, o, _proof(job, evidence));
    }

    /// @dev The worker's own commitment of one unit, used again under a second Award for another shard.
    function test_reveal_ownCommitmentOfAnotherUnitNeverOpens() public {
        Job memory first = _powJob();
        Job memory second = _jobOf(first.request, 1, worker);
        _answer(second, first.output);
        (second.salt, second.guard) = (first.salt, first.guard);
        _assign(second);
        _commitAs(second, worker, _commitment(first), Sig(0, 0));
        second.data = [_commitment(first), bytes32(0), bytes32(0), bytes32(0)];
        Opening[] memory openings = new Opening[](1);
        openings[0] = _opening(second);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("commitment")));
        edge.reveal(_units(second), openings);
    }
}
