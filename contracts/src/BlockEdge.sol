// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {Hashing} from "./Hashing.sol";
import {
    IAuctions,
    IBlockEdge,
    IChecks,
    IDisputes,
    IOutputs,
    IReports,
    ITimeouts
} from "./interfaces/IBlockEdge.sol";
import {IContested} from "./interfaces/IContested.sol";
import {ICourt, IRule, IRuled} from "./interfaces/ICourt.sol";
import {IJudge} from "./interfaces/IJudge.sol";
import {Single} from "./Single.sol";
import {State} from "./State.sol";
import {
    Auction,
    Bid,
    Demand,
    Docket,
    KIND_POW,
    Params,
    Proof,
    Report,
    ReportOpening,
    Request,
    Result,
    Ruling,
    SeatProof,
    Unit
} from "./Types.sol";
import {Units} from "./Units.sol";

/// @title BlockEdge: the one contract users talk to.
/// @notice Start reading at IBlockEdge. In order of inheritance: State (storage, parameters), Ledger (moves
/// money), Reputation (scores), Endings (who gets what), Escrow (balances), Units (the life of a unit). The
/// calls of Reports, Disputes and Auctions run in the code of these three contracts, on this contract's storage.
contract BlockEdge is Units {
    address private immutable REPORTS;
    address private immutable DISPUTES;
    address private immutable AUCTIONS;
    address private immutable POW_JUDGE;

    /// @param p The deployment's constants, config/params.*.json. `court` is 0 or a Court that was created
    /// for this contract's address.
    /// @param powJudge The judge of kind 1.
    /// @param reports, disputes, auctions Created with the same constants.
    constructor(Params memory p, IJudge powJudge, Single reports, Single disputes, Single auctions) State(p) {
        if (p.court != address(0) && _blockEdgeOf(p.court) != address(this)) revert BadTerms("court");
        bytes32 constants = keccak256(abi.encode(p));
        if (keccak256(abi.encode(reports.params())) != constants) revert BadTerms("reports");
        if (keccak256(abi.encode(disputes.params())) != constants) revert BadTerms("disputes");
        if (keccak256(abi.encode(auctions.params())) != constants) revert BadTerms("auctions");
        POW_JUDGE = address(powJudge);
        REPORTS = address(reports);
        DISPUTES = address(disputes);
        AUCTIONS = address(auctions);
    }

    function _blockEdgeOf(address court) private view returns (address) {
        return court.code.length == 0 ? address(0) : ICourt(court).blockEdge();
    }

    /// @notice What the court takes of a ticket comes here; users call `fund`.
    receive() external payable {
        if (msg.sender != COURT) revert NotCourt();
    }

    // ── calls that others execute: same selector, same calldata ─────────────────────────────────────────

    /// @inheritdoc IAuctions
    function announce(Request calldata, bytes32[] calldata) external {
        _run(AUCTIONS);
    }

    /// @inheritdoc IAuctions
    function postBid(Request calldata, Bid calldata) external {
        _run(AUCTIONS);
    }

    /// @inheritdoc IAuctions
    function closeAuction(Request calldata, uint16, bytes32[] calldata) external {
        _run(AUCTIONS);
    }

    /// @inheritdoc IChecks
    function draw(Unit calldata, bytes32, bytes32) external {
        _run(DISPUTES);
    }

    /// @inheritdoc IChecks
    function commitCheck(Unit calldata, SeatProof calldata, bytes32) external {
        _run(DISPUTES);
    }

    /// @inheritdoc IChecks
    function fineChecker(Unit calldata, bytes32, uint40, SeatProof calldata) external {
        _run(DISPUTES);
    }

    /// @inheritdoc IReports
    function commitReport(Unit calldata, bytes32) external {
        _run(REPORTS);
    }

    /// @inheritdoc IReports
    function revealReport(Unit calldata, uint16, ReportOpening calldata, Proof calldata) external {
        _run(REPORTS);
    }

    /// @inheritdoc IReports
    function closeReports(Unit calldata, uint16[] calldata) external {
        _run(REPORTS);
    }

    /// @inheritdoc IDisputes
    function showJury(Unit calldata, bytes32, bytes32) external {
        _run(DISPUTES);
    }

    /// @inheritdoc IDisputes
    function defend(Unit calldata, bytes32, uint32) external {
        _run(DISPUTES);
    }

    /// @inheritdoc IRule
    function rule(Unit calldata, Ruling calldata) external payable {
        _run(DISPUTES);
    }

    /// @inheritdoc IOutputs
    function demand(Unit calldata, Result calldata, uint32) external {
        _run(REPORTS);
    }

    /// @inheritdoc IOutputs
    function supply(
        Unit calldata,
        Result calldata,
        uint32,
        uint32,
        bytes calldata,
        bytes32[] calldata
    ) external {
        _run(REPORTS);
    }

    /// @inheritdoc ITimeouts
    function timeout(Unit[] calldata) external {
        _run(REPORTS);
    }

    /// @dev A Unit is all static words, so its calldata is its encoding.
    function _settleContested(Unit calldata target, uint256 flags) internal override returns (bytes4 reason) {
        bytes calldata words;
        assembly ("memory-safe") {
            words.offset := target
            words.length := 0x220
        }
        bytes memory question = abi.encodePacked(IContested.settleContested.selector, words, flags);
        return abi.decode(Address.functionDelegateCall(DISPUTES, question), (bytes4));
    }

    /// @dev Ends the call: nothing may follow it.
    function _run(address code) private {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let done := delegatecall(gas(), code, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if iszero(done) { revert(free, returndatasize()) }
            return(free, returndatasize())
        }
    }

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function docketOf(bytes32 unit) external view returns (Docket memory docket) {
        docket = _dockets[unit];
        docket.seedAcc = _saltsOf(unit);
    }

    /// @inheritdoc IBlockEdge
    function reportOf(bytes32 unit, uint16 index) external view returns (Report memory) {
        return _reports[unit][index];
    }

    /// @inheritdoc IRuled
    function isReporter(bytes32 unit, address who) external view returns (bool) {
        if (who == address(0)) return false;
        return _reporters[unit][who] || _reports[unit][0].author == who || _reports[unit][1].author == who;
    }

    /// @inheritdoc IBlockEdge
    function auctionOf(
        bytes32 task,
        uint16 shard
    ) external view returns (uint256 closesAt, Auction memory best) {
        return (_announcements[task].closesAt, _auctions[Hashing.unit(task, shard)]);
    }

    /// @inheritdoc IBlockEdge
    function demandsOf(bytes32 unit) external view returns (Demand[] memory demands) {
        demands = new Demand[](_dockets[unit].demanded);
        for (uint256 i = 0; i < demands.length; ++i) {
            demands[i] = _demands[unit][i];
        }
    }

    /// @inheritdoc IBlockEdge
    function judgeOf(uint8 kind) external view returns (address) {
        return kind == KIND_POW ? POW_JUDGE : address(0);
    }

    /// @inheritdoc IBlockEdge
    function params() external view returns (Params memory) {
        return Single(REPORTS).params(); // the same immutables
    }
}
