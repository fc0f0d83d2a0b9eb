// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Auctions} from "../src/Auctions.sol";
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
/// @dev The court is told where BlockEdge will stand, which follows from the deployer's nonce; BlockEdge refuses
/// to be created anywhere else.
contract Deploy {
    event Deployed(
        address blockEdge,
        address powJudge,
        address reports,
        address disputes,
        address auctions,
        address court
    );

    function run(string calldata profile, address deployer) external returns (BlockEdge blockEdge) {
        Params memory p = ParamsFile.load(profile);
        address predicted = vm.computeCreateAddress(deployer, uint256(vm.getNonce(deployer)) + 5);

        vm.startBroadcast(deployer);
        IJudge powJudge = new PowJudge();
        Court court = new Court(p, predicted);
        p.court = address(court);
        Reports reports = new Reports(p, powJudge);
        Disputes disputes = new Disputes(p);
        Auctions auctions = new Auctions(p);
        blockEdge = new BlockEdge(p, powJudge, reports, disputes, auctions);
        vm.stopBroadcast();
        emit Deployed(
            address(blockEdge),
            address(powJudge),
            address(reports),
            address(disputes),
            address(auctions),
            address(court)
        );
    }
}
