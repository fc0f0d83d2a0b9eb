// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {ICourtErrors as Errors, ICourtEvents as Events} from "../../src/interfaces/ICourt.sol";
import {Case, CaseSlot, CaseState, Funding, NO_INPUT, Unit, Vote, VoteState} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {CourtFixture} from "../utils/CourtFixture.sol";

/// @title A case from its opening to its last vote: who may do what, and until when.
contract CourtVotesTest is CourtFixture {
    function setUp() public override {
        super.setUp();
        _stakeMany(8);
    }

    // ── open ────────────────────────────────────────────────────────────────────────────────────────────

    function test_open_startsRoundZeroWithItsPot() public {
        Case memory c = _case();
        vm.expectEmit(address(court));
        emit Events.CaseOpened(c.unit, c);
        _open(c);
        CaseSlot memory slot = court.caseOf(c.unit);
        assertEq(uint256(slot.state), uint256(CaseState.Open), "open");
        assertEq(slot.round, 0, "round");
        assertEq(slot.roundAt, block.timestamp, "now");
        assertEq(slot.digest, uint200(uint256(keccak256(abi.encode(c)))), "digest");
        Funding memory funding = court.fundingOf(c.unit, 0);
        assertTrue(slot.bonded, "the bond has paid");
        assertEq(funding.funder, address(0), "so that goes without saying");
        assertEq(funding.pot, 0, "and how much");
        _assertBooks(5 * FEE);
    }

    function test_open_aTicketPays() public {
        Case memory c = _case();
        vm.expectEmit(address(court));
        emit Events.TicketCharged(3, 10 * FEE);
        edge.open(c, 4, 10 * FEE);
        assertTrue(!court.caseOf(c.unit).bonded, "a ticket");
        assertEq(court.fundingOf(c.unit, 0).pot, 10 * FEE, "pot");
        assertEq(_held(3), p.seat - 10 * FEE, "charged");
        _assertBooks(10 * FEE);
    }

    function test_open_aTicketPaysAsFarAsItReaches() public {
        edge.take(3, p.seat - 7);
        Case memory c = _case();
        edge.open(c, 4, 10 * FEE);
        assertEq(court.fundingOf(c.unit, 0).pot, 7, "pot");
        _assertBooks(7);
    }

    function test_open_blockEdgeOnlyAndOnce() public {
        Case memory c = _case();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotBlockEdge.selector));
        court.open(c, false, 0, 0);
        _open(c);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, CaseState.None, CaseState.Open));
        edge.open(c, 0, 0);
        _close(c, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, CaseState.None, CaseState.Closed));
        edge.open(c, 0, 0);
    }

    // ── the case in calldata ────────────────────────────────────────────────────────────────────────────

    function test_case_everyFieldIsBound() public {
        Case memory c = _opened();
        Case[9] memory wrong;
        for (uint256 i = 0; i < 9; ++i) {
            wrong[i] = abi.decode(abi.encode(c), (Case));
        }
        wrong[0].seed = keccak256("other");
        wrong[1].accused = keccak256("other");
        wrong[2].worker = stranger;
        wrong[3].requester = stranger;
        wrong[4].accuser = stranger;
        wrong[5].snapshot += 1;
        wrong[6].tickets -= 1;
        wrong[7].vwin += 1;
        wrong[8].fee += 1;
        for (uint256 i = 0; i < 9; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Errors.BadCase.selector));
            court.commitVote(wrong[i], 0, 0, 0, 0);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadCase.selector));
            court.revealVote(wrong[i], 0, 0, RIGHT, 0);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadCase.selector));
            court.appeal(wrong[i]);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadCase.selector));
            court.closeRound(_unit(), wrong[i], 0);
        }
    }

    function test_case_unknownOrClosed() public {
        Case memory c = _case();
        bytes memory none = abi.encodeWithSelector(Errors.BadPhase.selector, CaseState.Open, CaseState.None);
        vm.expectRevert(none);
        court.commitVote(c, 0, 0, 0, 0);
        _open(c);
        _close(c, 0);
        bytes memory closed =
            abi.encodeWithSelector(Errors.BadPhase.selector, CaseState.Open, CaseState.Closed);
        vm.expectRevert(closed);
        court.commitVote(c, 0, 0, 0, 0);
        vm.expectRevert(closed);
        court.revealVote(c, 0, 0, RIGHT, 0);
        vm.expectRevert(closed);
        court.appeal(c);
        vm.expectRevert(closed);
        court.closeRound(_unit(), c, 0);
    }

    // ── commitVote ──────────────────────────────────────────────────────────────────────────────────────

    function test_commitVote_recordsTicketAndCommitment() public {
        Case memory c = _opened();
        bytes32 commitment = _ballot(c, 0, 2, RIGHT);
        uint32 ticket = _ticketAt(c, 0, 2);
        vm.expectEmit(address(court));
        emit Events.Voted(c.unit, 0, 2, ticket, commitment);
        _vote(c, 0, 2, RIGHT);
        Vote memory vote = court.voteOf(c.unit, 0, 2);
        assertEq(vote.ticket, ticket, "ticket");
        assertEq(uint256(vote.state), uint256(VoteState.Committed), "state");
        assertEq(vote.hash, uint208(uint256(commitment)), "hash");
    }

    function test_commitVote_theSeatsOwnerOnly() public {
        Case memory c = _opened();
        (uint8 attempt,, address owner) = court.seatOf(c, 0, 0);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.commitVote(c, 0, 0, attempt, RIGHT);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.commitVote(c, 0, 0, attempt + 1, RIGHT);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.commitVote(c, 0, 5, attempt, RIGHT); // no such seat
    }

    function test_commitVote_nobodySitsInAnEmptySeat() public {
        Case memory c = _opened();
        for (uint256 i = 0; i < 8; ++i) {
            edge.setReporter(c.unit, _owner(i));
        }
        vm.prank(address(0));
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.commitVote(c, 0, 0, 8, RIGHT);
        vm.prank(_owner(0));
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSeat.selector));
        court.commitVote(c, 0, 0, 8, RIGHT);
    }

    function test_commitVote_onceASeat() public {
        Case memory c = _opened();
        _vote(c, 0, 0, RIGHT);
        (uint8 attempt,, address owner) = court.seatOf(c, 0, 0);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, VoteState.None, VoteState.Committed));
        court.commitVote(c, 0, 0, attempt, keccak256("a second thought"));
    }

    function test_commitVote_inItsWindowAndRoundOnly() public {
        Case memory c = _opened();
        (uint8 attempt,, address owner) = court.seatOf(c, 0, 0);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, 0, 1));
        court.commitVote(c, 1, 0, attempt, RIGHT);

        vm.warp(START + p.ticketAge + p.jcommit + c.vwin);
        uint256 id = vm.snapshotState();
        _vote(c, 0, 0, RIGHT); // at commitBy
        vm.revertToState(id);
        uint256 commitBy = _commitBy(c);
        vm.warp(commitBy + 1);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, commitBy));
        court.commitVote(c, 0, 0, attempt, RIGHT);
    }

    // ── revealVote ──────────────────────────────────────────────────────────────────────────────────────

    function test_revealVote_anybodyShowsIt() public {
        Case memory c = _opened();
        _vote(c, 0, 1, RIGHT);
        vm.warp(_commitBy(c) + 1);
        vm.expectEmit(address(court));
        emit Events.VoteRevealed(c.unit, 0, 1, RIGHT);
        _show(c, 0, 1, RIGHT);
        Vote memory vote = court.voteOf(c.unit, 0, 1);
        assertEq(uint256(vote.state), uint256(VoteState.Revealed), "state");
        assertEq(vote.hash, uint208(uint256(keccak256(abi.encode(RIGHT)))), "the hash of the hash");
        assertEq(vote.ticket, _ticketAt(c, 0, 1), "ticket");
    }

    function test_revealVote_inItsWindowOnly() public {
        Case memory c = _opened();
        _vote(c, 0, 1, RIGHT);
        uint256 commitBy = _commitBy(c);
        vm.warp(commitBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, commitBy));
        court.revealVote(c, 0, 1, RIGHT, _salt(0, 1));
        vm.warp(commitBy + p.jreveal + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, commitBy + p.jreveal));
        court.revealVote(c, 0, 1, RIGHT, _salt(0, 1));
        vm.warp(commitBy + p.jreveal);
        _show(c, 0, 1, RIGHT);
    }

    function test_revealVote_opensTheCommitmentOnly() public {
        Case memory c = _opened();
        _vote(c, 0, 1, RIGHT);
        vm.warp(_commitBy(c) + 1);
        bytes memory refused = abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("vote"));
        vm.expectRevert(refused);
        court.revealVote(c, 0, 1, NO_INPUT, _salt(0, 1));
        vm.expectRevert(refused);
        court.revealVote(c, 0, 1, RIGHT, _salt(0, 2));
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, VoteState.Committed, VoteState.None));
        court.revealVote(c, 0, 2, RIGHT, _salt(0, 2));
        _show(c, 0, 1, RIGHT);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.BadPhase.selector, VoteState.Committed, VoteState.Revealed)
        );
        court.revealVote(c, 0, 1, RIGHT, _salt(0, 1));
    }

    function test_revealVote_zeroIsNoVote() public {
        Case memory c = _opened();
        _vote(c, 0, 1, 0);
        vm.warp(_commitBy(c) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("vote")));
        court.revealVote(c, 0, 1, 0, _salt(0, 1));
    }

    /// @dev Invariant 6: what opens in one place opens in no other.
    function test_revealVote_aCopiedCommitmentNeverOpens() public {
        Case memory c = _opened();
        (uint8 from, uint8 to) = _twoOwners(c);
        bytes32 copied = _ballot(c, 0, from, RIGHT);
        (uint8 attempt,, address copier) = court.seatOf(c, 0, to);
        vm.prank(copier);
        court.commitVote(c, 0, to, attempt, copied);
        vm.warp(_commitBy(c) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("vote")));
        court.revealVote(c, 0, to, RIGHT, _salt(0, from));
    }

    function test_revealVote_boundToSeatAndUnit() public {
        Case memory c = _opened();
        (uint8 attempt,, address owner) = court.seatOf(c, 0, 0);
        bytes32 salt = _salt(0, 0);
        bytes32[3] memory wrong = [
            Digests.vote(address(edge), c.unit, 0, 1, owner, RIGHT, salt),
            Digests.vote(address(edge), keccak256("other"), 0, 0, owner, RIGHT, salt),
            Digests.vote(address(court), c.unit, 0, 0, owner, RIGHT, salt)
        ];
        uint256 id = vm.snapshotState();
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(owner);
            court.commitVote(c, 0, 0, attempt, wrong[i]);
            vm.warp(_commitBy(c) + 1);
            vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("vote")));
            court.revealVote(c, 0, 0, RIGHT, salt);
            vm.revertToState(id);
        }
    }

    function _twoOwners(Case memory c) private view returns (uint8, uint8) {
        for (uint8 seat = 1; seat < 5; ++seat) {
            if (_ticketAt(c, 0, seat) != _ticketAt(c, 0, 0)) return (0, seat);
        }
        revert("one owner has all seats");
    }

    // ── appeal ──────────────────────────────────────────────────────────────────────────────────────────

    function test_appeal_opensTheNextRoundNow() public {
        Case memory c = _opened();
        _trial(c, "RRRWW");
        vm.warp(block.timestamp + 3);
        vm.expectEmit(address(court));
        emit Events.Appealed(c.unit, 1, stranger);
        _appeal(c, stranger);
        CaseSlot memory slot = court.caseOf(c.unit);
        assertEq(slot.round, 1, "round");
        assertEq(slot.roundAt, block.timestamp, "now");
        Funding memory funding = court.fundingOf(c.unit, 1);
        assertEq(funding.funder, stranger, "funder");
        assertEq(funding.pot, 11 * FEE, "pot");
        _assertBooks(16 * FEE);
        _vote(c, 1, 10, RIGHT);
        // the old round is over
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPhase.selector, 1, 0));
        court.commitVote(c, 0, 0, 0, RIGHT);
    }

    function test_appeal_inItsWindowOnly() public {
        Case memory c = _opened();
        vm.deal(address(this), 1 ether);
        uint256 cost = 11 * FEE;
        uint256 revealBy = _revealBy(c);
        vm.warp(revealBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, revealBy));
        court.appeal{value: cost}(c);
        vm.warp(revealBy + p.appeal + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, revealBy + p.appeal));
        court.appeal{value: cost}(c);
        vm.warp(revealBy + p.appeal);
        court.appeal{value: cost}(c);
    }

    function test_appeal_costsTheNextRoundExactly() public {
        Case memory c = _opened();
        vm.deal(address(this), 1 ether);
        vm.warp(_revealBy(c) + 1);
        uint256[3] memory wrong = [uint256(0), 11 * FEE - 1, 11 * FEE + 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Errors.BadValue.selector, 11 * FEE, wrong[i]));
            court.appeal{value: wrong[i]}(c);
        }
    }

    function test_appeal_theThirdRoundIsFinal() public {
        Case memory c = _opened();
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        assertEq(court.fundingOf(c.unit, 2).pot, 23 * FEE, "pot");
        vm.warp(_revealBy(c) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.NoAppeal.selector));
        court.appeal(c);
    }

    // ── closeRound ──────────────────────────────────────────────────────────────────────────────────────

    function test_closeRound_onceTheAppealIsOver() public {
        Case memory c = _opened();
        _trial(c, "RRRRR");
        uint256 appealBy = _appealBy(c);
        vm.warp(appealBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, appealBy));
        court.closeRound(_unit(), c, RIGHT);
        vm.warp(appealBy + 1);
        court.closeRound(_unit(), c, RIGHT);
        assertEq(edge.rulings(), 1, "ruled");
        assertEq(edge.task(), _unit().terms.task, "this unit");
    }

    function test_closeRound_theLastRoundAfterItsReveals() public {
        Case memory c = _opened();
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        vm.warp(_revealBy(c) + 1);
        _appeal(c, stranger);
        uint256 revealBy = _revealBy(c);
        vm.warp(revealBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, revealBy));
        court.closeRound(_unit(), c, 0);
        vm.warp(revealBy + 1);
        court.closeRound(_unit(), c, 0);
        assertEq(edge.rulings(), 1, "ruled");
    }

    function test_closeRound_endsItsOwnUnitOnly() public {
        Case memory c = _opened();
        Unit memory other = _unit();
        other.terms.shard = 1;
        vm.warp(_closesAt(c) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadCase.selector));
        court.closeRound(other, c, 0);
    }

    function test_closeRound_needsTheWholeFinalHash() public {
        Case memory c = _opened();
        _trial(c, "WWWRR");
        vm.warp(_closesAt(c) + 1);
        bytes32 right = _hashOf("W");
        bytes32[4] memory wrong = [bytes32(0), RIGHT, NO_INPUT, right ^ bytes32(uint256(1) << 255)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Errors.BadOpening.selector, bytes32("finalHash")));
            court.closeRound(_unit(), c, wrong[i]);
        }
        _close(c, right);
    }

    function test_closeRound_failsWhole() public {
        Case memory c = _opened();
        _trial(c, "RRRRW");
        edge.setDeaf(true);
        vm.warp(_closesAt(c) + 1);
        vm.expectRevert();
        court.closeRound(_unit(), c, RIGHT);
        assertEq(uint256(court.caseOf(c.unit).state), uint256(CaseState.Open), "as before");
        edge.setDeaf(false);
        _close(c, RIGHT);
    }
}
