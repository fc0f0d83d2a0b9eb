// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "../../src/Types.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

contract HappyPathTest is Fixture {
    function test_settle_paysTheWorker() public {
        Job memory job = _wasmJob();
        _awardCommit(job);
        _reveal(job);
        _after(job.terms.vwin + p.challenge + 1);
        _settle(job);
        _assertPhase(job, Phase.Paid);
        _assertSolvent();
    }
}
