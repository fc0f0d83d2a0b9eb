// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../src/Types.sol";
import {vm} from "./Vm.sol";

/// @title Reads config/params.<profile>.json; wei are decimal strings there, as JSON numbers end at 2^53.
library ParamsFile {
    function load(string memory profile) internal view returns (Params memory p) {
        string memory json = vm.readFile(string.concat("../config/params.", profile, ".json"));
        p.feeBps = uint16(vm.parseJsonUint(json, ".feeBps"));
        p.spotBpsMin = uint16(vm.parseJsonUint(json, ".spotBpsMin"));
        p.seat = uint96(vm.parseJsonUint(json, ".seat"));
        p.grace = _seconds(json, ".grace");
        p.secret = _seconds(json, ".secret");
        p.reveal = _seconds(json, ".reveal");
        p.challenge = _seconds(json, ".challenge");
        p.report = _seconds(json, ".report");
        p.maxAward = _seconds(json, ".maxAward");
        p.refFuel = uint64(vm.parseJsonUint(json, ".refFuel"));
        p.vwinBase = _seconds(json, ".vwinBase");
        p.vwinMax = _seconds(json, ".vwinMax");
        p.ticketAge = _seconds(json, ".ticketAge");
        p.unbond = _seconds(json, ".unbond");
        p.defend = _seconds(json, ".defend");
        p.jcommit = _seconds(json, ".jcommit");
        p.jreveal = _seconds(json, ".jreveal");
        p.appeal = _seconds(json, ".appeal");
        p.daWindow = _seconds(json, ".daWindow");
        p.feeUnit = uint96(vm.parseJsonUint(json, ".feeUnit"));
        p.bidBlocks = uint16(vm.parseJsonUint(json, ".bidBlocks"));
        p.court = vm.parseJsonAddress(json, ".court");
    }

    function _seconds(string memory json, string memory key) private pure returns (uint32) {
        return uint32(vm.parseJsonUint(json, key));
    }
}
