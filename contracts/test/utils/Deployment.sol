// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {Params} from "../../src/Types.sol";

/// @title Creates the shipped contracts from out/, in the order of script/Deploy.s.sol.
library Deployment {
    /// @notice Without a court: stage 1.
    function create(Params memory p, address judge) internal returns (IBlockEdge) {
        (address reports, address disputes) = rare(p, judge);
        return create(p, judge, reports, disputes);
    }

    /// @notice With a court, whose address it writes into `p`.
    function createWithCourt(Params memory p, address judge) internal returns (IBlockEdge) {
        address edge = vm.computeCreateAddress(address(this), uint256(vm.getNonce(address(this))) + 3);
        p.court = vm.deployCode("Court.sol:Court", abi.encode(p, edge));
        (address reports, address disputes) = rare(p, judge);
        return create(p, judge, reports, disputes);
    }

    function rare(Params memory p, address judge) internal returns (address reports, address disputes) {
        reports = vm.deployCode("Reports.sol:Reports", abi.encode(p, judge));
        disputes = vm.deployCode("Disputes.sol:Disputes", abi.encode(p));
    }

    function create(
        Params memory p,
        address judge,
        address reports,
        address disputes
    ) internal returns (IBlockEdge) {
        return IBlockEdge(vm.deployCode("BlockEdge.sol:BlockEdge", abi.encode(p, judge, reports, disputes)));
    }
}
