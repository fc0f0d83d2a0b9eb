// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBlockEdgeErrors as Errors} from "../../src/interfaces/IBlockEdge.sol";
import {Bid, Request} from "../../src/Types.sol";
import {Harness} from "./Harness.sol";
import {Vectors} from "./Vectors.sol";

/// @title Who may win and who does (docs/protocol.md §5) equals what Python decides (invariant 17).
contract SelectionVectorsTest is Vectors {
    Harness private _code;

    function setUp() public override {
        super.setUp();
        _open("selection");
        _code = new Harness();
    }

    function test_vectors_eligible() public view {
        bytes[] memory requests = _rows(
            "eligible",
            "requester kind maxPrice minDeposit checkFee maxDelay repMin repMax wPrice wDelay wRep"
        );
        bytes[] memory bids = _rows("eligible", "worker price deposit delay rep");
        bool[] memory eligible = _flags("eligible", "eligible");
        string[] memory reasons = _texts("eligible", "reason");
        uint256 seat = _value(".seat");
        for (uint256 i = 0; i < requests.length; ++i) {
            bytes memory call =
                abi.encodeCall(Harness.requireEligible, (_requestOf(requests[i]), _bidOf(bids[i]), seat));
            (bool passes, bytes memory reason) = address(_code).staticcall(call);
            assertTrue(passes == eligible[i], _at(reasons[i], i));
            if (passes) continue;
            bytes memory expected = abi.encodeWithSelector(Errors.Ineligible.selector, _ruleOf(reasons[i]));
            assertEq(keccak256(reason), keccak256(expected), _at(reasons[i], i));
        }
    }

    function _requestOf(bytes memory row) private pure returns (Request memory r) {
        uint256[11] memory w = abi.decode(row, (uint256[11]));
        r.requester = address(uint160(w[0]));
        r.kind = uint8(w[1]);
        r.maxPrice = uint96(w[2]);
        r.minDeposit = uint96(w[3]);
        r.checkFee = uint96(w[4]);
        r.maxDelay = uint32(w[5]);
        (r.repMin, r.repMax) = (uint32(w[6]), uint32(w[7]));
        (r.wPrice, r.wDelay, r.wRep) = (uint16(w[8]), uint16(w[9]), uint16(w[10]));
    }

    function _bidOf(bytes memory row) private pure returns (Bid memory b) {
        (b.worker, b.price, b.deposit, b.delay, b.rep) =
            abi.decode(row, (address, uint96, uint96, uint32, uint32));
    }

    /// @dev Python tells too low from too high; the contract names the field.
    function _ruleOf(string memory reason) private pure returns (bytes32) {
        bytes1 first = bytes(reason)[0];
        if (first == "o") return "worker"; // own
        if (first == "p") return "price";
        if (first == "r") return "rep"; // reputation
        return bytes(reason)[2] == "l" ? bytes32("delay") : bytes32("deposit");
    }

    function test_vectors_score() public view {
        bytes[] memory rows = _rows("score", "maxPrice maxDelay wPrice wDelay wRep price delay rep");
        uint256[] memory scores = _column("score", "score");
        for (uint256 i = 0; i < rows.length; ++i) {
            Request memory r;
            Bid memory b;
            (r.maxPrice, r.maxDelay, r.wPrice, r.wDelay, r.wRep, b.price, b.delay, b.rep) =
                abi.decode(rows[i], (uint96, uint32, uint16, uint16, uint16, uint96, uint32, uint32));
            assertEq(edge.scoreOf(r, b), scores[i], _at("score", i));
        }
    }

    function test_vectors_rank() public view {
        bytes[] memory requests = _rows("rank", "maxPrice maxDelay wPrice wDelay wRep");
        bytes[] memory first = _rows("rank", "task shard aWorker aPrice aDelay aRep aScore");
        bytes[] memory second = _rows("rank", "task shard bWorker bPrice bDelay bRep bScore");
        bool[] memory aFirst = _flags("rank", "aFirst");
        for (uint256 i = 0; i < requests.length; ++i) {
            Request memory r;
            (r.maxPrice, r.maxDelay, r.wPrice, r.wDelay, r.wRep) =
                abi.decode(requests[i], (uint96, uint32, uint16, uint16, uint16));
            Bid memory a = _ranked(r, first[i], i);
            Bid memory b = _ranked(r, second[i], i);
            assertTrue(_code.ranks(r, a, b) == aFirst[i], _at("a before b", i));
            assertTrue(_code.ranks(r, b, a) == !aFirst[i], _at("b before a", i));
        }
    }

    function _ranked(Request memory r, bytes memory row, uint256 i) private view returns (Bid memory b) {
        uint256 score;
        (b.task, b.shard, b.worker, b.price, b.delay, b.rep, score) =
            abi.decode(row, (bytes32, uint16, address, uint96, uint32, uint32, uint256));
        assertEq(edge.scoreOf(r, b), score, _at("score", i));
    }
}
