// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CaseSlot, CaseState, Vote, VoteState} from "./Types.sol";

/// A whole CaseSlot in one word, lowest bits first: state:6 | alone:1 | bonded:1 | round:8 | roundAt:40 |
/// digest:200. The two bits save slots and calls in the ordinary dispute: one accuser, whose bond pays.
type CaseWord is uint256;

/// A whole Vote in one word, lowest bits first: ticket:32 | state:8 | hash:208; all 0: nobody voted there.
type VoteWord is uint256;

using {state, alone, bonded, round, roundAt, digest, nextRound, closed, unpack} for CaseWord global;
using {voteState, ticket, mark, unpackVote} for VoteWord global;

uint256 constant STATE_BITS = 0x3f;
uint256 constant ALONE_BIT = 0x40;
uint256 constant BONDED_BIT = 0x80;

function caseWord(uint200 digest_, bool alone_, bool bonded_) view returns (CaseWord) {
    uint256 bits = uint256(CaseState.Open) | (alone_ ? ALONE_BIT : 0) | (bonded_ ? BONDED_BIT : 0);
    return CaseWord.wrap(bits | (block.timestamp & type(uint40).max) << 16 | uint256(digest_) << 56);
}

function state(CaseWord word) pure returns (CaseState) {
    return CaseState(CaseWord.unwrap(word) & STATE_BITS);
}

/// Whether the accuser is the only one who reported or checked.
function alone(CaseWord word) pure returns (bool) {
    return CaseWord.unwrap(word) & ALONE_BIT != 0;
}

/// Whether the accuser's bond paid for round 0, whose Funding is then not written down.
function bonded(CaseWord word) pure returns (bool) {
    return CaseWord.unwrap(word) & BONDED_BIT != 0;
}

function round(CaseWord word) pure returns (uint256) {
    return CaseWord.unwrap(word) >> 8 & 0xff;
}

/// When the current round began.
function roundAt(CaseWord word) pure returns (uint256) {
    return CaseWord.unwrap(word) >> 16 & type(uint40).max;
}

/// The low 200 bits of keccak256(abi.encode(Case)).
function digest(CaseWord word) pure returns (uint200) {
    return uint200(CaseWord.unwrap(word) >> 56);
}

/// The same case, whose next round begins now.
function nextRound(CaseWord word) view returns (CaseWord) {
    uint256 kept = CaseWord.unwrap(word) & ~(uint256(0xffffffffffff) << 8); // but round and roundAt
    uint256 time = block.timestamp & type(uint40).max;
    return CaseWord.wrap(kept | (word.round() + 1) << 8 | time << 16);
}

/// The tombstone: a unit has one case, ever.
function closed(CaseWord word) pure returns (CaseWord) {
    return CaseWord.wrap(CaseWord.unwrap(word) & ~STATE_BITS | uint256(CaseState.Closed));
}

function unpack(CaseWord word) pure returns (CaseSlot memory) {
    return CaseSlot(word.state(), uint8(word.round()), uint40(word.roundAt()), word.digest(), word.bonded());
}

function voteWord(uint256 ticket_, VoteState state_, uint256 hash) pure returns (VoteWord) {
    return VoteWord.wrap(ticket_ | uint256(state_) << 32 | hash << 48 >> 8);
}

function voteState(VoteWord word) pure returns (VoteState) {
    return VoteState(VoteWord.unwrap(word) >> 32 & 0xff);
}

function ticket(VoteWord word) pure returns (uint256) {
    return VoteWord.unwrap(word) & type(uint32).max;
}

/// The low 208 bits of the commitment, then Jury.mark of the opened resultHash.
function mark(VoteWord word) pure returns (uint256) {
    return VoteWord.unwrap(word) >> 40;
}

function unpackVote(VoteWord word) pure returns (Vote memory) {
    return Vote(uint32(word.ticket()), word.voteState(), uint208(word.mark()));
}
