// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Hashing} from "../../src/Hashing.sol";
import {Selection} from "../../src/Selection.sol";
import {Ack, Award, Bid, Request, Result, Terms} from "../../src/Types.sol";

/// @title The libraries of src/ behind external calls: what they compute, without a unit around it.
contract Harness is EIP712 {
    constructor() EIP712("BlockEdge", "1") {}

    function typehashes() external pure returns (bytes32[] memory all) {
        all = new bytes32[](6);
        all[0] = Hashing.REQUEST_TYPEHASH;
        all[1] = Hashing.BID_TYPEHASH;
        all[2] = Hashing.AWARD_TYPEHASH;
        all[3] = Hashing.ACK_TYPEHASH;
        all[4] = Hashing.COMMIT_TYPEHASH;
        all[5] = Hashing.RESULT_TYPEHASH;
    }

    function commitmentTypehash() external pure returns (bytes32) {
        return Hashing.COMMITMENT_TYPEHASH;
    }

    function separator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function typed(bytes32 structHash) external view returns (bytes32) {
        return _hashTypedDataV4(structHash);
    }

    function hash(Request calldata request) external pure returns (bytes32) {
        return Hashing.hash(request);
    }

    function hash(Bid calldata bid) external pure returns (bytes32) {
        return Hashing.hash(bid);
    }

    function hash(Award calldata award) external pure returns (bytes32) {
        return Hashing.hash(award);
    }

    function hash(Ack calldata ack) external pure returns (bytes32) {
        return Hashing.hash(ack);
    }

    function hash(Result calldata result) external pure returns (bytes32) {
        return Hashing.hash(result);
    }

    function hash(Terms calldata terms) external pure returns (bytes32) {
        return Hashing.hash(terms);
    }

    function hashMemory(Terms memory terms) external pure returns (bytes32) {
        return Hashing.hashMemory(terms);
    }

    function commit(bytes32 unit, bytes32 termsHash, bytes32 commitment_) external pure returns (bytes32) {
        return Hashing.commit(unit, termsHash, commitment_);
    }

    function unitOf(bytes32 task, uint16 shard) external pure returns (bytes32) {
        return Hashing.unit(task, shard);
    }

    function digest(bytes32 termsHash, bytes32[4] calldata data) external pure returns (uint208) {
        return Hashing.digest(termsHash, data);
    }

    function digest(bytes32 termsHash, bytes32 d0, bytes32 d1, bytes32 d2) external pure returns (uint208) {
        return Hashing.digest(termsHash, d0, d1, d2, 0);
    }

    function commitment(
        bytes32 unit_,
        uint8 role,
        address author,
        bytes32 resultHash,
        bytes32 salt,
        bytes32 guard
    ) external view returns (bytes32) {
        return Hashing.commitment(unit_, role, author, resultHash, salt, guard);
    }

    function leaf(bytes calldata chunk) external pure returns (bytes32) {
        return Hashing.leaf(chunk);
    }

    function recover(bytes32 digest_, bytes32 r, bytes32 vs) external pure returns (address) {
        return ECDSA.recover(digest_, r, vs);
    }

    function requireEligible(Request calldata request, Bid calldata bid, uint256 seat) external pure {
        Selection.requireEligible(request, bid.task, bid.shard, bid, seat);
    }

    function ranks(
        Request calldata request,
        Bid calldata first,
        Bid calldata second
    ) external pure returns (bool) {
        return Selection.ranks(
            first, Selection.score(request, first), second, Selection.score(request, second)
        );
    }
}
