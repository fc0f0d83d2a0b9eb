// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CaseSlot, CaseState, Vote, VoteState} from "./Types.sol";

/// A whole CaseSlot in one word, lowest bits first: state:8 | round:8 | roundAt:40 | digest:200.
type CaseWord is uint256;

/// A whole Vote in one word, lowest bits first: ticket:32 | state:8 | hash:208; all 0: nobody voted there.
type VoteWord is uint256;

using {state, round, roundAt, digest, closed, unpack} for CaseWord global;
using {voteState, ticket, mark, unpackVote} for VoteWord global;

function caseWord(uint256 round_, uint200 digest_) view returns (CaseWord) {
    uint256 time = block.timestamp & type(uint40).max;
    return CaseWord.wrap(uint256(CaseState.Open) | round_ << 8 | time << 16 | uint256(digest_) << 56);
}

function state(CaseWord word) pure returns (CaseState) {
    return CaseState(CaseWord.unwrap(word) & 0xff);
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

/// The tombstone: a unit has one case, ever.
function closed(CaseWord word) pure returns (CaseWord) {
    return CaseWord.wrap(CaseWord.unwrap(word) & ~uint256(0xff) | uint256(CaseState.Closed));
}

function unpack(CaseWord word) pure returns (CaseSlot memory) {
    return CaseSlot(word.state(), uint8(word.round()), uint40(word.roundAt()), word.digest());
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
