// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../script/Vm.sol";
import {Disputes} from "../src/Disputes.sol";
import {Hashing} from "../src/Hashing.sol";
import {Account, Params, Phase, Report, ReportState, Ruling, Terms, Unit} from "../src/Types.sol";
import {newSlot} from "../src/UnitSlot.sol";
import {IBooks, Proof} from "./Proof.sol";

contract DuesBooks is Disputes, IBooks {
    constructor(Params memory p) Disputes(p) {}

    receive() external payable {}

    /// @notice A DISPUTED unit whose first report is the accuser's: X locked, its five fees with the court.
    function put(Unit calldata target, address accuser, bytes32 hash) external {
        (bytes32 unit, bytes32 termsHash) = _identify(target);
        _units[unit] = newSlot(Phase.Disputed, Hashing.digest(termsHash, target.data));
        _accounts[target.terms.requester].locked += uint96(_escrowOf(target.terms));
        _accounts[target.terms.worker].locked += target.terms.deposit;
        _accounts[accuser].locked += uint96(_accusationOf(target.terms));
        _dockets[unit].best = 2;
        _dockets[unit].reports = 1;
        _reports[unit][1] = Report({author: accuser, state: ReportState.Revealed, verdict: 0, hash: hash});
        _firstOf[unit][hash] = 2;
    }

    function accountOf(address who) external view returns (Account memory) {
        return _accounts[who];
    }

    function burned() external view returns (uint96) {
        return _burned;
    }
}

/// @title A ruling pays dues, shares and prices out of what the court sends, the escrow, the deposit and X: all of
/// it, and no more.
/// @notice This contract is the court.
contract DuesProof is Proof {
    DuesBooks internal books;

    function setUp() public {
        vm.warp(1_800_000_000);
        books = new DuesBooks(_params(address(this)));
        vm.deal(address(this), 1 << 96);
    }

    function _sums(address a, address b, address c, address d) private view returns (uint256) {
        return _sum(books, a, b, c) + (d == a || d == b || d == c ? 0 : _holds(books, d));
    }

    function _check(
        Phase outcome,
        Unit memory target,
        bytes32 hash,
        address funder,
        Ruling memory ruling,
        uint96 pool
    ) private {
        Terms memory terms = target.terms;
        address accuser = address(0xacc);
        vm.assume(terms.requester == address(0xbee) && terms.worker == address(0x0ace));
        _assumeTerms(terms);
        vm.assume(uint256(pool) + 8 * uint256(terms.deposit) <= MOST);
        vm.assume(ruling.fines <= pool); // of what the court sends
        vm.assume(uint256(ruling.dues[0]) + ruling.dues[1] + ruling.dues[2] <= MOST / 4);
        (ruling.outcome, ruling.funders) = (outcome, [accuser, funder, terms.worker]);
        books.put(target, accuser, hash);
        uint256 before = _sums(terms.requester, terms.worker, accuser, funder);

        books.rule{value: pool}(target, ruling);
        assert(_sums(terms.requester, terms.worker, accuser, funder) == before + pool);
        assert(books.accountOf(terms.worker).locked == 0 && books.accountOf(terms.requester).locked == 0);
        assert(books.accountOf(accuser).locked == 0);
    }

    function check_ruledSlashed(
        Unit memory target,
        bytes32 hash,
        address funder,
        Ruling memory ruling,
        uint96 pool
    ) external {
        _check(Phase.Slashed, target, hash, funder, ruling, pool);
    }

    function check_ruledPaid(
        Unit memory target,
        bytes32 hash,
        address funder,
        Ruling memory ruling,
        uint96 pool
    ) external {
        _check(Phase.Paid, target, hash, funder, ruling, pool);
    }

    function check_ruledUnresolved(
        Unit memory target,
        bytes32 hash,
        address funder,
        Ruling memory ruling,
        uint96 pool
    ) external {
        _check(Phase.Unresolved, target, hash, funder, ruling, pool);
    }
}
