// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ledger} from "./Ledger.sol";
import {Reputation} from "./Reputation.sol";
import {BPS, Docket, FLAG_CHECK_MISSED, FLAG_SECRET_SHOWN, Phase, Terms} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title How a unit ends, and who gets what then: the table of docs/protocol.md §7.1.
/// @dev One function an outcome. All of them end in `_end`, which makes the shares add up.
abstract contract Endings is Ledger, Reputation {
    /// @notice PAID: the price to the worker, its deposit back, the fee burned.
    /// @param flags Of the REVEALED unit.
    /// @param scored Whether the worker's result is known to be right: if so, and if the secret was shown, it
    /// earns points. Its deposit counts in any case.
    /// @param checker Who gets the check fee. 0: it goes back, but burns if the requester hid the secret or the
    /// drawn checker got nothing to check.
    function _endPaid(
        bytes32 unit,
        UnitSlot slot,
        Terms calldata terms,
        uint256 flags,
        bool scored,
        address checker
    ) internal {
        bool shown = flags & FLAG_SECRET_SHOWN != 0;
        _recordPaid(terms.worker, terms.price, terms.deposit, shown && scored ? _feeOf(terms.price) : 0);
        uint256 toChecker = 0;
        if (checker != address(0)) {
            toChecker = terms.checkFee;
            _credit(checker, toChecker);
        }
        uint256 toRequester =
            checker == address(0) && shown && flags & FLAG_CHECK_MISSED == 0 ? terms.checkFee : 0;
        _end(unit, slot, terms, Phase.Paid, toRequester, uint256(terms.deposit) + terms.price, toChecker);
    }

    /// @notice SLASHED as wrong: half the deposit to the requester, a fifth to the detector, the rest
    /// burned, or a cheat would report itself through a second identity and lose nothing.
    /// @param detector 0: nobody; the fifth burns.
    /// @param spent What of the deposit has been credited to others before; it is not shared.
    function _endConvicted(
        bytes32 unit,
        UnitSlot slot,
        Terms calldata terms,
        address detector,
        uint256 spent
    ) internal {
        uint256 rest = uint256(terms.deposit) - spent;
        uint256 toDetector = 0;
        if (detector != address(0)) {
            toDetector = rest * 20 / 100;
            _credit(detector, toDetector);
        }
        _endSlashed(unit, slot, terms, rest / 2, toDetector + spent);
    }

    /// @notice SLASHED: everything back to the requester, and its share of the deposit.
    /// @param credited What of the deposit others have got.
    function _endSlashed(
        bytes32 unit,
        UnitSlot slot,
        Terms calldata terms,
        uint256 toRequester,
        uint256 credited
    ) internal {
        _recordFault(terms.worker, terms.price, terms.deposit, POINT);
        _end(unit, slot, terms, Phase.Slashed, _escrowOf(terms) + toRequester, 0, credited);
    }

    /// @notice The end of every unit: unlocks what both parties had locked, credits their shares of it, and
    /// burns what is left, so that shares always add up to what was taken (invariant 3).
    /// @param credited The part already credited to others.
    function _end(
        bytes32 unit,
        UnitSlot slot,
        Terms calldata terms,
        Phase phase,
        uint256 toRequester,
        uint256 toWorker,
        uint256 credited
    ) internal {
        uint256 escrow = _escrowOf(terms);
        uint256 deposit = terms.deposit;
        _release(terms.requester, escrow, toRequester);
        _release(terms.worker, deposit, toWorker);
        uint256 left = escrow + deposit - toRequester - toWorker - credited;
        if (left != 0) _burn(left);
        _units[unit] = slot.ended(phase);
        uint256 paid = phase == Phase.Paid ? terms.price : 0;
        emit Settled(unit, phase, paid, toWorker < deposit ? deposit - toWorker : 0);
    }

    /// @notice Ends the open demands: the bonds go back to the requester.
    function _dropDemands(Docket storage docket, Terms calldata terms) internal {
        uint256 bonds = uint256(docket.demands) * terms.checkFee;
        if (bonds == 0) return;
        docket.demands = 0;
        _release(terms.requester, bonds, bonds);
    }

    /// @dev Prices and check fees fit 96 bits: nothing here overflows.
    function _feeOf(uint256 price) internal view returns (uint256) {
        unchecked {
            return price * FEE_BPS / BPS;
        }
    }

    /// @notice What a requester locks for one unit.
    function _lockOf(uint256 price, uint256 checkFee) internal view returns (uint256) {
        unchecked {
            return price + _feeOf(price) + checkFee;
        }
    }

    function _escrowOf(Terms calldata terms) internal view returns (uint256) {
        return _lockOf(terms.price, terms.checkFee);
    }
}
