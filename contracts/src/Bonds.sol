// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "./interfaces/ICourt.sol";
import {Single} from "./Single.sol";
import {
    ALPHA,
    Docket,
    FIRST_SEATS,
    FLAG_DRAWN,
    FLAG_RULED,
    KIND_POW,
    NO_INPUT,
    Phase,
    Report,
    ReportState,
    Terms,
    Unit,
    VERDICT_RIGHT,
    VERDICT_WRONG
} from "./Types.sol";

/// @title What becomes of the bonds of reports once their unit has ended (docs/protocol.md §6.4).
/// @dev The accuser's is let go by `rule` already, if there was a jury.
abstract contract Bonds is Single {
    uint256 private constant CLOSE_LIMIT = 16;

    function _closeReports(Unit calldata target, uint16[] calldata indices) internal {
        if (indices.length > CLOSE_LIMIT) revert BadLength(CLOSE_LIMIT, indices.length);
        (bytes32 unit, Phase phase) = _requireEnded(target);
        for (uint256 i = 0; i < indices.length; ++i) {
            Report storage report = _reports[unit][indices[i]];
            if (report.state == ReportState.None || report.state == ReportState.Closed) {
                emit Skipped(unit, BadPhase.selector);
                continue;
            }
            uint256 returned = 0;
            if (indices[i] == 0) _closeCheck(unit, report, target, phase);
            else returned = _closeReport(report, target, phase);
            emit ReportClosed(unit, indices[i], returned);
        }
    }

    function _closeReport(
        Report storage report,
        Unit calldata target,
        Phase phase
    ) private returns (uint256 returned) {
        Terms calldata terms = target.terms;
        uint256 bond = _bondOf(terms);
        uint256 toWorker;
        (returned, toWorker) = _byCourt(terms)
            ? _sharesByCourt(report, target, phase, bond)
            : _shares(report, terms, phase, bond);
        report.state = ReportState.Closed;
        _release(report.author, bond, returned);
        if (toWorker != 0) _credit(terms.worker, toWorker);
        if (returned + toWorker < bond) _burn(bond - returned - toWorker);
    }

    /// @notice Judged kinds, and court kinds without a court.
    function _shares(
        Report storage report,
        Terms calldata terms,
        Phase phase,
        uint256 bond
    ) private view returns (uint256 returned, uint256 toWorker) {
        if (report.state == ReportState.Committed) return (0, 0); // never revealed
        if (terms.kind == KIND_POW) {
            if (report.verdict == VERDICT_WRONG) return (bond, 0);
            return (0, bond / 2); // a false accusation pays the accused
        }
        if (phase == Phase.Unresolved) return (bond, 0);
        return (bond * 90 / 100, 0); // agreed with the worker: reported for nothing
    }

    /// @notice Court kinds with a court.
    function _sharesByCourt(
        Report storage report,
        Unit calldata target,
        Phase phase,
        uint256 bond
    ) private view returns (uint256 returned, uint256 toWorker) {
        if (phase == Phase.Refused) return (bond, 0); // for an overdue chunk, perhaps before any reveal
        if (report.state == ReportState.Committed) return (0, 0);
        if (phase == Phase.Unresolved) return (bond, 0);
        if (report.verdict == VERDICT_RIGHT) return (bond * 90 / 100, 0);

        uint256 accusation = _accusationOf(target.terms);
        if (phase == Phase.Paid) {
            if (target.data[3] == NO_INPUT) return (bond, 0);
            return (bond - accusation, accusation / 2);
        }
        bool right = uint256(target.data[2]) & FLAG_RULED == 0 || report.hash == target.data[3];
        return (right ? bond : bond - accusation, 0);
    }

    /// @notice The drawn checker's ticket stands for the bond that a reporter locks.
    function _closeCheck(bytes32 unit, Report storage check, Unit calldata target, Phase phase) private {
        uint256 flags = uint256(target.data[2]);
        uint256 charge = 0;
        bool toWorker = false;
        // A unit that was never revealed, or was refused, asks nothing of its checker.
        if (flags & FLAG_DRAWN != 0 && phase != Phase.Refused) {
            bool ruled = flags & FLAG_RULED != 0;
            bool acquitted = ruled && phase == Phase.Paid && target.data[3] != NO_INPUT;
            Docket storage docket = _dockets[unit];
            bool silent = check.state == ReportState.Committed;
            if (silent && !(docket.best == 0 && docket.defended)) {
                charge = ALPHA * target.terms.checkFee; // else its silence has paid that for the jury
            } else if (!silent && check.verdict == VERDICT_RIGHT) {
                // Agreed with a hash that the jury convicted.
                charge = phase == Phase.Slashed && ruled ? ALPHA * target.terms.checkFee : 0;
            } else if (acquitted) {
                // It accused the innocent, by a hash or by the silence that called the jury.
                charge = _accusationOf(target.terms);
                toWorker = true;
            }
        }
        check.state = ReportState.Closed;
        if (charge == 0) return;
        uint256 taken = ICourt(COURT).take(uint32(_dockets[unit].ticket - 1), uint96(charge));
        uint256 credited = toWorker ? taken / 2 : 0;
        if (credited != 0) _credit(target.terms.worker, credited);
        _burn(taken - credited);
    }

    /// @notice B of §6.4: with a court a reporter also pays for the jurors of the first round.
    function _bondOf(Terms calldata terms) internal view returns (uint256) {
        uint256 accusation = _accusationOf(terms);
        return _byCourt(terms) ? accusation + FIRST_SEATS * terms.checkFee : accusation;
    }
}
