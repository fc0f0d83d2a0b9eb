// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {State} from "./State.sol";
import {BPS, KIND_POW, KIND_WASM, MAX_DELAY, MODE_NO_DEMAND, Request} from "./Types.sol";

/// @title What every Request must obey, however its units find their workers (docs/protocol.md §2.1, §3.3).
abstract contract Requests is State {
    /// @notice Reverts for a field outside its limits.
    /// @param way 0 or MODE_ONCHAIN: each has its own entry, so that no unit can be had both ways.
    function _checkRequest(Request calldata request, uint8 way) internal view {
        bool judged = request.kind == KIND_POW;
        if (!judged && request.kind != KIND_WASM) revert BadTerms("kind");
        // A judged kind always shows its output.
        if (request.mode & ~(judged ? 0 : MODE_NO_DEMAND) != way) revert BadMode(request.mode);
        if (request.maxPrice == 0) revert BadTerms("maxPrice");
        if (request.maxDelay == 0 || request.maxDelay > MAX_DELAY) revert BadTerms("maxDelay");
        if (uint256(request.wPrice) + request.wDelay + request.wRep != BPS) revert BadTerms("weights");
        if (COURT == address(0) || judged) {
            if (request.spotBps != 0) revert BadTerms("spotBps");
            if (request.checkFee != 0) revert BadTerms("checkFee");
        } else {
            if (request.spotBps < SPOT_BPS_MIN || request.spotBps > BPS) revert BadTerms("spotBps");
            if (request.checkFee == 0 || request.checkFee > SEAT / 10) revert BadTerms("checkFee");
        }
        if (request.acl != 0) revert BadTerms("acl"); // of a later stage
    }

    /// @dev A slow node's time to recompute. Not from the winner's own delay: a fast winner would make
    /// slower checkers late.
    function _vwin(uint256 fuel) internal view returns (uint32) {
        uint256 vwin = VWIN_BASE + (3 * fuel + REF_FUEL - 1) / REF_FUEL;
        if (vwin > VWIN_MAX) revert BadTerms("fuel");
        return uint32(vwin);
    }
}
