// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockEdge} from "../src/BlockEdge.sol";
import {Court} from "../src/Court.sol";
import {Disputes} from "../src/Disputes.sol";
import {IJudge} from "../src/interfaces/IJudge.sol";
import {PowJudge} from "../src/PowJudge.sol";
import {Reports} from "../src/Reports.sol";
import {Params} from "../src/Types.sol";
import {ParamsFile} from "./ParamsFile.sol";
import {vm} from "./Vm.sol";

/// @title Deploys all contracts with the parameters of config/params.<profile>.json and a court.
/// @notice bin/forge script script/Deploy.s.sol --sig 'run(string,address)' dev <deployer> --broadcast
/// --rpc-url … --private-key …
/// @dev Court and BlockEdge know each other by addresses that follow from the deployer's nonce.
contract Deploy {
    event Deployed(address blockEdge, address powJudge, address reports, address disputes, address court);

    function run(string calldata profile, address deployer) external returns (BlockEdge blockEdge) {
        Params memory p = ParamsFile.load(profile);
        uint256 nonce = vm.getNonce(deployer);
        p.court = vm.computeCreateAddress(deployer, nonce + 3);

        vm.startBroadcast(deployer);
        IJudge powJudge = new PowJudge();
        Reports reports = new Reports(p, powJudge);
        Disputes disputes = new Disputes(p);
        Court court = new Court(p, vm.computeCreateAddress(deployer, nonce + 4));
        blockEdge = new BlockEdge(p, powJudge, reports, disputes);
        vm.stopBroadcast();
        emit Deployed(
            address(blockEdge), address(powJudge), address(reports), address(disputes), address(court)
        );
    }
}
