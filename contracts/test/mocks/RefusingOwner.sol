// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../src/interfaces/ICourt.sol";

/// @title A ticket's owner that refuses ether, or tries to be paid twice for it.
contract RefusingOwner {
    ICourt private immutable COURT;
    uint32 private _ticket;
    bool private _reenters;
    bool public reentered;

    error NoThankYou();

    constructor(ICourt court) {
        COURT = court;
    }

    function setReenter() external {
        _reenters = true;
    }

    function stake(uint256 seat) external {
        _ticket = COURT.stake{value: seat}();
    }

    function unstake() external {
        COURT.unstake(_ticket);
    }

    function withdraw() external {
        COURT.withdrawTicket(_ticket);
    }

    receive() external payable {
        if (!_reenters) revert NoThankYou();
        (reentered,) = address(COURT).call(abi.encodeCall(ICourt.withdrawTicket, (_ticket)));
    }
}
