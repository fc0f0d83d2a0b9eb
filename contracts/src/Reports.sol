// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bonds} from "./Bonds.sol";
import {Hashing} from "./Hashing.sol";
import {IReports} from "./interfaces/IBlockEdge.sol";
import {IJudge} from "./interfaces/IJudge.sol";
import {Outputs} from "./Outputs.sol";
import {State} from "./State.sol";
import {Timeouts} from "./Timeouts.sol";
import {
    Docket,
    KIND_POW,
    Params,
    Phase,
    Proof,
    Report,
    ReportOpening,
    ReportState,
    ROLE_CHECKER,
    ROLE_REPORTER,
    Terms,
    Unit,
    VERDICT_RIGHT,
    VERDICT_UNKNOWN,
    VERDICT_WRONG
} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title Two-stage reports: first a hash and a bond, then, when all hashes are in, the evidence. With them the
/// other ways out of REVEALED: demands, and timeouts.
/// @dev docs/protocol.md §6.4. Two stages, because evidence shown at once could be copied by whoever sees
/// it first. Reports lie in a mapping with counters: no call walks them (invariant 15).
///
/// BlockEdge runs this contract's code on its own storage (README.md, Sizes and gas).
contract Reports is Bonds, Outputs, Timeouts, IReports {
    uint256 private constant JUDGE_GAS = 300_000;
    uint256 private constant JUDGE_GAS_LEFT = 330_000;

    IJudge private immutable POW_JUDGE;

    constructor(Params memory p, IJudge powJudge) State(p) {
        if (address(powJudge).code.length == 0) revert BadTerms("powJudge");
        POW_JUDGE = powJudge;
    }

    // ── stage I ─────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IReports
    function commitReport(Unit calldata target, bytes32 hash) external nonReentrant {
        (bytes32 unit,, UnitSlot slot) = _require(target, Phase.Revealed);
        Terms calldata terms = target.terms;
        uint256 challengeBy = _challengeBy(terms, slot.since());
        if (block.timestamp > challengeBy) revert TooLate(challengeBy);
        if (msg.sender == terms.worker) revert Ineligible("worker");
        // Without jurors nobody can tell who of two is right; only the requester has I to lose by lying.
        bool byCourt = _byCourt(terms);
        if (terms.kind != KIND_POW && !byCourt && msg.sender != terms.requester) revert NotCourt();
        uint256 bond = _bondOf(terms);
        uint256 free = _accounts[msg.sender].free;
        if (free < bond) revert Insolvent(bond, free);

        _lock(msg.sender, bond);
        uint16 index = ++_dockets[unit].reports;
        if (byCourt && index != 1) _reporters[unit][msg.sender] = true; // the first is found by its index
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
        (bytes32 unit,, UnitSlot slot) = _require(target, Phase.Revealed);
        uint256 challengeBy = _challengeBy(target.terms, slot.since());
        if (block.timestamp <= challengeBy) revert TooEarly(challengeBy);
        if (block.timestamp > challengeBy + REPORT) revert TooLate(challengeBy + REPORT);

        Report storage report = _reports[unit][index];
        if (report.state != ReportState.Committed) {
            revert BadPhase(uint8(ReportState.Committed), uint8(report.state));
        }
        bytes32 commitment = Hashing.commitment(
            unit,
            index == 0 ? ROLE_CHECKER : ROLE_REPORTER,
            opening.author,
            opening.resultHash,
            opening.salt,
            bytes32(0)
        );
        if (opening.author != report.author || commitment != report.hash) revert BadOpening("report");

        bool judged = target.terms.kind == KIND_POW;
        uint8 verdict;
        if (judged) verdict = _judge(target, opening.resultHash, proof);
        else verdict = opening.resultHash == target.data[0] ? VERDICT_RIGHT : VERDICT_UNKNOWN;

        report.state = ReportState.Revealed;
        report.verdict = verdict;
        bool byCourt = _byCourt(target.terms);
        emit ReportRevealed(unit, index, opening.resultHash, verdict, proof.evidence);
        if (index == 0 && verdict == VERDICT_RIGHT) {
            // What nearly every check ends with: its hash is the worker's, so the slot can keep its salt.
            report.hash = keccak256(abi.encode(opening.salt));
            return;
        }
        report.hash = opening.resultHash;
        Docket storage docket = _dockets[unit];
        docket.revealed += 1;
        if (byCourt) docket.seedAcc ^= bytes16(keccak256(abi.encode(opening.salt)));
        if (verdict == (judged ? VERDICT_WRONG : VERDICT_UNKNOWN)) {
            uint24 rank = uint24(index) + 1;
            uint24 best = docket.best;
            if (best == 0 || rank < best) docket.best = rank;
            if (byCourt && best != 0) {
                if (rank < best) _rankBehind(unit, best, _reports[unit][best - 1].hash);
                else _rankBehind(unit, rank, opening.resultHash);
            }
        }
    }

    /// @notice Remembers the earliest of the reports behind the accuser that say the same: should the jury
    /// find this hash, and not the accuser's, its author is the detector.
    function _rankBehind(bytes32 unit, uint24 rank, bytes32 resultHash) private {
        uint256 first = _firstOf[unit][resultHash];
        if (first == 0 || rank < first) _firstOf[unit][resultHash] = rank;
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
        _closeReports(target, indices);
    }
}
