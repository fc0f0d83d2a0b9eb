// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ICourt, IRuled} from "./interfaces/ICourt.sol";
import {Sortition} from "./Sortition.sol";
import {Params, Ticket} from "./Types.sol";

/// @title Staked rights to be drawn, and who sits in a seat (docs/protocol.md §6.2).
/// @notice Ids count up in the order of staking, so `stakedAt` never falls from one to the next: how many were
/// old enough at a snapshot is one number, which the caller names and two neighbours prove.
abstract contract Tickets is ICourt, ReentrancyGuardTransient {
    address internal immutable BLOCK_EDGE;
    uint256 private immutable SEAT;
    uint256 private immutable TICKET_AGE;
    uint256 private immutable UNBOND;

    mapping(uint256 id => Ticket) private _tickets;
    uint32 private _count;

    constructor(Params memory p, address blockEdge_) {
        // Else a ticket could be staked at the snapshot itself, when the draw is known.
        if (p.ticketAge == 0) revert BadTerms("ticketAge");
        if (p.seat < 2) revert BadTerms("seat");
        // Nobody leaves with a duty undone: the longest life of a ticket's duty (docs/protocol.md §7.2).
        uint256 round = uint256(p.jcommit) + p.vwinMax + p.jreveal + p.appeal;
        uint256 duty = uint256(p.secret) + p.reveal + p.challenge + p.report + p.daWindow + p.defend + 2
            * uint256(p.vwinMax) + 3 * round;
        if (p.unbond <= duty) revert BadTerms("unbond");
        BLOCK_EDGE = blockEdge_;
        SEAT = p.seat;
        TICKET_AGE = p.ticketAge;
        UNBOND = p.unbond;
    }

    modifier onlyBlockEdge() {
        if (msg.sender != BLOCK_EDGE) revert NotBlockEdge();
        _;
    }

    // ── the owner's calls ───────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function stake() external payable nonReentrant returns (uint32 id) {
        if (msg.value != SEAT) revert BadValue(SEAT, msg.value);
        id = _count++;
        _tickets[id] = Ticket({
            owner: msg.sender, stakedAt: uint40(block.timestamp), leftAt: 0, stake: uint96(msg.value)
        });
        emit TicketStaked(id, msg.sender);
    }

    /// @inheritdoc ICourt
    function unstake(uint32 id) external nonReentrant {
        Ticket storage ticket = _owned(id);
        if (ticket.leftAt != 0) revert TicketGone(ticket.leftAt);
        _leave(ticket, id);
    }

    /// @inheritdoc ICourt
    function withdrawTicket(uint32 id) external nonReentrant {
        Ticket storage ticket = _owned(id);
        uint256 leftAt = ticket.leftAt;
        if (leftAt == 0) revert TicketIn();
        if (block.timestamp <= leftAt + UNBOND) revert TooEarly(leftAt + UNBOND);
        uint256 amount = ticket.stake;
        ticket.stake = 0;
        emit TicketWithdrawn(id, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc ICourt
    function collect(uint32 id) external nonReentrant {
        Ticket storage ticket = _owned(id);
        uint256 held = ticket.stake;
        if (held <= SEAT) revert BadValue(SEAT, held);
        ticket.stake = uint96(SEAT);
        emit TicketCollected(id, held - SEAT);
        _send(msg.sender, held - SEAT);
    }

    // ── BlockEdge's call ────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    /// @dev Not nonReentrant: BlockEdge may call while it rules, after closeRound has written everything.
    function take(uint32 id, uint96 amount) external onlyBlockEdge returns (uint96 taken) {
        taken = uint96(_charge(id, amount));
        if (taken != 0) _send(msg.sender, taken);
    }

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function drawnTicket(
        bytes32 seed,
        uint8 attempt,
        uint32 old,
        uint40 snapshot,
        address worker,
        address requester
    ) external view returns (uint32 id, address owner) {
        _checkSnapshot(old, snapshot);
        Draw memory draw = Draw(seed, old, snapshot, worker, requester, address(0), 0);
        (uint256 found, uint256 drawn, address who) = _seat(draw, 0);
        if (found == Sortition.TRIES || found != attempt) revert NotSeat();
        return (uint32(drawn), who);
    }

    /// @inheritdoc ICourt
    function ticketOf(uint32 id) external view returns (Ticket memory) {
        return _tickets[id];
    }

    /// @inheritdoc ICourt
    function tickets() external view returns (uint32) {
        return _count;
    }

    /// @inheritdoc ICourt
    function blockEdge() external view returns (address) {
        return BLOCK_EDGE;
    }

    /// What a draw of one seat goes by, and who may not sit.
    struct Draw {
        bytes32 seed;
        uint256 old; // tickets that were TICKET_AGE old at the snapshot time
        uint256 snapshot;
        address worker;
        address requester;
        address accuser; // 0: none
        bytes32 unit; // whose other reporters may not sit either; 0: there are none
    }

    // ── draws ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Reverts unless exactly the first `old` tickets were TICKET_AGE old at the snapshot time.
    function _checkSnapshot(uint256 old, uint256 snapshot) internal view {
        bool right = old <= _count && (old == 0 || _tickets[old - 1].stakedAt + TICKET_AGE <= snapshot)
            && (old == _count || _tickets[old].stakedAt + TICKET_AGE > snapshot);
        if (!right) revert BadSnapshot(old);
    }

    /// @notice Who sits: the first of eight tickets that was in at the snapshot time and is no party's. Later
    /// leaving, and the time of this call, change nothing (invariants 10, 11).
    /// @return attempt 8: the seat is empty.
    function _seat(
        Draw memory draw,
        uint256 seat
    ) internal view returns (uint256 attempt, uint256 id, address owner) {
        if (draw.old == 0) return (Sortition.TRIES, 0, address(0));
        for (; attempt < Sortition.TRIES; ++attempt) {
            id = Sortition.index(draw.seed, seat, attempt, draw.old);
            Ticket storage ticket = _tickets[id];
            owner = ticket.owner;
            uint256 leftAt = ticket.leftAt;
            if (leftAt != 0 && leftAt < draw.snapshot) continue;
            if (owner == draw.worker || owner == draw.requester || owner == draw.accuser) continue;
            if (draw.unit != 0 && IRuled(BLOCK_EDGE).isReporter(draw.unit, owner)) continue;
            return (attempt, id, owner);
        }
        return (Sortition.TRIES, 0, address(0));
    }

    // ── money ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Takes up to `amount` out of a stake; the caller accounts for it. Below half of SEAT the ticket
    /// leaves at once, as what is left no longer covers a juror's risk.
    function _charge(uint256 id, uint256 amount) internal returns (uint256 taken) {
        Ticket storage ticket = _tickets[id];
        uint256 held = ticket.stake;
        taken = amount < held ? amount : held;
        if (taken == 0) return 0;
        ticket.stake = uint96(held - taken);
        emit TicketCharged(uint32(id), taken);
        if (held - taken < SEAT / 2 && ticket.leftAt == 0) _leave(ticket, id);
    }

    function _pay(uint256 id, uint256 amount) internal {
        if (amount == 0) return;
        _tickets[id].stake += uint96(amount);
        emit TicketPaid(uint32(id), amount);
    }

    function _ownerOf(uint256 id) internal view returns (address) {
        return _tickets[id].owner;
    }

    function _leave(Ticket storage ticket, uint256 id) private {
        ticket.leftAt = uint40(block.timestamp);
        emit TicketLeft(uint32(id));
    }

    function _owned(uint256 id) private view returns (Ticket storage ticket) {
        ticket = _tickets[id];
        if (msg.sender != ticket.owner) revert NotOwner(ticket.owner);
    }

    function _send(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to);
    }
}
