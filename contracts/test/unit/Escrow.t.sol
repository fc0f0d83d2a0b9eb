// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdgeErrors as Errors, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Account, Phase} from "../../src/Types.sol";
import {Fixture, Job} from "../utils/Fixture.sol";

/// @title fund, exit, withdraw, flushBurn.
contract EscrowTest is Fixture {
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    function _exit(uint96 amount) private {
        vm.prank(worker.addr);
        edge.exit(amount);
    }

    function _withdraw() private {
        vm.prank(worker.addr);
        edge.withdraw();
    }

    function test_fund_addsToTheFreeBalance() public {
        vm.deal(stranger.addr, 5 ether);
        vm.expectEmit(address(edge));
        emit Events.Funded(stranger.addr, 2 ether);
        vm.prank(stranger.addr);
        edge.fund{value: 2 ether}();
        vm.prank(stranger.addr);
        edge.fund{value: 3 ether}();
        assertEq(_free(stranger), 5 ether, "free");
        _assertSolvent();
    }

    function test_fund_keepsTheContractBelow96Bits() public {
        vm.deal(stranger.addr, 1 << 96);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("value")));
        vm.prank(stranger.addr);
        edge.fund{value: 1 << 96}();
    }

    function test_fund_upToTheLastOf96Bits() public {
        uint256 room = type(uint96).max - address(edge).balance;
        vm.deal(stranger.addr, room + 1);
        vm.prank(stranger.addr);
        edge.fund{value: room}();
        assertEq(_free(stranger), room, "all that fits");
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, bytes32("value")));
        vm.prank(stranger.addr);
        edge.fund{value: 1}();
    }

    function test_fund_plainTransferIsRefused() public {
        vm.deal(stranger.addr, 1 ether);
        vm.prank(stranger.addr);
        (bool sent,) = address(edge).call{value: 1 ether}("");
        assertTrue(!sent, "no receive()");
    }

    function test_exit_maturesAfterUnbond() public {
        vm.expectEmit(address(edge));
        emit Events.ExitRequested(worker.addr, 10 ether, block.timestamp + p.unbond);
        _exit(10 ether);
        Account memory account = edge.accountOf(worker.addr);
        assertEq(account.exitAt, block.timestamp + p.unbond, "exitAt");
        assertEq(account.exitAmount, 10 ether, "exitAmount");
        assertEq(account.free, FUNDS, "still free");

        _after(p.unbond - 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, account.exitAt));
        _withdraw();
        _after(1);
        vm.expectEmit(address(edge));
        emit Events.Withdrawn(worker.addr, 10 ether);
        _withdraw();
        assertEq(worker.addr.balance, 10 ether, "arrived");
        account = edge.accountOf(worker.addr);
        assertEq(account.free, FUNDS - 10 ether, "left");
        assertEq(uint256(account.exitAt) + account.exitAmount, 0, "the exit has ended");
        _assertSolvent();
    }

    function test_exit_replacesAndCancels() public {
        _exit(10 ether);
        _after(p.unbond);
        _exit(20 ether); // starts over
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, block.timestamp + p.unbond));
        _withdraw();
        _exit(0);
        _after(p.unbond);
        vm.expectRevert(Errors.NotExiting.selector);
        _withdraw();
    }

    function test_exit_amountStaysUsableUntilWithdrawn() public {
        _exit(FUNDS);
        Job memory job = _wasmJob();
        _assign(job);
        assertEq(_locked(worker), job.terms.deposit, "locked all the same");
        _after(p.unbond);
        _withdraw(); // min(free, exitAmount)
        assertEq(worker.addr.balance, FUNDS - job.terms.deposit, "never what is locked");
        assertEq(_free(worker), 0, "all that was free");
        _timeout(job);
        _assertPhase(job, Phase.Refused);
        _assertSolvent();
    }

    function test_withdraw_needsAnExit() public {
        vm.expectRevert(Errors.NotExiting.selector);
        _withdraw();
    }

    function test_withdraw_onceAnExit() public {
        _exit(1 ether);
        _after(p.unbond);
        _withdraw();
        vm.expectRevert(Errors.NotExiting.selector);
        _withdraw();
    }

    function test_flushBurn_sendsWhatWasBurned() public {
        Job memory job = _wasmJob();
        _toRevealed(job);
        _after(100);
        _settle(job);
        uint256 before = BURN_ADDRESS.balance;
        vm.expectEmit(address(edge));
        emit Events.Burned(_fee(job));
        edge.flushBurn();
        assertEq(BURN_ADDRESS.balance, before + _fee(job), "gone");
        assertEq(edge.burned(), 0, "once");
        edge.flushBurn();
        assertEq(BURN_ADDRESS.balance, before + _fee(job), "nothing more");
        _assertSolvent();
    }
}
