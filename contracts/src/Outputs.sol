// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashing} from "./Hashing.sol";
import {IOutputs} from "./interfaces/IBlockEdge.sol";
import {Single} from "./Single.sol";
import {CHUNK, Demand, DEMAND_LIMIT, Docket, MODE_NO_DEMAND, Phase, Result, Terms, Unit} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title Demands for chunks of an output that is not on the chain (docs/protocol.md §10).
/// @dev A demand proves that the worker holds the output; it does not deliver a large one. The root does not
/// commit to the number of leaves, so a supplier states it: a path fits one position of one leaf for nearly
/// every count, and where it does not, it still is a chunk of this output.
abstract contract Outputs is Single, IOutputs {
    /// @inheritdoc IOutputs
    function demand(Unit calldata target, Result calldata result, uint32 chunk) external nonReentrant {
        (bytes32 unit,, UnitSlot slot) = _require(target, Phase.Revealed);
        Terms calldata terms = target.terms;
        if (!_byCourt(terms)) revert NotCourt();
        if (terms.mode & MODE_NO_DEMAND != 0) revert BadMode(terms.mode);
        if (msg.sender != terms.requester) revert Ineligible("requester");
        _requireResult(target, result);
        if (result.outputRoot == 0) revert BadOpening("output"); // an error exit has none to show
        uint256 challengeBy = _challengeBy(terms, slot.since());
        if (block.timestamp > challengeBy) revert TooLate(challengeBy);
        Docket storage docket = _dockets[unit];
        uint256 index = docket.demanded;
        if (index == DEMAND_LIMIT) revert BadLength(DEMAND_LIMIT, index + 1);
        uint256 bond = terms.checkFee;
        uint256 free = _accounts[msg.sender].free;
        if (free < bond) revert Insolvent(bond, free);

        _lock(msg.sender, bond);
        docket.demanded = uint8(index + 1);
        docket.demands += 1;
        uint256 by = block.timestamp + DA_WINDOW;
        _demands[unit][index] = Demand(chunk, uint40(by), false);
        _units[unit] = slot.withDocket();
        emit Demanded(unit, chunk, by);
    }

    /// @inheritdoc IOutputs
    function supply(
        Unit calldata target,
        Result calldata result,
        uint32 chunk,
        uint32 count,
        bytes calldata data,
        bytes32[] calldata path
    ) external nonReentrant {
        (bytes32 unit,,) = _require(target, Phase.Revealed);
        _requireResult(target, result);
        uint256 index = count == 0 || chunk < count ? chunk : count - 1;
        bytes32 root = Hashing.root(Hashing.leaf(data), path, index, count);
        if (data.length > CHUNK || count == 0 || root != result.outputRoot) revert BadOpening("chunk");

        Demand storage open = _openDemand(unit, chunk);
        open.supplied = true;
        _dockets[unit].demands -= 1;
        _release(target.terms.requester, target.terms.checkFee, 0);
        _credit(msg.sender, target.terms.checkFee);
        emit Supplied(unit, chunk, data);
    }

    function _openDemand(bytes32 unit, uint32 chunk) private view returns (Demand storage found) {
        uint256 late = 0;
        for (uint256 i = 0; i < DEMAND_LIMIT; ++i) {
            found = _demands[unit][i];
            if (found.by == 0) break;
            if (found.supplied || found.chunk != chunk) continue;
            if (block.timestamp <= found.by) return found;
            late = found.by;
        }
        if (late != 0) revert TooLate(late);
        revert BadOpening("demand");
    }

    function _requireResult(Unit calldata target, Result calldata result) private pure {
        if (Hashing.hash(result) != target.data[0]) revert BadOpening("result");
    }
}
