// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, CaseSlot, Funding, Ruling, Ticket, Unit, Vote} from "../Types.sol";

/// @title The call by which a court ends a dispute.
interface IRule {
    /// @notice The court only: ends a DISPUTED unit.
    /// @param ruling The outcome, and what is owed to those who funded the rounds. The value sent is what is
    /// left of the case's pots after the jurors were paid, out of which the dues come first, and the jurors'
    /// fines, which burn.
    /// @dev 3, 4
    function rule(Unit calldata unit, Ruling calldata ruling) external payable;
}

/// @title What the court needs of BlockEdge.
interface IRuled is IRule {
    /// @notice Whether `who` has committed a report or the check of this unit, and so may not judge it.
    function isReporter(bytes32 unit, address who) external view returns (bool);
}

/// @title What the court reverts with. Names shared with IBlockEdgeErrors mean the same.
interface ICourtErrors {
    /// @notice A deployment parameter is outside its limits; `field` is its name in ASCII.
    error BadTerms(bytes32 field);
    /// @notice Something shown does not hash to what was committed; `what` is its name in ASCII.
    error BadOpening(bytes32 what);
    /// @notice The case is in another state or round, or the vote in another state, than the call needs.
    error BadPhase(uint8 expected, uint8 actual);
    /// @notice The Case, or the Unit with it, is not the one on record.
    error BadCase();
    /// @notice The sent value, or what the ticket holds, is not this much (wei).
    error BadValue(uint256 expected, uint256 actual);
    /// @notice The call opens after this time.
    error TooEarly(uint256 opensAt);
    /// @notice The call's deadline is over.
    error TooLate(uint256 deadline);
    /// @notice This attempt does not name the ticket of the seat, or the ticket is not the sender's.
    error NotSeat();
    /// @notice So many tickets were not old enough at the snapshot time.
    error BadSnapshot(uint256 tickets);
    /// @notice The last round is final.
    error NoAppeal();
    /// @notice The ticket is this account's, not the sender's.
    error NotOwner(address owner);
    /// @notice The ticket has left already, at this time.
    error TicketGone(uint256 leftAt);
    /// @notice The ticket has not left.
    error TicketIn();
    /// @notice Only BlockEdge may call this.
    error NotBlockEdge();
    /// @notice The receiver of ether refused it.
    error TransferFailed(address to);
}

/// @title What the court records.
interface ICourtEvents {
    event TicketStaked(uint32 indexed ticket, address indexed owner);
    /// @notice The ticket can be drawn for nothing that is snapshot after now.
    event TicketLeft(uint32 indexed ticket);
    event TicketWithdrawn(uint32 indexed ticket, uint256 amount);
    event TicketCollected(uint32 indexed ticket, uint256 amount);
    /// @notice The stake fell by a fine, or by an accusation that the ticket pays for (wei).
    event TicketCharged(uint32 indexed ticket, uint256 amount);
    /// @notice The stake rose by a juror's fee (wei).
    event TicketPaid(uint32 indexed ticket, uint256 amount);
    /// @notice Round 0 has begun. Every later call about the case carries this struct.
    event CaseOpened(bytes32 indexed unit, Case case_);
    event Voted(bytes32 indexed unit, uint8 round, uint8 seat, uint32 indexed ticket, bytes32 commitment);
    event VoteRevealed(bytes32 indexed unit, uint8 round, uint8 seat, bytes32 resultHash);
    /// @notice `round` has begun, paid by `funder`.
    event Appealed(bytes32 indexed unit, uint8 round, address indexed funder);
    event CaseClosed(bytes32 indexed unit, uint8 outcome, bytes32 finalHash);
}

