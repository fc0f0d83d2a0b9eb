// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Log, vm} from "../../script/Vm.sol";
import {IBlockEdgeEvents as Events} from "../../src/interfaces/IBlockEdge.sol";
import {ICourtEvents as CourtEvents} from "../../src/interfaces/ICourt.sol";
import {
    Account,
    Case,
    CaseState,
    NO_INPUT,
    Opening,
    Phase,
    ReportOpening,
    ReportState,
    Secret,
    SeatProof,
    Ticket,
    UnitState
} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Job} from "../utils/Fixture.sol";
import {JuryFixture} from "../utils/JuryFixture.sol";

/// @title Random calls about units of kind 2 with the real Court: checks, reports, demands, disputes, trials.
/// @notice One requester and one worker with many units at once, four reporters, a crowd of ticket owners.
/// What is on record is read back from the log alone (invariant 20); calls may fail, the books may not.
contract JuryHandler is JuryFixture {
    uint256 private constant MOST_UNITS = 24;
    uint256 private constant MOST_ALIVE = 6; // or none of them gets far

    bytes32[] internal _units_;
    mapping(bytes32 unit => bytes) private _kept;
    mapping(bytes32 unit => bytes) internal _cases;
    mapping(bytes32 unit => uint256) public settled; // how often it ended
    mapping(bytes32 unit => mapping(uint256 index => ReportOpening)) private _reports;
    mapping(bytes32 unit => mapping(uint256 place => bytes32)) private _votes;
    mapping(bytes32 unit => bytes32) private _ended; // all that is on record about an ended unit
    string public broken; // the first rule that a call broke
    mapping(bytes32 what => uint256) public seen; // events, by selector

    function setUp() public override {
        super.setUp();
        _fund(stranger, FUNDS);
    }

    function _must(bool holds, string memory what) internal {
        if (!holds && bytes(broken).length == 0) broken = what;
    }

    // ── what is known ───────────────────────────────────────────────────────────────────────────────────

    function units() external view returns (bytes32[] memory) {
        return _units_;
    }

    function jobOf(bytes32 unit) public view returns (Job memory) {
        return abi.decode(_kept[unit], (Job));
    }

    function slotOf(bytes32 unit) public view returns (UnitState memory) {
        return edge.phaseOf(_words(unit))[0];
    }

    function _caseOf(bytes32 unit) internal view returns (Case memory) {
        return abi.decode(_cases[unit], (Case));
    }

    function _reporters() private view returns (Actor[4] memory) {
        return [detector, rival, stranger, requester];
    }

    /// @notice All that hold money in BlockEdge.
    function sums() external view returns (uint256 free, uint256 locked, uint256 ofOwners) {
        Actor[5] memory named = [requester, worker, rival, detector, stranger];
        for (uint256 i = 0; i < named.length; ++i) {
            free += _free(named[i]);
            locked += _locked(named[i]);
        }
        for (uint256 i = 0; i < owners.length; ++i) {
            Account memory account = edge.accountOf(owners[i].addr);
            free += account.free;
            ofOwners += account.locked;
        }
    }

    /// @notice Stakes, and pots of open cases.
    function courtSums() external view returns (uint256 stakes, uint256 pots) {
        for (uint32 id = 0; id < court.tickets(); ++id) {
            stakes += court.ticketOf(id).stake;
        }
        for (uint256 i = 0; i < _units_.length; ++i) {
            if (court.caseOf(_units_[i]).state != CaseState.Open) continue;
            for (uint8 round = 0; round < 3; ++round) {
                bool bonded = round == 0 && court.caseOf(_units_[i]).bonded;
                pots += bonded ? 5 * uint256(CHECK_FEE) : court.fundingOf(_units_[i], round).pot;
            }
        }
    }

    function contracts() external view returns (address, address) {
        return (address(edge), address(court));
    }

    // ── the log ─────────────────────────────────────────────────────────────────────────────────────────

    function _send(address target, address sender, bytes memory call) internal returns (bool done) {
        return _pay(target, sender, 0, call);
    }

    function _pay(
        address target,
        address sender,
        uint256 value,
        bytes memory call
    ) internal returns (bool done) {
        vm.recordLogs();
        vm.prank(sender);
        (done,) = target.call{value: value}(call);
        Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics.length < 2 || _kept[logs[i].topics[1]].length == 0) continue;
            ++seen[logs[i].topics[0]];
            _read(logs[i].topics[1], logs[i]);
        }
    }

    function _read(bytes32 unit, Log memory log) private {
        Job memory job = jobOf(unit);
        bytes32[4] memory data = job.data;
        bytes32 kind = log.topics[0];
        if (kind == Events.Drawn.selector) {
            (bytes32 secret,) = abi.decode(log.data, (bytes32, bytes32));
            data[1] = keccak256(abi.encode(secret, data[0]));
        } else if (kind == Events.Revealed.selector) {
            (bytes32 resultHash, bytes32 guard, uint256 flags) =
                abi.decode(log.data, (bytes32, bytes32, uint256));
            bytes32 fourth = flags == 0 ? data[0] : bytes32(0);
            if (flags & 4 != 0) fourth = keccak256(abi.encode(data[1], uint256(committedAt[unit])));
            job.data = [resultHash, guard, bytes32(flags), fourth];
        } else if (kind == Events.Disputed.selector) {
            (uint256 challengeBy, uint256 flags) = abi.decode(log.data, (uint256, uint256));
            (data[2], data[3]) = (bytes32(flags | challengeBy << 8), 0);
        } else if (kind == Events.JuryShown.selector) {
            data[3] = abi.decode(log.data, (bytes32));
        } else if (kind == Events.Ruled.selector) {
            _markRuled(job, abi.decode(log.data, (bytes32)));
        } else if (kind == Events.Settled.selector) {
            ++settled[unit];
        } else if (kind == CourtEvents.CaseOpened.selector) {
            _cases[unit] = log.data;
        } else if (kind == CourtEvents.Voted.selector) {
            _seated(unit, uint32(uint256(log.topics[2])));
        }
        _kept[unit] = abi.encode(job);
    }

    /// @dev A seated ticket is live, old enough, and no party's (invariant 11).
    function _seated(bytes32 unit, uint32 id) private {
        Case memory case_ = _caseOf(unit);
        Ticket memory ticket = court.ticketOf(id);
        _must(ticket.stakedAt + p.ticketAge <= case_.snapshot, "a young ticket sits");
        _must(ticket.leftAt == 0 || ticket.leftAt >= case_.snapshot, "a ticket sits that had left");
        bool party = ticket.owner == case_.worker || ticket.owner == case_.requester;
        _must(!party && !edge.isReporter(unit, ticket.owner), "a party sits");
    }

    // ── time, tickets ───────────────────────────────────────────────────────────────────────────────────

    function wait(uint256 seed) external {
        vm.warp(block.timestamp + 1 + seed % 3);
    }

    function moveTicket(uint256 seed) external {
        uint32 id = uint32((seed >> 8) % court.tickets());
        address owner = court.ticketOf(id).owner;
        if (seed % 8 == 0 && court.tickets() < 40) {
            address fresh = owners[(seed >> 40) % owners.length].addr;
            vm.deal(fresh, fresh.balance + p.seat);
            _pay(address(court), fresh, p.seat, abi.encodeCall(court.stake, ()));
        } else if (seed % 8 == 1) {
            _send(address(court), owner, abi.encodeCall(court.unstake, (id)));
        } else if (seed % 8 == 2) {
            _send(address(court), owner, abi.encodeCall(court.withdrawTicket, (id)));
        } else {
            _send(address(court), owner, abi.encodeCall(court.collect, (id)));
        }
    }

    // ── units ───────────────────────────────────────────────────────────────────────────────────────────

    function begin(uint256 seed) external {
        if (_units_.length == MOST_UNITS || _alive() == MOST_ALIVE) return;
        Job memory job = _courtJob(seed % 4 != 0);
        _register(job);
        _units_.push(job.unit);
        _kept[job.unit] = abi.encode(job);
    }

    function _alive() private view returns (uint256 count) {
        for (uint256 i = 0; i < _units_.length; ++i) {
            if (slotOf(_units_[i]).phase < Phase.Paid) ++count;
        }
    }

    /// @notice Something that the phase of some unit asks for.
    function act(uint256 seed) external {
        if (_units_.length == 0) return;
        // Rarely of one that has ended.
        bytes32 unit = _units_[seed % _units_.length];
        for (uint256 i = 0; slotOf(unit).phase >= Phase.Paid && i < 2; ++i) {
            unit = _units_[(seed >> (4 + 4 * i)) % _units_.length];
        }
        Phase phase = slotOf(unit).phase;
        seed >>= 16;
        if (phase == Phase.Committed) _whileCommitted(jobOf(unit), seed);
        else if (phase == Phase.Revealed) _whileRevealed(jobOf(unit), seed);
        else if (phase == Phase.Disputed) _whileDisputed(jobOf(unit), seed);
        else _afterTheEnd(jobOf(unit), seed);
    }

    function _whileCommitted(Job memory job, uint256 seed) private {
        bytes32 secret = secretOf[job.unit];
        if (job.data[1] == 0 && seed % 2 == 0) {
            _send(address(edge), stranger.addr, abi.encodeCall(edge.draw, (_unit(job), secret, _guardR())));
        } else if (job.data[1] != 0 && seed % 3 == 0) {
            _checkAtRandom(job, seed >> 8);
        } else {
            Opening[] memory openings = new Opening[](1);
            openings[0] = _opening(job);
            if (seed >> 8 & 1 == 0) (openings[0].secret, openings[0].guardR) = (secret, _guardR());
            if (seed >> 9 & 1 == 0) openings[0].output = "";
            _send(address(edge), stranger.addr, abi.encodeCall(edge.reveal, (_units(job), openings)));
            _endIfDue(job);
        }
    }

    function _checkAtRandom(Job memory job, uint256 seed) private {
        uint32 tickets = _oldEnough(committedAt[job.unit]);
        for (uint8 attempt = 0; attempt < 8; ++attempt) {
            try court.drawnTicket(
                job.data[1], attempt, tickets, committedAt[job.unit], job.terms.worker, job.terms.requester
            ) returns (
                uint32, address owner
            ) {
                ReportOpening memory check = ReportOpening(owner, _someHash(job, seed), keccak256("check"));
                bytes memory call = abi.encodeCall(
                    edge.commitCheck, (_unit(job), SeatProof(attempt, tickets), _checkHash(job, check))
                );
                if (_send(address(edge), owner, call)) _reports[job.unit][0] = check;
                return;
            } catch {}
        }
    }

    function _oldEnough(uint256 snapshot) internal view returns (uint32 count) {
        while (count < court.tickets() && court.ticketOf(count).stakedAt + p.ticketAge <= snapshot) {
            ++count;
        }
    }

    function _someHash(Job memory job, uint256 seed) private pure returns (bytes32) {
        if (seed % 2 == 0) return WRONG;
        return seed % 4 == 1 ? OTHER : _resultHash(job);
    }

    function _whileRevealed(Job memory job, uint256 seed) private {
        uint256 choice = seed % 8;
        if (block.timestamp <= _challengeBy(job)) {
            if (choice < 3) _reportAtRandom(job, seed >> 8);
            else if (choice == 3) _demandAtRandom(job, seed >> 8);
            else if (choice == 4) _supply(job);
        } else if (choice < 5) {
            uint16 index = uint16((seed >> 8) % (uint256(edge.docketOf(job.unit).reports) + 1));
            bytes memory call =
                abi.encodeCall(edge.revealReport, (_unit(job), index, _reports[job.unit][index], _noProof()));
            _send(address(edge), stranger.addr, call);
        } else {
            if (choice == 5) _supply(job);
            _endIfDue(job);
        }
        if (uint256(job.data[2]) & 4 != 0 && choice == 7) _fineAtRandom(job);
    }

    function _reportAtRandom(Job memory job, uint256 seed) private {
        Actor memory author = _reporters()[seed % 4];
        ReportOpening memory report = _reportOpening(author, _someHash(job, seed >> 8));
        bytes memory call = abi.encodeCall(edge.commitReport, (_unit(job), _reportHash(job, report)));
        if (_send(address(edge), author.addr, call)) {
            _reports[job.unit][edge.docketOf(job.unit).reports] = report;
        }
    }

    function _demandAtRandom(Job memory job, uint256 seed) private {
        bytes memory call = abi.encodeCall(edge.demand, (_unit(job), job.result, uint32(seed % 2)));
        _send(address(edge), requester.addr, call);
    }

    function _supply(Job memory job) private {
        for (uint32 chunk = 0; chunk < 2; ++chunk) {
            bytes memory call =
                abi.encodeCall(edge.supply, (_unit(job), job.result, chunk, 1, job.output, new bytes32[](0)));
            _send(address(edge), worker.addr, call);
        }
    }

    function _fineAtRandom(Job memory job) private {
        bytes32 seed = _seed(job);
        uint32 tickets = _oldEnough(committedAt[job.unit]);
        for (uint8 attempt = 0; attempt < 8; ++attempt) {
            bytes memory call = abi.encodeCall(
                edge.fineChecker, (_unit(job), seed, committedAt[job.unit], SeatProof(attempt, tickets))
            );
            if (_send(address(edge), stranger.addr, call)) return;
        }
    }

    function _whileDisputed(Job memory job, uint256 seed) private {
        bytes32 unit = job.unit;
        if (_cases[unit].length == 0) {
            if (seed % 3 == 0) {
                _send(
                    address(edge),
                    requester.addr,
                    abi.encodeCall(edge.showJury, (_unit(job), secretOf[unit], S_R))
                );
            } else if (seed % 3 == 1) {
                uint32 tickets = _oldEnough(uint256(job.data[2]) >> 8);
                _send(address(edge), worker.addr, abi.encodeCall(edge.defend, (_unit(job), S_W, tickets)));
            } else {
                _endIfDue(job);
            }
            return;
        }
        Case memory case_ = _caseOf(unit);
        uint8 round = court.caseOf(unit).round;
        if (seed % 8 == 0 && round < 2) {
            uint256 fee = [uint256(5), 11, 23][round + 1] * case_.fee;
            vm.deal(rival.addr, rival.addr.balance + fee);
            _pay(address(court), rival.addr, fee, abi.encodeCall(court.appeal, (case_)));
        } else if (seed % 8 < 6) {
            _voteAtRandom(case_, round, seed >> 8);
        } else {
            _closeIfDue(job, case_);
        }
    }

    /// @dev Every seat, mostly: a call a seat would get few cases to an end.
    function _voteAtRandom(Case memory case_, uint8 round, uint256 seed) private {
        uint8 seats = [5, 11, 23][round];
        for (uint8 seat = 0; seat < seats; ++seat) {
            uint256 dice = uint256(keccak256(abi.encode(seed, seat)));
            if (_votes[case_.unit][uint256(round) * 32 + seat] != 0) _reveal(case_, round, seat, dice);
            else if (dice & 7 != 0) _voteFor(case_, round, seat, _opinion(case_, seed, dice));
        }
    }

    function _opinion(Case memory case_, uint256 seed, uint256 dice) private pure returns (bytes32) {
        if (dice >> 8 & 7 == 0) return OTHER;
        if (seed & 7 == 0) return NO_INPUT;
        return seed & 1 == 0 ? WRONG : case_.accused;
    }

    function _reveal(Case memory case_, uint8 round, uint8 seat, uint256 dice) private {
        bytes32 vote = _votes[case_.unit][uint256(round) * 32 + seat];
        bytes memory call =
            abi.encodeCall(court.revealVote, (case_, round, seat, vote, _voteSalt(case_, round, seat)));
        if (dice & 3 != 0) _send(address(court), stranger.addr, call);
    }

    function _voteFor(Case memory case_, uint8 round, uint8 seat, bytes32 vote) private {
        (uint8 attempt,, address owner) = court.seatOf(case_, round, seat);
        if (attempt == 8) return;
        bytes memory call = abi.encodeCall(
            court.commitVote, (case_, round, seat, attempt, _ballot(case_, round, seat, owner, vote))
        );
        if (_send(address(court), owner, call)) _votes[case_.unit][uint256(round) * 32 + seat] = vote;
    }

    function _ballot(
        Case memory case_,
        uint8 round,
        uint8 seat,
        address owner,
        bytes32 vote
    ) private view returns (bytes32) {
        bytes32 salt = _voteSalt(case_, round, seat);
        return Digests.vote(address(edge), case_.unit, round, seat, owner, vote, salt);
    }

    // ── ends ────────────────────────────────────────────────────────────────────────────────────────────

    function _endIfDue(Job memory job) internal {
        bytes memory call = abi.encodeCall(edge.settle, (_units(job), new Secret[](1)));
        _send(address(edge), stranger.addr, call);
        job = jobOf(job.unit); // it may be disputed now
        _send(address(edge), stranger.addr, abi.encodeCall(edge.timeout, (_units(job))));
    }

    /// @dev A stranger tries every hash that was voted for.
    function _closeIfDue(Job memory job, Case memory case_) internal {
        bytes32[5] memory found = [case_.accused, WRONG, OTHER, NO_INPUT, bytes32(0)];
        for (uint256 i = 0; i < 5; ++i) {
            bytes memory call = abi.encodeCall(court.closeRound, (_unit(job), case_, found[i]));
            if (_send(address(court), stranger.addr, call)) return;
        }
    }

    /// @notice Closes bonds; and repeats every call that ends something: nothing but bonds may move.
    function _afterTheEnd(Job memory job, uint256 seed) private {
        bytes32 unit = job.unit;
        bytes32 record = keccak256(abi.encode(slotOf(unit), court.caseOf(unit)));
        _must(_ended[unit] == 0 || _ended[unit] == record, "an ended unit changed");
        _ended[unit] = record;
        if (seed % 3 == 0) _closeAll(job);
        uint256 burned = edge.burned();
        _endIfDue(job);
        if (_cases[unit].length != 0) {
            _closeIfDue(job, _caseOf(unit));
            _send(address(edge), worker.addr, abi.encodeCall(edge.defend, (_unit(job), S_W, uint32(OWNERS))));
        }
        _must(edge.burned() == burned, "something burned after the end");
        _must(settled[unit] == 1, "ended once");
        if (uint256(job.data[2]) & 4 != 0 && seed >> 8 & 1 == 0) _fineAtRandom(job);
    }

    function _closeAll(Job memory job) internal {
        uint256 count = uint256(edge.docketOf(job.unit).reports) + 1;
        for (uint16 index = 0; index < count; ++index) {
            uint16[] memory indices = new uint16[](2);
            (indices[0], indices[1]) = (index, index); // the second time skips
            _send(address(edge), stranger.addr, abi.encodeCall(edge.closeReports, (_unit(job), indices)));
        }
        for (uint16 index = 1; index < count; ++index) {
            _must(edge.reportOf(job.unit, index).state == ReportState.Closed, "a bond is still held");
        }
    }

    // ── the way out ─────────────────────────────────────────────────────────────────────────────────────

    /// @notice Strangers who wait long enough, and call only timeout, settle, closeRound and closeReports.
    function strangersEndAll() external {
        for (uint256 turn = 0; turn < 3; ++turn) {
            vm.warp(block.timestamp + 1000);
            for (uint256 i = 0; i < _units_.length; ++i) {
                Job memory job = jobOf(_units_[i]);
                if (slotOf(job.unit).phase >= Phase.Paid) continue;
                if (_cases[job.unit].length != 0) _closeIfDue(job, _caseOf(job.unit));
                else _endIfDue(job);
            }
        }
        for (uint256 i = 0; i < _units_.length; ++i) {
            Job memory job = jobOf(_units_[i]);
            _must(slotOf(job.unit).phase >= Phase.Paid, "a unit has no way out");
            if (slotOf(job.unit).phase >= Phase.Paid) _closeAll(job);
        }
    }
}
