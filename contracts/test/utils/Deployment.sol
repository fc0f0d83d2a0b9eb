// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {Params} from "../../src/Types.sol";

/// The contracts whose code BlockEdge runs.
struct Siblings {
    address reports;
    address disputes;
    address auctions;
}

/// @title Creates the shipped contracts from out/, in the order of script/Deploy.s.sol.
library Deployment {
    /// @notice Without a court: stage 1.
    function create(Params memory p, address judge) internal returns (IBlockEdge) {
        return create(p, judge, rare(p, judge));
    }

    /// @notice With a court, whose address it writes into `p`.
    function createWithCourt(Params memory p, address judge) internal returns (IBlockEdge) {
        address edge = vm.computeCreateAddress(address(this), uint256(vm.getNonce(address(this))) + 4);
        p.court = vm.deployCode("Court.sol:Court", abi.encode(p, edge));
        return create(p, judge, rare(p, judge));
    }

    function rare(Params memory p, address judge) internal returns (Siblings memory made) {
        made.reports = vm.deployCode("Reports.sol:Reports", abi.encode(p, judge));
        made.disputes = vm.deployCode("Disputes.sol:Disputes", abi.encode(p));
        made.auctions = vm.deployCode("Auctions.sol:Auctions", abi.encode(p));
    }

    function create(Params memory p, address judge, Siblings memory made) internal returns (IBlockEdge) {
        bytes memory args = abi.encode(p, judge, made.reports, made.disputes, made.auctions);
        return IBlockEdge(vm.deployCode("BlockEdge.sol:BlockEdge", args));
    }
}
