// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {State} from "./State.sol";
import {BPS, DEPOSIT_FACTOR, PPM, Reputation as Rep} from "./Types.sol";

/// @title What a worker's past says about it (docs/protocol.md §8).
/// @dev n <= m, s <= t, 0 <= R <= 1e6 (invariant 14): every counter saturates, and each pair moves together.
/// The formulas are those of blockedge_node/core/reputation.py; tests/vectors/reputation.json binds them.
abstract contract Reputation is State {
    uint256 internal constant POINT = 1000; // in the unit of `good` and `bad`
    uint256 private constant DECAY_STEPS = 32; // 0.875^32 = 1.4 %: older weeks no longer matter

    /// @notice The counters with the points decayed, and R in ppm, now.
    function _reputation(address account) internal view returns (Rep memory rep, uint256 score) {
        rep = _decayed(account);
        score = _scoreOfRep(rep);
    }

    /// @notice R in ppm, now.
    function _score(address account) internal view returns (uint256) {
        return _scoreOfRep(_decayed(account));
    }

    /// @notice A unit of `worker` ended PAID: points for the fee it burned, at most one.
    function _recordPaid(address worker, uint256 price, uint256 deposit, uint256 fee) internal {
        unchecked {
            uint256 points = POINT * fee / FEE_UNIT;
            _record(worker, price, deposit, true, points < POINT ? points : POINT);
        }
    }

    /// @notice A unit ended SLASHED (one bad point) or REFUSED after an Ack (a quarter). What a refuser gets
    /// back of its deposit is not credited, or refusing would raise a newcomer's R.
    function _recordFault(address worker, uint256 price, uint256 deposit, uint256 bad) internal {
        _record(worker, price, deposit, false, bad);
    }

    /// @dev Deposits count up to 20 prices, or a big own deposit on a dust price would buy R. All sums are of
    /// values below 2^104, so none overflows.
    function _record(address worker, uint256 price, uint256 deposit, bool honest, uint256 points) private {
        unchecked {
            uint256 counted = deposit < DEPOSIT_FACTOR * price ? deposit : DEPOSIT_FACTOR * price;
            Rep memory rep = _decayed(worker);
            if (honest) {
                rep.good = uint32(_capped(rep.good + points, type(uint32).max));
                rep.s = uint64(_capped(rep.s + counted / 1 gwei, type(uint64).max));
            } else {
                rep.bad = uint32(_capped(rep.bad + points, type(uint32).max));
                rep.n = uint24(_capped(uint256(rep.n) + 1, type(uint24).max));
            }
            rep.m = uint24(_capped(uint256(rep.m) + 1, type(uint24).max));
            rep.t = uint64(_capped(rep.t + (counted + 1 gwei - 1) / 1 gwei, type(uint64).max));
            _reps[worker] = rep;
        }
    }

    /// @dev Points lose an eighth a week (floored), written back only when the worker's next unit ends.
    function _decayed(address account) private view returns (Rep memory rep) {
        unchecked {
            rep = _reps[account];
            uint256 week = block.timestamp / 1 weeks;
            uint256 steps = week - rep.week;
            if (steps > DECAY_STEPS) steps = DECAY_STEPS;
            for (; steps != 0; --steps) {
                rep.good -= rep.good / 8;
                rep.bad -= rep.bad / 8;
            }
            rep.week = uint16(week);
        }
    }

    function _scoreOfRep(Rep memory rep) private view returns (uint256) {
        unchecked {
            uint256 good = rep.good + POINT;
            uint256 ofVerdicts = PPM * good / (good + 5 * uint256(rep.bad) + 4 * POINT);
            uint256 ofDeposits = PPM * rep.s / (rep.t + SEAT / 1 gwei);
            return (7000 * ofVerdicts + 3000 * ofDeposits) / BPS;
        }
    }

    function _capped(uint256 value, uint256 max) private pure returns (uint256) {
        return value < max ? value : max;
    }
}
