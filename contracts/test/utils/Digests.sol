// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ack, Award, Bid, Request, Result, Terms} from "../../src/Types.sol";

/// @title The protocol's digests written down a second time, with abi.encode alone.
/// @dev Not src/Hashing.sol on purpose: a test that signs with the code under test proves nothing.
library Digests {
    bytes private constant REQUEST =
        "Request(address requester,uint64 nonce,address ue,uint8 kind,uint8 mode,uint16 shards,uint16 spotBps,bytes32 program,bytes32 inputRoot,bytes32 acl,uint64 fuel,uint96 maxPrice,uint96 minDeposit,uint96 checkFee,uint32 maxDelay,uint32 repMin,uint32 repMax,uint16 wPrice,uint16 wDelay,uint16 wRep,uint40 expiry)";
    bytes private constant BID =
        "Bid(bytes32 task,uint16 shard,address worker,uint96 price,uint96 deposit,uint32 delay,uint32 rep,uint40 expiry)";
    bytes private constant AWARD =
        "Award(bytes32 task,uint16 shard,bytes32 bid,bytes32 drawCommit,uint40 notBefore,uint40 registerBy)";
    bytes private constant ACK = "Ack(bytes32 award,uint40 startAt)";
    bytes private constant COMMIT = "Commit(bytes32 unit,bytes32 termsHash,bytes32 commitment)";
    bytes private constant RESULT =
        "Result(uint32 exit,bytes32 outputRoot,uint64 fuelUsed,bytes32 memoryHash)";
    bytes private constant COMMITMENT =
        "Commitment(uint256 chainId,address blockEdge,bytes32 unit,uint8 role,uint8 round,uint8 seat,address author,bytes32 resultHash,bytes32 salt,bytes32 guard)";
    bytes private constant DOMAIN =
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

    function domain(address blockEdge) internal view returns (bytes32) {
        return keccak256(
            abi.encode(keccak256(DOMAIN), keccak256("BlockEdge"), keccak256("1"), block.chainid, blockEdge)
        );
    }

    function typed(address blockEdge, bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain(blockEdge), structHash));
    }

    function task(address blockEdge, Request memory request) internal view returns (bytes32) {
        return typed(blockEdge, keccak256(abi.encode(keccak256(REQUEST), request)));
    }

    function bid(address blockEdge, Bid memory bid_) internal view returns (bytes32) {
        return typed(blockEdge, keccak256(abi.encode(keccak256(BID), bid_)));
    }

    function award(address blockEdge, Award memory award_) internal view returns (bytes32) {
        return typed(blockEdge, keccak256(abi.encode(keccak256(AWARD), award_)));
    }

    function ack(address blockEdge, Ack memory ack_) internal view returns (bytes32) {
        return typed(blockEdge, keccak256(abi.encode(keccak256(ACK), ack_)));
    }

    function commit(
        address blockEdge,
        bytes32 unit_,
        bytes32 termsHash_,
        bytes32 commitment_
    ) internal view returns (bytes32) {
        return typed(blockEdge, keccak256(abi.encode(keccak256(COMMIT), unit_, termsHash_, commitment_)));
    }

    function result(Result memory result_) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(RESULT), result_));
    }

    /// @param role 0 worker, 1 checker, 2 reporter, 3 juror.
    function commitment(
        address blockEdge,
        bytes32 unit_,
        uint8 role,
        address author,
        bytes32 resultHash,
        bytes32 salt,
        bytes32 guard
    ) internal view returns (bytes32) {
        bytes memory head = abi.encode(
            keccak256(COMMITMENT), block.chainid, blockEdge, unit_, role, uint8(0), uint8(0)
        );
        return keccak256(abi.encodePacked(head, abi.encode(author, resultHash, salt, guard)));
    }

    /// @notice A juror's: role 3, with round and seat, no guard.
    function vote(
        address blockEdge,
        bytes32 unit_,
        uint8 round,
        uint8 seat,
        address author,
        bytes32 resultHash,
        bytes32 salt
    ) internal view returns (bytes32) {
        bytes memory head = abi.encode(
            keccak256(COMMITMENT), block.chainid, blockEdge, unit_, uint8(3), round, seat
        );
        return keccak256(abi.encodePacked(head, abi.encode(author, resultHash, salt, bytes32(0))));
    }

    function unit(bytes32 task_, uint16 shard) internal pure returns (bytes32) {
        return keccak256(abi.encode(task_, shard));
    }

    function terms(Terms memory terms_) internal pure returns (bytes32) {
        return keccak256(abi.encode(terms_));
    }

    function slot(Terms memory terms_, bytes32[4] memory data) internal pure returns (uint208) {
        return uint208(uint256(keccak256(abi.encode(terms(terms_), data))));
    }

    /// @notice The root of a blob of at most 1 KiB.
    function root(bytes memory blob) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), blob));
    }
}
