// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Case, ReportOpening, SeatProof} from "../../src/Types.sol";
import {Console} from "../utils/Console.sol";
import {Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title What checks and disputes cost (docs/protocol.md §3.5). Every call is a transaction of its own.
/// forge-config: default.isolate = true
contract GasOfDisputeTest is JuryFixture {
    uint256 private _sum;

    function setUp() public override {
        super.setUp();
        // First use of a slot costs 17k more and is not what repeats.
        Job memory job = _courtJob(false);
        _toOpen(job);
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
    }

    function _keep(string memory call) private {
        (, uint256 used,,,) = vm.lastCallGas();
        _sum += used;
        vm.snapshotValue("GasOfDispute", call, used);
    }

    function _total(string memory what, uint256 limit) private {
        vm.snapshotValue("GasOfDispute", what, _sum);
        Console.log(string.concat(what, ": ", vm.toString(_sum)));
        assertLe(_sum, limit, what);
        _sum = 0;
    }

    function test_gas_uncheckedUnit() public {
        Job memory job = _courtJob(false);
        _register(job);
        _keep("unchecked 1 awardCommit");
        _revealShown(job);
        _keep("unchecked 2 reveal");
        vm.warp(_challengeBy(job) + 1);
        _settle(job);
        _keep("unchecked 3 settle");
        _total("unchecked 4 total", 210_000);
    }

    function test_gas_spotCheck() public {
        Job memory job = _courtJob(true);
        _register(job);
        _draw(job);
        _keep("check 1 draw");
        ReportOpening memory check = _checkOpening(job, _resultHash(job));
        bytes32 hash = _checkHash(job, check);
        (SeatProof memory proof,,) = _drawn(job);
        vm.prank(check.author);
        edge.commitCheck(_unit(job), proof, hash);
        _keep("check 2 commitCheck");
        _revealShown(job);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 0, check, "");
        _keep("check 3 revealReport");
        _total("check 4 total", 215_000);
    }

    function test_gas_disputeOfFive() public {
        Job memory job = _courtJob(false);
        _toOpen(job);
        ReportOpening memory report = _commitReport(job, detector, WRONG);
        _keep("dispute 1 commitReport");
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, report, "");
        _keep("dispute 2 revealReport");
        _dispute(job);
        _keep("dispute 3 settle");
        _showJury(job);
        _keep("dispute 4 showJury");
        Case memory case_ = _case(job);
        vm.prank(stranger.addr);
        edge.defend(_unit(job), S_W, uint32(OWNERS));
        _keep("dispute 5 defend");
        _vote5(case_);
        vm.warp(block.timestamp + p.appeal + 1);
        vm.prank(stranger.addr);
        court.closeRound(_unit(job), case_, WRONG);
        _keep("dispute 8 closeRound");
        _total("dispute 9 total", 1_000_000);
    }

    function _vote5(Case memory case_) private {
        for (uint8 seat = 0; seat < 5; ++seat) {
            _vote(case_, 0, seat, WRONG);
            _keep("dispute 6 commitVote");
        }
        vm.warp(uint256(court.caseOf(case_.unit).roundAt) + p.jcommit + case_.vwin + 1);
        for (uint8 seat = 0; seat < 5; ++seat) {
            court.revealVote(case_, 0, seat, WRONG, _voteSalt(case_, 0, seat));
            _keep("dispute 7 revealVote");
        }
        vm.warp(block.timestamp + p.jreveal);
    }
}
