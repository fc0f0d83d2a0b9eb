// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "./Types.sol";

/// The whole state of a unit in one word, lowest bits first: phase:7 | docket:1 | since:40 | digest:208.
/// The docket bit tells that a docket exists, so that the happy path never reads one.
type UnitSlot is uint256;

using {phase, hasDocket, since, digest, withDocket, withDigest, next, ended} for UnitSlot global;

uint256 constant DOCKET_BIT = 0x80;

function newSlot(Phase phase_, uint208 digest_) view returns (UnitSlot) {
    return UnitSlot.wrap(uint256(phase_) | (block.timestamp & type(uint40).max) << 8 | uint256(digest_) << 48);
}

function phase(UnitSlot slot) pure returns (Phase) {
    return Phase(UnitSlot.unwrap(slot) & 0x7f);
}

function hasDocket(UnitSlot slot) pure returns (bool) {
    return UnitSlot.unwrap(slot) & DOCKET_BIT != 0;
}

/// When the unit entered its phase.
function since(UnitSlot slot) pure returns (uint40) {
    return uint40(UnitSlot.unwrap(slot) >> 8);
}

/// The low 208 bits of keccak256(abi.encode(termsHash, data)).
function digest(UnitSlot slot) pure returns (uint208) {
    return uint208(UnitSlot.unwrap(slot) >> 48);
}

function withDocket(UnitSlot slot) pure returns (UnitSlot) {
    return UnitSlot.wrap(UnitSlot.unwrap(slot) | DOCKET_BIT);
}

/// The same phase since the same time, with other data.
function withDigest(UnitSlot slot, uint208 digest_) pure returns (UnitSlot) {
    return UnitSlot.wrap(UnitSlot.unwrap(slot) & ((1 << 48) - 1) | uint256(digest_) << 48);
}

/// The slot of a phase entered now, the docket kept.
function next(UnitSlot slot, Phase phase_, uint208 digest_) view returns (UnitSlot) {
    return UnitSlot.wrap(UnitSlot.unwrap(newSlot(phase_, digest_)) | (UnitSlot.unwrap(slot) & DOCKET_BIT));
}

/// The terminal slot: docket bit and digest stay, so that bonds can still be let go.
function ended(UnitSlot slot, Phase phase_) view returns (UnitSlot) {
    return slot.next(phase_, slot.digest());
}
