// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../script/Vm.sol";
import {BlockEdge} from "../src/BlockEdge.sol";
import {IJudge} from "../src/interfaces/IJudge.sol";
import {Single} from "../src/Single.sol";
import {Account, Params} from "../src/Types.sol";
import {Proof} from "./Proof.sol";

contract EscrowBooks is BlockEdge {
    constructor(Params memory p, Single rare) BlockEdge(p, IJudge(address(0)), rare, rare, rare) {}

    function put(address who, uint96 free, uint96 locked) external {
        (_accounts[who].free, _accounts[who].locked) = (free, locked);
    }

    function putExit(address who, uint96 amount, uint40 exitAt) external {
        (_accounts[who].exitAmount, _accounts[who].exitAt) = (amount, exitAt);
    }

    function putBurned(uint96 amount) external {
        _burned = amount;
    }
}

/// @title Ether that comes in is credited to whom it came from, and leaves by its owner's exit or as burned.
/// @notice Before each call: Σ free + locked + burned = balance - `gift`, where the gift is what anyone may force
/// upon a contract. After it: the same. Two accounts: who calls, and the rest as one.
contract EscrowProof is Proof {
    address private constant OWNER = address(0xa11ce);
    address private constant OTHER = address(0xb0b);
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    uint40 private constant NOW = 1_800_000_000;

    EscrowBooks internal edge;

    function setUp() public {
        vm.warp(NOW);
        edge = new EscrowBooks(_params(address(0)), Single(address(this)));
    }

    /// @notice As its siblings tell BlockEdge what they were made with.
    function params() external pure returns (Params memory) {
        return _params(address(0));
    }

    /// @param amounts Free and locked of the owner and of the rest, burned, gift.
    function _begin(uint96[6] memory amounts) private {
        uint256 sum = 0;
        for (uint256 i = 0; i < 6; ++i) {
            sum += amounts[i];
        }
        vm.assume(sum <= MOST);
        edge.put(OWNER, amounts[0], amounts[1]);
        edge.put(OTHER, amounts[2], amounts[3]);
        edge.putBurned(amounts[4]);
        vm.deal(address(edge), sum);
    }

    function _requireSolvent(uint96[6] memory amounts) private view {
        (Account memory owner, Account memory other) = (edge.accountOf(OWNER), edge.accountOf(OTHER));
        uint256 sum = uint256(owner.free) + owner.locked + other.free + other.locked + edge.burned();
        assert(sum + amounts[5] == address(edge).balance);
        assert(owner.locked == amounts[1] && other.free == amounts[2] && other.locked == amounts[3]);
    }

    function check_fund(uint96[6] memory amounts, uint128 value) external {
        _begin(amounts);
        uint256 before = address(edge).balance;
        vm.deal(OWNER, value);
        vm.prank(OWNER);
        try edge.fund{value: value}() {
            assert(before + value <= MOST);
            assert(edge.accountOf(OWNER).free == uint256(amounts[0]) + value);
            assert(address(edge).balance == before + value);
        } catch {
            assert(before + value > MOST); // the only reason to refuse it
            assert(address(edge).balance == before && edge.accountOf(OWNER).free == amounts[0]);
        }
        _requireSolvent(amounts);
    }

    function check_exit(uint96[6] memory amounts, uint96 amount) external {
        _begin(amounts);
        uint256 before = address(edge).balance;
        vm.prank(OWNER);
        edge.exit(amount);
        Account memory owner = edge.accountOf(OWNER);
        assert(owner.exitAmount == amount && owner.exitAt == (amount == 0 ? 0 : NOW + 600));
        assert(owner.free == amounts[0] && address(edge).balance == before);
        _requireSolvent(amounts);
    }

    function check_withdraw(uint96[6] memory amounts, uint96 amount, uint40 exitAt) external {
        _begin(amounts);
        edge.putExit(OWNER, amount, exitAt);
        uint256 before = address(edge).balance;
        uint256 paid = amount < amounts[0] ? amount : amounts[0];
        vm.prank(OWNER);
        try edge.withdraw() {
            assert(exitAt != 0 && exitAt <= NOW);
            assert(address(edge).balance == before - paid && OWNER.balance == paid);
            Account memory owner = edge.accountOf(OWNER);
            assert(owner.free == amounts[0] - paid && owner.exitAt == 0 && owner.exitAmount == 0);
        } catch {
            assert(exitAt == 0 || exitAt > NOW); // the only reasons
            assert(address(edge).balance == before && edge.accountOf(OWNER).free == amounts[0]);
        }
        _requireSolvent(amounts);
    }

    function check_flushBurn(uint96[6] memory amounts) external {
        _begin(amounts);
        uint256 before = address(edge).balance;
        vm.prank(OWNER);
        edge.flushBurn();
        assert(edge.burned() == 0 && edge.accountOf(OWNER).free == amounts[0]);
        assert(address(edge).balance == before - amounts[4] && BURN_ADDRESS.balance == amounts[4]);
        _requireSolvent(amounts);
    }
}
