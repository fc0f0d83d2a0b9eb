// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Opening, Phase, Request, Secret, Sig, Unit} from "../../src/Types.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Batches: an item that state or time spoils changes nothing for the others (invariant 16).
contract BatchTest is Fixture {
    uint256 private constant N = 3;

    /// @dev Three units of one Request; all calls below poison the middle one.
    function _jobs() private returns (Job[] memory jobs) {
        jobs = new Job[](N);
        Request memory request = _request(2);
        for (uint16 i = 0; i < N; ++i) {
            jobs[i] = _jobOf(request, i, worker);
            _answer(jobs[i], abi.encode("output", i));
        }
    }

    function _awardAll(Job[] memory jobs) private {
        Request[] memory requests = new Request[](1);
        AwardItem[] memory items = new AwardItem[](N);
        requests[0] = jobs[0].request;
        for (uint256 i = 0; i < N; ++i) {
            items[i] = jobs[i].item;
            jobs[i].startAt = jobs[i].item.award.notBefore;
            jobs[i].data = [bytes32(uint256(jobs[i].startAt)), 0, 0, 0];
        }
        vm.prank(worker.addr);
        edge.award(requests, items);
    }

    function _unitsOf(Job[] memory jobs) private pure returns (Unit[] memory units) {
        units = new Unit[](N);
        for (uint256 i = 0; i < N; ++i) {
            units[i] = _unit(jobs[i]);
        }
    }

    function _commitAll(Job[] memory jobs) private {
        bytes32[] memory commitments = new bytes32[](N);
        for (uint256 i = 0; i < N; ++i) {
            commitments[i] = _commitment(jobs[i]);
        }
        vm.prank(worker.addr);
        edge.commit(_unitsOf(jobs), commitments, new Sig[](N));
        for (uint256 i = 0; i < N; ++i) {
            jobs[i].data = [commitments[i], 0, 0, 0];
        }
    }

    function _revealAll(Job[] memory jobs) private {
        Opening[] memory openings = new Opening[](N);
        for (uint256 i = 0; i < N; ++i) {
            openings[i] = _opening(jobs[i]);
        }
        edge.reveal(_unitsOf(jobs), openings);
        for (uint256 i = 0; i < N; ++i) {
            jobs[i].data = [_resultHash(jobs[i]), jobs[i].guard, bytes32(uint256(2)), 0];
        }
    }

    function _assertPhases(Job[] memory jobs, Phase healthy, Phase poisoned) private view {
        _assertPhase(jobs[0], healthy);
        _assertPhase(jobs[1], poisoned);
        _assertPhase(jobs[2], healthy);
        _assertSolvent();
    }

    function test_award_skipsThePoisonedItem() public {
        Job[] memory jobs = _jobs();
        jobs[1].item.award.notBefore += 10;
        _sign(jobs[1]);
        _expectSkip(jobs[1], Errors.TooEarly.selector);
        _awardAll(jobs);
        _assertPhases(jobs, Phase.Assigned, Phase.None);
        assertEq(_locked(worker), 2 * uint256(jobs[0].terms.deposit), "two deposits");
    }

    function test_award_revertsForWhatTheSenderCouldSee() public {
        Job[] memory jobs = _jobs();
        jobs[1].item.awardSig = Sig(0, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadSignature.selector, requester.addr));
        this.awardAll(jobs);
    }

    /// @dev One call down, where vm.expectRevert can see it.
    function awardAll(Job[] memory jobs) external {
        _awardAll(jobs);
    }

    function test_award_fundsRunOutInTheMiddle() public {
        Job[] memory jobs = _jobs();
        jobs[1].item.bids[0].deposit = 0.1 ether; // within the cap, beyond what the worker has left
        _sign(jobs[1]);
        uint256 time = block.timestamp;
        vm.prank(worker.addr);
        edge.exit(FUNDS - 0.12 ether);
        vm.warp(time + p.unbond);
        vm.prank(worker.addr);
        edge.withdraw();
        vm.warp(time);
        _expectSkip(jobs[1], Errors.Insolvent.selector);
        _awardAll(jobs);
        _assertPhases(jobs, Phase.Assigned, Phase.None);
    }

    function test_award_itemListedTwiceIsDoneOnce() public {
        Job[] memory jobs = _jobs();
        jobs[1] = jobs[0];
        _expectSkip(jobs[0], Errors.BadPhase.selector);
        _awardAll(jobs);
        assertEq(_locked(worker), 2 * uint256(jobs[0].terms.deposit), "two, not three");
    }

    function test_commit_skipsThePoisonedItem() public {
        Job[] memory jobs = _jobs();
        _awardAll(jobs);
        jobs[1].terms.delay += 1;
        _expectSkip(jobs[1], Errors.BadUnit.selector);
        _commitAll(jobs);
        _assertPhases(jobs, Phase.Committed, Phase.Assigned);
    }

    function test_reveal_skipsThePoisonedItem() public {
        Job[] memory jobs = _jobs();
        _awardAll(jobs);
        _commitAll(jobs);
        Job memory done = jobs[1];
        Opening[] memory openings = new Opening[](1);
        openings[0] = _opening(done);
        edge.reveal(_units(done), openings); // a front-runner's
        _expectSkip(done, Errors.BadPhase.selector);
        _revealAll(jobs);
        _assertPhases(jobs, Phase.Revealed, Phase.Revealed);
    }

    function test_settle_skipsThePoisonedItem() public {
        Job[] memory jobs = _jobs();
        _awardAll(jobs);
        _commitAll(jobs);
        _revealAll(jobs);
        _commitReport(jobs[1], requester, keccak256("keeps it open"));
        vm.warp(_challengeBy(jobs[0]) + 1);
        _expectSkip(jobs[1], Errors.TooEarly.selector);
        edge.settle(_unitsOf(jobs), new Secret[](N));
        _assertPhases(jobs, Phase.Paid, Phase.Revealed);
    }

    function test_timeout_skipsThePoisonedItem() public {
        Job[] memory jobs = _jobs();
        _awardAll(jobs);
        _commit(jobs[1]);
        _after(jobs[0].terms.delay + p.grace + 1);
        // COMMITTED 16 s ago and revealBy past: it ends too, as SLASHED, beside two refusals.
        edge.timeout(_unitsOf(jobs));
        _assertPhases(jobs, Phase.Refused, Phase.Slashed);
        assertEq(_locked(worker) + _locked(requester), 0, "nothing locked");
    }

    function test_timeout_listedTwiceFinesOnce() public {
        Job[] memory jobs = _jobs();
        _awardAll(jobs);
        _after(jobs[0].terms.delay + p.grace + 1);
        jobs[1] = jobs[0];
        _expectSkip(jobs[0], Errors.BadPhase.selector);
        edge.timeout(_unitsOf(jobs));
        assertEq(
            _free(worker),
            FUNDS - 2 * uint256(jobs[0].terms.deposit / 10) - jobs[0].terms.deposit,
            "two of three"
        );
    }

    function test_batches_mayBeEmpty() public {
        edge.award(new Request[](0), new AwardItem[](0));
        edge.awardCommit(new Request[](0), new AwardItem[](0), new bytes32[](0));
        edge.commit(new Unit[](0), new bytes32[](0), new Sig[](0));
        edge.reveal(new Unit[](0), new Opening[](0));
        edge.settle(new Unit[](0), new Secret[](0));
        edge.timeout(new Unit[](0));
    }
}
