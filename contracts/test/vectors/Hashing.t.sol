// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Ack, Award, Bid, Request, Result, Terms} from "../../src/Types.sol";
import {Harness} from "./Harness.sol";
import {Vectors} from "./Vectors.sol";

/// ERC-5267, which the shipped contract inherits.
interface IDomain {
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}

/// @title Every digest of src/Hashing.sol equals the one Python computes (invariant 17).
contract HashingVectorsTest is Vectors {
    string private constant REQUEST =
        "requester nonce ue kind mode shards spotBps program inputRoot acl fuel maxPrice minDeposit checkFee maxDelay repMin repMax wPrice wDelay wRep expiry";
    string private constant TERMS =
        "task shard kind mode spotBps requester worker price deposit checkFee delay vwin drawCommit";

    Harness private _code;

    function setUp() public override {
        super.setUp();
        _moveToEdge(address(new Harness()));
        _code = Harness(EDGE);
    }

    /// @dev The struct hash, and the digest that its signer signs.
    function _same(string memory table, uint256 i, bytes32 structHash) private view {
        assertEq(structHash, _hashes(table, "structHash")[i], _at(table, i));
        assertEq(_code.typed(structHash), _hashes(table, "digest")[i], _at(table, i));
    }

    function test_vectors_typehashes() public {
        _open("eip712");
        string[] memory names = vm.split("Request Bid Award Ack Commit Result", " ");
        bytes32[] memory typehashes = _code.typehashes();
        for (uint256 i = 0; i < names.length; ++i) {
            assertEq(typehashes[i], _word(string.concat(".typehash.", names[i])), names[i]);
        }
        _open("commitment");
        assertEq(_code.commitmentTypehash(), _word(".typehash"), "Commitment");
    }

    function test_vectors_domain() public {
        _open("eip712");
        assertEq(_code.separator(), _word(".domain.separator"), "separator");

        vm.etch(EDGE, address(edge).code); // the shipped contract's own, at the same place
        (, string memory name, string memory version, uint256 chainId, address self,,) =
            IDomain(EDGE).eip712Domain();
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 separator =
            keccak256(abi.encode(typehash, keccak256(bytes(name)), keccak256(bytes(version)), chainId, self));
        assertEq(separator, _word(".domain.separator"), "of BlockEdge");
    }

    function test_vectors_request() public {
        _open("eip712");
        bytes[] memory rows = _rows("request", REQUEST);
        for (uint256 i = 0; i < rows.length; ++i) {
            _same("request", i, _code.hash(abi.decode(rows[i], (Request))));
        }
    }

    function test_vectors_bid() public {
        _open("eip712");
        bytes[] memory rows = _rows("bid", "task shard worker price deposit delay rep expiry");
        for (uint256 i = 0; i < rows.length; ++i) {
            _same("bid", i, _code.hash(abi.decode(rows[i], (Bid))));
        }
    }

    function test_vectors_award() public {
        _open("eip712");
        bytes[] memory rows = _rows("award", "task shard bid drawCommit notBefore registerBy");
        for (uint256 i = 0; i < rows.length; ++i) {
            _same("award", i, _code.hash(abi.decode(rows[i], (Award))));
        }
    }

    function test_vectors_ack() public {
        _open("eip712");
        bytes[] memory rows = _rows("ack", "award startAt");
        for (uint256 i = 0; i < rows.length; ++i) {
            _same("ack", i, _code.hash(abi.decode(rows[i], (Ack))));
        }
    }

    function test_vectors_commit() public {
        _open("eip712");
        bytes[] memory rows = _rows("commit", "unit termsHash commitment");
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 unit, bytes32 termsHash, bytes32 commitment) =
                abi.decode(rows[i], (bytes32, bytes32, bytes32));
            _same("commit", i, _code.commit(unit, termsHash, commitment));
        }
    }

    function test_vectors_terms() public {
        _open("eip712");
        bytes[] memory rows = _rows("terms", TERMS);
        bytes32[] memory units = _hashes("terms", "unit");
        bytes32[] memory termsHashes = _hashes("terms", "termsHash");
        for (uint256 i = 0; i < rows.length; ++i) {
            Terms memory terms = abi.decode(rows[i], (Terms));
            assertEq(_code.hash(terms), termsHashes[i], _at("from calldata", i));
            assertEq(_code.hashMemory(terms), termsHashes[i], _at("from memory", i));
            assertEq(_code.unitOf(terms.task, terms.shard), units[i], _at("unit", i));
        }
    }

    function test_vectors_slot() public {
        _open("eip712");
        bytes[] memory rows = _rows("slot", "termsHash d0 d1 d2 d3");
        uint256[] memory digests = _column("slot", "digest");
        for (uint256 i = 0; i < rows.length; ++i) {
            (bytes32 termsHash, bytes32[4] memory data) = abi.decode(rows[i], (bytes32, bytes32[4]));
            assertEq(_code.digest(termsHash, data), digests[i], _at("four words", i));
            if (data[3] != 0) continue; // the short form is for units whose last word is 0
            assertEq(_code.digest(termsHash, data[0], data[1], data[2]), digests[i], _at("three words", i));
        }
    }

    function test_vectors_signature() public {
        _open("eip712");
        bytes[] memory rows = _rows("signature", "privateKey digest r vs signer");
        for (uint256 i = 0; i < rows.length; ++i) {
            (uint256 key, bytes32 digest, bytes32 r, bytes32 vs, address signer) =
                abi.decode(rows[i], (uint256, bytes32, bytes32, bytes32, address));
            assertEq(_code.recover(digest, r, vs), signer, _at("recovered", i));
            assertEq(vm.addr(key), signer, _at("address", i));
        }
    }

    function test_vectors_commitment() public {
        _open("commitment");
        assertEq(_value(".chainId"), block.chainid, "chain");
        bytes[] memory rows =
            _rows("commitment", "unit role round seat author resultHash salt guard commitment");
        for (uint256 i = 0; i < rows.length; ++i) {
            _sameCommitment(rows[i], i);
        }
    }

    struct Row {
        bytes32 unit;
        uint8 role;
        uint8 round;
        uint8 seat;
        address author;
        bytes32 resultHash;
        bytes32 salt;
        bytes32 guard;
        bytes32 commitment;
    }

    /// @dev A juror's round and seat come with the Court: until then the contract hashes zeros, so such a
    /// commitment must not open here.
    function _sameCommitment(bytes memory encoded, uint256 i) private view {
        Row memory row = abi.decode(encoded, (Row));
        bytes32 computed =
            _code.commitment(row.unit, row.role, row.author, row.resultHash, row.salt, row.guard);
        bool early = row.round == 0 && row.seat == 0;
        assertTrue((computed == row.commitment) == early, _at("commitment", i));
    }

    function test_vectors_result() public {
        _open("commitment");
        bytes[] memory rows = _rows("result", "exit outputRoot fuelUsed memoryHash");
        bytes32[] memory hashes = _hashes("result", "resultHash");
        for (uint256 i = 0; i < rows.length; ++i) {
            assertEq(_code.hash(abi.decode(rows[i], (Result))), hashes[i], _at("result", i));
        }
    }

    /// @dev The contract hashes single chunks only; trees are rebuilt here over the leaves it computes.
    function test_vectors_merkle() public {
        _open("merkle");
        assertEq(_value(".chunk"), 1024, "chunk");
        bytes[] memory blobs = _blobs("blob", "data");
        bytes[] memory joined = _blobs("blob", "leaves");
        bytes32[] memory roots = _hashes("blob", "root");
        for (uint256 i = 0; i < blobs.length; ++i) {
            bytes32[] memory leaves = _leaves(blobs[i]);
            assertEq(keccak256(abi.encodePacked(leaves)), keccak256(joined[i]), _at("leaves", i));
            if (leaves.length == 1) assertEq(leaves[0], roots[i], _at("one chunk: its leaf", i));
            assertEq(_fold(leaves), roots[i], _at("root", i));
        }
    }

    function _leaves(bytes memory blob) private view returns (bytes32[] memory leaves) {
        uint256 count = blob.length == 0 ? 1 : (blob.length + 1023) / 1024;
        leaves = new bytes32[](count);
        for (uint256 c = 0; c < count; ++c) {
            uint256 left = blob.length - c * 1024;
            bytes memory chunk = new bytes(left < 1024 ? left : 1024);
            for (uint256 k = 0; k < chunk.length; ++k) {
                chunk[k] = blob[c * 1024 + k];
            }
            leaves[c] = _code.leaf(chunk);
        }
    }

    /// @dev An odd node moves up unchanged.
    function _fold(bytes32[] memory level) private pure returns (bytes32) {
        uint256 length = level.length;
        while (length > 1) {
            for (uint256 k = 0; k < length / 2; ++k) {
                level[k] = keccak256(abi.encodePacked(bytes1(0x01), level[2 * k], level[2 * k + 1]));
            }
            if (length % 2 == 1) level[length / 2] = level[length - 1];
            length = (length + 1) / 2;
        }
        return level[0];
    }
}
