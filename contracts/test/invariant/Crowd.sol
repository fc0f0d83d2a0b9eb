// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Log, vm} from "../../script/Vm.sol";
import {Bid, Phase, Request, Unit, UnitState} from "../../src/Types.sol";
import {Digests} from "../utils/Digests.sol";
import {Actor, Fixture, Job} from "../utils/Fixture.sol";
import {Mirror} from "./Mirror.sol";

/// @title Five citizens, each of them requester, worker and reporter in turn, and what they keep to
/// themselves: jobs with their salts. Everything else they read from the Mirror.
abstract contract Crowd is Fixture {
    uint256 internal constant MOST_UNITS = 16;
    uint16 internal constant SHARDS = 4;

    Mirror public mirror;
    uint256 public forced; // wei that came without `fund`

    bytes32[] internal _jobs; // units that somebody has built an award for
    mapping(bytes32 unit => bytes) private _kept;
    bytes[3][SHARDS] private _solutions; // of each shard: the smallest nonces that meet the target

    function setUp() public virtual override {
        super.setUp();
        mirror = new Mirror(edge, _powData());
        _fund(stranger, FUNDS);
        Actor[5] memory all = _citizens();
        for (uint256 i = 0; i < all.length; ++i) {
            vm.recordLogs();
            _fund(all[i], 1 ether);
            mirror.read(vm.getRecordedLogs());
        }
        _adoptBalances();
        for (uint64 shard = 0; shard < SHARDS; ++shard) {
            _search(shard);
        }
    }

    function _citizens() internal view returns (Actor[5] memory) {
        return [requester, worker, rival, detector, stranger];
    }

    function _citizen(uint256 seed) internal view returns (Actor memory) {
        return _citizens()[seed % 5];
    }

    /// @dev The fixture funded them before the mirror began to read.
    function _adoptBalances() private {
        Actor[5] memory all = _citizens();
        for (uint256 i = 0; i < all.length; ++i) {
            Log[] memory logs = new Log[](1);
            logs[0].emitter = address(edge);
            logs[0].topics = new bytes32[](2);
            logs[0].topics[0] = keccak256("Funded(address,uint256)");
            logs[0].topics[1] = bytes32(uint256(uint160(all[i].addr)));
            logs[0].data = abi.encode(uint256(FUNDS));
            mirror.read(logs);
        }
    }

    function _search(uint64 shard) private {
        uint256 found = 0;
        for (uint64 nonce = shard * RANGE; found < 3; ++nonce) {
            bytes memory encoded = abi.encodePacked(nonce);
            if (uint256(sha256(abi.encodePacked(CHALLENGE, encoded))) >= TARGET) continue;
            _solutions[shard][found] = encoded;
            ++found;
        }
    }

    function _solution(uint16 shard, uint256 n) internal view returns (bytes memory) {
        return _solutions[shard][n];
    }

    // ── jobs ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice A signed award of dust, of a usual or of a large amount; often for a shard of the last task,
    /// which may well have been awarded already.
    function _newJob(uint256 seed) internal returns (Job memory job) {
        Actor memory asks = _citizen(seed);
        Actor memory works = _citizen(seed % 5 + 1 + (seed >> 8) % 4); // somebody else
        uint8 kind = (seed >> 16) % 3 == 0 ? 2 : 1;
        Request memory request = _request(kind);
        request.requester = asks.addr;
        request.shards = SHARDS;
        request.maxPrice = 50 ether;
        request.minDeposit = 1;
        request.expiry = uint40(block.timestamp + 1000 weeks);
        request.mode = kind == 2 && seed >> 20 & 3 == 0 ? 2 : 0;
        if (seed >> 24 & 1 == 1 && _jobs.length != 0) {
            request = _kept_(_jobs[_jobs.length - 1]).request;
        }
        if (works.addr == request.requester) works = asks; // of a task that is somebody else's
        job = _jobOf(request, uint16((seed >> 32) % SHARDS), works);
        _price(job, seed >> 40);
        (job.item.award.notBefore, job.item.award.registerBy) = _window(seed >> 64);
        job.item.bids[0].delay = uint32(1 + (seed >> 80) % 40);
        _resign(job);
        job.salt = keccak256(abi.encode("salt", job.item.award.bid, seed));
        _decide(job, seed >> 96);
        if ((seed >> 128) % 4 == 0) _outbid(job, seed >> 136);
        _resign(job);
    }

    /// @dev Mostly open now; often all but over, as if the award had been held back, or just over.
    function _window(uint256 seed) private view returns (uint40 notBefore, uint40 registerBy) {
        uint40 now_ = uint40(block.timestamp);
        if (seed % 8 == 0) return (now_ + 3, now_ + 4 + uint40((seed >> 8) % 100));
        if (seed % 8 == 1) return (now_ - 2 - uint40((seed >> 8) % 100), now_ - 1);
        if (seed % 8 < 4) return (now_ - 1 - uint40((seed >> 8) % 100), now_ + uint40((seed >> 16) % 3));
        return (now_, now_ + 1 + uint40((seed >> 8) % 100));
    }

    function _price(Job memory job, uint256 seed) private pure {
        Bid memory bid = job.item.bids[0];
        uint256 size = seed % 4;
        if (size == 0) bid.price = uint96(1 + (seed >> 2) % 100);
        else if (size == 1 && job.request.kind == 1) bid.price = uint96(10 ether + (seed >> 2) % 1 ether);
        else bid.price = uint96(0.001 ether + (seed >> 2) % 0.003 ether);
        bid.deposit = bid.price * 20 + uint96((seed >> 4) % 1000);
    }

    /// @notice What the worker will reveal: right, the second solution, nothing, rubbish, or an error.
    function _decide(Job memory job, uint256 seed) internal view {
        uint256 choice = seed % 8;
        if (job.request.kind == 2) {
            _answer(job, abi.encode("result", seed % 4));
            if (job.request.mode & 2 != 0) job.output = "";
            return;
        }
        if (choice < 3) _answer(job, _solution(job.item.award.shard, 0));
        else if (choice < 5) _answer(job, _solution(job.item.award.shard, 1));
        else if (choice == 5) _answer(job, "");
        else if (choice == 6) _answer(job, "rubbish");
        else (job.output, job.result.exit, job.result.outputRoot) = ("", 65_537, bytes32(0));
    }

    /// @dev A third citizen's bid below the winner's.
    function _outbid(Job memory job, uint256 seed) private view {
        Bid memory bid = job.item.bids[0];
        Bid memory loser = Bid(
            bid.task, bid.shard, _citizen(seed).addr, bid.price + 1, 0, bid.delay + 1, bid.rep, bid.expiry
        );
        if (loser.worker == job.request.requester || job.request.kind == 2) return;
        loser.deposit = loser.price * 20;
        _addLoser(job, loser);
    }

    /// @dev The fixture signs as its own requester; here the task may be anybody's.
    function _resign(Job memory job) internal view {
        _sign(job);
        Actor memory asks = _who(job.request.requester);
        job.item.awardSig = _signed(asks, Digests.award(address(edge), job.item.award));
        for (uint256 i = 1; i < job.item.bids.length; ++i) {
            _signBid(job, i);
        }
    }

    function _keep(Job memory job) internal {
        if (_kept[job.unit].length == 0) _jobs.push(job.unit);
        _kept[job.unit] = abi.encode(job);
    }

    function _kept_(bytes32 unit) internal view returns (Job memory) {
        return abi.decode(_kept[unit], (Job));
    }

    function _expect(bool holds, uint256 invariant, string memory what) internal {
        if (!holds) mirror.breach(invariant, what);
    }

    // ── units ───────────────────────────────────────────────────────────────────────────────────────────

    function _anyUnit(uint256 seed) internal view returns (bytes32) {
        bytes32[] memory all = mirror.units();
        return all.length == 0 ? bytes32(0) : all[seed % all.length];
    }

    /// @notice A unit of this phase, if there is one: random calls that never fit test little.
    function _unitIn(Phase phase, uint256 seed) internal view returns (bytes32) {
        bytes32[] memory all = mirror.units();
        for (uint256 i = 0; i < all.length; ++i) {
            bytes32 unit = all[(seed % all.length + i) % all.length];
            if (mirror.phaseOf(unit) == phase) return unit;
        }
        return bytes32(0);
    }

    function _stateOf(bytes32 unit) internal view returns (UnitState memory) {
        return edge.phaseOf(_words(unit))[0];
    }

    function _one(Unit memory unit) internal pure returns (Unit[] memory units) {
        units = new Unit[](1);
        units[0] = unit;
    }

    /// @notice Sends, reads the log, and says whether the call went through.
    function _send(address sender, bytes memory call) internal returns (bool done) {
        vm.recordLogs();
        vm.prank(sender);
        (done,) = address(edge).call(call);
        mirror.read(vm.getRecordedLogs());
    }
}