/// @title Tickets, draws, juries and appeals (docs/protocol.md §6.2, §6.5).
/// @notice Holds its own ether: stakes and the pots of open cases. Knows BlockEdge by IRuled only.
/// A round's clock: commitBy = roundAt + JCOMMIT + vwin, revealBy = commitBy + JREVEAL, appealBy = revealBy +
/// APPEAL; the last round has no appeal.
interface ICourt is ICourtErrors, ICourtEvents {
    // ── tickets ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Anyone, with exactly SEAT: a ticket of the sender's. Ids count from 0.
    function stake() external payable returns (uint32 ticket);

    /// @notice Its owner: no later snapshot draws the ticket.
    function unstake(uint32 ticket) external;

    /// @notice Its owner, UNBOND after the ticket left: sends what is left of the stake.
    function withdrawTicket(uint32 ticket) external;

    /// @notice Its owner: sends what the ticket holds above SEAT.
    function collect(uint32 ticket) external;

    // ── BlockEdge only ──────────────────────────────────────────────────────────────────────────────────

    /// @notice Opens a case: the pot of round 0 is the value sent, plus up to `fromTicket` wei of the stake of
    /// ticket `ticketPlus1` - 1; 0: the accuser's bond has paid the fees of all its seats. Checks
    /// `case_.tickets` against the snapshot.
    /// @param alone The accuser is the only one who reported or checked.
    function open(Case calldata case_, bool alone, uint40 ticketPlus1, uint96 fromTicket) external payable;

    /// @notice Takes up to `amount` wei of a ticket's stake and sends it to BlockEdge. Never reverts for a
    /// stake that does not reach.
    function take(uint32 ticket, uint96 amount) external returns (uint96 taken);

    // ── rounds ──────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The owner of the seat's ticket, until commitBy, once a seat.
    /// @param commitment BlockEdge's commitment, role 3, with round and seat; resultHash or NO_INPUT.
    function commitVote(
        Case calldata case_,
        uint8 round,
        uint8 seat,
        uint8 attempt,
        bytes32 commitment
    ) external;

    /// @notice Anyone, after commitBy and until revealBy.
    function revealVote(
        Case calldata case_,
        uint8 round,
        uint8 seat,
        bytes32 resultHash,
        bytes32 salt
    ) external;

    /// @notice Anyone, after revealBy and until appealBy, with the fees of all seats of the next round, which
    /// begins now.
    function appeal(Case calldata case_) external payable;

    /// @notice Anyone, once nobody can appeal any more: counts all rounds, pays and fines the jurors, and
    /// ends the unit by IRuled.rule.
    /// @param finalHash What the last round holds right (blockedge_node/core/jury.py), whole: the court keeps
    /// 208 bits of each vote and checks it against them. 0 if nobody voted.
    function closeRound(Unit calldata unit, Case calldata case_, bytes32 finalHash) external;

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Seat 0 of a draw: what `attempt` drew, if that ticket may sit and no earlier attempt's may.
    /// Reverts with NotSeat otherwise, and with BadSnapshot if `tickets` is not how many were old enough.
    function drawnTicket(
        bytes32 seed,
        uint8 attempt,
        uint32 tickets,
        uint40 snapshot,
        address worker,
        address requester
    ) external view returns (uint32 ticket, address owner);

    /// @notice Who sits: `attempt` 8 and zeros if the seat is empty.
    function seatOf(
        Case calldata case_,
        uint8 round,
        uint8 seat
    ) external view returns (uint8 attempt, uint32 ticket, address owner);

    function ticketOf(uint32 ticket) external view returns (Ticket memory);

    /// @notice How many tickets were ever staked.
    function tickets() external view returns (uint32);

    function caseOf(bytes32 unit) external view returns (CaseSlot memory);

    function voteOf(bytes32 unit, uint8 round, uint8 seat) external view returns (Vote memory);

    /// @notice Who paid for the round, and how much; round 0: the accuser. Zero for a round 0 that the
    /// accuser's bond paid for, as `caseOf` tells.
    function fundingOf(bytes32 unit, uint8 round) external view returns (Funding memory);

    function blockEdge() external view returns (address);
}
