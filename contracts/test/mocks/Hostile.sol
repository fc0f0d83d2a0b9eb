// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {IJudge} from "../../src/interfaces/IJudge.sol";
import {Request, Result} from "../../src/Types.sol";

/// Takes part with its own balance and does to received ether what `mood` says.
contract HostileReceiver {
    enum Mood {
        Accept,
        Refuse,
        Reenter,
        Burn
    }

    IBlockEdge private immutable EDGE;
    Mood public mood;
    bytes public reentry;
    bool public reentered;

    constructor(IBlockEdge edge) {
        EDGE = edge;
    }

    function set(Mood mood_, bytes calldata reentry_) external {
        mood = mood_;
        reentry = reentry_;
    }

    function fund() external payable {
        EDGE.fund{value: msg.value}();
    }

    function exit(uint96 amount) external {
        EDGE.exit(amount);
    }

    function withdraw() external {
        EDGE.withdraw();
    }

    receive() external payable {
        if (mood == Mood.Refuse) revert("no, thank you");
        if (mood == Mood.Burn) {
            while (true) {}
        }
        if (mood == Mood.Reenter) (reentered,) = address(EDGE).call(reentry);
    }
}

/// Uses all the gas it is given.
contract GasBombJudge is IJudge {
    function verdict(
        Request calldata,
        uint16,
        bytes calldata,
        Result calldata,
        bytes calldata,
        bytes calldata
    ) external pure returns (uint8) {
        while (true) {}
        return 2;
    }
}

/// Returns as many bytes as its gas buys.
contract ReturnBombJudge is IJudge {
    function verdict(
        Request calldata,
        uint16,
        bytes calldata,
        Result calldata,
        bytes calldata,
        bytes calldata
    ) external pure returns (uint8) {
        assembly {
            mstore(0, 2)
            return(0, 250000)
        }
    }
}

/// Answers with the bytes it was made with, or reverts with them.
contract ScriptedJudge {
    bytes private _answer;
    bool private immutable FAILS;

    constructor(bytes memory answer, bool fails) {
        _answer = answer;
        FAILS = fails;
    }

    fallback() external {
        bytes memory answer = _answer;
        bool fails = FAILS;
        assembly {
            if fails {
                revert(add(answer, 0x20), mload(answer))
            }
            return(add(answer, 0x20), mload(answer))
        }
    }
}
