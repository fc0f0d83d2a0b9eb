// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IBlockEdgeErrors, IBlockEdgeEvents} from "./interfaces/IBlockEdge.sol";
import {Hashing} from "./Hashing.sol";
import {
    Account,
    Announcement,
    Auction,
    BPS,
    Demand,
    Docket,
    FLAG_SECRET_SHOWN,
    KIND_POW,
    Params,
    Report,
    ReportState,
    Reputation,
    Request,
    Terms,
    Unit,
    VERDICT_RIGHT
} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title All storage and all constants, for BlockEdge and for Reports, whose code runs on this storage.
/// @dev Layouts: docs/protocol.md §3.2. No other file declares a storage variable. Parameters are immutable:
/// a new version is a new deployment.
abstract contract State is EIP712, ReentrancyGuardTransient, IBlockEdgeErrors, IBlockEdgeEvents {
    uint256 internal immutable FEE_BPS;
    uint256 internal immutable SPOT_BPS_MIN;
    uint256 internal immutable SEAT;
    uint256 internal immutable GRACE;
    uint256 internal immutable SECRET;
    uint256 internal immutable REVEAL;
    uint256 internal immutable CHALLENGE;
    uint256 internal immutable REPORT;
    uint256 internal immutable MAX_AWARD;
    uint256 internal immutable REF_FUEL;
    uint256 internal immutable VWIN_BASE;
    uint256 internal immutable VWIN_MAX;
    uint256 internal immutable TICKET_AGE;
    uint256 internal immutable UNBOND;
    uint256 internal immutable DEFEND;
    uint256 internal immutable JCOMMIT;
    uint256 internal immutable JREVEAL;
    uint256 internal immutable APPEAL;
    uint256 internal immutable DA_WINDOW;
    uint256 internal immutable FEE_UNIT;
    uint256 internal immutable BID_BLOCKS;
    address internal immutable COURT;

    mapping(address account => Account) internal _accounts;
    mapping(bytes32 unit => UnitSlot) internal _units;
    mapping(address account => Reputation) internal _reps;
    mapping(bytes32 unit => Docket) internal _dockets;
    mapping(bytes32 unit => mapping(uint256 index => Report)) internal _reports;
    uint96 internal _burned;
    mapping(bytes32 unit => mapping(address author => bool)) internal _reporters; // court kinds only
    mapping(bytes32 unit => mapping(bytes32 resultHash => uint256)) internal _firstOf; // 1 + lowest behind the accuser
    mapping(bytes32 unit => mapping(uint256 index => Demand)) internal _demands;
    mapping(bytes32 task => Announcement) internal _announcements;
    mapping(bytes32 unit => Auction) internal _auctions;

    constructor(Params memory p) EIP712("BlockEdge", "1") {
        if (p.feeBps > 10_000) revert BadTerms("feeBps");
        if (p.seat < 1 gwei) revert BadTerms("seat"); // divides, in gwei
        if (p.feeUnit == 0) revert BadTerms("feeUnit");
        if (p.refFuel == 0) revert BadTerms("refFuel");
        if (p.vwinBase > p.vwinMax) revert BadTerms("vwinMax");
        if (p.bidBlocks == 0) revert BadTerms("bidBlocks");
        // An exit matures only after every promise that the balance may have covered (§7.2).
        if (p.unbond <= p.maxAward) revert BadTerms("unbond");

        FEE_BPS = p.feeBps;
        SPOT_BPS_MIN = p.spotBpsMin;
        SEAT = p.seat;
        GRACE = p.grace;
        SECRET = p.secret;
        REVEAL = p.reveal;
        CHALLENGE = p.challenge;
        REPORT = p.report;
        MAX_AWARD = p.maxAward;
        REF_FUEL = p.refFuel;
        VWIN_BASE = p.vwinBase;
        VWIN_MAX = p.vwinMax;
        TICKET_AGE = p.ticketAge;
        UNBOND = p.unbond;
        DEFEND = p.defend;
        JCOMMIT = p.jcommit;
        JREVEAL = p.jreveal;
        APPEAL = p.appeal;
        DA_WINDOW = p.daWindow;
        FEE_UNIT = p.feeUnit;
        BID_BLOCKS = p.bidBlocks;
        COURT = p.court;
    }

    // ── what a Unit in calldata says about its slot ─────────────────────────────────────────────────────

    /// @notice A task is named by the digest of its Request.
    function _taskOf(Request calldata request) internal view returns (bytes32) {
        return _hashTypedDataV4(Hashing.hash(request));
    }

    function _identify(Unit calldata target) internal pure returns (bytes32 unit, bytes32 termsHash) {
        unit = Hashing.unit(target.terms.task, target.terms.shard);
        termsHash = Hashing.hash(target.terms);
    }

    /// @notice Whether jurors decide about this unit.
    function _byCourt(Terms calldata terms) internal view returns (bool) {
        return COURT != address(0) && terms.kind != KIND_POW;
    }

    // ── deadlines (§3.3). Times and windows fit 40 bits: no sum overflows ───────────────────────────────

    /// @notice The end of the ASSIGNED phase: at least GRACE after registration, whoever registered and
    /// however late (invariant 19).
    function _resultBy(uint256 startAt, uint256 delay, uint256 since) internal view returns (uint256) {
        uint256 promised = (startAt == 0 ? since : startAt) + delay;
        return (promised > since ? promised : since) + GRACE;
    }

    /// @notice When the drawn checker must have committed; without spot checks, at once.
    function _checkBy(Terms calldata terms, uint256 since) internal view returns (uint256) {
        unchecked {
            return terms.spotBps == 0 ? since : since + SECRET + terms.vwin;
        }
    }

    /// @notice When the last report may be committed.
    function _challengeBy(Terms calldata terms, uint256 since) internal view returns (uint256) {
        unchecked {
            return since + terms.vwin + CHALLENGE;
        }
    }

    /// @notice When a unit without reports may be settled. Strangers who settle without the secret wait GRACE
    /// longer, so that they cannot burn the check fee.
    function _settleAfter(
        Terms calldata terms,
        uint256 since,
        uint256 flags
    ) internal view returns (uint256) {
        unchecked {
            return _challengeBy(terms, since) + (flags & FLAG_SECRET_SHOWN == 0 ? GRACE : 0);
        }
    }

    // ── draw secrets (§6.2) ─────────────────────────────────────────────────────────────────────────────

    function _requireSecret(Terms calldata terms, bytes32 secret, bytes32 guardR) internal pure {
        if (Hashing.drawCommit(secret, guardR) != terms.drawCommit) revert BadOpening("secret");
    }

    /// @notice What all revealed reports add to the jury's seed, a check that agrees included: that one keeps
    /// the hash of its salt where others keep that of their result.
    function _saltsOf(bytes32 unit) internal view returns (bytes16 mix) {
        mix = _dockets[unit].seedAcc;
        Report storage check = _reports[unit][0];
        if (check.state >= ReportState.Revealed && check.verdict == VERDICT_RIGHT) {
            mix ^= bytes16(check.hash);
        }
    }

    function _isDrawn(Terms calldata terms, bytes32 seed) internal pure returns (bool) {
        return uint256(seed) % BPS < terms.spotBps;
    }
}
