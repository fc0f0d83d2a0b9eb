// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ack, Award, Bid, Request, Result, ROLE_JUROR, Terms} from "./Types.sol";

/// @title Every typehash and struct hash of the protocol, the same bytes as blockedge_node/core.
/// @dev tests/vectors/eip712.json is read by both sides (docs/protocol.md §2, invariants 6 and 17).
library Hashing {
    bytes32 internal constant REQUEST_TYPEHASH = keccak256(
        "Request(address requester,uint64 nonce,address ue,uint8 kind,uint8 mode,uint16 shards,uint16 spotBps,bytes32 program,bytes32 inputRoot,bytes32 acl,uint64 fuel,uint96 maxPrice,uint96 minDeposit,uint96 checkFee,uint32 maxDelay,uint32 repMin,uint32 repMax,uint16 wPrice,uint16 wDelay,uint16 wRep,uint40 expiry)"
    );
    bytes32 internal constant BID_TYPEHASH = keccak256(
        "Bid(bytes32 task,uint16 shard,address worker,uint96 price,uint96 deposit,uint32 delay,uint32 rep,uint40 expiry)"
    );
    bytes32 internal constant AWARD_TYPEHASH = keccak256(
        "Award(bytes32 task,uint16 shard,bytes32 bid,bytes32 drawCommit,uint40 notBefore,uint40 registerBy)"
    );
    bytes32 internal constant ACK_TYPEHASH = keccak256("Ack(bytes32 award,uint40 startAt)");
    bytes32 internal constant COMMIT_TYPEHASH =
        keccak256("Commit(bytes32 unit,bytes32 termsHash,bytes32 commitment)");
    bytes32 internal constant RESULT_TYPEHASH =
        keccak256("Result(uint32 exit,bytes32 outputRoot,uint64 fuelUsed,bytes32 memoryHash)");
    bytes32 internal constant COMMITMENT_TYPEHASH = keccak256(
        "Commitment(uint256 chainId,address blockEdge,bytes32 unit,uint8 role,uint8 round,uint8 seat,address author,bytes32 resultHash,bytes32 salt,bytes32 guard)"
    );

    // ── EIP-712 struct hashes ───────────────────────────────────────────────────────────────────────────
    // Signed structs hold static values only, so their calldata is their abi.encode, word for word. Hashing it
    // in place takes a third of the code and gas of encoding it again. A word with dirty high bits hashes to
    // something that no honest signer signs, and reverts where the field is read or logged.

    function hash(Request calldata request) internal pure returns (bytes32) {
        uint256 start;
        assembly {
            start := request
        }
        return _hashStruct(REQUEST_TYPEHASH, start, 21);
    }

    function hash(Bid calldata bid) internal pure returns (bytes32) {
        uint256 start;
        assembly {
            start := bid
        }
        return _hashStruct(BID_TYPEHASH, start, 8);
    }

    function hash(Award calldata award) internal pure returns (bytes32) {
        uint256 start;
        assembly {
            start := award
        }
        return _hashStruct(AWARD_TYPEHASH, start, 6);
    }

    function hash(Ack calldata ack) internal pure returns (bytes32) {
        uint256 start;
        assembly {
            start := ack
        }
        return _hashStruct(ACK_TYPEHASH, start, 2);
    }

    function hash(Result calldata result) internal pure returns (bytes32) {
        uint256 start;
        assembly {
            start := result
        }
        return _hashStruct(RESULT_TYPEHASH, start, 4);
    }

    function commit(bytes32 unit_, bytes32 termsHash, bytes32 commitment_) internal pure returns (bytes32) {
        return keccak256(abi.encode(COMMIT_TYPEHASH, unit_, termsHash, commitment_));
    }

    function _hashStruct(
        bytes32 typehash,
        uint256 start,
        uint256 words
    ) private pure returns (bytes32 digest_) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := shl(5, words)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), start, size)
            digest_ := keccak256(free, add(size, 0x20))
        }
    }

    // ── units ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The key of a unit's slot: one per task and shard, so a shard is awarded at most once.
    function unit(bytes32 task, uint16 shard) internal pure returns (bytes32) {
        return keccak256(abi.encode(task, shard));
    }

    /// @notice termsHash: a plain hash, as nobody signs Terms.
    function hash(Terms calldata terms) internal pure returns (bytes32 termsHash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, terms, 0x1a0)
            termsHash := keccak256(free, 0x1a0)
        }
    }

    /// @dev A struct in memory is one word a field, its abi.encode.
    function hashMemory(Terms memory terms) internal pure returns (bytes32 termsHash) {
        assembly ("memory-safe") {
            termsHash := keccak256(terms, 0x1a0)
        }
    }

    /// @notice What a unit's slot keeps of its terms and phase data: the low 208 bits of their hash.
    function digest(bytes32 termsHash, bytes32 d0) internal pure returns (uint208) {
        return digest(termsHash, d0, 0, 0, 0);
    }

    function digest(
        bytes32 termsHash,
        bytes32 d0,
        bytes32 d1,
        bytes32 d2,
        bytes32 d3
    ) internal pure returns (uint208) {
        return uint208(uint256(keccak256(abi.encode(termsHash, d0, d1, d2, d3))));
    }

    function digest(bytes32 termsHash, bytes32[4] calldata data) internal pure returns (uint208) {
        return uint208(uint256(keccak256(abi.encode(termsHash, data))));
    }

    // ── draws (docs/protocol.md §6.2) ───────────────────────────────────────────────────────────────────

    /// @notice What an Award's drawCommit hides.
    function drawCommit(bytes32 secret, bytes32 guardR) internal pure returns (bytes32) {
        return keccak256(abi.encode(secret, guardR));
    }

    /// @notice Decides whether a unit is checked, and by whom: of two parties' secrets, each fixed before the
    /// other's was known.
    function drawSeed(bytes32 secret, bytes32 commitment_) internal pure returns (bytes32) {
        return keccak256(abi.encode(secret, commitment_));
    }

    /// @notice What a unit remembers of a check that nobody committed.
    function missedCheck(bytes32 seed, uint256 committedAt) internal pure returns (bytes32) {
        return keccak256(abi.encode(seed, committedAt));
    }

    // ── commitments and content ─────────────────────────────────────────────────────────────────────────

    /// @notice A result hidden until its reveal, bound to chain, contract, unit, role and author, so that
    /// nobody can copy it. Round and seat are a juror's and 0 for all others.
    function commitment(
        bytes32 unit_,
        uint8 role,
        address author,
        bytes32 resultHash,
        bytes32 salt,
        bytes32 guard
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                COMMITMENT_TYPEHASH,
                block.chainid,
                address(this),
                unit_,
                role,
                uint256(0),
                uint256(0),
                author,
                resultHash,
                salt,
                guard
            )
        );
    }

    /// @notice The same commitment as a juror makes it; `blockEdge` is not the caller here.
    function vote(
        address blockEdge,
        bytes32 unit_,
        uint8 round,
        uint8 seat,
        address author,
        bytes32 resultHash,
        bytes32 salt
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                COMMITMENT_TYPEHASH,
                block.chainid,
                blockEdge,
                unit_,
                ROLE_JUROR,
                round,
                seat,
                author,
                resultHash,
                salt,
                bytes32(0)
            )
        );
    }

    /// @notice The content address of a blob of at most one chunk (docs/protocol.md §2.3).
    function leaf(bytes calldata chunk) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), chunk));
    }

    /// @notice The root that a leaf and its path lead to, in a tree of `count` leaves whose odd nodes move up
    /// unchanged; 0 if the path is of another length.
    function root(
        bytes32 node,
        bytes32[] calldata path,
        uint256 index,
        uint256 count
    ) internal pure returns (bytes32) {
        uint256 used = 0;
        for (; count > 1; count = (count + 1) / 2) {
            if (index ^ 1 < count) {
                if (used == path.length) return 0;
                bytes32 sibling = path[used++];
                (bytes32 left, bytes32 right) = index & 1 == 0 ? (node, sibling) : (sibling, node);
                node = keccak256(abi.encodePacked(bytes1(0x01), left, right));
            }
            index /= 2;
        }
        return used == path.length ? node : bytes32(0);
    }
}
