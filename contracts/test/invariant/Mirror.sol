// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Log} from "../../script/Vm.sol";
import {IBlockEdge, IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {Params, Phase, Request, Result, Terms, Unit} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Sales} from "./Sales.sol";

/// A unit as a node knows it that has the event log and nothing else.
struct Record {
    Phase phase;
    Terms terms;
    bytes32[4] data; // of the last phase before an end
    uint256 since;
    uint256 awardedAt;
    Result result;
    bytes output;
    uint256 reports;
    uint256 best; // the lowest index that convicts or contradicts; 0: none
}

enum ClaimState {
    None,
    Committed,
    Revealed,
    Closed
}

struct Claim {
    address author;
    ClaimState state;
    uint8 verdict;
}

/// @title The protocol read from its log (invariant 20): phases, deadlines (§3.3), the money of §7.1 and the
/// bonds of §6.4, written down a second time. Each event must be one that the rules allow at its time.
/// @dev Every later call of the handler is built from these records. Numbers are those of §11.
contract Mirror is Sales {
    IBlockEdge private immutable EDGE;
    bytes32 private immutable CHALLENGE;
    uint256 private immutable TARGET;
    uint256 private immutable RANGE;
    Params private _p;

    bytes32[] private _units; // in order of registration
    mapping(bytes32 unit => Record) private _records;
    mapping(bytes32 unit => mapping(uint256 index => Claim)) private _claims;
    mapping(bytes32 task => Request) private _requests;

    constructor(IBlockEdge edge, bytes memory search) {
        EDGE = edge;
        _p = edge.params();
        (CHALLENGE, TARGET, RANGE) = abi.decode(search, (bytes32, uint256, uint256));
    }

    // ── what a node would ask ───────────────────────────────────────────────────────────────────────────

    function units() external view returns (bytes32[] memory) {
        return _units;
    }

    function phaseOf(bytes32 unit) external view returns (Phase) {
        return _records[unit].phase;
    }

    function recordOf(bytes32 unit) external view returns (Record memory) {
        return _records[unit];
    }

    function claimOf(bytes32 unit, uint256 index) external view returns (Claim memory) {
        return _claims[unit][index];
    }

    function requestOf(bytes32 unit) external view returns (Request memory) {
        return _requests[_records[unit].terms.task];
    }

    function unitOf(bytes32 unit) external view returns (Unit memory) {
        return Unit(_records[unit].terms, _records[unit].data);
    }

    /// @notice When anybody may end this unit: any time after the one returned (invariant 8).
    function opensAt(bytes32 unit) public view returns (uint256) {
        Record storage r = _records[unit];
        if (r.phase == Phase.Assigned) return resultBy(unit);
        if (r.phase == Phase.Committed) return r.since + _p.reveal;
        return challengeBy(unit) + (r.reports != 0 ? _p.report : 0);
    }

    function resultBy(bytes32 unit) public view returns (uint256) {
        Record storage r = _records[unit];
        uint256 startAt = uint256(r.data[0]);
        uint256 promised = (startAt == 0 ? r.since : startAt) + r.terms.delay;
        return (promised > r.since ? promised : r.since) + _p.grace;
    }

    function challengeBy(bytes32 unit) public view returns (uint256) {
        Record storage r = _records[unit];
        return r.since + r.terms.vwin + _p.challenge;
    }

    /// @notice How `timeout` (assigned, committed) or `settle` (revealed) ends this unit once it may.
    function endOf(bytes32 unit) public view returns (Phase) {
        Record storage r = _records[unit];
        if (r.phase == Phase.Assigned) return Phase.Refused;
        if (r.phase == Phase.Committed) return Phase.Slashed;
        if (r.best == 0) return Phase.Paid;
        return r.terms.kind == 1 ? Phase.Slashed : Phase.Unresolved;
    }

    function bondOf(bytes32 unit) public view returns (uint256) {
        return _records[unit].terms.deposit / 20;
    }

    function feeOf(uint256 price) public view returns (uint256) {
        return price * _p.feeBps / 10_000;
    }

    function _feeOf(uint256 price) internal view override returns (uint256) {
        return feeOf(price);
    }

    // ── the log ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Takes in the log of one call, made now.
    function read(Log[] calldata logs) external {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(EDGE)) _read(logs[i]);
        }
    }

    function _read(Log calldata log) private {
        bytes32 kind = log.topics[0];
        bytes32 about = log.topics.length > 1 ? log.topics[1] : bytes32(0);
        if (kind == Events.Skipped.selector || kind == Events.ExitRequested.selector) return;
        if (kind == Events.Requested.selector) _requested(about, abi.decode(log.data, (Request)));
        else if (kind == Events.Awarded.selector) _awarded(about, log.data);
        else if (kind == Events.Announced.selector) _announced(address(EDGE), _p.bidBlocks, about, log.data);
        else if (kind == Events.BidPosted.selector) _bidPosted(EDGE, about, _account(log.topics[2]), log.data);
        else if (kind == Events.Outbid.selector) _outbid(about, _account(log.topics[2]), log.data);
        else if (kind == Events.Lapsed.selector) _lapsed(about, _account(log.topics[2]), log.data);
        else if (kind == Events.Committed.selector) _committed(about, abi.decode(log.data, (bytes32)));
        else if (kind == Events.Revealed.selector) _revealed(about, log.data);
        else if (kind == Events.Reported.selector) _reported(about, log);
        else if (kind == Events.ReportRevealed.selector) _reportRevealed(about, log.data);
        else if (kind == Events.Settled.selector) _settled(about, log.data);
        else if (kind == Events.ReportClosed.selector) _reportClosed(about, log.data);
        else if (kind == Events.Funded.selector) _in(_account(about), abi.decode(log.data, (uint256)));
        else if (kind == Events.Withdrawn.selector) _out(_account(about), abi.decode(log.data, (uint256)));
        else if (kind == Events.Burned.selector) _flush(abi.decode(log.data, (uint256)));
        else _must(false, 20, "an event that no node knows");
    }

    function _account(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }

    function _requested(bytes32 task, Request memory request) private {
        _must(Digests.task(address(EDGE), request) == task, 20, "Requested: another task");
        _requests[task] = request;
    }

    function _awarded(bytes32 unit, bytes calldata data) private {
        (Terms memory terms, uint40 startAt) = abi.decode(data, (Terms, uint40));
        Request storage request = _requests[terms.task];
        Record storage r = _records[unit];
        _must(r.phase == Phase.None, 5, "awarded twice");
        _must(Digests.unit(terms.task, terms.shard) == unit, 20, "Awarded: another unit");
        _must(terms.requester == request.requester && terms.requester != terms.worker, 5, "parties");
        _must(terms.shard < request.shards && terms.kind == request.kind, 5, "shard or kind");
        _must(terms.price != 0 && terms.price <= request.maxPrice, 5, "price");
        _must(terms.delay != 0 && terms.delay <= request.maxDelay, 5, "delay");
        _must(terms.deposit >= 20 * uint256(terms.price), 5, "deposit below 20 prices");
        _must(terms.deposit >= request.minDeposit, 5, "deposit below the minimum");
        _must(terms.kind == 1 || terms.deposit <= 10 * uint256(_p.seat), 5, "deposit above ten seats");
        _must(block.timestamp <= request.expiry, 5, "after the Request's expiry");
        if (terms.mode & 1 != 0) _sold(terms, startAt);
        _units.push(unit);
        r.phase = Phase.Assigned;
        r.terms = terms;
        r.data[0] = bytes32(uint256(startAt));
        (r.since, r.awardedAt) = (block.timestamp, block.timestamp);
        _hold(terms.requester, terms.price + feeOf(terms.price));
        _hold(terms.worker, terms.deposit);
    }

    function _committed(bytes32 unit, bytes32 commitment) private {
        Record storage r = _records[unit];
        _must(r.phase == Phase.Assigned, 7, "committed outside ASSIGNED");
        _must(block.timestamp <= resultBy(unit), 7, "committed after resultBy");
        (r.phase, r.since) = (Phase.Committed, block.timestamp);
        r.data = [commitment, bytes32(0), bytes32(0), bytes32(0)];
    }

    function _revealed(bytes32 unit, bytes calldata data) private {
        Record storage r = _records[unit];
        (bytes32 resultHash, bytes32 guard, uint256 flags, Result memory result, bytes memory output) =
            abi.decode(data, (bytes32, bytes32, uint256, Result, bytes));
        _must(r.phase == Phase.Committed, 7, "revealed outside COMMITTED");
        _must(block.timestamp <= r.since + _p.reveal, 7, "revealed after revealBy");
        _must(Digests.result(result) == resultHash, 20, "Revealed: another result");
        bool shown = output.length != 0 && Digests.root(output) == result.outputRoot;
        _must(shown || output.length == 0, 20, "Revealed: another output");
        (r.phase, r.since) = (Phase.Revealed, block.timestamp);
        r.data = [resultHash, guard, bytes32(flags), bytes32(0)];
        (r.result, r.output) = (result, output);
    }

    // ── reports ─────────────────────────────────────────────────────────────────────────────────────────

    function _reported(bytes32 unit, Log calldata log) private {
        Record storage r = _records[unit];
        (uint256 index,) = abi.decode(log.data, (uint256, bytes32));
        address author = _account(log.topics[2]);
        _must(r.phase == Phase.Revealed, 7, "reported outside REVEALED");
        _must(block.timestamp <= challengeBy(unit), 7, "reported after challengeBy");
        _must(author != r.terms.worker, 5, "reported by the worker");
        _must(r.terms.kind == 1 || author == r.terms.requester, 5, "a court kind, by a third party");
        _must(index == ++r.reports, 20, "report indices count up from 1");
        _claims[unit][index] = Claim(author, ClaimState.Committed, 0);
        _hold(author, bondOf(unit));
    }

    function _reportRevealed(bytes32 unit, bytes calldata data) private {
        Record storage r = _records[unit];
        (uint256 index, bytes32 shown, uint8 verdict, bytes memory evidence) =
            abi.decode(data, (uint256, bytes32, uint8, bytes));
        Claim storage claim = _claims[unit][index];
        _must(r.phase == Phase.Revealed, 7, "report revealed outside REVEALED");
        _must(block.timestamp > challengeBy(unit), 7, "report revealed before stage II");
        _must(block.timestamp <= challengeBy(unit) + _p.report, 7, "report revealed after reportBy");
        _must(claim.state == ClaimState.Committed, 7, "report revealed twice");
        (claim.state, claim.verdict) = (ClaimState.Revealed, verdict);

        bool counts;
        if (r.terms.kind == 1) {
            counts = _provesWrong(r, evidence);
            _must(counts == (verdict == 2), 13, "the verdict is not what the evidence proves");
        } else {
            counts = shown != r.data[0];
            _must(verdict == (counts ? 0 : 1), 13, "court kinds: agrees, or nobody can tell");
        }
        if (counts && (r.best == 0 || index < r.best)) r.best = index;
    }

    /// @dev §6.1 once more: the result convicts itself, or the evidence does it.
    function _provesWrong(Record storage r, bytes memory evidence) private view returns (bool) {
        if (r.result.exit != 0 || r.result.fuelUsed != 0 || r.result.memoryHash != 0) return true;
        bool found = r.output.length != 0;
        if (found && !_solves(r.terms.shard, r.output)) return true;
        if (!_solves(r.terms.shard, evidence)) return false;
        return !found || uint64(bytes8(evidence)) < uint64(bytes8(r.output));
    }

    function _solves(uint256 shard, bytes memory nonce) private view returns (bool) {
        if (nonce.length != 8 || uint64(bytes8(nonce)) / RANGE != shard) return false;
        return uint256(sha256(abi.encodePacked(CHALLENGE, nonce))) < TARGET;
    }

    function _reportClosed(bytes32 unit, bytes calldata data) private {
        Record storage r = _records[unit];
        (uint256 index, uint256 returned) = abi.decode(data, (uint256, uint256));
        Claim storage claim = _claims[unit][index];
        _must(r.phase >= Phase.Paid, 7, "a bond let go before the end");
        _must(claim.state == ClaimState.Committed || claim.state == ClaimState.Revealed, 4, "closed twice");

        uint256 bond = bondOf(unit);
        uint256 toWorker = 0;
        uint256 back = bond;
        if (claim.state == ClaimState.Committed) back = 0;
        else if (r.terms.kind == 1 && claim.verdict != 2) (back, toWorker) = (0, bond / 2);
        else if (r.terms.kind == 2 && r.phase == Phase.Paid) back = bond * 90 / 100;
        _must(returned == back, 3, "a bond's share is not the table's");
        claim.state = ClaimState.Closed;
        _let(claim.author, bond, back);
        _in(r.terms.worker, toWorker);
        _burn(bond - back - toWorker);
    }

    // ── ends: the table of §7.1 ─────────────────────────────────────────────────────────────────────────

    function _settled(bytes32 unit, bytes calldata data) private {
        Record storage r = _records[unit];
        (Phase phase, uint256 paid, uint256 slashed) = abi.decode(data, (Phase, uint256, uint256));
        bool open = r.phase == Phase.Assigned || r.phase == Phase.Committed || r.phase == Phase.Revealed;
        _must(open, 4, "ended twice");
        if (!open) return;
        _must(phase == endOf(unit), 13, "ended otherwise than its record says");
        _must(block.timestamp > opensAt(unit), 7, "ended before its window was over");
        bool early = phase == Phase.Refused && block.timestamp <= r.awardedAt + _p.grace;
        _must(!early, 19, "refused within GRACE of its registration");
        _must(paid == (phase == Phase.Paid ? r.terms.price : 0), 4, "paid is the price, in PAID only");
        bool faulted = phase == Phase.Slashed || phase == Phase.Refused;
        _must(faulted || slashed == 0, 3, "a deposit fell without a fault");
        _share(r, unit, phase, slashed);
        (r.phase, r.since) = (phase, block.timestamp);
    }

    function _share(Record storage r, bytes32 unit, Phase phase, uint256 slashed) private {
        uint256 deposit = r.terms.deposit;
        uint256 escrow = r.terms.price + feeOf(r.terms.price);
        uint256 toRequester = escrow;
        uint256 toWorker = deposit;
        uint256 toDetector = 0;
        if (phase == Phase.Paid) {
            (toRequester, toWorker) = (0, deposit + r.terms.price);
        } else if (phase == Phase.Unresolved) {
            toRequester = 0;
        } else if (phase == Phase.Slashed) {
            (toRequester, toWorker) = (escrow + deposit / 2, 0);
            if (r.phase == Phase.Revealed) toDetector = deposit / 5;
        } else {
            uint256 fine = _fine(r, slashed);
            toWorker = deposit - fine;
            if (r.data[0] != 0) toRequester += fine / 2;
        }
        _must(slashed == (toWorker < deposit ? deposit - toWorker : 0), 3, "slashed is what was taken");
        _let(r.terms.requester, escrow, toRequester);
        _let(r.terms.worker, deposit, toWorker);
        if (toDetector != 0) _in(_claims[unit][r.best].author, toDetector);
        _burn(escrow + deposit - toRequester - toWorker - toDetector);
    }

    /// @dev Halved for R >= 0.8: R moves within a batch, so either figure is taken from the log, no other.
    function _fine(Record storage r, uint256 slashed) private view returns (uint256 fine) {
        uint256 deposit = r.terms.deposit;
        if (r.data[0] == 0) return deposit / 100 < r.terms.price ? deposit / 100 : r.terms.price;
        fine = slashed == deposit / 20 ? deposit / 20 : deposit / 10;
    }
}
