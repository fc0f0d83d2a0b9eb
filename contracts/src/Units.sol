// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IBlockEdge} from "./interfaces/IBlockEdge.sol";
import {Endings} from "./Endings.sol";
import {Escrow} from "./Escrow.sol";
import {Hashing} from "./Hashing.sol";
import {Requests} from "./Requests.sol";
import {Selection} from "./Selection.sol";
import {
    Award,
    AwardItem,
    Bid,
    CHUNK,
    FLAG_CHECK_MISSED,
    FLAG_DRAWN,
    FLAG_SECRET_SHOWN,
    MODE_NO_DEMAND,
    Opening,
    Phase,
    Reputation,
    Request,
    ROLE_WORKER,
    Secret,
    Sig,
    Terms,
    Unit,
    UnitState
} from "./Types.sol";
import {newSlot, UnitSlot} from "./UnitSlot.sol";

/// @title A unit's life while nobody misbehaves: award, commit, reveal, settle.
/// @dev The table of docs/protocol.md §3.3. Public functions walk their arrays; each item is checked by one
/// function that reverts for calldata and returns the selector of the error for state and time.
abstract contract Units is Escrow, Endings, Requests {
    bytes4 private constant DONE = 0;

    /// What one item of an award says once it is checked.
    struct Registration {
        bytes32 unit;
        bytes32 termsHash;
        uint40 startAt; // 0: unacknowledged
        uint40 notBefore;
        uint40 registerBy;
    }

    // ── registration ────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function award(Request[] calldata requests, AwardItem[] calldata items) external nonReentrant {
        bytes32[] memory tasks = _recordRequests(requests);
        for (uint256 i = 0; i < items.length; ++i) {
            AwardItem calldata item = items[i];
            Request calldata request = requests[item.request];
            (Terms memory terms, Registration memory reg) = _checkAward(request, tasks[item.request], item);
            bytes4 reason = _register(terms, reg);
            if (reason == DONE) {
                uint208 digest = Hashing.digest(reg.termsHash, bytes32(uint256(reg.startAt)));
                _units[reg.unit] = newSlot(Phase.Assigned, digest);
            } else {
                emit Skipped(reg.unit, reason);
            }
        }
    }

    /// @inheritdoc IBlockEdge
    function awardCommit(
        Request[] calldata requests,
        AwardItem[] calldata items,
        bytes32[] calldata commitments
    ) external nonReentrant {
        if (commitments.length != items.length) {
            revert BadLength(items.length, commitments.length);
        }
        bytes32[] memory tasks = _recordRequests(requests);
        for (uint256 i = 0; i < items.length; ++i) {
            AwardItem calldata item = items[i];
            Request calldata request = requests[item.request];
            (Terms memory terms, Registration memory reg) = _checkAward(request, tasks[item.request], item);
            if (msg.sender != terms.worker) revert BadSignature(terms.worker);
            UnitSlot slot = _units[reg.unit];
            bytes4 reason = slot.phase() == Phase.Assigned
                ? _checkLateCommit(slot, terms, reg, item.ack.startAt)
                : _register(terms, reg);
            if (reason == DONE) _commit(reg.unit, reg.termsHash, commitments[i]);
            else emit Skipped(reg.unit, reason);
        }
    }

    /// @notice Checks the Requests of a call once each, records them, and returns their tasks.
    function _recordRequests(Request[] calldata requests) private returns (bytes32[] memory tasks) {
        tasks = new bytes32[](requests.length);
        for (uint256 i = 0; i < requests.length; ++i) {
            Request calldata request = requests[i];
            _checkRequest(request, 0);
            tasks[i] = _taskOf(request);
            emit Requested(tasks[i], request);
        }
    }

    /// @notice All that depends on signed fields and the sender alone (§2.1 a): reverts, and never changes.
    function _checkAward(
        Request calldata request,
        bytes32 task,
        AwardItem calldata item
    ) private view returns (Terms memory terms, Registration memory reg) {
        Award calldata signed = item.award;
        if (signed.task != task) revert BadTerms("task");
        if (signed.shard >= request.shards) revert BadTerms("shard");
        if ((signed.drawCommit != 0) != (request.spotBps != 0)) revert BadTerms("drawCommit");
        if (item.bids.length == 0) revert BadTerms("bids");
        if (item.bidSigs.length != item.bids.length) {
            revert BadLength(item.bids.length, item.bidSigs.length);
        }

        Bid calldata winner = item.bids[0];
        bytes32 winnerDigest = _hashTypedDataV4(Hashing.hash(winner));
        if (signed.bid != winnerDigest) revert BadTerms("bid");
        if (
            signed.notBefore >= signed.registerBy || signed.registerBy > signed.notBefore + MAX_AWARD
                || signed.registerBy > request.expiry || signed.registerBy > winner.expiry
        ) revert BadTerms("registerBy");

        Selection.requireEligible(request, task, signed.shard, winner, SEAT);
        if (item.bids.length > 1) _checkLosers(request, task, item);
        reg.startAt = _checkParties(request.requester, winner.worker, winnerDigest, item);

        terms.task = task;
        terms.shard = signed.shard;
        terms.kind = request.kind;
        terms.mode = request.mode;
        terms.spotBps = request.spotBps;
        terms.requester = request.requester;
        terms.worker = winner.worker;
        terms.price = winner.price;
        terms.deposit = winner.deposit;
        terms.checkFee = request.checkFee;
        terms.delay = winner.delay;
        terms.vwin = _vwin(request.fuel);
        terms.drawCommit = signed.drawCommit;

        reg.unit = Hashing.unit(task, signed.shard);
        reg.termsHash = Hashing.hashMemory(terms);
        reg.notBefore = signed.notBefore;
        reg.registerBy = signed.registerBy;
    }

    function _checkLosers(Request calldata request, bytes32 task, AwardItem calldata item) private view {
        Bid[] calldata bids = item.bids;
        uint256 scoreAbove = Selection.score(request, bids[0]);
        for (uint256 i = 1; i < bids.length; ++i) {
            Bid calldata bid = bids[i];
            Selection.requireEligible(request, task, item.award.shard, bid, SEAT);
            if (bid.expiry < item.award.notBefore) revert Ineligible("expiry");
            uint256 score = Selection.score(request, bid);
            if (!Selection.ranks(bids[i - 1], scoreAbove, bid, score)) revert Unranked(i);
            _requireSigner(bid.worker, _hashTypedDataV4(Hashing.hash(bid)), item.bidSigs[i]);
            scoreAbove = score;
        }
    }

    /// @notice One signature a party: the Award covers Request and Bid, an Ack covers the Award, and nobody
    /// signs what it sends itself.
    /// @return startAt When the worker starts; 0 without its Ack. A worker that sends has acknowledged.
    function _checkParties(
        address requester,
        address worker,
        bytes32 bidDigest,
        AwardItem calldata item
    ) private view returns (uint40 startAt) {
        bytes32 awardDigest = _hashTypedDataV4(Hashing.hash(item.award));
        _requireSigner(requester, awardDigest, item.awardSig);
        if (msg.sender == worker) return item.award.notBefore;

        if (item.ackSig.r == 0 && msg.sender == requester) {
            _requireSigner(worker, bidDigest, item.bidSigs[0]);
            return 0;
        }
        // Nobody else may register without the Ack: an accomplice would turn an acknowledged unit into an
        // unacknowledged one, with its smaller fine.
        startAt = item.ack.startAt;
        if (item.ack.award != awardDigest) revert BadTerms("ack");
        if (startAt < item.award.notBefore || startAt > item.award.registerBy) revert BadTerms("startAt");
        _requireSigner(worker, _hashTypedDataV4(Hashing.hash(item.ack)), item.ackSig);
    }

    /// @notice What depends on state (§2.1 b): phase, time and the two balances. Locks the money.
    function _register(Terms memory terms, Registration memory reg) private returns (bytes4) {
        if (UnitSlot.unwrap(_units[reg.unit]) != 0) return BadPhase.selector;
        if (block.timestamp < reg.notBefore) return TooEarly.selector;
        if (block.timestamp > reg.registerBy) return TooLate.selector;
        uint256 escrow = _lockOf(terms.price, terms.checkFee);
        if (_accounts[terms.requester].free < escrow) return Insolvent.selector;
        if (_accounts[terms.worker].free < terms.deposit) return Insolvent.selector;
        _lock(terms.requester, escrow);
        _lock(terms.worker, terms.deposit);
        emit Awarded(reg.unit, terms.requester, terms.worker, terms, reg.startAt);
        return DONE;
    }

    // ── commit ──────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function commit(
        Unit[] calldata units,
        bytes32[] calldata commitments,
        Sig[] calldata sigs
    ) external nonReentrant {
        if (commitments.length != units.length) {
            revert BadLength(units.length, commitments.length);
        }
        if (sigs.length != units.length) revert BadLength(units.length, sigs.length);
        for (uint256 i = 0; i < units.length; ++i) {
            Unit calldata target = units[i];
            (bytes32 unit, bytes32 termsHash) = _identify(target);
            _requireSigner(
                target.terms.worker,
                _hashTypedDataV4(Hashing.commit(unit, termsHash, commitments[i])),
                sigs[i]
            );
            (UnitSlot slot, bytes4 reason) = _load(unit, termsHash, target, Phase.Assigned);
            if (
                reason == DONE
                    && block.timestamp > _resultBy(uint256(target.data[0]), target.terms.delay, slot.since())
            ) {
                reason = TooLate.selector;
            }
            if (reason == DONE) _commit(unit, termsHash, commitments[i]);
            else emit Skipped(unit, reason);
        }
    }

    /// @notice `awardCommit` on a unit that somebody has registered already: the same terms, in time.
    /// @dev The slot tells by its digest which start was recorded: none, notBefore, or the Ack's.
    function _checkLateCommit(
        UnitSlot slot,
        Terms memory terms,
        Registration memory reg,
        uint40 ackStartAt
    ) private view returns (bytes4) {
        uint40[3] memory starts = [0, reg.notBefore, ackStartAt];
        for (uint256 i = 0; i < 3; ++i) {
            if (slot.digest() == Hashing.digest(reg.termsHash, bytes32(uint256(starts[i])))) {
                uint256 resultBy = _resultBy(starts[i], terms.delay, slot.since());
                return block.timestamp > resultBy ? TooLate.selector : DONE;
            }
        }
        return BadUnit.selector;
    }

    function _commit(bytes32 unit, bytes32 termsHash, bytes32 commitment) private {
        _units[unit] = newSlot(Phase.Committed, Hashing.digest(termsHash, commitment));
        emit Committed(unit, commitment);
    }

    // ── reveal ──────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function reveal(Unit[] calldata units, Opening[] calldata openings) external nonReentrant {
        if (openings.length != units.length) revert BadLength(units.length, openings.length);
        for (uint256 i = 0; i < units.length; ++i) {
            Unit calldata target = units[i];
            Opening calldata opening = openings[i];
            (bytes32 unit, bytes32 termsHash) = _identify(target);
            bytes32 resultHash = _checkOpening(unit, target, opening);
            (UnitSlot slot, bytes4 reason) = _load(unit, termsHash, target, Phase.Committed);
            uint256 flags;
            bytes32 fourth;
            if (reason == DONE) (reason, flags, fourth) = _checkDraw(slot, target, opening);
            if (reason == DONE) {
                uint208 digest = Hashing.digest(termsHash, resultHash, opening.guard, bytes32(flags), fourth);
                _units[unit] = slot.next(Phase.Revealed, digest);
                emit Revealed(unit, resultHash, opening.guard, flags, opening.result, opening.output);
            } else {
                emit Skipped(unit, reason);
            }
        }
    }

    /// @notice Whether the result may be shown yet: a drawn checker must commit before it could copy.
    /// @return reason Why not, if so.
    /// @return flags The third word of the REVEALED unit.
    /// @return fourth Its fourth.
    function _checkDraw(
        UnitSlot slot,
        Unit calldata target,
        Opening calldata opening
    ) private view returns (bytes4 reason, uint256 flags, bytes32 fourth) {
        Terms calldata terms = target.terms;
        uint256 since = slot.since();
        uint256 checkBy = _checkBy(terms, since);
        if (block.timestamp > checkBy + REVEAL) return (TooLate.selector, 0, 0);
        if (terms.spotBps == 0) return (DONE, FLAG_SECRET_SHOWN, 0); // from the start: nothing is drawn

        bytes32 seed = target.data[1];
        if (seed != 0) {
            flags = FLAG_DRAWN | FLAG_SECRET_SHOWN;
            if (slot.hasDocket()) return (DONE, flags, 0); // its check is committed
            if (block.timestamp <= checkBy) return (CheckPending.selector, 0, 0);
            return (DONE, flags | FLAG_CHECK_MISSED, Hashing.missedCheck(seed, since));
        }
        bool drawable = block.timestamp <= since + SECRET;
        if (opening.secret != 0 || opening.guardR != 0) {
            bool drawn = _isDrawn(terms, Hashing.drawSeed(opening.secret, target.data[0]));
            if (!drawn) return (DONE, FLAG_SECRET_SHOWN, 0);
            if (drawable) return (CheckPending.selector, 0, 0);
        }
        // Not shown, or drawn but not marked in time. `settle` may still be shown that it was not drawn.
        if (drawable) return (TooEarly.selector, 0, 0);
        return (DONE, 0, target.data[0]);
    }

    /// @dev An error exit has no output (root 0). Otherwise the output is inline, one chunk, or off the chain:
    /// where there are demands (§10), or where the Request does without, at the requester's risk.
    function _checkOpening(
        bytes32 unit,
        Unit calldata target,
        Opening calldata opening
    ) private view returns (bytes32 resultHash) {
        if (opening.secret != 0 || opening.guardR != 0) {
            _requireSecret(target.terms, opening.secret, opening.guardR);
        }
        resultHash = Hashing.hash(opening.result);
        bytes32 commitment = Hashing.commitment(
            unit, ROLE_WORKER, target.terms.worker, resultHash, opening.salt, opening.guard
        );
        if (commitment != target.data[0]) revert BadOpening("commitment");

        bool absent = opening.output.length == 0
            && (_byCourt(target.terms)
                || target.terms.mode & MODE_NO_DEMAND != 0
                || (opening.result.exit != 0 && opening.result.outputRoot == 0));
        if (absent) return resultHash;
        if (opening.output.length > CHUNK || Hashing.leaf(opening.output) != opening.result.outputRoot) {
            revert BadOpening("output");
        }
    }

    // ── endings ─────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function settle(Unit[] calldata units, Secret[] calldata secrets) external nonReentrant {
        if (secrets.length != units.length) revert BadLength(units.length, secrets.length);
        for (uint256 i = 0; i < units.length; ++i) {
            Unit calldata target = units[i];
            Secret calldata secret = secrets[i];
            bool given = secret.secret != 0 || secret.guardR != 0;
            if (given) _requireSecret(target.terms, secret.secret, secret.guardR);
            (bytes32 unit, bytes32 termsHash) = _identify(target);
            (UnitSlot slot, bytes4 reason) = _load(unit, termsHash, target, Phase.Revealed);
            if (reason == DONE) {
                uint256 flags = uint256(target.data[2]);
                // The fourth word is the commitment as long as no secret was shown.
                if (
                    given && flags == 0
                        && !_isDrawn(target.terms, Hashing.drawSeed(secret.secret, target.data[3]))
                ) flags = FLAG_SECRET_SHOWN;
                reason = slot.hasDocket()
                    ? _settleContested(target, flags)
                    : _settle(unit, slot, target.terms, flags);
            }
            if (reason != DONE) emit Skipped(unit, reason);
        }
    }

    /// @notice PAID, as nobody reported, checked or demanded anything.
    function _settle(
        bytes32 unit,
        UnitSlot slot,
        Terms calldata terms,
        uint256 flags
    ) private returns (bytes4) {
        if (block.timestamp <= _settleAfter(terms, slot.since(), flags)) {
            return TooEarly.selector;
        }
        _endPaid(unit, slot, terms, flags, true, address(0));
        return DONE;
    }

    /// @notice All other endings of REVEALED, which run in the code of Disputes.
    function _settleContested(Unit calldata target, uint256 flags) internal virtual returns (bytes4 reason);

    // ── shared ──────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IBlockEdge
    function phaseOf(bytes32[] calldata units) external view returns (UnitState[] memory states) {
        states = new UnitState[](units.length);
        for (uint256 i = 0; i < units.length; ++i) {
            UnitSlot slot = _units[units[i]];
            states[i] = UnitState(slot.phase(), slot.hasDocket(), slot.since(), slot.digest());
        }
    }

    /// @inheritdoc IBlockEdge
    function repOf(address account)
        external
        view
        returns (uint24 n, uint24 m, uint64 s, uint64 t, uint32 score)
    {
        (Reputation memory rep, uint256 r) = _reputation(account);
        return (rep.n, rep.m, rep.s, rep.t, uint32(r));
    }

    /// @inheritdoc IBlockEdge
    function scoreOf(Request calldata request, Bid calldata bid) external pure returns (uint256) {
        return Selection.score(request, bid);
    }

    /// @notice The slot of a unit, and why it is not the one that the caller describes, if so.
    function _load(
        bytes32 unit,
        bytes32 termsHash,
        Unit calldata target,
        Phase phase
    ) internal view returns (UnitSlot slot, bytes4 reason) {
        slot = _units[unit];
        if (slot.phase() != phase) return (slot, BadPhase.selector);
        if (slot.digest() != Hashing.digest(termsHash, target.data)) return (slot, BadUnit.selector);
    }

    /// @notice Reverts unless `signer` sends this transaction or signed the digest (EIP-2098, low s).
    function _requireSigner(address signer, bytes32 digest, Sig calldata sig) private view {
        if (signer == msg.sender) return;
        (address recovered, ECDSA.RecoverError failed,) = ECDSA.tryRecover(digest, sig.r, sig.vs);
        if (failed != ECDSA.RecoverError.NoError || recovered != signer) revert BadSignature(signer);
    }
}
