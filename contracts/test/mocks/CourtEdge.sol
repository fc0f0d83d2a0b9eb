// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt, IRuled} from "../../src/interfaces/ICourt.sol";
import {Case, Ruling, Unit} from "../../src/Types.sol";

/// @title BlockEdge as the Court sees it: opens cases, names reporters, takes from tickets, hears rulings.
contract CourtEdge is IRuled {
    error NotTheCourt();
    error Unheard();

    ICourt private _court;
    mapping(bytes32 unit => mapping(address who => bool)) public isReporter;

    uint256 public rulings;
    uint256 public pool; // of the last ruling, without the fines
    bytes32 public task; // of the last ruling's unit
    Ruling private _ruling;
    bool private _deaf;
    bool private _quick;
    uint32 private _thief; // + 1: a ticket to take from while ruling
    uint256 public taken;

    function setCourt(ICourt court) external {
        _court = court;
    }

    function setReporter(bytes32 unit, address who) external {
        isReporter[unit][who] = true;
    }

    function setDeaf(bool deaf) external {
        _deaf = deaf;
    }

    /// @notice Writes nothing down, so that a ruling costs next to nothing.
    function setQuick(bool quick) external {
        _quick = quick;
    }

    function takeWhileRuling(uint32 ticket) external {
        _thief = ticket + 1;
    }

    function open(Case calldata case_, uint40 ticketPlus1, uint96 fromTicket) external payable {
        _court.open{value: msg.value}(case_, false, ticketPlus1, fromTicket);
    }

    function take(uint32 ticket, uint96 amount) external returns (uint96) {
        return _court.take(ticket, amount);
    }

    function rule(Unit calldata unit, Ruling calldata ruling_) external payable {
        if (msg.sender != address(_court)) revert NotTheCourt();
        if (_deaf) revert Unheard();
        if (_quick) return;
        ++rulings;
        pool = msg.value - ruling_.fines;
        task = unit.terms.task;
        _ruling = ruling_;
        if (_thief != 0) taken = _court.take(_thief - 1, type(uint96).max);
    }

    function ruling() external view returns (Ruling memory) {
        return _ruling;
    }

    receive() external payable {
        if (msg.sender != address(_court)) revert NotTheCourt();
    }
}
