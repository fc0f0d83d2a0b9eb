// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checks} from "./Checks.sol";
import {Hashing} from "./Hashing.sol";
import {IDisputes} from "./interfaces/IBlockEdge.sol";
import {IContested} from "./interfaces/IContested.sol";
import {ICourt, IRule} from "./interfaces/ICourt.sol";
import {State} from "./State.sol";
import {
    ALPHA,
    Case,
    CHALLENGE_SHIFT,
    Docket,
    FIRST_SEATS,
    FLAG_RULED,
    KIND_POW,
    NO_INPUT,
    Params,
    Phase,
    Report,
    ReportState,
    Ruling,
    Terms,
    Unit,
    VERDICT_RIGHT
} from "./Types.sol";
import {UnitSlot} from "./UnitSlot.sol";

/// @title A contradicted unit on its way to the jury and back; the spot check is inherited (docs/protocol.md §6.2, §6.5).
/// @dev The jury's seed needs s_R, s_W and the reporters' salts. All reports are hashed before any is opened,
/// all are opened before s_R is shown, and s_W comes last, where silence loses the case.
///
/// BlockEdge runs this contract's code on its own storage (README.md, Sizes and gas).
contract Disputes is Checks, IDisputes, IContested {
    constructor(Params memory p) State(p) {}

    // ── the end of REVEALED ─────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IContested
    function settleContested(Unit calldata target, uint256 flags) external returns (bytes4) {
        (bytes32 unit, bytes32 termsHash) = _identify(target);
        UnitSlot slot = _units[unit];
        Terms calldata terms = target.terms;
        Docket storage docket = _dockets[unit];
        uint256 best = docket.best;
        Report storage check = _reports[unit][0];
        // A check that is still hidden contradicts too, once the time to show it is over.
        bool byJury = _byCourt(terms) && (best != 0 || check.state == ReportState.Committed);
        if (docket.demands != 0 && !byJury) return DemandOpen.selector;
        uint256 challengeBy = _challengeBy(terms, slot.since());
        uint256 closesAt = _settleAfter(terms, slot.since(), flags);
        bool reported = docket.reports != 0 || docket.ticket != 0;
        if (reported && closesAt < challengeBy + REPORT) closesAt = challengeBy + REPORT;
        if (block.timestamp <= closesAt) return TooEarly.selector;

        if (byJury) {
            // What the output is matters no more: a demand is no way out of a dispute (§10).
            _dropDemands(docket, terms);
            bytes32 third = bytes32(flags | challengeBy << CHALLENGE_SHIFT);
            uint208 digest = Hashing.digest(termsHash, target.data[0], target.data[1], third, 0);
            _units[unit] = slot.next(Phase.Disputed, digest);
            emit Disputed(unit, challengeBy, flags);
        } else if (best == 0) {
            _endPaid(unit, slot, terms, flags, true, check.author); // it agrees, if there is one
        } else if (terms.kind == KIND_POW) {
            _endConvicted(unit, slot, terms, _reports[unit][best - 1].author, 0);
        } else {
            // The requester contradicts the worker, and without a court nobody can tell who is right. Price
            // and fee burn, so that lying saves the requester nothing (§6.4).
            _end(unit, slot, terms, Phase.Unresolved, terms.checkFee, terms.deposit, 0);
        }
        return 0;
    }

    // ── the jury's seed ─────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IDisputes
    function showJury(Unit calldata target, bytes32 secret, bytes32 sR) external nonReentrant {
        (bytes32 unit, bytes32 termsHash, UnitSlot slot) = _require(target, Phase.Disputed);
        _requireSecret(target.terms, secret, keccak256(abi.encode(sR)));
        if (target.data[3] != 0) revert BadOpening("shown");
        uint256 showBy = slot.since() + DEFEND / 2;
        if (block.timestamp > showBy) revert TooLate(showBy);

        uint208 digest = Hashing.digest(termsHash, target.data[0], target.data[1], target.data[2], sR);
        _units[unit] = slot.withDigest(digest);
        emit JuryShown(unit, sR);
    }

    /// @inheritdoc IDisputes
    function defend(Unit calldata target, bytes32 sW, uint32 tickets) external nonReentrant {
        (bytes32 unit,, UnitSlot slot) = _require(target, Phase.Disputed);
        if (keccak256(abi.encode(sW)) != target.data[1]) revert BadOpening("guard");
        bytes32 sR = target.data[3];
        uint256 showBy = slot.since() + DEFEND / 2;
        if (sR == 0 && block.timestamp <= showBy) revert TooEarly(showBy);
        uint256 defendBy = slot.since() + DEFEND;
        if (block.timestamp > defendBy) revert TooLate(defendBy);
        Docket storage docket = _dockets[unit];
        if (docket.defended) revert BadOpening("defended");

        docket.defended = true;
        Terms calldata terms = target.terms;
        Case memory case_ = Case({
            unit: unit,
            seed: keccak256(abi.encode(sW, sR, _saltsOf(unit))),
            accused: target.data[0],
            worker: terms.worker,
            requester: terms.requester,
            accuser: address(0),
            snapshot: uint40(uint256(target.data[2]) >> CHALLENGE_SHIFT),
            tickets: tickets,
            vwin: terms.vwin,
            fee: terms.checkFee
        });
        uint256 best = docket.best;
        uint256 fees = FIRST_SEATS * terms.checkFee;
        if (best != 0) case_.accuser = _reports[unit][best - 1].author;
        bool byBond = best > 1;
        if (byBond) _release(case_.accuser, fees, 0);
        else if (best == 0) fees = ALPHA * terms.checkFee; // the checker was silent
        emit Defended(unit, sW);
        // The accuser alone has reported: the court need not ask here who else did.
        bool alone = best != 0 && docket.reports + (docket.ticket == 0 ? 0 : 1) == 1;
        if (byBond) ICourt(COURT).open{value: fees}(case_, alone, 0, 0);
        else ICourt(COURT).open(case_, alone, docket.ticket, uint96(fees));
    }

    // ── the jury's finding ──────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IRule
    function rule(Unit calldata target, Ruling calldata ruling) external payable nonReentrant {
        if (msg.sender != COURT) revert NotCourt();
        (bytes32 unit, bytes32 termsHash, UnitSlot slot) = _require(target, Phase.Disputed);
        bytes32 third = target.data[2] | bytes32(FLAG_RULED);
        slot = slot.withDigest(
            Hashing.digest(termsHash, target.data[0], target.data[1], third, ruling.finalHash)
        );
        emit Ruled(unit, ruling.finalHash);

        Terms calldata terms = target.terms;
        uint256 best = _dockets[unit].best;
        bool accuserRight = best != 0 && _reports[unit][best - 1].hash == ruling.finalHash;
        uint256 reserve = 0;
        if (ruling.outcome == Phase.Slashed) {
            reserve = terms.deposit;
        } else if (ruling.outcome == Phase.Paid && ruling.finalHash != NO_INPUT && best > 1) {
            reserve = _accusationOf(terms);
        }
        uint256 spent = _payDues(ruling, accuserRight, reserve);
        if (best > 1) _closeAccusation(unit, best - 1, terms, ruling, accuserRight, spent);

        if (ruling.outcome == Phase.Slashed) {
            uint256 first = accuserRight ? best : _firstOf[unit][ruling.finalHash];
            address detector = first == 0 ? address(0) : _reports[unit][first - 1].author;
            _endConvicted(unit, slot, terms, detector, spent);
        } else if (ruling.outcome == Phase.Paid) {
            Report storage check = _reports[unit][0];
            bool agrees = check.state == ReportState.Revealed && check.verdict == VERDICT_RIGHT;
            bool scored = ruling.finalHash != NO_INPUT;
            uint256 flags = uint256(target.data[2]);
            _endPaid(unit, slot, terms, flags, scored, agrees ? check.author : address(0));
        } else {
            _end(unit, slot, terms, Phase.Unresolved, _escrowOf(terms), terms.deposit, 0);
        }
    }

    /// @notice Repays those who funded rounds: out of what is left of the pots, then out of the loser's
    /// `reserve`, as far as these reach. What is still left of the pots burns, and so do the jurors' fines.
    /// @return spent What of the reserve was paid.
    function _payDues(
        Ruling calldata ruling,
        bool accuserRight,
        uint256 reserve
    ) private returns (uint256 spent) {
        uint256 pool = msg.value - ruling.fines;
        for (uint256 i = 0; i < ruling.funders.length; ++i) {
            address funder = ruling.funders[i];
            uint256 due = ruling.dues[i];
            // The court knows who accused, not with which hash.
            bool forfeited = i == 0 && ruling.outcome == Phase.Slashed && !accuserRight;
            if (funder == address(0) || forfeited) continue;
            uint256 left = pool + reserve - spent;
            if (due > left) due = left;
            _credit(funder, due);
            if (due > pool) {
                spent += due - pool;
                pool = 0;
            } else {
                pool -= due;
            }
        }
        pool += ruling.fines;
        if (pool != 0) _burn(pool);
    }

    /// @notice The accuser's X; its 5 check fees went to the court. The other reports are closed by
    /// `closeReports`.
    function _closeAccusation(
        bytes32 unit,
        uint256 index,
        Terms calldata terms,
        Ruling calldata ruling,
        bool right,
        uint256 spent
    ) private {
        Report storage report = _reports[unit][index];
        uint256 bond = _accusationOf(terms);
        uint256 returned = bond;
        if (ruling.outcome == Phase.Paid && ruling.finalHash != NO_INPUT) {
            // A false accusation pays the accused.
            uint256 toWorker = (bond - spent) / 2;
            _credit(terms.worker, toWorker);
            _burn(bond - spent - toWorker);
            returned = 0;
        } else if (ruling.outcome == Phase.Slashed && !right) {
            _burn(bond);
            returned = 0;
        }
        report.state = ReportState.Closed;
        _release(report.author, bond, returned);
        emit ReportClosed(unit, index, returned);
    }
}
