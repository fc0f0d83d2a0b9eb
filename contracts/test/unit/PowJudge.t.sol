// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJudge} from "../../src/interfaces/IJudge.sol";
import {Result} from "../../src/Types.sol";
import {Fixture} from "../utils/Fixture.sol";

/// @title The verdict table of kind 1 (docs/protocol.md §6.1).
contract PowJudgeTest is Fixture {
    uint8 private constant UNKNOWN = 0;
    uint8 private constant RIGHT = 1;
    uint8 private constant WRONG = 2;

    Result private _normal;

    function _verdict(uint16 shard, bytes memory output, bytes memory evidence) private returns (uint8) {
        return IJudge(powJudge).verdict(_request(1), shard, _powData(), _normal, output, evidence);
    }

    function _verdictOf(Result memory result) private returns (uint8) {
        return IJudge(powJudge).verdict(_request(1), 0, _powData(), result, _powAnswer(0), "");
    }

    function _withData(bytes memory data) private returns (uint8) {
        Result memory result;
        result.exit = 1; // would be wrong under valid data
        return IJudge(powJudge).verdict(_request(1), 0, data, result, "", "");
    }

    function test_verdict_smallestNonceStands() public {
        assertEq(_verdict(0, _powAnswer(0), ""), UNKNOWN, "nobody scanned the rest");
        assertEq(_verdict(0, _powAnswer(0), _powAnswer(1)), UNKNOWN, "a greater one proves nothing");
        assertEq(_verdict(0, _powAnswer(0), _powAnswer(0)), UNKNOWN, "nor does the same");
    }

    function test_verdict_smallerNonceRefutes() public {
        assertEq(_verdict(0, _powAnswer(1), _powAnswer(0)), WRONG, "there was a smaller one");
    }

    function test_verdict_anyNonceRefutesNone() public {
        assertEq(_verdict(0, "", ""), UNKNOWN, "none, uncontested");
        assertEq(_verdict(0, "", _powAnswer(2)), WRONG, "there was one");
    }

    function test_verdict_outputShape() public {
        assertEq(_verdict(0, hex"00", ""), WRONG, "1 byte");
        assertEq(_verdict(0, new bytes(7), ""), WRONG, "7 bytes");
        assertEq(_verdict(0, new bytes(9), ""), WRONG, "9 bytes");
    }

    function test_verdict_outputMustSolve() public {
        uint64 nonce = 0;
        while (uint256(sha256(abi.encodePacked(CHALLENGE, nonce))) < TARGET) ++nonce;
        assertEq(_verdict(0, abi.encodePacked(nonce), ""), WRONG, "not below the target");
    }

    function test_verdict_outputMustLieInTheShard() public {
        assertEq(_verdict(1, _powAnswer(0), ""), WRONG, "below the range");
        uint64 nonce = RANGE;
        while (uint256(sha256(abi.encodePacked(CHALLENGE, nonce))) >= TARGET) ++nonce;
        assertEq(_verdict(0, abi.encodePacked(nonce), ""), WRONG, "behind the range");
        assertEq(_verdict(1, abi.encodePacked(nonce), ""), UNKNOWN, "inside the next shard");
    }

    function test_verdict_evidenceMustLieInTheShardAndSolve() public {
        assertEq(_verdict(1, "", _powAnswer(0)), UNKNOWN, "another shard's solution");
        uint64 nonce = 0;
        while (uint256(sha256(abi.encodePacked(CHALLENGE, nonce))) < TARGET) ++nonce;
        assertEq(_verdict(0, "", abi.encodePacked(nonce)), UNKNOWN, "no solution");
        assertEq(_verdict(0, "", new bytes(9)), UNKNOWN, "no nonce");
    }

    function test_verdict_resultFieldsAreZero() public {
        Result memory result;
        assertEq(_verdictOf(result), UNKNOWN, "as it should be");
        result.exit = 1;
        assertEq(_verdictOf(result), WRONG, "exit");
        result.exit = 0;
        result.fuelUsed = 1;
        assertEq(_verdictOf(result), WRONG, "fuelUsed");
        result.fuelUsed = 0;
        result.memoryHash = keccak256("memory");
        assertEq(_verdictOf(result), WRONG, "memoryHash");
    }

    function test_verdict_firstNonceIsRight() public {
        bytes memory easy = abi.encode(CHALLENGE, type(uint256).max, RANGE); // every nonce solves
        IJudge judge = IJudge(powJudge);
        assertEq(
            judge.verdict(_request(1), 3, easy, _normal, abi.encodePacked(3 * RANGE), ""), RIGHT, "first"
        );
        assertEq(
            judge.verdict(_request(1), 3, easy, _normal, abi.encodePacked(3 * RANGE + 1), ""),
            UNKNOWN,
            "second"
        );
    }

    function test_verdict_emptyRange() public {
        bytes memory data = abi.encode(CHALLENGE, TARGET, uint64(0));
        IJudge judge = IJudge(powJudge);
        assertEq(judge.verdict(_request(1), 0, data, _normal, "", ""), RIGHT, "none is right");
        assertEq(
            judge.verdict(_request(1), 0, data, _normal, abi.encodePacked(uint64(0)), ""), WRONG, "one is not"
        );
    }

    function test_verdict_undecodableDataPunishesNobody() public {
        assertEq(_withData(_powData()), WRONG, "the control");
        assertEq(_withData(""), UNKNOWN, "empty");
        assertEq(_withData(new bytes(95)), UNKNOWN, "short");
        assertEq(_withData(new bytes(97)), UNKNOWN, "long");
        assertEq(
            _withData(abi.encode(CHALLENGE, TARGET, uint256(1) << 64)), UNKNOWN, "rangeSize beyond 64 bits"
        );
    }

    function test_verdict_rangeEndsAt64Bits() public {
        uint64 whole = uint64((uint256(1) << 64) / 64); // 64 shards fill the nonces exactly
        assertEq(_withData(abi.encode(CHALLENGE, TARGET, whole)), WRONG, "fits");
        assertEq(_withData(abi.encode(CHALLENGE, TARGET, whole + 1)), UNKNOWN, "one too many");
    }

    function test_verdict_costsFarLessThanItsCap() public {
        bytes memory call = abi.encodeCall(
            IJudge.verdict, (_request(1), 0, _powData(), _normal, _powAnswer(1), _powAnswer(0))
        );
        (bool done, bytes memory answer) = powJudge.staticcall{gas: 50_000}(call);
        assertTrue(done, "within 50 000 of 300 000 gas");
        assertEq(abi.decode(answer, (uint256)), WRONG, "and right");
    }
}
