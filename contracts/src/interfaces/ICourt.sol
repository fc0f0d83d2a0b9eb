// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, CaseSlot, Ruling, Ticket, Unit, Vote} from "../Types.sol";

/// @title What the court needs of BlockEdge.
interface IRuled {
    /// @notice The court only: ends a DISPUTED unit.
    /// @param ruling The outcome, and what is owed to those who funded the rounds. The value sent is all that
    /// is left of the case's pots and fines after the jurors were paid: dues come out of it first.
    /// @dev 3, 4
    function rule(Unit calldata unit, Ruling calldata ruling) external payable;

    /// @notice Whether `who` has committed a report or the check of this unit, and so may not judge it.
    function isReporter(bytes32 unit, address who) external view returns (bool);
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
interface ICourt is ICourtEvents {
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
    /// ticket `ticketPlus1` - 1 (0: of none). Checks `case_.tickets` against the snapshot.
    function open(Case calldata case_, uint40 ticketPlus1, uint96 fromTicket) external payable;

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
    function closeRound(Unit calldata unit, Case calldata case_) external;

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

    /// @notice Who paid for the round; round 0: the accuser.
    function funderOf(bytes32 unit, uint8 round) external view returns (address);

    function blockEdge() external view returns (address);
}
