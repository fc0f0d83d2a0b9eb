// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashing} from "./Hashing.sol";
import {IChecks} from "./interfaces/IBlockEdge.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {Single} from "./Single.sol";
import {
    CHALLENGE_SHIFT,
    Docket,
    FLAG_CHECK_MISSED,
    Phase,
    Report,
    ReportState,
    SeatProof,
    Terms,
    Unit
} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title The spot check: drawn by two parties' secrets, committed while the worker's result is still hidden.
/// @dev docs/protocol.md §6.2, §6.3.
abstract contract Checks is Single, IChecks {
    /// @inheritdoc IChecks
    function draw(Unit calldata target, bytes32 secret, bytes32 guardR) external nonReentrant {
        (bytes32 unit, bytes32 termsHash, UnitSlot slot) = _require(target, Phase.Committed);
        Terms calldata terms = target.terms;
        _requireSecret(terms, secret, guardR);
        uint256 drawBy = slot.since() + SECRET;
        if (block.timestamp > drawBy) revert TooLate(drawBy);
        bytes32 commitment = target.data[0];
        bytes32 seed = Hashing.drawSeed(secret, commitment);
        if (!_isDrawn(terms, seed)) revert NotDrawn();
        if (target.data[1] != 0) revert BadOpening("drawn"); // and marked already

        _units[unit] = slot.withDigest(Hashing.digest(termsHash, commitment, seed, 0, 0));
        emit Drawn(unit, secret, guardR);
    }

    /// @inheritdoc IChecks
    function commitCheck(Unit calldata target, SeatProof calldata proof, bytes32 hash) external nonReentrant {
        (bytes32 unit,, UnitSlot slot) = _require(target, Phase.Committed);
        bytes32 seed = target.data[1];
        if (seed == 0) revert NotDrawn();
        uint40 since = slot.since();
        uint256 checkBy = _checkBy(target.terms, since);
        if (block.timestamp > checkBy) revert TooLate(checkBy);
        Docket storage docket = _dockets[unit];
        if (docket.ticket != 0) revert BadPhase(uint8(ReportState.None), uint8(ReportState.Committed));
        (uint32 ticket, address owner) = _drawnTicket(target.terms, seed, since, proof);
        if (owner != msg.sender) revert NotSeat();

        docket.ticket = uint40(ticket) + 1;
        Report storage check = _reports[unit][0];
        check.author = msg.sender;
        check.state = ReportState.Committed;
        check.hash = hash;
        _units[unit] = slot.withDocket();
        emit CheckCommitted(unit, ticket, msg.sender, hash);
    }

    /// @inheritdoc IChecks
    function fineChecker(
        Unit calldata target,
        bytes32 drawSeed,
        uint40 committedAt,
        SeatProof calldata proof
    ) external nonReentrant {
        (bytes32 unit, bytes32 termsHash) = _identify(target);
        UnitSlot slot = _units[unit];
        Phase phase = slot.phase();
        if (phase < Phase.Revealed || phase == Phase.Disputed) {
            revert BadPhase(uint8(Phase.Revealed), uint8(phase));
        }
        _requireDigest(slot, termsHash, target);
        uint256 third = uint256(target.data[2]);
        // A dispute writes over the word that tells of the draw.
        if (third & FLAG_CHECK_MISSED == 0 || third >> CHALLENGE_SHIFT != 0) revert NotDrawn();
        if (target.data[3] != Hashing.missedCheck(drawSeed, committedAt)) revert BadOpening("draw");
        Docket storage docket = _dockets[unit];
        if (docket.fined) revert BadPhase(uint8(ReportState.Committed), uint8(ReportState.Closed));

        docket.fined = true;
        (uint32 ticket,) = _drawnTicket(target.terms, drawSeed, committedAt, proof);
        uint256 fine = SEAT / 20 < target.terms.checkFee ? SEAT / 20 : target.terms.checkFee;
        fine = ICourt(COURT).take(ticket, uint96(fine));
        _burn(fine);
        emit CheckMissed(unit, ticket, fine);
    }

    /// @dev The seed and the snapshot are fixed before anyone knows whom they draw; the court checks the rest.
    function _drawnTicket(
        Terms calldata terms,
        bytes32 seed,
        uint40 snapshot,
        SeatProof calldata proof
    ) private view returns (uint32 ticket, address owner) {
        return ICourt(COURT)
            .drawnTicket(seed, proof.attempt, proof.tickets, snapshot, terms.worker, terms.requester);
    }
}
