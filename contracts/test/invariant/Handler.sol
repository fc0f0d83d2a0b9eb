// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {
    AwardItem,
    Opening,
    Phase,
    Proof,
    ReportOpening,
    Request,
    Secret,
    Sig,
    Unit
} from "../../src/Types.sol";
import {Gift} from "../mocks/Gift.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Job} from "../utils/Fixture.sol";
import {Auctioneer} from "./Auctioneer.sol";
import {Record} from "./Mirror.sol";

/// @title The random calls of the invariant suite: each takes one seed and says what must come of it.
/// @dev A call that must pass and does not, or the other way round, is a breach in the Mirror.
contract Handler is Auctioneer {
    struct Shown {
        ReportOpening opening;
        bytes evidence;
        bool copied; // somebody else's hash
    }

    mapping(bytes32 unit => mapping(uint256 index => Shown)) private _shown;
    mapping(bytes32 unit => bool) private _copied; // committed with another unit's commitment

    // ── time and money ──────────────────────────────────────────────────────────────────────────────────

    /// @dev A few seconds, or to the last second of some unit's window, or to the first one after it.
    function wait(uint256 seed) external {
        uint256 until = block.timestamp + 1 + (seed >> 8) % 4;
        // Rarely of one that waits for its worker, or few would get as far as a report.
        bytes32 unit = (seed >> 4) % 8 == 0 ? _anyUnit(seed >> 16) : _unitIn(Phase.Revealed, seed >> 16);
        if (seed % 2 == 0 && unit != 0 && mirror.phaseOf(unit) < Phase.Paid) {
            bool first = mirror.phaseOf(unit) == Phase.Revealed && opensReports(unit);
            uint256 deadline = (first ? mirror.challengeBy(unit) : mirror.opensAt(unit)) + (seed >> 1) % 2;
            if (deadline > block.timestamp) until = deadline;
        }
        vm.warp(until);
        if ((seed >> 32) % 4 == 0) vm.roll(block.number + 1);
    }

    function waitLong(uint256 seed) external {
        vm.warp(block.timestamp + 1 + (seed % 8 == 0 ? 3 weeks : seed % 64));
    }

    function moveMoney(uint256 seed) external {
        Actor memory who = _citizen(seed);
        uint256 what = (seed >> 8) % 6;
        uint96 amount = uint96((seed >> 16) % 1200 ether);
        if (what < 2) _send(who.addr, abi.encodeCall(edge.exit, (amount)));
        else if (what < 4) _send(who.addr, abi.encodeCall(edge.withdraw, ()));
        else if (what == 4) _send(who.addr, abi.encodeCall(edge.flushBurn, ()));
        else _fundAgain(who, amount % 1 ether);
    }

    function _fundAgain(Actor memory who, uint96 amount) private {
        vm.recordLogs();
        _fund(who, amount);
        mirror.read(vm.getRecordedLogs());
    }

    function forceEther(uint256 seed) external {
        uint256 amount = seed % 1 gwei;
        Gift.force(address(edge), amount);
        forced += amount;
    }

    // ── award ───────────────────────────────────────────────────────────────────────────────────────────

    function award(uint256 seed, uint256 by) external {
        Job memory job = _jobs.length < MOST_UNITS ? _newJob(seed) : _kept_(_jobs[seed % _jobs.length]);
        bool covered = _covered(job);
        bool fresh = mirror.phaseOf(job.unit) == Phase.None;
        address sender = job.terms.worker;
        by %= 6;
        if (by == 1 || by == 3) _acknowledge(job, job.item.award.notBefore + uint40(seed % 2));
        if (by == 1) sender = job.request.requester;
        else if (by == 2) (sender,) = (job.request.requester, _signBidOf(job));
        else if (by > 2) sender = _somebodyBut(job, seed);
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        bool done;
        if (by == 5) {
            done = _send(
                job.terms.worker,
                abi.encodeCall(edge.awardCommit, (requests, items, _words(_commitment(job))))
            );
        } else {
            done = _send(sender, abi.encodeCall(edge.award, (requests, items)));
        }
        if (job.request.mode & 1 == 0) _checkAward(job, by, done, fresh, covered);
        else _expect(!done, 5, "an auctioned shard was awarded");
    }

    function _signBidOf(Job memory job) private view returns (bool) {
        _signBid(job, 0);
        return true;
    }

    function _somebodyBut(Job memory job, uint256 seed) private view returns (address who) {
        who = _citizen(seed).addr;
        for (uint256 i = 1; who == job.terms.worker || who == job.request.requester; ++i) {
            who = _citizen(seed % 5 + i).addr;
        }
    }

    /// @dev All of §2.1 (b); what (a) asks for, every job here obeys.
    function _covered(Job memory job) private view returns (bool) {
        return mirror.phaseOf(job.unit) == Phase.None && block.timestamp >= job.item.award.notBefore
            && block.timestamp <= job.item.award.registerBy
            && _free(_who(job.request.requester)) >= job.terms.price + _fee(job)
            && _free(_who(job.terms.worker)) >= job.terms.deposit;
    }

    function _checkAward(Job memory job, uint256 by, bool done, bool fresh, bool covered) private {
        if (by == 4) {
            _expect(!done, 5, "a stranger registered without the Ack");
            return;
        }
        _expect(done, 5, "a valid award reverted");
        bool registered = mirror.phaseOf(job.unit) != Phase.None;
        if (fresh) _expect(registered == covered, 5, "registered if and only if time and funds allow");
        if (covered) _keep(job);
    }

    // ── commit and reveal ───────────────────────────────────────────────────────────────────────────────

    function commit(uint256 seed) external {
        bytes32 unit = _unitIn(Phase.Assigned, seed);
        if (unit == 0) return;
        Job memory job = _kept_(unit);
        bytes32 commitment = _commitment(job);
        bool copies = (seed >> 8) % 6 == 0;
        if (copies) commitment = mirror.recordOf(_anyUnit(seed >> 16)).data[0];
        bool inTime = block.timestamp <= mirror.resultBy(unit);
        address sender = (seed >> 32) % 3 == 0 ? stranger.addr : job.terms.worker;
        Sig[] memory sigs = new Sig[](1);
        if (sender != job.terms.worker) {
            bytes32 digest = Digests.commit(address(edge), unit, Digests.terms(job.terms), commitment);
            sigs[0] = _signed(_who(job.terms.worker), digest);
        }
        _send(sender, abi.encodeCall(edge.commit, (_one(mirror.unitOf(unit)), _words(commitment), sigs)));
        bool committed = mirror.phaseOf(unit) == Phase.Committed;
        _expect(committed == inTime, 7, "commit until resultBy, not later");
        if (committed && commitment != _commitment(job)) _copied[unit] = true;
    }

    function reveal(uint256 seed) external {
        bytes32 unit = _unitIn(Phase.Committed, seed);
        if (unit == 0) return;
        Opening[] memory openings = new Opening[](1);
        openings[0] = _opening(_kept_(unit));
        bool stolen = (seed >> 8) % 4 == 0; // another unit's secret, which would fit a copied commitment
        if (stolen) openings[0] = _opening(_kept_(_anyUnit(seed >> 16)));
        bool fits = keccak256(abi.encode(openings[0])) == keccak256(abi.encode(_opening(_kept_(unit))));
        bool inTime = opensLater(unit);
        bool done = _send(
            _citizen(seed >> 32).addr, abi.encodeCall(edge.reveal, (_one(mirror.unitOf(unit)), openings))
        );
        bool revealed = mirror.phaseOf(unit) == Phase.Revealed;
        bool own = fits && !_copied[unit];
        _expect(done == own, 6, "an opening passes if and only if it is the author's own");
        _expect(revealed == (own && inTime), 7, "reveal until revealBy, not later");
    }

    function opensLater(bytes32 unit) public view returns (bool) {
        return block.timestamp <= mirror.opensAt(unit);
    }

    // ── reports ─────────────────────────────────────────────────────────────────────────────────────────

    function commitReport(uint256 seed) external {
        bytes32 unit = _unitIn(Phase.Revealed, seed);
        if (unit == 0) return;
        Record memory r = mirror.recordOf(unit);
        Actor memory author = r.terms.kind == 1 ? _citizen(seed >> 8) : _who(r.terms.requester);
        Shown memory shown;
        shown.evidence = _evidence(r, seed >> 16);
        bytes32 resultHash = keccak256(shown.evidence);
        if (r.terms.kind == 2 && seed >> 40 & 1 == 0) resultHash = r.data[0]; // agrees
        shown.opening = _reportOpening(author, resultHash);
        if (r.reports != 0 && (seed >> 48) % 4 == 0) {
            shown = _shown[unit][1];
            shown.copied = true;
        }
        Job memory job;
        job.unit = unit;
        bytes32 hash = _reportHash(job, shown.opening);
        bool may = opensReports(unit) && author.addr != r.terms.worker && _free(author) >= mirror.bondOf(unit);
        bool done = _send(author.addr, abi.encodeCall(edge.commitReport, (mirror.unitOf(unit), hash)));
        _expect(done == may, 7, "commitReport until challengeBy, with the bond, by others than the worker");
        if (done && author.addr == shown.opening.author) shown.copied = false;
        if (done) _shown[unit][r.reports + 1] = shown;
    }

    function opensReports(bytes32 unit) public view returns (bool) {
        return block.timestamp <= mirror.challengeBy(unit);
    }

    function _evidence(Record memory r, uint256 seed) private view returns (bytes memory) {
        uint256 choice = seed % 6;
        if (choice < 3) return _solution(r.terms.shard, choice / 2);
        if (choice == 5) return _solution(r.terms.shard, 0); // the right answer, as for 0 and 1
        if (choice == 3) return seed >> 8 & 1 == 0 ? bytes("") : _solution((r.terms.shard + 1) % SHARDS, 0); // of another shard
        return abi.encode(seed);
    }

    function revealReport(uint256 seed) external {
        bytes32 unit = _reportedUnit(seed);
        if (unit == 0) return;
        Record memory r = mirror.recordOf(unit);
        uint16 index = uint16(1 + (seed >> 8) % r.reports);
        Shown memory shown = _shown[unit][index];
        Proof memory proof;
        if (r.terms.kind == 1) {
            proof = Proof(mirror.requestOf(unit), _powData(), r.result, r.output, shown.evidence);
        }
        bool may = !opensReports(unit) && opensLater(unit) && uint256(mirror.claimOf(unit, index).state) == 1
            && !shown.copied;
        bool done = _send(
            _citizen(seed >> 16).addr,
            abi.encodeCall(edge.revealReport, (mirror.unitOf(unit), index, shown.opening, proof))
        );
        if (shown.copied) _expect(!done, 6, "a copied report opened");
        _expect(done == may, 7, "revealReport in its window, once");
    }

    /// @dev With a report, and in stage II if there is such a one.
    function _reportedUnit(uint256 seed) private view returns (bytes32 found) {
        bytes32[] memory all = mirror.units();
        for (uint256 i = 0; i < all.length; ++i) {
            bytes32 unit = all[(seed % all.length + i) % all.length];
            if (mirror.phaseOf(unit) != Phase.Revealed || mirror.recordOf(unit).reports == 0) continue;
            found = unit;
            if (!opensReports(unit) && opensLater(unit)) return unit;
        }
    }

    function closeReports(uint256 seed) external {
        bytes32 unit = _anyUnit(seed);
        if (unit == 0) return;
        uint16[] memory indices = new uint16[](3);
        for (uint256 i = 0; i < 3; ++i) {
            indices[i] = uint16((seed >> (8 + 8 * i)) % (mirror.recordOf(unit).reports + 2));
        }
        bool ended = mirror.phaseOf(unit) >= Phase.Paid;
        bool done = _send(
            _citizen(seed >> 64).addr, abi.encodeCall(edge.closeReports, (mirror.unitOf(unit), indices))
        );
        _expect(done == ended, 7, "closeReports after the end");
    }

    // ── ends ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A batch of up to four units in any phase, one of them possibly with forged terms or listed twice:
    /// each must come out as if it had been alone (invariant 16).
    function end(uint256 seed, bool settling) external {
        if (mirror.units().length == 0) return;
        uint256 count = 1 + seed % 4;
        Unit[] memory batch = new Unit[](count);
        Phase[] memory expected = new Phase[](count);
        bytes32[] memory ids = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            ids[i] = i == 0 ? _dueUnit(seed >> 8, settling) : _anyUnit(seed >> (8 + 32 * i));
            batch[i] = mirror.unitOf(ids[i]);
            expected[i] = _endNow(ids[i], settling);
        }
        uint256 forged = (seed >> 160) % (2 * count);
        if (forged < count && !_twice(ids, forged)) {
            batch[forged].terms.price += 1;
            expected[forged] = mirror.phaseOf(ids[forged]);
        }
        bytes memory call = settling
            ? abi.encodeCall(edge.settle, (batch, new Secret[](count)))
            : abi.encodeCall(edge.timeout, (batch));
        bool done = _send(_citizen(seed >> 200).addr, call);
        _expect(done, 16, "a batch reverted for state or time");
        for (uint256 i = 0; i < count; ++i) {
            _expect(_stateOf(ids[i]).phase == expected[i], 16, "an item came out otherwise than alone");
        }
    }

    /// @dev One that ends now, if there is one.
    function _dueUnit(uint256 seed, bool settling) private view returns (bytes32) {
        bytes32[] memory all = mirror.units();
        for (uint256 i = 0; i < all.length; ++i) {
            bytes32 unit = all[(seed % all.length + i) % all.length];
            if (_endNow(unit, settling) != mirror.phaseOf(unit)) return unit;
        }
        return _anyUnit(seed);
    }

    function _twice(bytes32[] memory ids, uint256 index) private pure returns (bool) {
        for (uint256 i = 0; i < ids.length; ++i) {
            if (i != index && ids[i] == ids[index]) return true;
        }
        return false;
    }

    function _endNow(bytes32 unit, bool settling) private view returns (Phase) {
        Phase phase = mirror.phaseOf(unit);
        if (phase >= Phase.Paid || (phase == Phase.Revealed) != settling) return phase;
        return opensLater(unit) ? phase : mirror.endOf(unit);
    }

    /// @notice Every call there is, on a unit that has ended: none may change it, or anybody's balance.
    function repeat(uint256 seed) external {
        bytes32 unit = _anyUnit(seed);
        if (unit == 0 || mirror.phaseOf(unit) < Phase.Paid) return;
        Job memory job = _kept_(unit);
        bytes32 before = _everything(unit);
        Unit[] memory one = _one(mirror.unitOf(unit));
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        Opening[] memory openings = new Opening[](1);
        openings[0] = _opening(job);
        _send(job.terms.worker, abi.encodeCall(edge.award, (requests, items)));
        _send(job.terms.worker, abi.encodeCall(edge.awardCommit, (requests, items, _words(_commitment(job)))));
        _send(job.terms.worker, abi.encodeCall(edge.commit, (one, _words(_commitment(job)), new Sig[](1))));
        _send(job.terms.worker, abi.encodeCall(edge.reveal, (one, openings)));
        _send(job.terms.worker, abi.encodeCall(edge.settle, (one, new Secret[](1))));
        _send(job.terms.worker, abi.encodeCall(edge.timeout, (one)));
        _send(rival.addr, abi.encodeCall(edge.commitReport, (one[0], bytes32("late"))));
        _expect(_everything(unit) == before, 4, "an ended unit, or somebody's balance, changed");
    }

    function _everything(bytes32 unit) private view returns (bytes32) {
        Actor[5] memory all = _citizens();
        bytes memory seen = abi.encode(_stateOf(unit), edge.burned());
        for (uint256 i = 0; i < all.length; ++i) {
            seen = bytes.concat(seen, abi.encode(edge.accountOf(all[i].addr)));
        }
        return keccak256(seen);
    }

    // ── the way out ─────────────────────────────────────────────────────────────────────────────────────

    /// @notice What a stranger does who knows the log and waits: one call a unit, then its bonds.
    /// @return late How long the last unit took to end, in seconds from now.
    function strangersEndAll() external returns (uint256 late) {
        closeAllSales();
        bytes32[] memory all = mirror.units();
        uint256 began = block.timestamp;
        for (uint256 i = 0; i < all.length; ++i) {
            if (mirror.phaseOf(all[i]) < Phase.Paid) {
                uint256 opens = mirror.opensAt(all[i]) + 1;
                if (opens > block.timestamp) vm.warp(opens);
                endAlone(all[i]);
            }
            uint256 reports = mirror.recordOf(all[i]).reports;
            for (uint16 index = 1; index <= reports; ++index) {
                uint16[] memory indices = new uint16[](1);
                indices[0] = index;
                _send(address(0x57), abi.encodeCall(edge.closeReports, (mirror.unitOf(all[i]), indices)));
            }
        }
        return block.timestamp - began;
    }

    function endAlone(bytes32 unit) public {
        Unit[] memory one = _one(mirror.unitOf(unit));
        bytes memory call = mirror.phaseOf(unit) == Phase.Revealed
            ? abi.encodeCall(edge.settle, (one, new Secret[](1)))
            : abi.encodeCall(edge.timeout, (one));
        _send(address(0x57), call);
    }

    function actors() external view returns (address[] memory all) {
        all = new address[](6);
        Actor[5] memory named = _citizens();
        for (uint256 i = 0; i < named.length; ++i) {
            all[i] = named[i].addr;
        }
        all[5] = address(0x57);
    }

    function blockEdge() external view returns (address) {
        return address(edge);
    }
}
