// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, Sig} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Job} from "../utils/Fixture.sol";
import {Slots} from "./Slots.sol";

/// @title Every deadline of a unit falls on the second that Python computes (invariant 17): a call at it is
/// in time, and the call that opens next needs one second more (docs/protocol.md §3.3).
contract DeadlinesVectorsTest is Slots {
    struct Row {
        uint256 since;
        uint256 startAt;
        uint32 delay;
        uint32 vwin;
        uint16 spotBps;
        uint256 flags;
        uint256 reports;
        uint256 resultBy;
        uint256 revealBy;
        uint256 challengeBy;
        uint256 reportBy;
        uint256 settleAfter;
    }

    function setUp() public override {
        super.setUp();
        _open("deadlines");
        assertEq(_value(".grace"), p.grace, "grace");
        assertEq(_value(".secret"), p.secret, "secret");
        assertEq(_value(".reveal"), p.reveal, "reveal");
        assertEq(_value(".challenge"), p.challenge, "challenge");
        assertEq(_value(".report"), p.report, "report");
        assertEq(_value(".refFuel"), p.refFuel, "refFuel");
        assertEq(_value(".vwinBase"), p.vwinBase, "vwinBase");
    }

    function _table() private view returns (Row[] memory table) {
        bytes[] memory rows = _rows(
            "unit",
            "since startAt delay vwin spotBps flags reports resultBy revealBy challengeBy reportBy settleAfter"
        );
        table = new Row[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            table[i] = abi.decode(rows[i], (Row));
        }
    }

    function _jobAt(Row memory row, Phase phase) private returns (Job memory job) {
        job = _powJob();
        job.terms.delay = row.delay;
        job.terms.vwin = row.vwin;
        job.terms.spotBps = row.spotBps;
        if (phase == Phase.Assigned) job.data[0] = bytes32(row.startAt);
        if (phase == Phase.Committed) job.data[0] = _commitment(job);
        if (phase == Phase.Revealed) {
            bytes32 fourth = row.flags == 0 ? _commitment(job) : bytes32(0);
            job.data = [_resultHash(job), job.guard, bytes32(row.flags), fourth];
        }
        _put(job, phase, row.since, phase == Phase.Revealed && row.reports != 0);
        _putLocked(requester.addr, 1 << 90);
        _putLocked(worker.addr, 1 << 90);
    }

    function test_vectors_resultBy() public {
        Row[] memory table = _table();
        for (uint256 i = 0; i < table.length; ++i) {
            Job memory job = _jobAt(table[i], Phase.Assigned);
            vm.warp(table[i].resultBy);
            _expectSkip(job, Errors.TooEarly.selector);
            _timeout(job);
            uint256 id = vm.snapshotState();
            _commitAs(job, worker, _commitment(job), Sig(0, 0));
            _assertPhase(job, Phase.Committed);
            vm.revertToState(id);
            vm.warp(table[i].resultBy + 1);
            _expectSkip(job, Errors.TooLate.selector);
            _commitAs(job, worker, _commitment(job), Sig(0, 0));
            _timeout(job);
            _assertPhase(job, Phase.Refused);
        }
    }

    function test_vectors_revealBy() public {
        Row[] memory table = _table();
        for (uint256 i = 0; i < table.length; ++i) {
            Job memory job = _jobAt(table[i], Phase.Committed);
            vm.warp(table[i].revealBy);
            _expectSkip(job, Errors.TooEarly.selector);
            _timeout(job);
            uint256 id = vm.snapshotState();
            _revealWith(job, _opening(job));
            _assertPhase(job, Phase.Revealed);
            vm.revertToState(id);
            vm.warp(table[i].revealBy + 1);
            _expectSkip(job, Errors.TooLate.selector);
            _revealWith(job, _opening(job));
            _timeout(job);
            _assertPhase(job, Phase.Slashed);
        }
    }

    function test_vectors_challengeByAndReportBy() public {
        Row[] memory table = _table();
        for (uint256 i = 0; i < table.length; ++i) {
            Job memory job = _jobAt(table[i], Phase.Revealed);
            vm.warp(table[i].challengeBy);
            vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, table[i].challengeBy));
            edge.revealReport(_unit(job), 1, _reportOpening(detector, 0), _noProof());
            uint256 id = vm.snapshotState();
            _commitReport(job, detector, 0);
            vm.revertToState(id);
            vm.warp(table[i].challengeBy + 1);
            vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, table[i].challengeBy));
            edge.commitReport(_unit(job), 0);
            vm.warp(table[i].reportBy + 1);
            vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, table[i].reportBy));
            edge.revealReport(_unit(job), 1, _reportOpening(detector, 0), _noProof());
        }
    }

    function test_vectors_settleAfter() public {
        Row[] memory table = _table();
        for (uint256 i = 0; i < table.length; ++i) {
            Job memory job = _jobAt(table[i], Phase.Revealed);
            vm.warp(table[i].settleAfter);
            _expectSkip(job, Errors.TooEarly.selector);
            _settle(job);
            vm.warp(table[i].settleAfter + 1);
            _settle(job);
            _assertPhase(job, Phase.Paid);
        }
    }

    function test_vectors_vwin() public {
        uint256[] memory fuels = _column("vwin", "fuel");
        uint256[] memory vwins = _column("vwin", "vwin");
        for (uint256 i = 0; i < fuels.length; ++i) {
            Job memory job = _powJob();
            job.request.fuel = uint64(fuels[i]);
            _sign(job);
            job.terms.vwin = uint32(vwins[i]);
            _assign(job);
            assertEq(_state(job).digest, Digests.slot(job.terms, job.data), _at("vwin", i));
        }
    }
}
