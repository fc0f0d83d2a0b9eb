// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Endings} from "./Endings.sol";
import {Hashing} from "./Hashing.sol";
import {Params, Phase, Terms, Unit} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title What the contracts of rare calls share, whose code runs on BlockEdge's storage.
/// @notice Calls about a single unit: what a batch would skip reverts here. Their own storage stays empty, so a
/// call made to them directly finds no unit.
abstract contract Single is Endings {
    function _require(
        Unit calldata target,
        Phase phase
    ) internal view returns (bytes32 unit, bytes32 termsHash, UnitSlot slot) {
        (unit, termsHash) = _identify(target);
        slot = _units[unit];
        if (slot.phase() != phase) revert BadPhase(uint8(phase), uint8(slot.phase()));
        _requireDigest(slot, termsHash, target);
    }

    function _requireEnded(Unit calldata target) internal view returns (bytes32 unit, Phase phase) {
        bytes32 termsHash;
        (unit, termsHash) = _identify(target);
        UnitSlot slot = _units[unit];
        phase = slot.phase();
        if (phase < Phase.Paid) revert BadPhase(uint8(Phase.Paid), uint8(phase));
        _requireDigest(slot, termsHash, target);
    }

    function _requireDigest(UnitSlot slot, bytes32 termsHash, Unit calldata target) internal pure {
        uint208 digest = Hashing.digest(termsHash, target.data);
        if (slot.digest() != digest) revert BadUnit(slot.digest(), digest);
    }

    /// @notice X of §6.4: what a wrong accusation costs at least.
    function _accusationOf(Terms calldata terms) internal pure returns (uint256) {
        uint256 share = terms.deposit / 20;
        return share > terms.checkFee ? share : terms.checkFee;
    }

    /// @notice What this contract was created with; BlockEdge refuses one that was created with anything else.
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
