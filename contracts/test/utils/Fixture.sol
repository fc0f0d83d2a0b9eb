// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParamsFile} from "../../script/ParamsFile.sol";
import {vm} from "../../script/Vm.sol";
import {IBlockEdge} from "../../src/interfaces/IBlockEdge.sol";
import {
    AwardItem,
    Bid,
    Opening,
    Params,
    Phase,
    Proof,
    ReportOpening,
    Request,
    Result,
    Secret,
    Sig,
    Terms,
    Unit,
    UnitState
} from "../../src/Types.sol";
import {Asserts} from "./Asserts.sol";
import {Deployment} from "./Deployment.sol";
import {Digests} from "./Digests.sol";

struct Actor {
    address addr;
    uint256 key;
}

/// One unit as its parties see it: what was agreed, what the worker found, and where the unit is.
struct Job {
    Request request;
    AwardItem item;
    Terms terms;
    bytes32 unit;
    bytes32[4] data; // of the phase that the job is in
    Result result;
    bytes output;
    bytes32 salt;
    bytes32 guard;
    uint40 startAt; // as recorded
}

/// @title Named actors, a deployed BlockEdge in dev windows, and builders for every call.
/// @notice `Job memory job = _powJob(); _assign(job); _commit(job); _reveal(job); _settle(job);` is a happy path.
/// Each step sends as whoever would, advances `job.data`, and leaves the clock alone; `_after(t)` moves it.
/// Build a job, change it, then `_sign(job)` again where a signed field changed.
abstract contract Fixture is Asserts {
    uint40 internal constant START = 1_800_000_000;
    uint96 internal constant FUNDS = 1000 ether;

    IBlockEdge internal edge;
    address internal powJudge;
    Params internal p;

    Actor internal requester = _actor("requester");
    Actor internal worker = _actor("worker");
    Actor internal rival = _actor("rival");
    Actor internal detector = _actor("detector");
    Actor internal stranger = _actor("stranger");

    uint64 private _nonce;

    // kind 1: a target met by one nonce in 16, so that a range of 256 holds several
    bytes32 internal constant CHALLENGE = keccak256("challenge");
    uint256 internal constant TARGET = type(uint256).max >> 4;
    uint64 internal constant RANGE = 256;

    function setUp() public virtual {
        vm.warp(START);
        p = ParamsFile.load("dev");
        powJudge = vm.deployCode("PowJudge.sol:PowJudge");
        edge = _deploy(p, powJudge);
        _fund(requester, FUNDS);
        _fund(worker, FUNDS);
        _fund(rival, FUNDS);
        _fund(detector, FUNDS);
    }

    function _deploy(Params memory params, address judge) internal virtual returns (IBlockEdge) {
        return Deployment.create(params, judge);
    }

    // ── actors and time ─────────────────────────────────────────────────────────────────────────────────

    function _actor(string memory name) internal pure returns (Actor memory) {
        uint256 key = uint256(keccak256(bytes(name)));
        return Actor(vm.addr(key), key);
    }

    function _fund(Actor memory actor, uint96 amount) internal {
        vm.deal(actor.addr, actor.addr.balance + amount);
        vm.prank(actor.addr);
        edge.fund{value: amount}();
    }

    function _after(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
    }

    function _signed(Actor memory actor, bytes32 digest) internal pure returns (Sig memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(actor.key, digest);
        return Sig(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    // ── builders ────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A Request of the requester that every rule accepts. Fuel gives a vwin of 5 s in dev.
    function _request(uint8 kind) internal returns (Request memory r) {
        r.requester = requester.addr;
        r.nonce = ++_nonce;
        r.kind = kind;
        r.shards = 64;
        r.program = kind == 1 ? bytes32(0) : keccak256("program");
        r.inputRoot = kind == 1 ? Digests.root(_powData()) : keccak256("input");
        r.fuel = 256_000;
        r.maxPrice = 0.004 ether;
        r.minDeposit = 0.01 ether;
        r.maxDelay = 60;
        r.repMax = 1_000_000;
        r.wPrice = 5000;
        r.wDelay = 2500;
        r.wRep = 2500;
        r.expiry = uint40(block.timestamp) + 3600;
    }

    function _powData() internal pure returns (bytes memory) {
        return abi.encode(CHALLENGE, TARGET, RANGE);
    }

    function _bid(Request memory r, uint16 shard, Actor memory bidder) internal view returns (Bid memory b) {
        b.task = Digests.task(address(edge), r);
        b.shard = shard;
        b.worker = bidder.addr;
        b.price = 0.002 ether;
        b.deposit = 0.05 ether;
        b.delay = 10;
        b.rep = 140_000;
        b.expiry = r.expiry;
    }

    /// @notice A unit of shard 0 with one bid by `worker`, signed for the worker to register.
    function _job(uint8 kind) internal returns (Job memory) {
        return _jobOf(_request(kind), 0, worker);
    }

    function _powJob() internal returns (Job memory job) {
        job = _job(1);
        _answer(job, _powAnswer(0));
    }

    function _wasmJob() internal returns (Job memory job) {
        job = _job(2);
        _answer(job, abi.encode("right"));
    }

    function _jobOf(
        Request memory r,
        uint16 shard,
        Actor memory bidder
    ) internal view returns (Job memory job) {
        job.request = r;
        job.item.bids = new Bid[](1);
        job.item.bidSigs = new Sig[](1);
        job.item.bids[0] = _bid(r, shard, bidder);
        job.item.award.shard = shard;
        job.item.award.notBefore = uint40(block.timestamp);
        job.item.award.registerBy = uint40(block.timestamp) + 30;
        job.salt = keccak256(abi.encode("salt", job.item.bids[0]));
        job.guard = keccak256("s_W");
        _sign(job);
    }

    /// @notice Makes digests, signatures and terms follow the job's request, bids, award and ack.startAt.
    function _sign(Job memory job) internal view {
        AwardItem memory item = job.item;
        item.award.task = Digests.task(address(edge), job.request);
        for (uint256 i = 0; i < item.bids.length; ++i) {
            item.bids[i].task = item.award.task;
            item.bids[i].shard = item.award.shard;
        }
        item.award.bid = Digests.bid(address(edge), item.bids[0]);
        item.awardSig = _signed(requester, Digests.award(address(edge), item.award));
        _setTerms(job);
    }

    /// @notice Adds the worker's Ack, so that anybody may register.
    function _acknowledge(Job memory job, uint40 startAt) internal view {
        job.item.ack.award = Digests.award(address(edge), job.item.award);
        job.item.ack.startAt = startAt;
        job.item.ackSig = _signed(_who(job.terms.worker), Digests.ack(address(edge), job.item.ack));
    }

    /// @notice Adds the winner's signature of its bid, so that the requester may register without Ack.
    function _signBid(Job memory job, uint256 i) internal view {
        bytes32 digest = Digests.bid(address(edge), job.item.bids[i]);
        job.item.bidSigs[i] = _signed(_who(job.item.bids[i].worker), digest);
    }

    /// @notice Adds a losing bid, signed.
    function _addLoser(Job memory job, Bid memory bid) internal view {
        uint256 n = job.item.bids.length;
        Bid[] memory bids = new Bid[](n + 1);
        Sig[] memory sigs = new Sig[](n + 1);
        for (uint256 i = 0; i < n; ++i) {
            (bids[i], sigs[i]) = (job.item.bids[i], job.item.bidSigs[i]);
        }
        bids[n] = bid;
        (job.item.bids, job.item.bidSigs) = (bids, sigs);
        _signBid(job, n);
    }

    function _setTerms(Job memory job) private view {
        Bid memory b = job.item.bids[0];
        Terms memory t = job.terms;
        t.task = job.item.award.task;
        t.shard = job.item.award.shard;
        t.kind = job.request.kind;
        t.mode = job.request.mode;
        t.spotBps = job.request.spotBps;
        t.checkFee = job.request.checkFee;
        t.drawCommit = job.item.award.drawCommit;
        t.requester = job.request.requester;
        t.worker = b.worker;
        t.price = b.price;
        t.deposit = b.deposit;
        t.delay = b.delay;
        uint256 fuelTime = (3 * uint256(job.request.fuel) + p.refFuel - 1) / p.refFuel;
        t.vwin = uint32(p.vwinBase + fuelTime);
        job.unit = Digests.unit(t.task, t.shard);
    }

    /// @notice What the worker will reveal: a normal exit with this output.
    function _answer(Job memory job, bytes memory output) internal pure {
        job.output = output;
        job.result.outputRoot = Digests.root(output);
        if (job.request.kind == 2) {
            job.result.fuelUsed = 1234;
            job.result.memoryHash = keccak256(output);
        }
    }

    /// @notice The n-th solving nonce of shard 0, as output or evidence; n = 0 is the right answer.
    function _powAnswer(uint256 n) internal pure returns (bytes memory) {
        for (uint64 nonce = 0; nonce < RANGE; ++nonce) {
            bytes memory encoded = abi.encodePacked(nonce);
            if (uint256(sha256(abi.encodePacked(CHALLENGE, encoded))) < TARGET) {
                if (n == 0) return encoded;
                --n;
            }
        }
        revert("no such solution");
    }

    function _who(address account) internal view returns (Actor memory) {
        if (account == requester.addr) return requester;
        if (account == worker.addr) return worker;
        if (account == rival.addr) return rival;
        if (account == detector.addr) return detector;
        return stranger;
    }

    // ── views of a job ──────────────────────────────────────────────────────────────────────────────────

    function _unit(Job memory job) internal pure returns (Unit memory) {
        return Unit(job.terms, job.data);
    }

    function _opening(Job memory job) internal pure returns (Opening memory o) {
        o.result = job.result;
        o.salt = job.salt;
        o.guard = job.guard;
        o.output = job.output;
    }

    function _resultHash(Job memory job) internal pure returns (bytes32) {
        return Digests.result(job.result);
    }

    function _commitment(Job memory job) internal view returns (bytes32) {
        bytes32 resultHash = _resultHash(job);
        return
            Digests.commitment(address(edge), job.unit, 0, job.terms.worker, resultHash, job.salt, job.guard);
    }

    function _fee(Job memory job) internal view returns (uint96) {
        return job.terms.price * p.feeBps / 10_000;
    }

    function _bond(Job memory job) internal pure returns (uint96) {
        return job.terms.deposit / 20;
    }

    function _state(Job memory job) internal view returns (UnitState memory) {
        bytes32[] memory units = new bytes32[](1);
        units[0] = job.unit;
        return edge.phaseOf(units)[0];
    }

    function _challengeBy(Job memory job) internal view returns (uint256) {
        return uint256(_state(job).since) + job.terms.vwin + p.challenge;
    }

    function _free(Actor memory actor) internal view returns (uint256) {
        return edge.accountOf(actor.addr).free;
    }

    function _locked(Actor memory actor) internal view returns (uint256) {
        return edge.accountOf(actor.addr).locked;
    }

    function _r(Actor memory actor) internal view returns (uint256 r) {
        (,,,, r) = edge.repOf(actor.addr);
    }

    // ── steps ───────────────────────────────────────────────────────────────────────────────────────────

    function _registering(Job memory job)
        internal
        pure
        returns (Request[] memory requests, AwardItem[] memory items)
    {
        requests = new Request[](1);
        items = new AwardItem[](1);
        (requests[0], items[0]) = (job.request, job.item);
    }

    /// @notice Registers as `sender`; the recorded start is the Ack's, unless the worker sends or nobody acked.
    function _award(Job memory job, Actor memory sender) internal {
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        vm.prank(sender.addr);
        edge.award(requests, items);
        _markAssigned(job, sender);
    }

    function _markAssigned(Job memory job, Actor memory sender) internal pure {
        job.startAt = sender.addr == job.terms.worker ? job.item.award.notBefore : job.item.ack.startAt;
        job.data = [bytes32(uint256(job.startAt)), 0, 0, 0];
    }

    function _assign(Job memory job) internal {
        _award(job, _who(job.terms.worker));
    }

    function _awardCommit(Job memory job) internal {
        (Request[] memory requests, AwardItem[] memory items) = _registering(job);
        bytes32 commitment = _commitment(job);
        vm.prank(job.terms.worker);
        edge.awardCommit(requests, items, _words(commitment));
        job.data = [commitment, 0, 0, 0];
    }

    function _commit(Job memory job) internal {
        bytes32 commitment = _commitment(job);
        _commitAs(job, _who(job.terms.worker), commitment, Sig(0, 0));
        job.data = [commitment, 0, 0, 0];
    }

    function _commitAs(Job memory job, Actor memory sender, bytes32 commitment, Sig memory sig) internal {
        Sig[] memory sigs = new Sig[](1);
        sigs[0] = sig;
        vm.prank(sender.addr);
        edge.commit(_units(job), _words(commitment), sigs);
    }

    function _reveal(Job memory job) internal {
        _revealWith(job, _opening(job));
        job.data = [_resultHash(job), job.guard, bytes32(uint256(2)), 0];
    }

    function _revealWith(Job memory job, Opening memory opening) internal {
        Opening[] memory openings = new Opening[](1);
        openings[0] = opening;
        vm.prank(stranger.addr);
        edge.reveal(_units(job), openings);
    }

    function _settle(Job memory job) internal {
        vm.prank(stranger.addr);
        edge.settle(_units(job), new Secret[](1));
    }

    function _timeout(Job memory job) internal {
        vm.prank(stranger.addr);
        edge.timeout(_units(job));
    }

    /// @notice From nothing to REVEALED, the short way.
    function _toRevealed(Job memory job) internal {
        _awardCommit(job);
        _reveal(job);
    }

    // ── reports ─────────────────────────────────────────────────────────────────────────────────────────

    /// @notice What a report's author keeps: for kind 1 the evidence's hash stands for the resultHash.
    function _reportOpening(
        Actor memory author,
        bytes32 resultHash
    ) internal pure returns (ReportOpening memory) {
        return ReportOpening(
            author.addr, resultHash, keccak256(abi.encode("report salt", author.addr, resultHash))
        );
    }

    function _reportHash(Job memory job, ReportOpening memory o) internal view returns (bytes32) {
        return Digests.commitment(address(edge), job.unit, 2, o.author, o.resultHash, o.salt, 0);
    }

    function _commitReport(
        Job memory job,
        Actor memory author,
        bytes32 resultHash
    ) internal returns (ReportOpening memory opening) {
        opening = _reportOpening(author, resultHash);
        bytes32 hash = _reportHash(job, opening);
        vm.prank(author.addr);
        edge.commitReport(_unit(job), hash);
    }

    function _revealReport(
        Job memory job,
        uint16 index,
        ReportOpening memory opening,
        bytes memory evidence
    ) internal {
        Proof memory proof = job.request.kind == 1 ? _proof(job, evidence) : _noProof();
        vm.prank(stranger.addr);
        edge.revealReport(_unit(job), index, opening, proof);
    }

    function _proof(Job memory job, bytes memory evidence) internal pure returns (Proof memory proof) {
        proof.request = job.request;
        proof.data = _powData();
        proof.result = job.result;
        proof.output = job.output;
        proof.evidence = evidence;
    }

    function _noProof() internal pure returns (Proof memory proof) {}

    function _closeReport(Job memory job, uint16 index) internal {
        uint16[] memory indices = new uint16[](1);
        indices[0] = index;
        vm.prank(stranger.addr);
        edge.closeReports(_unit(job), indices);
    }

    // ── arrays of one, and logs ─────────────────────────────────────────────────────────────────────────

    function _units(Job memory job) internal pure returns (Unit[] memory units) {
        units = new Unit[](1);
        units[0] = _unit(job);
    }

    function _words(bytes32 word) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](1);
        words[0] = word;
    }

    /// @notice The next call must skip this job's unit for this reason, and log nothing else.
    function _expectSkip(Job memory job, bytes4 reason) internal {
        vm.expectEmit(address(edge));
        emit Skipped(job.unit, reason);
    }

    event Skipped(bytes32 indexed unit, bytes4 reason);

    function _assertPhase(Job memory job, Phase phase) internal view {
        assertEq(uint256(_state(job).phase), uint256(phase), "phase");
    }

    /// @notice Invariant 1 for the named actors, which are all there are.
    function _assertSolvent() internal view {
        uint256 sum = edge.burned() + _of(requester) + _of(worker) + _of(rival) + _of(detector)
            + _of(stranger) + _ofOthers();
        assertEq(sum, address(edge).balance, "buckets add up to the balance");
    }

    /// @notice What actors hold that only some tests have.
    function _ofOthers() internal view virtual returns (uint256) {
        return 0;
    }

    function _of(Actor memory actor) internal view returns (uint256) {
        return _free(actor) + _locked(actor);
    }

    /// @notice Of a call that succeeds, with all slots of the contract cold.
    function _gasOf(address sender, bytes memory call) internal returns (uint256 used) {
        vm.cool(address(edge));
        vm.prank(sender);
        uint256 before = gasleft();
        (bool done,) = address(edge).call(call);
        used = before - gasleft();
        assertTrue(done, "passes");
    }
}
