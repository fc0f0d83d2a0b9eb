// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockEdge} from "../src/BlockEdge.sol";
import {IJudge} from "../src/interfaces/IJudge.sol";
import {PowJudge} from "../src/PowJudge.sol";
import {ParamsFile} from "./ParamsFile.sol";
import {vm} from "./Vm.sol";

/// @title Deploys BlockEdge with the parameters of config/params.<profile>.json.
/// @notice bin/forge script script/Deploy.s.sol --sig 'run(string)' dev --broadcast --rpc-url … --private-key …
contract Deploy {
    event Deployed(address blockEdge, address powJudge);

    function run(string calldata profile) external returns (BlockEdge blockEdge) {
        vm.startBroadcast();
        IJudge powJudge = new PowJudge();
        blockEdge = new BlockEdge(ParamsFile.load(profile), powJudge);
        vm.stopBroadcast();
        emit Deployed(address(blockEdge), address(powJudge));
    }
}
