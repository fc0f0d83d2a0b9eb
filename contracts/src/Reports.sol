// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReports} from "./interfaces/IBlockEdge.sol";
import {IJudge} from "./interfaces/IJudge.sol";
import {Hashing} from "./Hashing.sol";
import {Ledger} from "./Ledger.sol";
import {State} from "./State.sol";
import {
    Docket,
    KIND_POW,
    Params,
    Phase,
    Proof,
    Report,
    ReportOpening,
    ReportState,
    ROLE_REPORTER,
    Terms,
    Unit,
    VERDICT_RIGHT,
    VERDICT_UNKNOWN,
    VERDICT_WRONG
} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title Two-stage reports: first a hash and a bond, then, when all hashes are in, the evidence.
/// @dev docs/protocol.md §6.4. Two stages, because evidence shown at once could be copied by whoever sees
/// it first. Reports lie in a mapping with counters: no call walks them (invariant 15).
///
/// BlockEdge creates this contract and runs its code on its own storage (README.md, Sizes and gas): here are
/// the rare calls, whose code would not fit beside the happy path's. Its own storage stays empty, so a call
/// made to it directly finds no unit.
contract Reports is Ledger, IReports {
    uint256 private constant JUDGE_GAS = 300_000;
    uint256 private constant JUDGE_GAS_LEFT = 330_000;
    uint256 private constant CLOSE_LIMIT = 16;

    IJudge private immutable POW_JUDGE;

    constructor(Params memory p, IJudge powJudge) State(p) {
        if (address(powJudge).code.length == 0) revert BadTerms("powJudge");
        POW_JUDGE = powJudge;
    }

    // ── stage I ─────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IReports
    function commitReport(Unit calldata target, bytes32 hash) external nonReentrant {
        (bytes32 unit, UnitSlot slot) = _require(target, Phase.Revealed);
        Terms calldata terms = target.terms;
        uint256 challengeBy = _challengeBy(terms, slot.since());
        if (block.timestamp > challengeBy) revert TooLate(challengeBy);
        if (msg.sender == terms.worker) revert Ineligible("worker");
        // Without jurors nobody can tell who of two is right; only the requester has I to lose by lying.
        if (terms.kind != KIND_POW && msg.sender != terms.requester) revert NotCourt();
        uint256 bond = _bondOf(terms);
        uint256 free = _accounts[msg.sender].free;
        if (free < bond) revert Insolvent(bond, free);

        _lock(msg.sender, bond);
        uint16 index = ++_dockets[unit].reports;
        Report storage report = _reports[unit][index];
        report.author = msg.sender;
        report.state = ReportState.Committed;
        report.hash = hash;
        _units[unit] = slot.withDocket();
        emit Reported(unit, index, msg.sender, hash);
    }

    // ── stage II ────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IReports
    function revealReport(
        Unit calldata target,
        uint16 index,
        ReportOpening calldata opening,
        Proof calldata proof
    ) external nonReentrant {
        (bytes32 unit, UnitSlot slot) = _require(target, Phase.Revealed);
        uint256 challengeBy = _challengeBy(target.terms, slot.since());
        if (block.timestamp <= challengeBy) revert TooEarly(challengeBy);
        if (block.timestamp > challengeBy + REPORT) revert TooLate(challengeBy + REPORT);

        Report storage report = _reports[unit][index];
        if (report.state != ReportState.Committed) {
            revert BadPhase(uint8(ReportState.Committed), uint8(report.state));
        }
        bytes32 commitment = Hashing.commitment(
            unit, ROLE_REPORTER, opening.author, opening.resultHash, opening.salt, bytes32(0)
        );
        if (opening.author != report.author || commitment != report.hash) revert BadOpening("report");

        bool judged = target.terms.kind == KIND_POW;
        uint8 verdict;
        if (judged) verdict = _judge(target, opening.resultHash, proof);
        else verdict = opening.resultHash == target.data[0] ? VERDICT_RIGHT : VERDICT_UNKNOWN;

        report.state = ReportState.Revealed;
        report.verdict = verdict;
        report.hash = opening.resultHash;
        Docket storage docket = _dockets[unit];
        docket.revealed += 1;
        if (verdict == (judged ? VERDICT_WRONG : VERDICT_UNKNOWN)) {
            uint24 rank = uint24(index) + 1;
            if (docket.best == 0 || rank < docket.best) docket.best = rank;
        }
        emit ReportRevealed(unit, index, opening.resultHash, verdict, proof.evidence);
    }

    /// @notice Checks that the proof is about this unit's record, then asks the judge.
    function _judge(
        Unit calldata target,
        bytes32 evidenceHash,
        Proof calldata proof
    ) private view returns (uint8) {
        if (keccak256(proof.evidence) != evidenceHash) revert BadOpening("evidence");
        if (_taskOf(proof.request) != target.terms.task) revert BadOpening("request");
        if (Hashing.leaf(proof.data) != proof.request.inputRoot) revert BadOpening("data");
        if (Hashing.hash(proof.result) != target.data[0]) revert BadOpening("result");
        // A result whose root does not fit its output cannot have been revealed, but for an error exit.
        bool absent = proof.output.length == 0 && proof.result.outputRoot == 0;
        if (!absent && Hashing.leaf(proof.output) != proof.result.outputRoot) revert BadOpening("output");

        bytes memory question = abi.encodeCall(
            IJudge.verdict,
            (proof.request, target.terms.shard, proof.data, proof.result, proof.output, proof.evidence)
        );
        return _ask(address(POW_JUDGE), question);
    }

    /// @dev Copies one word of the answer at most: a judge that returns megabytes costs its own gas only.
    function _ask(address judge, bytes memory question) private view returns (uint8) {
        if (gasleft() < JUDGE_GAS_LEFT) revert LowGas(JUDGE_GAS_LEFT, gasleft());
        bool answered;
        uint256 verdict;
        assembly ("memory-safe") {
            answered := staticcall(JUDGE_GAS, judge, add(question, 0x20), mload(question), 0x00, 0x20)
            answered := and(answered, gt(returndatasize(), 0x1f))
            verdict := mload(0x00)
        }
        return answered && verdict <= VERDICT_WRONG ? uint8(verdict) : VERDICT_UNKNOWN;
    }

    // ── bonds ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IReports
    function closeReports(Unit calldata target, uint16[] calldata indices) external nonReentrant {
        if (indices.length > CLOSE_LIMIT) revert BadLength(CLOSE_LIMIT, indices.length);
        (bytes32 unit, bytes32 termsHash) = _identify(target);
        UnitSlot slot = _units[unit];
        Phase phase = slot.phase();
        if (phase < Phase.Paid) revert BadPhase(uint8(Phase.Paid), uint8(phase));
        _requireDigest(slot, termsHash, target);

        for (uint256 i = 0; i < indices.length; ++i) {
            Report storage report = _reports[unit][indices[i]];
            if (report.state == ReportState.None || report.state == ReportState.Closed) {
                emit Skipped(unit, BadPhase.selector);
                continue;
            }
            uint256 returned = _closeReport(report, target.terms, phase);
            emit ReportClosed(unit, indices[i], returned);
        }
    }

    /// @dev The table of §6.4, without its rows for jurors.
    function _closeReport(
        Report storage report,
        Terms calldata terms,
        Phase phase
    ) private returns (uint256 returned) {
        uint256 bond = _bondOf(terms);
        uint256 toWorker = 0;
        if (report.state == ReportState.Committed) {
            returned = 0; // never revealed
        } else if (terms.kind == KIND_POW) {
            returned = report.verdict == VERDICT_WRONG ? bond : 0;
            if (returned == 0) toWorker = bond / 2; // a false accusation pays the accused
        } else if (phase == Phase.Unresolved) {
            returned = bond;
        } else {
            returned = bond * 90 / 100; // agreed with the worker: reported for nothing
        }
        report.state = ReportState.Closed;
        _release(report.author, bond, returned);
        if (toWorker != 0) _credit(terms.worker, toWorker);
        if (returned + toWorker < bond) _burn(bond - returned - toWorker);
    }

    /// @notice X of §6.4; without a court nothing is added for jurors.
    function _bondOf(Terms calldata terms) private pure returns (uint256) {
        uint256 share = terms.deposit / 20;
        return share > terms.checkFee ? share : terms.checkFee;
    }

    /// @notice For calls about a single unit: what a batch would skip reverts here.
    function _require(Unit calldata target, Phase phase) private view returns (bytes32 unit, UnitSlot slot) {
        bytes32 termsHash;
        (unit, termsHash) = _identify(target);
        slot = _units[unit];
        if (slot.phase() != phase) revert BadPhase(uint8(phase), uint8(slot.phase()));
        _requireDigest(slot, termsHash, target);
    }

    function _requireDigest(UnitSlot slot, bytes32 termsHash, Unit calldata target) private pure {
        uint208 digest = Hashing.digest(termsHash, target.data);
        if (slot.digest() != digest) revert BadUnit(slot.digest(), digest);
    }
}
