// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {IBlockEdge, IReports} from "./interfaces/IBlockEdge.sol";
import {IJudge} from "./interfaces/IJudge.sol";
import {Reports} from "./Reports.sol";
import {State} from "./State.sol";
import {Docket, KIND_POW, Params, Proof, Report, ReportOpening, Unit} from "./Types.sol";
import {Units} from "./Units.sol";

/// @title BlockEdge: the one contract users talk to.
/// @notice Start reading at IBlockEdge. In order of inheritance: State (storage, parameters), Ledger (moves
/// money), Escrow (balances), Reputation (scores), Units (the life of a unit). The calls of Reports run in
/// the code of a second contract, created with this one, on this contract's storage.
contract BlockEdge is Units {
    address private immutable REPORTS;
    address private immutable POW_JUDGE;

    /// @param p The deployment's constants, config/params.*.json.
    /// @param powJudge The judge of kind 1.
    constructor(Params memory p, IJudge powJudge) State(p) {
        POW_JUDGE = address(powJudge);
        REPORTS = address(new Reports(p, powJudge));
    }

    // ── calls that Reports executes: same selector, same calldata ───────────────────────────────────────

    /// @inheritdoc IReports
    function commitReport(Unit calldata, bytes32) external {
        Address.functionDelegateCall(REPORTS, msg.data);
    }

    /// @inheritdoc IReports
    function revealReport(Unit calldata, uint16, ReportOpening calldata, Proof calldata) external {
        Address.functionDelegateCall(REPORTS, msg.data);
    }

    /// @inheritdoc IReports
    function closeReports(Unit calldata, uint16[] calldata) external {
        Address.functionDelegateCall(REPORTS, msg.data);
    }

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function docketOf(bytes32 unit) external view returns (Docket memory) {
        return _dockets[unit];
    }

    /// @inheritdoc IBlockEdge
    function reportOf(bytes32 unit, uint16 index) external view returns (Report memory) {
        return _reports[unit][index];
    }

    /// @inheritdoc IBlockEdge
    function judgeOf(uint8 kind) external view returns (address) {
        return kind == KIND_POW ? POW_JUDGE : address(0);
    }

    /// @inheritdoc IBlockEdge
    function params() external view returns (Params memory p) {
        p.feeBps = uint16(FEE_BPS);
        p.spotBpsMin = uint16(SPOT_BPS_MIN);
        p.seat = uint96(SEAT);
        p.grace = uint32(GRACE);
        p.secret = uint32(SECRET);
        p.reveal = uint32(REVEAL);
        p.challenge = uint32(CHALLENGE);
        p.report = uint32(REPORT);
        p.maxAward = uint32(MAX_AWARD);
        p.refFuel = uint64(REF_FUEL);
        p.vwinBase = uint32(VWIN_BASE);
        p.vwinMax = uint32(VWIN_MAX);
        p.ticketAge = uint32(TICKET_AGE);
        p.unbond = uint32(UNBOND);
        p.defend = uint32(DEFEND);
        p.jcommit = uint32(JCOMMIT);
        p.jreveal = uint32(JREVEAL);
        p.appeal = uint32(APPEAL);
        p.daWindow = uint32(DA_WINDOW);
        p.feeUnit = uint96(FEE_UNIT);
        p.bidBlocks = uint16(BID_BLOCKS);
        p.court = COURT;
    }
}
