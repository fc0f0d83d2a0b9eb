// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Endings} from "./Endings.sol";
import {Hashing} from "./Hashing.sol";
import {ITimeouts} from "./interfaces/IBlockEdge.sol";
import {Demand, Docket, Phase, Terms, Unit} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title The exit of every phase in which the worker let a deadline pass (docs/protocol.md §3.3, §7.1).
abstract contract Timeouts is Endings, ITimeouts {
    bytes4 private constant DONE = 0;

    /// @inheritdoc ITimeouts
    function timeout(Unit[] calldata units) external nonReentrant {
        for (uint256 i = 0; i < units.length; ++i) {
            (bytes32 unit, bytes4 reason) = _timeout(units[i]);
            if (reason != DONE) emit Skipped(unit, reason);
        }
    }

    function _timeout(Unit calldata target) private returns (bytes32 unit, bytes4 reason) {
        bytes32 termsHash;
        (unit, termsHash) = _identify(target);
        UnitSlot slot = _units[unit];
        Phase phase = slot.phase();
        if (phase == Phase.None || phase >= Phase.Paid) return (unit, BadPhase.selector);
        // A revealed unit has this exit only while a demand is open and nothing contradicts it, or it would end a
        // lie at a tenth of its price; a disputed one until it is defended.
        Docket storage docket = _dockets[unit];
        if (phase == Phase.Revealed && !(slot.hasDocket() && docket.demands != 0 && docket.best == 0)) {
            return (unit, BadPhase.selector);
        }
        if (phase == Phase.Disputed && docket.defended) return (unit, BadPhase.selector);
        if (slot.digest() != Hashing.digest(termsHash, target.data)) return (unit, BadUnit.selector);

        Terms calldata terms = target.terms;
        uint256 since = slot.since();
        if (phase == Phase.Assigned) {
            uint256 startAt = uint256(target.data[0]);
            if (block.timestamp <= _resultBy(startAt, terms.delay, since)) return (unit, TooEarly.selector);
            _endRefused(unit, slot, terms, startAt != 0);
        } else if (phase == Phase.Committed) {
            if (block.timestamp <= _checkBy(terms, since) + REVEAL) return (unit, TooEarly.selector);
            _endWithheld(unit, slot, terms);
        } else if (phase == Phase.Revealed) {
            if (!_overdue(unit, docket.demanded)) return (unit, TooEarly.selector);
            _dropDemands(docket, terms);
            _endRefused(unit, slot, terms, true);
        } else {
            if (block.timestamp <= since + DEFEND) return (unit, TooEarly.selector);
            uint256 best = docket.best;
            address detector = best == 0 ? address(0) : _reports[unit][best - 1].author;
            _endConvicted(unit, slot, terms, detector, 0);
        }
    }

    /// @dev At most DEMAND_LIMIT demands.
    function _overdue(bytes32 unit, uint256 demanded) private view returns (bool) {
        for (uint256 i = 0; i < demanded; ++i) {
            Demand storage open = _demands[unit][i];
            if (!open.supplied && block.timestamp > open.by) return true;
        }
        return false;
    }

    /// @notice REFUSED. Acknowledged: 10 % of the deposit, 5 % for R >= 0.8, half to the requester and half
    /// burned. Otherwise min(1 %, price), all burned, so that a fake award earns nothing.
    function _endRefused(bytes32 unit, UnitSlot slot, Terms calldata terms, bool acknowledged) private {
        uint256 deposit = terms.deposit;
        uint256 fine;
        uint256 toRequester = 0;
        if (acknowledged) {
            fine = deposit / (_score(terms.worker) >= 800_000 ? 20 : 10);
            toRequester = fine / 2;
            _recordFault(terms.worker, terms.price, deposit, POINT / 4);
        } else {
            fine = deposit / 100;
            if (fine > terms.price) fine = terms.price;
        }
        _end(unit, slot, terms, Phase.Refused, _escrowOf(terms) + toRequester, deposit - fine, 0);
    }

    /// @notice SLASHED for a withheld reveal: half to the requester, half burned. As dear as a conviction, or
    /// a cheat would take this way out. A checker that had committed gets its fee out of the half.
    function _endWithheld(bytes32 unit, UnitSlot slot, Terms calldata terms) private {
        uint256 toChecker = 0;
        if (slot.hasDocket()) {
            toChecker = terms.checkFee; // at most a twentieth of the deposit
            _credit(_reports[unit][0].author, toChecker);
        }
        _endSlashed(unit, slot, terms, terms.deposit / 2 - toChecker, toChecker);
    }
}
