// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ICourtErrors as Errors, ICourtEvents as Events} from "../../src/interfaces/ICourt.sol";
import {Case, Params, Ticket} from "../../src/Types.sol";
import {RefusingOwner} from "../mocks/RefusingOwner.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title Tickets: how a stake comes in, grows, is fined and leaves.
contract CourtTicketsTest is CourtFixture {
    address private owner = address(0xB0);

    // ── deployment ──────────────────────────────────────────────────────────────────────────────────────

    function test_deploy_refusesATicketThatNeedsNoAge() public {
        Params memory params = p;
        params.ticketAge = 0;
        _deployReverts(params, "ticketAge");
    }

    function test_deploy_refusesAStakeThatHasNoHalf() public {
        Params memory params = p;
        params.seat = 1;
        _deployReverts(params, "seat");
    }

    function test_deploy_refusesToLetATicketLeaveWithADutyUndone() public {
        Params memory params = p;
        params.unbond = 406; // dev: the longest life of a duty, with DA_WINDOW
        _deployReverts(params, "unbond");
        params.unbond = 407;
        _deploy(params);
    }

    function test_deploy_prodWindowsPass() public {
        Params memory params = p;
        (params.seat, params.ticketAge, params.unbond) = (1 ether, 86_400, 86_400);
        (params.secret, params.reveal, params.challenge, params.report) = (120, 300, 600, 300);
        (params.defend, params.vwinMax, params.daWindow) = (1800, 3600, 600);
        (params.jcommit, params.jreveal, params.appeal) = (600, 300, 3600);
        assertEq(_deploy(params).blockEdge(), address(edge), "bound to one BlockEdge");
    }

    function _deployReverts(Params memory params, bytes32 field) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.BadTerms.selector, field));
        _deploy(params);
    }

    // ── stake ───────────────────────────────────────────────────────────────────────────────────────────

    function test_stake_countsIdsFromZero() public {
        vm.expectEmit(address(court));
        emit Events.TicketStaked(0, owner);
        assertEq(_stake(owner), 0, "first");
        vm.warp(block.timestamp + 3);
        assertEq(_stake(owner), 1, "an owner may hold many");
        assertEq(court.tickets(), 2, "count");
        Ticket memory ticket = court.ticketOf(1);
        assertEq(ticket.owner, owner, "owner");
        assertEq(ticket.stakedAt, START + 3, "stakedAt");
        assertEq(ticket.leftAt, 0, "in");
        assertEq(ticket.stake, p.seat, "stake");
        _assertBooks(0);
    }

    function test_stake_takesExactlySeat() public {
        vm.deal(owner, 1 ether);
        uint256[3] memory wrong = [uint256(0), p.seat - 1, p.seat + 1];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(owner);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadValue.selector, p.seat, wrong[i]));
            court.stake{value: wrong[i]}();
        }
    }

    function test_court_takesNoOtherEther() public {
        vm.deal(owner, 1 ether);
        vm.prank(owner);
        (bool sent,) = address(court).call{value: 1}("");
        assertTrue(!sent, "refused");
    }

    // ── unstake, withdraw ───────────────────────────────────────────────────────────────────────────────

    function test_unstake_onceByItsOwner() public {
        uint32 id = _stake(owner);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOwner.selector, owner));
        court.unstake(id);

        vm.expectEmit(address(court));
        emit Events.TicketLeft(id);
        vm.prank(owner);
        court.unstake(id);
        assertEq(court.ticketOf(id).leftAt, START, "left now");

        vm.warp(START + 5);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.TicketGone.selector, START));
        court.unstake(id);
    }

    function test_unstake_nobodysTicket() public {
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOwner.selector, address(0)));
        court.unstake(7);
    }

    function test_withdraw_afterUnbondOnly() public {
        uint32 id = _stake(owner);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.TicketIn.selector));
        court.withdrawTicket(id);

        vm.prank(owner);
        court.unstake(id);
        vm.warp(START + p.unbond);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, START + p.unbond));
        court.withdrawTicket(id);

        vm.warp(START + p.unbond + 1);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOwner.selector, owner));
        court.withdrawTicket(id);

        vm.expectEmit(address(court));
        emit Events.TicketWithdrawn(id, p.seat);
        vm.prank(owner);
        court.withdrawTicket(id);
        assertEq(owner.balance, p.seat, "all of it");
        assertEq(_held(id), 0, "nothing left");
        _assertBooks(0);
    }

    function test_withdraw_twicePaysOnce() public {
        uint32 id = _stake(owner);
        _stake(stranger);
        vm.prank(owner);
        court.unstake(id);
        vm.warp(START + p.unbond + 1);
        vm.prank(owner);
        court.withdrawTicket(id);
        vm.prank(owner);
        court.withdrawTicket(id);
        assertEq(owner.balance, p.seat, "once");
        _assertBooks(0);
    }

    // ── charges ─────────────────────────────────────────────────────────────────────────────────────────

    function test_take_blockEdgeOnly() public {
        _stake(owner);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotBlockEdge.selector));
        court.take(0, 1);
    }

    function test_take_movesStakeToBlockEdge() public {
        uint32 id = _stake(owner);
        vm.expectEmit(address(court));
        emit Events.TicketCharged(id, 0.001 ether);
        assertEq(edge.take(id, 0.001 ether), 0.001 ether, "taken");
        assertEq(address(edge).balance, 0.001 ether, "sent");
        assertEq(_held(id), p.seat - 0.001 ether, "less");
        assertEq(court.ticketOf(id).leftAt, 0, "still in");
        _assertBooks(0);
    }

    function test_take_asFarAsTheStakeReaches() public {
        uint32 id = _stake(owner);
        assertEq(edge.take(id, type(uint96).max), p.seat, "all there was");
        assertEq(edge.take(id, 1), 0, "and nothing from nothing");
        assertEq(edge.take(9, 1), 0, "nor from a ticket that never was");
        assertEq(_held(id), 0, "empty");
        _assertBooks(0);
    }

    /// @dev An id that nobody has staked yet must not be marked as left: it would be somebody's, later.
    function test_take_nothingLeavesNoTrace() public {
        uint32 id = _stake(owner);
        edge.take(id, p.seat);
        vm.recordLogs();
        edge.take(id, 1);
        edge.take(9, 1);
        assertEq(vm.getRecordedLogs().length, 0, "nothing was charged, and nobody left");
        assertEq(court.ticketOf(9).leftAt, 0, "untouched");
    }

    function test_take_belowHalfASeatTheTicketLeaves() public {
        uint32 id = _stake(owner);
        edge.take(id, p.seat / 2);
        assertEq(court.ticketOf(id).leftAt, 0, "half is enough");
        vm.warp(START + 9);
        vm.expectEmit(address(court));
        emit Events.TicketLeft(id);
        edge.take(id, 1);
        assertEq(court.ticketOf(id).leftAt, START + 9, "left at once");
        vm.warp(START + 20);
        edge.take(id, 1);
        assertEq(court.ticketOf(id).leftAt, START + 9, "a later fine does not make it leave later");
    }

    function test_take_whileRuling() public {
        _stakeMany(8);
        uint32 checker = _stake(owner);
        edge.takeWhileRuling(checker);
        _close(_opened(), 0);
        assertEq(edge.taken(), p.seat, "X of a checker");
        assertEq(address(edge).balance, edge.pool() + edge.ruling().fines + p.seat, "all reached BlockEdge");
        _assertBooks(0);
    }

    // ── earnings ────────────────────────────────────────────────────────────────────────────────────────

    function test_collect_earningsOnly() public {
        _stake(owner);
        vm.warp(block.timestamp + p.ticketAge);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadValue.selector, p.seat, p.seat));
        court.collect(0);

        Case memory c = _opened();
        _trial(c, "RRRRR"); // one ticket in all five seats
        _close(c, RIGHT);
        assertEq(_held(0), p.seat + 5 * FEE, "five fees");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOwner.selector, owner));
        court.collect(0);

        vm.expectEmit(address(court));
        emit Events.TicketCollected(0, 5 * FEE);
        vm.prank(owner);
        court.collect(0);
        assertEq(owner.balance, 5 * FEE, "out");
        assertEq(_held(0), p.seat, "SEAT stays");
        assertEq(court.ticketOf(0).leftAt, 0, "and the ticket stays in");
        _assertBooks(0);
    }

    function test_withdraw_bringsTheEarningsAlong() public {
        _stake(owner);
        vm.warp(block.timestamp + p.ticketAge);
        Case memory c = _opened();
        _trial(c, "RRRRR");
        vm.prank(owner);
        court.unstake(0);
        _close(c, RIGHT); // leaving frees of no duty, and loses no fee
        vm.warp(uint256(court.ticketOf(0).leftAt) + p.unbond + 1);
        vm.prank(owner);
        court.withdrawTicket(0);
        assertEq(owner.balance, p.seat + 5 * FEE, "stake and fees");
    }

    /// @dev A case that nobody closed in time still pays: into the empty ticket, from which it can be drawn.
    function test_withdraw_againWhatCameLate() public {
        _stake(owner);
        vm.warp(block.timestamp + p.ticketAge);
        Case memory c = _opened();
        _trial(c, "RRRRR");
        vm.prank(owner);
        court.unstake(0);
        vm.warp(block.timestamp + p.unbond + 1);
        vm.prank(owner);
        court.withdrawTicket(0);
        vm.prank(stranger);
        court.closeRound(_unit(), c, RIGHT);
        vm.prank(owner);
        court.withdrawTicket(0);
        assertEq(owner.balance, p.seat + 5 * FEE, "whole");
        _assertBooks(0);
    }

    // ── money that is not taken ─────────────────────────────────────────────────────────────────────────

    function test_send_anOwnerThatRefusesEtherHurtsOnlyItself() public {
        RefusingOwner refuser = new RefusingOwner(court);
        vm.deal(address(refuser), p.seat);
        refuser.stake(p.seat);
        _stake(owner);
        refuser.unstake();
        vm.warp(START + p.unbond + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TransferFailed.selector, address(refuser)));
        refuser.withdraw();
        assertEq(_held(0), p.seat, "its stake stays");
        vm.prank(owner);
        court.unstake(1);
    }

    function test_send_reentryChangesNothing() public {
        RefusingOwner refuser = new RefusingOwner(court);
        vm.deal(address(refuser), p.seat);
        refuser.stake(p.seat);
        _stake(owner);
        refuser.unstake();
        refuser.setReenter();
        vm.warp(START + p.unbond + 1);
        refuser.withdraw();
        assertTrue(!refuser.reentered(), "locked");
        assertEq(address(refuser).balance, p.seat, "once");
        _assertBooks(0);
    }
}
