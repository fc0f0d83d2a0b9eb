// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ledger} from "../src/Ledger.sol";
import {State} from "../src/State.sol";
import {Account, Params} from "../src/Types.sol";
import {vm} from "../script/Vm.sol";
import {IBooks, Proof} from "./Proof.sol";

contract LedgerBooks is Ledger, IBooks {
    constructor(Params memory p) State(p) {}

    function put(address who, uint96 free, uint96 locked) external {
        _accounts[who].free = free;
        _accounts[who].locked = locked;
    }

    function putBurned(uint96 amount) external {
        _burned = amount;
    }

    function lock(address owner, uint256 amount) external {
        _lock(owner, amount);
    }

    function release(address owner, uint256 unlocked, uint256 credited) external {
        _release(owner, unlocked, credited);
    }

    function credit(address owner, uint256 amount) external {
        _credit(owner, amount);
    }

    function burn(uint256 amount) external {
        _burn(amount);
    }

    function accountOf(address who) external view returns (Account memory) {
        return _accounts[who];
    }

    function burned() external view returns (uint96) {
        return _burned;
    }
}

/// @title Every move of the Ledger moves exactly what it says, and touches no other account.
contract LedgerProof is Proof {
    LedgerBooks internal books;

    function setUp() public {
        books = new LedgerBooks(_params(address(0)));
    }

    function _begin(address owner, uint96 free, uint96 locked, uint96 burned, uint256 amount) private {
        vm.assume(uint256(free) + locked + burned + amount <= MOST);
        books.put(owner, free, locked);
        books.putBurned(burned);
    }

    function check_lock(address owner, address other, uint96 free, uint96 locked, uint256 amount) external {
        vm.assume(amount <= free);
        _begin(owner, free, locked, 0, 0);
        uint256 others = _holds(books, other);
        books.lock(owner, amount);
        Account memory account = books.accountOf(owner);
        assert(account.free == free - amount && account.locked == locked + amount);
        assert(other == owner || _holds(books, other) == others);
        assert(books.burned() == 0);
    }

    function check_release(
        address owner,
        address other,
        uint96 free,
        uint96 locked,
        uint256 unlocked,
        uint256 credited
    ) external {
        vm.assume(unlocked <= locked && credited <= MOST);
        _begin(owner, free, locked, 0, credited);
        uint256 others = _holds(books, other);
        books.release(owner, unlocked, credited);
        Account memory account = books.accountOf(owner);
        assert(account.free == free + credited && account.locked == locked - unlocked);
        assert(other == owner || _holds(books, other) == others);
    }

    function check_credit(address owner, uint96 free, uint96 locked, uint256 amount) external {
        vm.assume(amount <= MOST);
        _begin(owner, free, locked, 0, amount);
        books.credit(owner, amount);
        Account memory account = books.accountOf(owner);
        assert(account.free == free + amount && account.locked == locked);
    }

    function check_burn(address owner, uint96 free, uint96 locked, uint96 burned, uint256 amount) external {
        vm.assume(amount <= MOST);
        _begin(owner, free, locked, burned, amount);
        books.burn(amount);
        assert(books.burned() == burned + amount);
        assert(_holds(books, owner) == uint256(free) + locked);
    }
}
