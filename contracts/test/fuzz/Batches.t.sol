// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {AwardItem, Opening, Phase, Request, Secret, Sig, Unit} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Poisoned batches (invariant 16): a bad item of every kind, in every position, of every call. What
/// state or time spoils is skipped and the others land; what the sender could have seen reverts the whole.
contract BatchesFuzzTest is Fixture {
    uint256 private constant N = 5;

    function _jobs() private returns (Job[] memory jobs) {
        jobs = new Job[](N);
        Request memory request = _request(2);
        for (uint16 i = 0; i < N; ++i) {
            jobs[i] = _jobOf(request, i, worker);
            _answer(jobs[i], abi.encode("output", i));
        }
    }

    function _registrations(Job[] memory jobs)
        private
        pure
        returns (Request[] memory requests, AwardItem[] memory items)
    {
        requests = new Request[](1);
        items = new AwardItem[](jobs.length);
        requests[0] = jobs[0].request;
        for (uint256 i = 0; i < jobs.length; ++i) {
            items[i] = jobs[i].item;
        }
    }

    function _unitsOf(Job[] memory jobs) private pure returns (Unit[] memory units) {
        units = new Unit[](jobs.length);
        for (uint256 i = 0; i < jobs.length; ++i) {
            units[i] = _unit(jobs[i]);
        }
    }

    function _commitments(Job[] memory jobs) private view returns (bytes32[] memory all) {
        all = new bytes32[](jobs.length);
        for (uint256 i = 0; i < jobs.length; ++i) {
            all[i] = _commitment(jobs[i]);
        }
    }

    function _openings(Job[] memory jobs) private pure returns (Opening[] memory all) {
        all = new Opening[](jobs.length);
        for (uint256 i = 0; i < jobs.length; ++i) {
            all[i] = _opening(jobs[i]);
        }
    }

    /// @dev All jobs in this phase, and what `data` says then.
    function _bringTo(Job[] memory jobs, Phase phase) private {
        for (uint256 i = 0; i < jobs.length; ++i) {
            if (phase >= Phase.Assigned) _assign(jobs[i]);
            if (phase >= Phase.Committed) _commit(jobs[i]);
            if (phase >= Phase.Revealed) _reveal(jobs[i]);
        }
    }

    function _landed(Job[] memory jobs, uint256 bad, Phase good, Phase poisoned) private view {
        for (uint256 i = 0; i < jobs.length; ++i) {
            _assertPhase(jobs[i], i == bad ? poisoned : good);
        }
        _assertSolvent();
    }

    // ── award, awardCommit ──────────────────────────────────────────────────────────────────────────────

    /// @return reason Why the item at `bad` is skipped. Kinds: early, late, registered already, too poor.
    function _poisonState(Job[] memory jobs, uint256 bad, uint256 kind) private returns (bytes4 reason) {
        Job memory job = jobs[bad];
        if (kind == 0) {
            job.item.award.notBefore += 1;
            _sign(job);
            return Errors.TooEarly.selector;
        }
        if (kind == 1) {
            job.item.award.notBefore -= 20;
            job.item.award.registerBy = uint40(block.timestamp) - 1;
            _sign(job);
            return Errors.TooLate.selector;
        }
        if (kind == 2) {
            _toRevealed(job);
            return Errors.BadPhase.selector;
        }
        for (uint256 i = 0; i < N; ++i) {
            jobs[i].item.bids[0].price = 0.0005 ether;
            jobs[i].item.bids[0].deposit = i == bad ? 0.1 ether : 0.01 ether;
            _sign(jobs[i]);
        }
        uint96 rest = 0.05 ether; // enough for the other four, before or after them too little for this one
        uint256 time = block.timestamp;
        vm.prank(worker.addr);
        edge.exit(FUNDS - rest);
        vm.warp(time + p.unbond);
        vm.prank(worker.addr);
        edge.withdraw();
        vm.warp(time);
        return Errors.Insolvent.selector;
    }

    function testFuzz_award_skips(uint256 bad, uint256 kind, bool committing) public {
        Job[] memory jobs = _jobs();
        (bad, kind) = (bad % N, kind % 4);
        Phase before = kind == 2 ? Phase.Revealed : Phase.None;
        bytes4 reason = _poisonState(jobs, bad, kind);
        (Request[] memory requests, AwardItem[] memory items) = _registrations(jobs);
        bytes32[] memory commitments = _commitments(jobs);
        _expectSkip(jobs[bad], reason);
        vm.prank(worker.addr);
        if (committing) edge.awardCommit(requests, items, commitments);
        else edge.award(requests, items);
        _landed(jobs, bad, committing ? Phase.Committed : Phase.Assigned, before);
    }

    /// @dev Kinds: signature, shard, another task, deposit, drawCommit, bid, registerBy, an index too high.
    function testFuzz_award_reverts(uint256 bad, uint256 kind) public {
        Job[] memory jobs = _jobs();
        AwardItem memory item = jobs[bad % N].item;
        kind %= 8;
        if (kind == 0) item.awardSig.r ^= bytes32(uint256(1));
        else if (kind == 1) item.award.shard = jobs[0].request.shards;
        else if (kind == 2) item.award.task ^= bytes32(uint256(1));
        else if (kind == 3) (item.bids[0].deposit, item.award.bid) = (1, 0);
        else if (kind == 4) item.award.drawCommit = bytes32(uint256(1));
        else if (kind == 5) item.bids[0].price += 1;
        else if (kind == 6) item.award.registerBy = item.award.notBefore;
        else item.request = 1;
        if (kind == 3) item.award.bid = Digests.bid(address(edge), item.bids[0]);
        if (kind != 0) item.awardSig = _signed(requester, Digests.award(address(edge), item.award));
        (Request[] memory requests, AwardItem[] memory items) = _registrations(jobs);
        vm.expectRevert();
        vm.prank(worker.addr);
        edge.award(requests, items);
        _landed(jobs, N, Phase.None, Phase.None);
        assertEq(_locked(worker) + _locked(requester), 0, "nothing locked");
    }

    // ── the calls that take units ───────────────────────────────────────────────────────────────────────

    /// @return reason Kinds: forged terms, forged data, past the phase already, never registered.
    function _poisonUnit(
        Job[] memory jobs,
        uint256 bad,
        uint256 kind,
        uint256 field
    ) private returns (bytes4 reason) {
        Job memory job = jobs[bad];
        if (kind == 0) {
            field %= 5;
            if (field == 0) job.terms.price += 1;
            else if (field == 1) job.terms.deposit -= 1;
            else if (field == 2) job.terms.delay += 1;
            else if (field == 3) job.terms.vwin -= 1;
            else job.terms.requester = rival.addr;
            return Errors.BadUnit.selector;
        }
        if (kind == 1) {
            job.data[3] = bytes32(uint256(1));
            return Errors.BadUnit.selector;
        }
        if (kind == 2) {
            vm.store(address(edge), keccak256(abi.encode(job.unit, uint256(3))), bytes32(uint256(5)));
            return Errors.BadPhase.selector; // PAID, whatever it was
        }
        vm.store(address(edge), keccak256(abi.encode(job.unit, uint256(3))), bytes32(0));
        return Errors.BadPhase.selector;
    }

    function _phaseAfter(Job memory job) private view returns (Phase) {
        return _state(job).phase;
    }

    function testFuzz_commit_skips(uint256 bad, uint256 kind, uint256 field) public {
        Job[] memory jobs = _jobs();
        _bringTo(jobs, Phase.Assigned);
        bytes32[] memory commitments = _commitments(jobs);
        bytes4 reason = _poisonUnit(jobs, bad % N, kind % 4, field);
        Phase before = _phaseAfter(jobs[bad % N]);
        _expectSkip(jobs[bad % N], reason);
        vm.prank(worker.addr);
        edge.commit(_unitsOf(jobs), commitments, new Sig[](N));
        _landed(jobs, bad % N, Phase.Committed, before);
    }

    function testFuzz_reveal_skips(uint256 bad, uint256 kind, uint256 field) public {
        Job[] memory jobs = _jobs();
        _bringTo(jobs, Phase.Committed);
        Opening[] memory openings = _openings(jobs);
        bytes4 reason = _poisonUnit(jobs, bad % N, kind % 4, field);
        Phase before = _phaseAfter(jobs[bad % N]);
        _expectSkip(jobs[bad % N], reason);
        edge.reveal(_unitsOf(jobs), openings);
        _landed(jobs, bad % N, Phase.Revealed, before);
    }

    /// @dev Kinds: salt, guard, output, result, a secret of a later stage, an output too long.
    function testFuzz_reveal_reverts(uint256 bad, uint256 kind, bytes32 noise) public {
        vm.assume(noise != 0);
        Job[] memory jobs = _jobs();
        _bringTo(jobs, Phase.Committed);
        Opening[] memory openings = _openings(jobs);
        Opening memory opening = openings[bad % N];
        kind %= 6;
        if (kind == 0) opening.salt ^= noise;
        else if (kind == 1) opening.guard ^= noise;
        else if (kind == 2) opening.output = abi.encode(noise);
        else if (kind == 3) opening.result.memoryHash ^= noise;
        else if (kind == 4) opening.secret = noise;
        else opening.output = new bytes(1025);
        vm.expectRevert();
        edge.reveal(_unitsOf(jobs), openings);
        _landed(jobs, N, Phase.Committed, Phase.Committed);
    }

    function testFuzz_settle_skips(uint256 bad, uint256 kind, uint256 field) public {
        Job[] memory jobs = _jobs();
        _bringTo(jobs, Phase.Revealed);
        bytes4 reason = _poisonUnit(jobs, bad % N, kind % 4, field);
        Phase before = _phaseAfter(jobs[bad % N]);
        _after(100);
        _expectSkip(jobs[bad % N], reason);
        edge.settle(_unitsOf(jobs), new Secret[](N));
        _landed(jobs, bad % N, Phase.Paid, before);
    }

    function testFuzz_timeout_skips(uint256 bad, uint256 kind, uint256 field, bool committed) public {
        Job[] memory jobs = _jobs();
        _bringTo(jobs, committed ? Phase.Committed : Phase.Assigned);
        bytes4 reason = _poisonUnit(jobs, bad % N, kind % 4, field);
        Phase before = _phaseAfter(jobs[bad % N]);
        _after(100);
        _expectSkip(jobs[bad % N], reason);
        edge.timeout(_unitsOf(jobs));
        _landed(jobs, bad % N, committed ? Phase.Slashed : Phase.Refused, before);
    }

    /// @dev Any composition of phases and repetitions: each unit comes out as if it had been sent alone.
    function testFuzz_ends_mixedBatch(uint8[N] memory picks, uint8[N] memory phases, bool settling) public {
        Job[] memory jobs = _jobs();
        for (uint256 i = 0; i < N; ++i) {
            uint256 phase = phases[i] % 4;
            if (phase > 0) _assign(jobs[i]);
            if (phase > 1) _commit(jobs[i]);
            if (phase > 2) _reveal(jobs[i]);
        }
        _after(100);
        Unit[] memory units = new Unit[](N);
        bool[N] memory listed;
        for (uint256 i = 0; i < N; ++i) {
            uint256 pick = picks[i] % N;
            units[i] = _unit(jobs[pick]);
            listed[pick] = true;
        }
        if (settling) edge.settle(units, new Secret[](N));
        else edge.timeout(units);
        for (uint256 i = 0; i < N; ++i) {
            uint256 phase = phases[i] % 4;
            if (listed[i] && settling && phase == 3) _assertPhase(jobs[i], Phase.Paid);
            else if (listed[i] && !settling && phase == 1) _assertPhase(jobs[i], Phase.Refused);
            else if (listed[i] && !settling && phase == 2) _assertPhase(jobs[i], Phase.Slashed);
            else _assertPhase(jobs[i], Phase(phase));
        }
        _assertSolvent();
    }
}
