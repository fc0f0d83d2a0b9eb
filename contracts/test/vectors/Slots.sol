// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Phase, Reputation} from "../../src/Types.sol";
import {Job} from "../utils/Fixture.sol";
import {Digests} from "../utils/Digests.sol";
import {Vectors} from "./Vectors.sol";

/// @title Writes the storage of the shipped BlockEdge, so that a vector's "before" needs no history.
/// @dev Layout: src/State.sol behind the two strings of OpenZeppelin's EIP712, docs/protocol.md §3.2.
abstract contract Slots is Vectors {
    uint256 private constant ACCOUNTS = 2;
    uint256 private constant UNITS = 3;
    uint256 private constant REPS = 4;
    uint256 private constant DOCKETS = 5;

    function _put(Job memory job, Phase phase, uint256 since, bool docket) internal {
        uint256 word = uint256(phase) | (docket ? 0x80 : 0) | since << 8;
        word |= uint256(Digests.slot(job.terms, job.data)) << 48;
        vm.store(address(edge), keccak256(abi.encode(job.unit, UNITS)), bytes32(word));
        if (docket) vm.store(address(edge), keccak256(abi.encode(job.unit, DOCKETS)), bytes32(uint256(1)));
        assertEq(edge.docketOf(job.unit).reports, docket ? 1 : 0, "the layout is the contract's");
        assertEq(uint256(_state(job).phase), uint256(phase), "the layout is the contract's");
        assertEq(_state(job).since, since, "the layout is the contract's");
    }

    function _putLocked(address account, uint96 locked) internal {
        vm.store(address(edge), keccak256(abi.encode(account, ACCOUNTS)), bytes32(uint256(locked) << 96));
        assertEq(edge.accountOf(account).locked, locked, "the layout is the contract's");
    }

    function _put(address account, Reputation memory rep) internal {
        uint256 word = uint256(rep.good) | uint256(rep.bad) << 32 | uint256(rep.week) << 64;
        word |= uint256(rep.n) << 80 | uint256(rep.m) << 104 | uint256(rep.t) << 128 | uint256(rep.s) << 192;
        vm.store(address(edge), _repSlot(account), bytes32(word));
    }

    function _rep(address account) internal view returns (Reputation memory) {
        uint256 word = uint256(vm.load(address(edge), _repSlot(account)));
        return Reputation({
            good: uint32(word),
            bad: uint32(word >> 32),
            week: uint16(word >> 64),
            n: uint24(word >> 80),
            m: uint24(word >> 104),
            t: uint64(word >> 128),
            s: uint64(word >> 192)
        });
    }

    function _repSlot(address account) private pure returns (bytes32) {
        return keccak256(abi.encode(account, REPS));
    }
}
