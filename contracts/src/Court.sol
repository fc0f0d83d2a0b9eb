// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CaseWord, VoteWord, caseWord, voteWord} from "./CourtSlots.sol";
import {Hashing} from "./Hashing.sol";
import {ICourt, IRuled} from "./interfaces/ICourt.sol";
import {Jury} from "./Jury.sol";
import {Sortition} from "./Sortition.sol";
import {Tickets} from "./Tickets.sol";
import {
    ALPHA,
    Case,
    CaseSlot,
    CaseState,
    Funding,
    Params,
    Phase,
    Ruling,
    Unit,
    Vote,
    VoteState
} from "./Types.sol";

/// @title The Court: juries of ticket holders decide disputes that no contract can (docs/protocol.md §6.5).
/// @notice A case is one slot, a vote one slot; the Case itself travels in calldata and must hash to the
/// digest on record, like a Unit. Rounds of 5, 11 and 23 seats; each hides its votes first, then shows them.
/// Nothing is paid before the end: `closeRound` counts all rounds, pays and fines tickets, and hands the
/// rest of the money to BlockEdge with the outcome.
/// @dev Balance = all stakes + the pots of open cases (invariant 1), and more only by forced ether.
contract Court is Tickets {
    uint256 private immutable JCOMMIT;
    uint256 private immutable JREVEAL;
    uint256 private immutable APPEAL;

    mapping(bytes32 unit => CaseWord) private _cases;
    // By place: a round's seats follow those of the rounds before it.
    mapping(bytes32 unit => mapping(uint256 place => VoteWord)) private _votes;
    mapping(bytes32 unit => mapping(uint256 round => Funding)) private _fundings;

    /// @param p The deployment's constants, config/params.*.json.
    /// @param blockEdge_ The one contract that opens cases: its address is known before it exists.
    constructor(Params memory p, address blockEdge_) Tickets(p, blockEdge_) {
        JCOMMIT = p.jcommit;
        JREVEAL = p.jreveal;
        APPEAL = p.appeal;
    }

    // ── a case opens ────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function open(
        Case calldata case_,
        bool alone,
        uint40 ticketPlus1,
        uint96 fromTicket
    ) external payable onlyBlockEdge {
        CaseState state = _cases[case_.unit].state();
        if (state != CaseState.None) revert BadPhase(uint8(CaseState.None), uint8(state));
        _checkSnapshot(case_.tickets, case_.snapshot);
        bool bonded = ticketPlus1 == 0;
        _cases[case_.unit] = caseWord(_digest(case_), alone, bonded);
        if (bonded) {
            uint256 fees = Jury.seats(0) * case_.fee;
            if (msg.value != fees) revert BadValue(fees, msg.value);
        } else {
            uint256 pot = msg.value + _charge(ticketPlus1 - 1, fromTicket);
            _fundings[case_.unit][0] = Funding(case_.accuser, uint96(pot));
        }
        emit CaseOpened(case_.unit, case_);
    }

    // ── votes ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function commitVote(
        Case calldata case_,
        uint8 round,
        uint8 seat,
        uint8 attempt,
        bytes32 commitment
    ) external {
        CaseWord running = _running(case_);
        uint256 place = _place(running, round, seat);
        uint256 commitBy = _commitBy(case_, running);
        if (block.timestamp > commitBy) revert TooLate(commitBy);
        VoteState state = _votes[case_.unit][place].voteState();
        if (state != VoteState.None) revert BadPhase(uint8(VoteState.None), uint8(state));
        (uint256 found, uint256 ticket, address owner) = _sitting(case_, running, round, seat);
        if (found == Sortition.TRIES || found != attempt || owner != msg.sender) revert NotSeat();
        _votes[case_.unit][place] = voteWord(ticket, VoteState.Committed, uint256(commitment));
        emit Voted(case_.unit, round, seat, uint32(ticket), commitment);
    }

    /// @inheritdoc ICourt
    function revealVote(
        Case calldata case_,
        uint8 round,
        uint8 seat,
        bytes32 resultHash,
        bytes32 salt
    ) external {
        CaseWord running = _running(case_);
        uint256 place = _place(running, round, seat);
        uint256 commitBy = _commitBy(case_, running);
        if (block.timestamp <= commitBy) revert TooEarly(commitBy);
        if (block.timestamp > commitBy + JREVEAL) revert TooLate(commitBy + JREVEAL);
        VoteWord vote = _votes[case_.unit][place];
        if (vote.voteState() != VoteState.Committed) {
            revert BadPhase(uint8(VoteState.Committed), uint8(vote.voteState()));
        }
        uint256 ticket = vote.ticket();
        address author = _ownerOf(ticket);
        bytes32 commitment = Hashing.vote(BLOCK_EDGE, case_.unit, round, seat, author, resultHash, salt);
        // 0 means "nobody voted" in a ruling, and is no result's hash.
        if (uint208(uint256(commitment)) != vote.mark() || resultHash == 0) revert BadOpening("vote");
        _votes[case_.unit][place] = voteWord(ticket, VoteState.Revealed, Jury.mark(resultHash));
        emit VoteRevealed(case_.unit, round, seat, resultHash);
    }

    /// @inheritdoc ICourt
    function appeal(Case calldata case_) external payable nonReentrant {
        CaseWord running = _running(case_);
        if (running.round() == Jury.LAST_ROUND) revert NoAppeal();
        uint256 revealBy = _commitBy(case_, running) + JREVEAL;
        if (block.timestamp <= revealBy) revert TooEarly(revealBy);
        if (block.timestamp > revealBy + APPEAL) revert TooLate(revealBy + APPEAL);
        uint256 round = running.round() + 1;
        uint256 fees = Jury.seats(round) * case_.fee;
        if (msg.value != fees) revert BadValue(fees, msg.value);
        _cases[case_.unit] = running.nextRound();
        _fundings[case_.unit][round] = Funding(msg.sender, uint96(fees));
        emit Appealed(case_.unit, uint8(round), msg.sender);
    }

    // ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function closeRound(Unit calldata unit, Case calldata case_, bytes32 finalHash) external nonReentrant {
        CaseWord running = _running(case_);
        if (Hashing.unit(unit.terms.task, unit.terms.shard) != case_.unit) revert BadCase();
        uint256 closesAt = _commitBy(case_, running) + JREVEAL;
        if (running.round() != Jury.LAST_ROUND) closesAt += APPEAL;
        if (block.timestamp <= closesAt) revert TooEarly(closesAt);
        _cases[case_.unit] = running.closed();

        (Ruling memory ruling, uint256 pool) = _conclude(case_, running, finalHash);
        emit CaseClosed(case_.unit, uint8(ruling.outcome), finalHash);
        IRuled(BLOCK_EDGE).rule{value: pool + ruling.fines}(unit, ruling);
    }

    /// @notice Counts every round and moves what the jurors win and lose.
    /// @return ruling What the court found, and who is owed what.
    /// @return pool What is left of the pots, for BlockEdge to pay the dues from. The fines are no part of it.
    function _conclude(
        Case calldata case_,
        CaseWord running,
        bytes32 finalHash
    ) private returns (Ruling memory ruling, uint256 pool) {
        uint256 last = running.round();
        VoteWord[] memory votes = _votesOf(case_.unit, last);
        (Phase[3] memory outcomes, uint256 right) = _tally(votes, last, case_.accused);
        // The Court keeps 208 bits of a hash, BlockEdge needs them all.
        if (right != (finalHash == 0 ? 0 : Jury.mark(finalHash))) revert BadOpening("finalHash");
        Phase outcome = outcomes[last];
        (ruling.outcome, ruling.finalHash) = (outcome, finalHash);

        // What they paid in, at first.
        uint96[3] memory dues = ruling.dues;
        for (uint256 r = 0; r <= last; ++r) {
            Funding memory funding = r == 0 && running.bonded()
                ? Funding(case_.accuser, uint96(Jury.seats(0) * case_.fee))
                : _fundings[case_.unit][r];
            (ruling.funders[r], dues[r]) = (funding.funder, funding.pot);
            pool += funding.pot;
        }
        ruling.fines = uint96(_fineJurors(case_, running, votes, right));
        pool = _payJurors(votes, right, case_.fee, pool);

        // An accuser that did not lose has it back; whether its own hash is the final one is for BlockEdge to
        // see. A right appellant gains a tenth. UNRESOLVED has no loser to ask for more.
        if (outcome == Phase.Paid || ruling.funders[0] == address(0)) dues[0] = 0;
        for (uint256 r = 1; r <= last; ++r) {
            dues[r] = outcomes[r - 1] == outcome ? 0 : uint96(uint256(dues[r]) * 11 / 10);
        }
        if (outcome == Phase.Unresolved) _limit(dues, pool);
    }

    /// @notice A seat that never voted loses one fee; a wrong or hidden vote loses ALPHA fees; an empty seat is
    /// nobody's. Fines are kept apart to burn: if they repaid appeals, a dispute for show would live on its
    /// outside jurors. They come before the fees, so that a ticket in two seats can lose what it had, not what it
    /// wins.
    function _fineJurors(
        Case calldata case_,
        CaseWord running,
        VoteWord[] memory votes,
        uint256 right
    ) private returns (uint256 fines) {
        for (uint256 r = 0; r <= running.round(); ++r) {
            for (uint256 seat = 0; seat < Jury.seats(r); ++seat) {
                VoteWord vote = votes[Jury.first(r) + seat];
                VoteState state = vote.voteState();
                if (state == VoteState.None) {
                    (uint256 attempt, uint256 absent,) = _sitting(case_, running, r, seat);
                    if (attempt != Sortition.TRIES) fines += _charge(absent, case_.fee);
                } else if (state == VoteState.Committed || vote.mark() != right) {
                    fines += _charge(vote.ticket(), ALPHA * case_.fee);
                }
            }
        }
    }

    /// @notice A seat that showed the right hash gains one fee out of the pots, as far as they reach.
    function _payJurors(
        VoteWord[] memory votes,
        uint256 right,
        uint256 fee,
        uint256 pool
    ) private returns (uint256) {
        for (uint256 i = 0; i < votes.length; ++i) {
            if (votes[i].voteState() != VoteState.Revealed || votes[i].mark() != right) continue;
            uint256 paid = fee < pool ? fee : pool;
            pool -= paid;
            _pay(votes[i].ticket(), paid);
        }
        return pool;
    }

    function _votesOf(bytes32 unit, uint256 last) private view returns (VoteWord[] memory votes) {
        votes = new VoteWord[](Jury.first(last) + Jury.seats(last));
        for (uint256 i = 0; i < votes.length; ++i) {
            votes[i] = _votes[unit][i];
        }
    }

    /// @notice The outcome of every round, and what the last one holds right.
    function _tally(
        VoteWord[] memory votes,
        uint256 last,
        bytes32 accused
    ) private pure returns (Phase[3] memory outcomes, uint256 right) {
        uint256[] memory shown = new uint256[](votes.length);
        for (uint256 i = 0; i < votes.length; ++i) {
            if (votes[i].voteState() == VoteState.Revealed) shown[i] = votes[i].mark();
        }
        uint256 mark = Jury.mark(accused);
        for (uint256 r = 0; r <= last; ++r) {
            (outcomes[r], right) = Jury.outcomeOf(shown, r, mark);
        }
    }

    function _limit(uint96[3] memory dues, uint256 pool) private pure {
        for (uint256 r = 0; r < 3; ++r) {
            if (dues[r] > pool) dues[r] = uint96(pool);
            pool -= dues[r];
        }
    }

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc ICourt
    function seatOf(
        Case calldata case_,
        uint8 round,
        uint8 seat
    ) external view returns (uint8 attempt, uint32 ticket, address owner) {
        (uint256 found, uint256 id, address who) = _sitting(case_, _cases[case_.unit], round, seat);
        return (uint8(found), uint32(id), who);
    }

    /// @inheritdoc ICourt
    function caseOf(bytes32 unit) external view returns (CaseSlot memory) {
        return _cases[unit].unpack();
    }

    /// @inheritdoc ICourt
    function voteOf(bytes32 unit, uint8 round, uint8 seat) external view returns (Vote memory) {
        return _votes[unit][Jury.first(round) + seat].unpackVote();
    }

    /// @inheritdoc ICourt
    function fundingOf(bytes32 unit, uint8 round) external view returns (Funding memory) {
        return _fundings[unit][round];
    }

    // ── the case in calldata ────────────────────────────────────────────────────────────────────────────

    /// @notice The slot of an open case that this calldata is the whole of.
    function _running(Case calldata case_) private view returns (CaseWord running) {
        running = _cases[case_.unit];
        CaseState state = running.state();
        if (state != CaseState.Open) revert BadPhase(uint8(CaseState.Open), uint8(state));
        if (running.digest() != _digest(case_)) revert BadCase();
    }

    /// @dev A Case holds static values only: its calldata is its abi.encode. Ten words.
    function _digest(Case calldata case_) private pure returns (uint200 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, case_, 0x140)
            digest := and(keccak256(free, 0x140), sub(shl(200, 1), 1))
        }
    }

    /// @notice Where a vote of the current round is kept.
    function _place(CaseWord running, uint256 round, uint256 seat) private pure returns (uint256) {
        if (round != running.round()) revert BadPhase(uint8(running.round()), uint8(round));
        if (seat >= Jury.seats(round)) revert NotSeat();
        return Jury.first(round) + seat;
    }

    function _commitBy(Case calldata case_, CaseWord running) private view returns (uint256) {
        unchecked {
            return running.roundAt() + JCOMMIT + case_.vwin; // a time and two windows: no overflow
        }
    }

    function _sitting(
        Case calldata case_,
        CaseWord running,
        uint256 round,
        uint256 seat
    ) private view returns (uint256 attempt, uint256 ticket, address owner) {
        Draw memory draw = Draw({
            seed: Sortition.roundSeed(case_.seed, round),
            old: case_.tickets,
            snapshot: case_.snapshot,
            worker: case_.worker,
            requester: case_.requester,
            accuser: case_.accuser,
            unit: running.alone() ? bytes32(0) : case_.unit
        });
        return _seat(draw, seat);
    }
}
