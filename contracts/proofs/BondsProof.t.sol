// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../script/Vm.sol";
import {Bonds} from "../src/Bonds.sol";
import {Hashing} from "../src/Hashing.sol";
import {State} from "../src/State.sol";
import {Account, Params, Phase, Report, ReportState, Terms, Unit, VERDICT_WRONG} from "../src/Types.sol";
import {newSlot} from "../src/UnitSlot.sol";
import {IBooks, Proof} from "./Proof.sol";

contract BondsBooks is Bonds, IBooks {
    constructor(Params memory p) State(p) {}

    function put(Unit calldata target, Phase phase, Report calldata report, uint96 free) external {
        (bytes32 unit, bytes32 termsHash) = _identify(target);
        _units[unit] = newSlot(phase, Hashing.digest(termsHash, target.data));
        _reports[unit][1] = report;
        _accounts[report.author].free = free;
        _accounts[report.author].locked = uint96(_bondOf(target.terms));
    }

    function close(Unit calldata target) external {
        uint16[] memory indices = new uint16[](1);
        indices[0] = 1;
        this.closeReports(target, indices);
    }

    function closeReports(Unit calldata target, uint16[] calldata indices) external {
        _closeReports(target, indices);
    }

    function bondOf(Terms calldata terms) external view returns (uint256) {
        return _bondOf(terms);
    }

    function accountOf(address who) external view returns (Account memory) {
        return _accounts[who];
    }

    function burned() external view returns (uint96) {
        return _burned;
    }
}

/// @title A report's bond goes back, to the worker, or up in smoke, and nowhere else, whatever its unit came to.
contract BondsProof is Proof {
    BondsBooks internal stage1;
    BondsBooks internal withCourt;

    function setUp() public {
        vm.warp(1_800_000_000);
        stage1 = new BondsBooks(_params(address(0)));
        withCourt = new BondsBooks(_params(address(0xc0)));
    }

    function _check(
        BondsBooks books,
        Unit memory target,
        uint8 phase,
        Report memory report,
        uint96 free
    ) private {
        Terms memory terms = target.terms;
        _assumeTerms(terms);
        vm.assume(phase >= uint8(Phase.Paid) && phase <= uint8(Phase.Unresolved));
        vm.assume(report.author != terms.worker && report.verdict <= VERDICT_WRONG);
        vm.assume(report.state == ReportState.Committed || report.state == ReportState.Revealed);
        vm.assume(uint256(free) + 4 * uint256(terms.deposit) <= MOST);
        books.put(target, Phase(phase), report, free);
        uint256 before = _sum(books, report.author, terms.worker);
        uint256 author = _holds(books, report.author);
        uint256 bond = books.bondOf(terms);

        books.close(target);
        assert(_sum(books, report.author, terms.worker) == before);
        assert(books.accountOf(report.author).locked == 0);
        // Nobody loses more than the bond, and a worker never gets more than half of it.
        assert(_holds(books, report.author) + bond >= author);
        assert(_holds(books, terms.worker) <= bond / 2);
    }

    function check_closeReport(Unit memory target, uint8 phase, Report memory report, uint96 free) external {
        _check(stage1, target, phase, report, free);
    }

    function check_closeReportByCourt(
        Unit memory target,
        uint8 phase,
        Report memory report,
        uint96 free
    ) external {
        _check(withCourt, target, phase, report, free);
    }
}
