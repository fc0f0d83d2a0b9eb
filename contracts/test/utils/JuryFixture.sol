// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {Case, NO_INPUT, Opening, Params, ReportOpening, Ruling, SeatProof, Secret} from "../../src/Types.sol";
import {Deployment} from "./Deployment.sol";
import {Digests} from "./Digests.sol";
import {Actor, Fixture, Job} from "./Fixture.sol";

/// @title BlockEdge with the real Court, ticket owners, and builders for checks, demands, disputes and trials.
/// @notice `Job memory job = _courtJob(true)` is a unit whose secret draws it. A trial in one line:
/// `_trial(case_, "RRWWN")`, one letter a seat: R votes the worker's hash, W and X two others, N no input,
/// h commits and hides, `.` stays away.
abstract contract JuryFixture is Fixture {
    uint256 internal constant OWNERS = 16;
    uint96 internal constant CHECK_FEE = 0.0005 ether;
    bytes32 internal constant S_W = keccak256("s_W of a worker");
    bytes32 internal constant S_R = keccak256("s_R of a requester");
    bytes32 internal constant WRONG = keccak256("a hash that is not the worker's");
    bytes32 internal constant OTHER = keccak256("another one");

    ICourt internal court;
    Actor[] internal owners;
    mapping(bytes32 unit => bytes32) internal secretOf;
    mapping(bytes32 unit => uint40) internal committedAt;

    function setUp() public virtual override {
        super.setUp();
        p = edge.params();
        court = ICourt(p.court);
        for (uint256 i = 0; i < OWNERS; ++i) {
            owners.push(_actor(string.concat("owner ", vm.toString(i))));
            vm.deal(owners[i].addr, p.seat);
            vm.prank(owners[i].addr);
            court.stake{value: p.seat}();
        }
        vm.warp(block.timestamp + p.ticketAge);
    }

    function _deploy(Params memory params, address judge) internal virtual override returns (IBlockEdge) {
        return Deployment.createWithCourt(params, judge);
    }

    function _ofOthers() internal view virtual override returns (uint256 sum) {
        for (uint256 i = 0; i < owners.length; ++i) {
            sum += _of(owners[i]);
        }
    }

    /// @notice Invariant 1 of the Court while the pots of open cases are `pots`.
    function _assertCourtSolvent(uint256 pots) internal view {
        uint256 stakes = 0;
        for (uint32 id = 0; id < court.tickets(); ++id) {
            stakes += court.ticketOf(id).stake;
        }
        assertEq(address(court).balance, stakes + pots, "stakes and pots add up to the balance");
    }

    // ── jobs ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A unit of kind 2 whose secret draws it, or not.
    function _courtJob(bool drawn) internal returns (Job memory job) {
        job = _job(2);
        job.request.spotBps = 1000;
        job.request.checkFee = CHECK_FEE;
        job.guard = keccak256(abi.encode(S_W));
        _answer(job, abi.encode("right"));
        _sign(job);
        _setSecret(job, drawn);
    }

    /// @notice Finds a secret that draws the unit with the commitment that its worker will make, or does not.
    function _setSecret(Job memory job, bool drawn) internal {
        bytes32 commitment = _commitment(job);
        bytes32 secret = job.unit;
        do {
            secret = keccak256(abi.encode(secret));
        } while ((uint256(keccak256(abi.encode(secret, commitment))) % 10_000 < job.request.spotBps) != drawn);
        secretOf[job.unit] = secret;
        job.item.award.drawCommit = keccak256(abi.encode(secret, _guardR()));
        _sign(job);
    }

    function _guardR() internal pure returns (bytes32) {
        return keccak256(abi.encode(S_R));
    }

    function _seed(Job memory job) internal view returns (bytes32) {
        return keccak256(abi.encode(secretOf[job.unit], _commitment(job)));
    }

    /// @notice The worker's unit counts, and its deposit came back, but its fee has earned no points.
    function _assertNoPoints() internal view {
        (,, uint64 s, uint64 t, uint32 score) = edge.repOf(worker.addr);
        uint256 ofDeposits = 1e6 * uint256(s) / (uint256(t) + p.seat / 1 gwei);
        assertEq(score, (7000 * 200_000 + 3000 * ofDeposits) / 10_000, "no points");
    }

    function _accusation(Job memory job) internal pure returns (uint96 x) {
        x = job.terms.deposit / 20;
        if (x < job.terms.checkFee) x = job.terms.checkFee;
    }

    /// @notice B of §6.4 with a court.
    function _courtBond(Job memory job) internal pure returns (uint96) {
        return _accusation(job) + 5 * job.terms.checkFee;
    }

    // ── check ───────────────────────────────────────────────────────────────────────────────────────────

    function _register(Job memory job) internal {
        _awardCommit(job);
        committedAt[job.unit] = uint40(block.timestamp);
    }

    function _draw(Job memory job) internal {
        vm.prank(stranger.addr);
        edge.draw(_unit(job), secretOf[job.unit], _guardR());
        job.data[1] = _seed(job);
    }

    /// @notice Whom the draw fell on.
    function _drawn(Job memory job)
        internal
        view
        returns (SeatProof memory proof, uint32 ticket, address owner)
    {
        proof.tickets = uint32(OWNERS);
        for (; proof.attempt < 8; ++proof.attempt) {
            try court.drawnTicket(
                _seed(job),
                proof.attempt,
                proof.tickets,
                committedAt[job.unit],
                job.terms.worker,
                job.terms.requester
            ) returns (
                uint32 ticket_, address owner_
            ) {
                return (proof, ticket_, owner_);
            } catch {}
        }
        revert("nobody is drawn");
    }

    function _checkOpening(
        Job memory job,
        bytes32 resultHash
    ) internal view returns (ReportOpening memory o) {
        (,, o.author) = _drawn(job);
        o.resultHash = resultHash;
        o.salt = keccak256(abi.encode("check salt", job.unit, resultHash));
    }

    function _checkHash(Job memory job, ReportOpening memory o) internal view returns (bytes32) {
        return Digests.commitment(address(edge), job.unit, 1, o.author, o.resultHash, o.salt, 0);
    }

    /// @notice The drawn checker commits to a hash.
    function _commitCheck(
        Job memory job,
        bytes32 resultHash
    ) internal returns (ReportOpening memory opening) {
        opening = _checkOpening(job, resultHash);
        bytes32 hash = _checkHash(job, opening);
        (SeatProof memory proof,,) = _drawn(job);
        vm.prank(opening.author);
        edge.commitCheck(_unit(job), proof, hash);
    }

    /// @notice Registered, drawn, and checked with this hash.
    function _toChecked(Job memory job, bytes32 resultHash) internal returns (ReportOpening memory) {
        _register(job);
        _draw(job);
        return _commitCheck(job, resultHash);
    }

    // ── reveal ──────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Reveals as a worker would that knows the secret.
    function _revealShown(Job memory job) internal {
        Opening memory opening = _opening(job);
        (opening.secret, opening.guardR) = (secretOf[job.unit], _guardR());
        bool marked = job.data[1] != 0;
        bool checked = edge.docketOf(job.unit).ticket != 0;
        bytes32 seed = job.data[1];
        _revealWith(job, opening);
        uint256 flags = marked ? (checked ? 3 : 7) : 2;
        bytes32 fourth =
            marked && !checked ? keccak256(abi.encode(seed, uint256(committedAt[job.unit]))) : bytes32(0);
        job.data = [_resultHash(job), job.guard, bytes32(flags), fourth];
    }

    /// @notice Reveals without the secret, once SECRET is over.
    function _revealHidden(Job memory job) internal {
        bytes32 commitment = job.data[0];
        _revealWith(job, _opening(job));
        job.data = [_resultHash(job), job.guard, bytes32(0), commitment];
    }

    /// @notice An undrawn unit, shown so, REVEALED.
    function _toOpen(Job memory job) internal {
        _register(job);
        _revealShown(job);
    }

    function _settleShown(Job memory job) internal {
        Secret[] memory secrets = new Secret[](1);
        secrets[0] = Secret(secretOf[job.unit], _guardR());
        vm.prank(stranger.addr);
        edge.settle(_units(job), secrets);
    }

    // ── dispute ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice `settle` after the report window makes the unit DISPUTED.
    function _dispute(Job memory job) internal {
        uint256 challengeBy = _challengeBy(job);
        vm.warp(challengeBy + p.report + 1);
        _settle(job);
        job.data[2] |= bytes32(challengeBy << 8);
        job.data[3] = 0;
    }

    /// @notice Registered, revealed undrawn, contradicted by the detector's one report, DISPUTED.
    function _toDisputed(Job memory job, bytes32 accusedOf) internal {
        _toOpen(job);
        ReportOpening memory opening = _commitReport(job, detector, accusedOf);
        vm.warp(_challengeBy(job) + 1);
        _revealReport(job, 1, opening, "");
        _dispute(job);
    }

    function _showJury(Job memory job) internal {
        vm.prank(stranger.addr);
        edge.showJury(_unit(job), secretOf[job.unit], S_R);
        job.data[3] = S_R;
    }

    function _defend(Job memory job) internal returns (Case memory case_) {
        case_ = _case(job);
        vm.prank(stranger.addr);
        edge.defend(_unit(job), S_W, uint32(OWNERS));
    }

    /// @notice From DISPUTED to round 0.
    function _toCase(Job memory job) internal returns (Case memory) {
        _showJury(job);
        return _defend(job);
    }

    /// @notice What `defend` will hand to the court.
    function _case(Job memory job) internal view returns (Case memory case_) {
        uint24 best = edge.docketOf(job.unit).best;
        case_.unit = job.unit;
        case_.seed = keccak256(abi.encode(S_W, job.data[3], edge.docketOf(job.unit).seedAcc));
        case_.accused = job.data[0];
        case_.worker = job.terms.worker;
        case_.requester = job.terms.requester;
        if (best != 0) case_.accuser = edge.reportOf(job.unit, uint16(best - 1)).author;
        case_.snapshot = uint40(uint256(job.data[2]) >> 8);
        case_.tickets = uint32(OWNERS);
        case_.vwin = job.terms.vwin;
        case_.fee = job.terms.checkFee;
    }

    // ── trial ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice One round, from its begin to the end of its reveals.
    function _round(Case memory case_, uint8 round, string memory votes) internal {
        bytes memory letters = bytes(votes);
        for (uint8 seat = 0; seat < letters.length; ++seat) {
            if (letters[seat] != ".") _vote(case_, round, seat, _voteOf(case_, letters[seat]));
        }
        vm.warp(uint256(court.caseOf(case_.unit).roundAt) + p.jcommit + case_.vwin + 1);
        for (uint8 seat = 0; seat < letters.length; ++seat) {
            if (letters[seat] == "." || letters[seat] == "h") continue;
            court.revealVote(case_, round, seat, _voteOf(case_, letters[seat]), _voteSalt(case_, round, seat));
        }
        vm.warp(uint256(court.caseOf(case_.unit).roundAt) + p.jcommit + case_.vwin + p.jreveal + 1);
    }

    function _vote(Case memory case_, uint8 round, uint8 seat, bytes32 resultHash) internal {
        (uint8 attempt,, address owner) = court.seatOf(case_, round, seat);
        bytes32 commitment = Digests.vote(
            address(edge), case_.unit, round, seat, owner, resultHash, _voteSalt(case_, round, seat)
        );
        vm.prank(owner);
        court.commitVote(case_, round, seat, attempt, commitment);
    }

    function _voteSalt(Case memory case_, uint8 round, uint8 seat) internal pure returns (bytes32) {
        return keccak256(abi.encode("vote", case_.unit, round, seat));
    }

    function _voteOf(Case memory case_, bytes1 letter) internal pure returns (bytes32) {
        if (letter == "W") return WRONG;
        if (letter == "X") return OTHER;
        return letter == "N" ? NO_INPUT : case_.accused;
    }

    function _appeal(Case memory case_, Actor memory funder, uint256 seats) internal {
        vm.deal(funder.addr, funder.addr.balance + seats * case_.fee);
        vm.prank(funder.addr);
        court.appeal{value: seats * case_.fee}(case_);
    }

    /// @notice Ends the case, whose finding is `finalHash`, and with it the unit.
    function _closeCase(Job memory job, Case memory case_, bytes32 finalHash) internal {
        vm.warp(block.timestamp + p.appeal + 1);
        vm.prank(stranger.addr);
        court.closeRound(_unit(job), case_, finalHash);
        _markRuled(job, finalHash);
    }

    function _markRuled(Job memory job, bytes32 finalHash) internal pure {
        job.data[2] |= bytes32(uint256(8));
        job.data[3] = finalHash;
    }

    /// @notice The court speaks without a trial: what BlockEdge does with a finding.
    function _rule(Job memory job, Ruling memory ruling, uint256 pool) internal {
        vm.deal(address(court), address(court).balance + pool);
        vm.prank(address(court));
        edge.rule{value: pool}(_unit(job), ruling);
        _markRuled(job, ruling.finalHash);
    }
}
