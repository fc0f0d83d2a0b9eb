// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Log, vm} from "../../script/Vm.sol";
import {IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Phase, ReportOpening, Result, Terms, Unit} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Whole stories, told by units that live side by side.
contract FlowTest is Fixture {
    function test_flow_everyEndingAtOnceLeavesNothingLocked() public {
        Job memory paid = _wasmJob();
        Job memory convicted = _powJob();
        Job memory accused = _powJob();
        Job memory refused = _wasmJob();
        Job memory faked = _wasmJob();
        Job memory withheld = _wasmJob();
        Job memory disputed = _wasmJob();

        _answer(convicted, "");
        _assign(refused);
        _signBid(faked, 0);
        _award(faked, requester);
        _awardCommit(withheld);
        _toRevealed(paid);
        _toRevealed(convicted);
        _toRevealed(accused);
        _toRevealed(disputed);
        ReportOpening memory right = _commitReport(convicted, detector, keccak256(_powAnswer(0)));
        ReportOpening memory lie = _commitReport(accused, rival, keccak256("lie"));
        ReportOpening memory other = _commitReport(disputed, requester, keccak256("other"));

        vm.warp(_challengeBy(convicted) + 1);
        _revealReport(convicted, 1, right, _powAnswer(0));
        _revealReport(accused, 1, lie, "lie");
        _revealReport(disputed, 1, other, "");
        _after(100);

        // Strangers end them all (invariant 9).
        _settle(paid);
        _settle(convicted);
        _settle(accused);
        _settle(disputed);
        _timeout(refused);
        _timeout(faked);
        _timeout(withheld);
        _closeReport(convicted, 1);
        _closeReport(accused, 1);
        _closeReport(disputed, 1);

        _assertPhase(paid, Phase.Paid);
        _assertPhase(convicted, Phase.Slashed);
        _assertPhase(accused, Phase.Paid);
        _assertPhase(refused, Phase.Refused);
        _assertPhase(faked, Phase.Refused);
        _assertPhase(withheld, Phase.Slashed);
        _assertPhase(disputed, Phase.Unresolved);
        assertEq(
            _locked(requester) + _locked(worker) + _locked(rival) + _locked(detector), 0, "nothing locked"
        );
        (uint24 n, uint24 m,,,) = edge.repOf(worker.addr);
        assertEq(n, 3, "convicted, refused, withheld");
        assertEq(m, 5, "and twice paid");
        _assertSolvent();
    }

    function test_flow_selfAccusationLosesThirtyPerCent() public {
        // One person behind worker, requester and detector: what it holds before and after.
        uint256 before = _free(worker) + _free(requester) + _free(detector);
        Job memory job = _powJob();
        _answer(job, "");
        _toRevealed(job);
        ReportOpening memory opening = _commitReport(job, detector, keccak256(_powAnswer(0)));
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, _powAnswer(0));
        _after(p.report);
        _settle(job);
        _closeReport(job, 1);
        uint256 lost = before - _free(worker) - _free(requester) - _free(detector);
        assertEq(lost, job.terms.deposit * 30 / 100, "thirty per cent");
    }

    /// @dev Invariant 20: from the log alone, a stranger builds reveal's successor calls.
    function test_flow_eventsRebuildTheUnit() public {
        vm.recordLogs();
        Job memory job = _wasmJob();
        _toRevealed(job);
        Log[] memory logs = vm.getRecordedLogs();

        Unit memory rebuilt;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == Events.Awarded.selector) {
                (rebuilt.terms,) = abi.decode(logs[i].data, (Terms, uint40));
            } else if (logs[i].topics[0] == Events.Revealed.selector) {
                (rebuilt.data[0], rebuilt.data[1], rebuilt.data[2],,) =
                    abi.decode(logs[i].data, (bytes32, bytes32, bytes32, Result, bytes));
            }
        }
        assertEq(_state(job).digest, Digests.slot(rebuilt.terms, rebuilt.data), "the unit on record");
        assertEq(rebuilt.terms.task, Digests.task(address(edge), job.request), "its task");
    }
}
