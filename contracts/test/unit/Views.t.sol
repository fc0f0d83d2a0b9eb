// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ParamsFile} from "../../script/ParamsFile.sol";
import {IBlockEdge, IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Bid, Params, Phase, Request, Unit, UnitState} from "../../src/Types.sol";
import {Deployment, Siblings} from "../utils/Deployment.sol";
import {Digests} from "../utils/Digests.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title Views, deployment parameters and the layout that Reports relies on.
contract ViewsTest is Fixture {
    function test_phaseOf_manyAtOnce() public {
        Job memory first = _wasmJob();
        Job memory second = _wasmJob();
        _assign(first);
        _awardCommit(second);
        bytes32[] memory units = new bytes32[](3);
        units[0] = first.unit;
        units[1] = second.unit;
        units[2] = keccak256("unknown");
        UnitState[] memory states = edge.phaseOf(units);
        assertEq(uint256(states[0].phase), uint256(Phase.Assigned), "first");
        assertEq(uint256(states[1].phase), uint256(Phase.Committed), "second");
        assertEq(uint256(states[2].phase), uint256(Phase.None), "unknown");
        assertEq(states[0].digest, Digests.slot(first.terms, first.data), "digest");
    }

    function test_unitSlot_layout() public {
        Job memory job = _powJob();
        _toRevealed(job);
        _commitReport(job, detector, keccak256("evidence"));
        // phase:8 | since:40 | digest:208, lowest bits first; the docket is the phase's top bit (§3.2).
        uint256 word = uint256(vm.load(address(edge), keccak256(abi.encode(job.unit, uint256(3)))));
        assertEq(word & 0xff, uint256(Phase.Revealed) | 0x80, "phase and docket");
        assertEq((word >> 8) & type(uint40).max, _state(job).since, "since");
        assertEq(word >> 48, Digests.slot(job.terms, job.data), "digest");
    }

    function test_scoreOf_isTheFormula() public {
        Request memory request = _request(2);
        Bid memory bid = _bid(request, 0, worker);
        // price 2 of 4, delay 10 of 60, R 0.14, weights 50/25/25 %
        uint256 expected = (5000 * 500_000 + 2500 * uint256(833_333) + 2500 * 140_000) / 10_000;
        assertEq(edge.scoreOf(request, bid), expected, "score");
        bid.price = 1;
        bid.delay = 1;
        bid.rep = 1_000_000;
        request.maxPrice = type(uint96).max;
        request.maxDelay = 604_800;
        assertTrue(edge.scoreOf(request, bid) <= 1_000_000, "at most 1e6");
    }

    function test_params_areTheFiles() public view {
        assertEq(keccak256(abi.encode(edge.params())), keccak256(abi.encode(p)), "dev");
    }

    function test_params_prodKeepsTheRulesOfTheProtocol() public {
        Params memory prod = ParamsFile.load("prod");
        IBlockEdge live = _deploy(prod, powJudge);
        assertEq(keccak256(abi.encode(live.params())), keccak256(abi.encode(prod)), "prod");
        _checkUnbond(prod, 34_620);
        _checkUnbond(p, 396);
    }

    /// @dev UNBOND exceeds the longest life of a ticket's duty (§7.2).
    function _checkUnbond(Params memory q, uint256 duty) private pure {
        uint256 longest = uint256(q.secret) + q.reveal + q.challenge + q.report + q.defend + 2 * q.vwinMax + 3
            * (uint256(q.jcommit) + q.vwinMax + q.jreveal + q.appeal);
        assertEq(longest, duty, "as the protocol states");
        assertTrue(q.unbond > longest + q.daWindow && q.unbond > q.maxAward, "UNBOND");
    }

    function test_judgeOf_kindOneOnly() public view {
        assertEq(edge.judgeOf(1), powJudge, "kind 1");
        assertEq(edge.judgeOf(2), address(0), "a court kind");
        assertEq(edge.judgeOf(3), address(0), "unknown");
    }

    function test_constructor_refusesUnusableParams() public {
        Params memory q = _dev();
        q.feeBps = 10_001;
        _refused(q, "feeBps");
        q = _dev();
        q.seat = 1 gwei - 1;
        _refused(q, "seat");
        q = _dev();
        q.feeUnit = 0;
        _refused(q, "feeUnit");
        q = _dev();
        q.refFuel = 0;
        _refused(q, "refFuel");
        q = _dev();
        q.vwinMax = q.vwinBase - 1;
        _refused(q, "vwinMax");
        q = _dev();
        q.unbond = q.maxAward;
        _refused(q, "unbond");
        q = _dev();
        q.bidBlocks = 0;
        _refused(q, "bidBlocks");
        q = _dev();
        q.court = address(new OtherCourt());
        _refused(q, "court");
        q.court = address(0xbeef);
        _refused(q, "court");
    }

    function test_constructor_needsAJudge() public {
        Creator creator = new Creator();
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("powJudge")));
        creator.create(p, address(0xbeef));
    }

    function test_constructor_refusesRareCallsOfOtherParams() public {
        Creator creator = new Creator();
        Params memory other = _dev();
        other.grace += 1;
        bytes32[3] memory names = [bytes32("reports"), "disputes", "auctions"];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, names[i]));
            creator.createMixed(p, other, powJudge, i);
        }
    }

    function _dev() private view returns (Params memory) {
        return ParamsFile.load("dev");
    }

    function _refused(Params memory q, bytes32 field) private {
        Creator creator = new Creator();
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, field));
        creator.create(q, powJudge);
    }

    function test_reports_ownStorageIsEmpty() public {
        address reports = Deployment.rare(p, powJudge).reports;
        Job memory job = _powJob();
        _toRevealed(job);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, Phase.Revealed, Phase.None));
        IBlockEdge(reports).commitReport(_unit(job), keccak256("hash"));
    }

    function test_reports_cannotBePaidByMistake() public {
        Job memory job = _powJob();
        _toRevealed(job);
        Unit memory unit = _unit(job);
        vm.deal(detector.addr, 1 ether);
        vm.prank(detector.addr);
        (bool done,) =
            address(edge).call{value: 1 ether}(abi.encodeCall(edge.commitReport, (unit, keccak256("hash"))));
        assertTrue(!done, "bonds come from the balance, not with the call");
    }
}

/// Creates a BlockEdge one call down, where vm.expectRevert can see the constructor fail.
contract Creator {
    function create(Params memory params, address judge) external returns (address) {
        return address(Deployment.create(params, judge));
    }

    /// @dev One sibling made for `rare` is given to a BlockEdge of `params`.
    function createMixed(Params memory params, Params memory rare, address judge, uint256 which) external {
        Siblings memory right = Deployment.rare(params, judge);
        Siblings memory mixed = Deployment.rare(rare, judge);
        if (which != 0) mixed.reports = right.reports;
        if (which != 1) mixed.disputes = right.disputes;
        if (which != 2) mixed.auctions = right.auctions;
        Deployment.create(params, judge, mixed);
    }
}

/// A court made for another BlockEdge.
contract OtherCourt {
    function blockEdge() external pure returns (address) {
        return address(1);
    }
}
