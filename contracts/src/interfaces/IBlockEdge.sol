// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Account,
    Auction,
    AwardItem,
    Bid,
    Demand,
    Docket,
    Opening,
    Params,
    Phase,
    Proof,
    Report,
    ReportOpening,
    Request,
    Result,
    SeatProof,
    Secret,
    Sig,
    Terms,
    Unit,
    UnitState
} from "../Types.sol";
import {IRule, IRuled} from "./ICourt.sol";

/// @title What BlockEdge reverts with.
/// @notice A batch reverts for what its sender could have seen in the calldata, and skips an item for what
/// depends on state or time: `Skipped.reason` is then the selector of the error below that a single call
/// would have reverted with.
interface IBlockEdgeErrors {
    /// @notice No valid signature of this address where one is needed.
    error BadSignature(address signer);
    /// @notice A signed field, or a deployment parameter, is outside its limits; `field` is its name in ASCII.
    error BadTerms(bytes32 field);
    /// @notice The Request's mode does not allow this call.
    error BadMode(uint8 mode);
    /// @notice A listed bid breaks the rule of this name (ASCII): docs/protocol.md §5.
    error Ineligible(bytes32 rule);
    /// @notice The listed bid at this index does not rank below the one before it. 0: a posted bid does not
    /// rank above the best so far.
    error Unranked(uint256 index);
    /// @notice The arrays of a call differ in length.
    error BadLength(uint256 expected, uint256 actual);
    /// @notice Something shown does not hash to what was committed; `what` is its name in ASCII.
    error BadOpening(bytes32 what);
    /// @notice The unit, the report or the auction (AuctionState) is in another phase than the call needs.
    error BadPhase(uint8 expected, uint8 actual);
    /// @notice Terms and data do not hash to the digest on record.
    error BadUnit(uint208 expected, uint208 actual);
    /// @notice The call opens after this time; of an auction, after this block.
    error TooEarly(uint256 opensAt);
    /// @notice The call's deadline is over; for the bids of an auction a block, for its Request a time.
    error TooLate(uint256 deadline);
    /// @notice A free balance does not cover what must be locked (wei).
    error Insolvent(uint256 required, uint256 free);
    /// @notice Only the court may call this; or the call needs a court, and none is deployed (then only the
    /// requester may report a court kind).
    error NotCourt();
    /// @notice The draw secret shows that the unit is not checked.
    error NotDrawn();
    /// @notice The unit is, or may yet be, drawn, and its check is still to be committed.
    error CheckPending();
    /// @notice A demanded chunk is still to be supplied.
    error DemandOpen();
    /// @notice This attempt does not name the ticket of the seat, or the ticket is not the sender's.
    error NotSeat();
    /// @notice So many tickets were not old enough at the snapshot time.
    error BadSnapshot(uint256 tickets);
    /// @notice The judge call needs more gas than is left, so that nobody can starve it.
    error LowGas(uint256 required, uint256 left);
    /// @notice `withdraw` without a running exit.
    error NotExiting();
    /// @notice The receiver of ether refused it.
    error TransferFailed(address to);
}

/// @title What BlockEdge records: enough to build every call after `award` (docs/protocol.md §11, 20).
interface IBlockEdgeEvents {
    event Funded(address indexed account, uint256 amount);
    event ExitRequested(address indexed account, uint256 amount, uint256 exitAt);
    event Withdrawn(address indexed account, uint256 amount);
    /// @notice `amount` wei left for the burn address.
    event Burned(uint256 amount);

    /// @notice Once per Request of a registering call.
    event Requested(bytes32 indexed task, Request request);
    /// @notice The unit is ASSIGNED. `startAt` is 0 if the worker has not acknowledged.
    event Awarded(
        bytes32 indexed unit, address indexed requester, address indexed worker, Terms terms, uint40 startAt
    );
    /// @notice The shards of the Request are for sale: bids count until the block `closesAt`. `drawCommits`: one
    /// a shard; none if nothing is spot-checked.
    event Announced(
        bytes32 indexed task,
        address indexed requester,
        Request request,
        uint256 closesAt,
        bytes32[] drawCommits
    );
    /// @notice The best bid so far. `rep` is R as the contract read it (ppm), and what `score` counts.
    event BidPosted(
        bytes32 indexed unit,
        address indexed worker,
        uint96 price,
        uint96 deposit,
        uint32 delay,
        uint32 rep,
        uint256 score
    );
    /// @notice The bid that was the best is not any more; `deposit` wei of it came free.
    event Outbid(bytes32 indexed unit, address indexed worker, uint96 deposit);
    /// @notice The auction of this shard ended without a unit, and nothing is locked for it any more. `worker`: 0 if
    /// nobody had bid; else who had, and was not written down in time.
    event Lapsed(bytes32 indexed unit, address indexed worker, uint96 deposit);
    event Committed(bytes32 indexed unit, bytes32 commitment);
    /// @notice The unit is marked drawn; its seed is keccak256(abi.encode(secret, commitment)).
    event Drawn(bytes32 indexed unit, bytes32 secret, bytes32 guardR);
    /// @notice The drawn ticket's owner has committed its check: report 0.
    event CheckCommitted(bytes32 indexed unit, uint32 indexed ticket, address indexed author, bytes32 hash);
    /// @notice The drawn ticket paid `fine` wei for a check that was not committed.
    event CheckMissed(bytes32 indexed unit, uint32 indexed ticket, uint256 fine);
    /// @notice `flags`: 1 marked drawn, 2 secret shown, 4 check missed. `output` is empty if kept off the
    /// chain.
    event Revealed(
        bytes32 indexed unit, bytes32 resultHash, bytes32 guard, uint256 flags, Result result, bytes output
    );
    event Reported(bytes32 indexed unit, uint256 index, address indexed author, bytes32 hash);
    /// @notice `verdict`: 0 unknown (court kinds: contradicts the worker), 1 right, 2 wrong.
    event ReportRevealed(
        bytes32 indexed unit, uint256 index, bytes32 resultHash, uint8 verdict, bytes evidence
    );
    /// @notice A report's bond has left: `returned` wei of it went back to its author.
    event ReportClosed(bytes32 indexed unit, uint256 index, uint256 returned);
    /// @notice The unit is DISPUTED; its third word is flags | challengeBy << 8, and its reports are those
    /// committed until challengeBy.
    event Disputed(bytes32 indexed unit, uint256 challengeBy, uint256 flags);
    /// @notice The requester's secret of the jury's seed: the unit's fourth word.
    event JuryShown(bytes32 indexed unit, bytes32 sR);
    /// @notice The worker's secret of the jury's seed; the court has the case.
    event Defended(bytes32 indexed unit, bytes32 sW);
    /// @notice The court's finding: flags get 8, and the fourth word is `finalHash`.
    event Ruled(bytes32 indexed unit, bytes32 finalHash);
    /// @notice The requester wants to see this chunk until `by`, or the last one if the output has fewer.
    event Demanded(bytes32 indexed unit, uint32 chunk, uint256 by);
    event Supplied(bytes32 indexed unit, uint32 chunk, bytes data);
    /// @notice The unit has ended. `paid` went to the worker as its price, `slashed` left its deposit (wei).
    event Settled(bytes32 indexed unit, Phase phase, uint256 paid, uint256 slashed);
    /// @notice An item of a batch changed nothing; `reason` is the selector of the error that says why.
    event Skipped(bytes32 indexed unit, bytes4 reason);
}

/// @title The spot check: one ticket drawn by both parties' secrets (docs/protocol.md §6.2, §6.3).
/// @notice Single calls: what a batch would skip reverts here. So in all interfaces below, but `timeout`.
interface IChecks {
    /// @notice Anyone, until since + SECRET: shows the draw secret of a COMMITTED unit that is drawn, which
    /// marks it: data becomes [commitment, drawSeed].
    /// @dev 7, 10
    function draw(Unit calldata unit, bytes32 secret, bytes32 guardR) external;

    /// @notice The owner of the drawn ticket, until checkBy = since + SECRET + vwin: commits its own result
    /// before the worker's can be seen.
    /// @param proof Snapshot: since, the entry to COMMITTED.
    /// @param hash commitment(unit, role 1, sender, resultHash, salt); opened by `revealReport` as index 0.
    /// @dev 7, 10, 11
    function commitCheck(Unit calldata unit, SeatProof calldata proof, bytes32 hash) external;

    /// @notice Anyone, once, after the reveal of a drawn unit that nobody checked and until it is disputed:
    /// burns min(checkFee, SEAT / 20) of the drawn ticket.
    /// @param committedAt When the unit became COMMITTED: the draw's snapshot.
    /// @dev 12
    function fineChecker(
        Unit calldata unit,
        bytes32 drawSeed,
        uint40 committedAt,
        SeatProof calldata proof
    ) external;
}

/// @title Units whose worker the contract chooses: bids are transactions (docs/protocol.md §5, ONCHAIN).
interface IAuctions {
    /// @notice The requester, in time for the Request's expiry, once a task: offers all shards of a Request with the
    /// ONCHAIN bit, to bids of the next BID_BLOCKS blocks. Locks maxPrice + its fee + checkFee a shard.
    /// @param drawCommits One a shard, each hiding its own secret, of 64 shards at most; none if spotBps is 0.
    /// @dev 5, 15
    function announce(Request calldata request, bytes32[] calldata drawCommits) external;

    /// @notice The worker, in the BID_BLOCKS blocks after the announcement and until the Request's expiry: takes the
    /// lead of the bid's shard, by the score of §5 with R as it is now, whatever the bid's `rep` says. Locks its
    /// deposit and frees the outbid one. A bid is an Ack (bid only with the input at hand), cannot be taken back,
    /// and must not expire before the Request.
    /// @dev 5, 15
    function postBid(Request calldata request, Bid calldata bid) external;

    /// @notice Anyone, after the last block of bids, once a shard: the leading worker's unit is ASSIGNED,
    /// acknowledged with startAt = now; what the requester had locked beyond it comes free. Without a bid, or after
    /// the Request's expiry, nobody gets the unit and all locks of the shard are returned.
    /// @param drawCommits As announced.
    /// @dev 2, 5, 8, 9, 19, 20
    function closeAuction(Request calldata request, uint16 shard, bytes32[] calldata drawCommits) external;
}

/// @title Two-stage reports against a revealed result (docs/protocol.md §6.4).
interface IReports {
    /// @notice Anyone but the worker, until challengeBy; court kinds without a court: the requester only.
    /// Locks the bond of the sender: X = max(deposit / 20, checkFee), for jurors to decide plus 5 checkFee.
    /// @param hash commitment(unit, role 2, sender, resultHash, salt); judged kinds: resultHash is
    /// keccak256(evidence).
    function commitReport(Unit calldata unit, bytes32 hash) external;

    /// @notice Anyone, after challengeBy and until reportBy: opens a report. Judged kinds: asks the judge,
    /// which needs 330 000 gas left; the lowest index with verdict 2 is the paid detector. Court kinds: the
    /// lowest index that contradicts the worker (verdict 0) is the accuser.
    /// @param index The report's, from 1; 0 is the drawn checker's (role 1).
    /// @param proof Judged kinds: what the judge needs. Court kinds: ignored, send it empty.
    /// @dev 6, 7, 13
    function revealReport(
        Unit calldata unit,
        uint16 index,
        ReportOpening calldata opening,
        Proof calldata proof
    ) external;

    /// @notice Anyone, once the unit has ended: lets the bonds of up to 16 reports go, as §6.4 says, and
    /// charges the drawn checker's ticket for index 0. Indices that are closed or were never committed are
    /// skipped.
    /// @dev 2, 12
    function closeReports(Unit calldata unit, uint16[] calldata indices) external;
}

/// @title From a contradicted result to the jury's finding (docs/protocol.md §6.2, §6.5).
interface IDisputes is IRule {
    /// @notice Anyone, until since + DEFEND / 2: shows the requester's half of the jury's seed, once.
    /// @dev 10
    function showJury(Unit calldata unit, bytes32 secret, bytes32 sR) external;

    /// @notice Anyone, once s_R is shown or since + DEFEND / 2 is over, until since + DEFEND: shows the
    /// worker's half and opens the case. The accuser pays the first round: 5 checkFee of its bond or of the
    /// checker's ticket; a silent checker's ticket pays 10.
    /// @param tickets How many were old enough at challengeBy.
    /// @dev 8, 10
    function defend(Unit calldata unit, bytes32 sW, uint32 tickets) external;
}

/// @title Outputs that are not on the chain (docs/protocol.md §10).
interface IOutputs {
    /// @notice The requester, until challengeBy, up to 3 times: asks for a chunk of the output. Locks
    /// checkFee of it for whoever supplies the chunk within DA_WINDOW. `settle` waits; unanswered, `timeout`
    /// ends the unit REFUSED. Neither once a report contradicts the worker: the jury's case ends all demands.
    /// @param chunk Its index; one behind the end means the last.
    /// @dev 8
    function demand(Unit calldata unit, Result calldata result, uint32 chunk) external;

    /// @notice Anyone, while the demand runs: shows the chunk and takes the demand's bond.
    /// @param count How many chunks the output has.
    /// @param path The siblings from the leaf up to the output root, a node without one left out.
    function supply(
        Unit calldata unit,
        Result calldata result,
        uint32 chunk,
        uint32 count,
        bytes calldata data,
        bytes32[] calldata path
    ) external;
}

/// @title The end of units whose worker let a deadline pass.
interface ITimeouts {
    /// @notice Anyone: ends units. After resultBy, or once a demanded chunk is overdue: REFUSED. After
    /// revealBy: SLASHED, the deposit half to the requester and half burned. DISPUTED and not defended:
    /// SLASHED as by a jury. A batch, as all of IBlockEdge's own.
    /// @dev 3, 8, 16, 19
    function timeout(Unit[] calldata units) external;
}

/// @title Escrow, units of work and their punishment: the one contract users talk to.
/// @notice Stages 1 and 2 of docs/protocol.md §14; without a court (params().court = 0) stage 1. Numbers in @dev are the invariants of docs/protocol.md §11.
/// Deadlines (§3.3): a call is in time if and only if block.timestamp <= its deadline.
interface IBlockEdge is
    IBlockEdgeErrors,
    IBlockEdgeEvents,
    IAuctions,
    IChecks,
    IReports,
    IDisputes,
    IRuled,
    IOutputs,
    ITimeouts
{
    // ── balances ────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Anyone: adds the sent ether to the sender's free balance.
    function fund() external payable;

    /// @notice Anyone: makes `amount` wei of the sender's balance withdrawable after UNBOND. Replaces an
    /// earlier exit; 0 cancels it. Until withdrawn the amount still covers awards.
    function exit(uint96 amount) external;

    /// @notice Anyone whose exit is mature: sends min(free, exit amount) to the sender and ends the exit.
    function withdraw() external;

    /// @notice Anyone: sends what has been burned so far to the burn address.
    function flushBurn() external;

    // ── the happy path (arrays; state and time skip, calldata reverts) ──────────────────────────────────

    /// @notice The requester, the worker, or anybody with the worker's Ack, within [notBefore, registerBy]:
    /// records Awards as units. Locks price + protocol fee + check fee of the requester and the deposit of
    /// the worker. A list of one bid always passes if it is eligible.
    /// @param requests The Requests that the items refer to by index.
    /// @param items One a unit. Signatures: awardSig by the requester; ackSig by the worker, or, if the
    /// requester registers without Ack, bidSigs[0]; bidSigs of listed losers; zero where the signer sends.
    /// @dev 5, 15, 16
    function award(Request[] calldata requests, AwardItem[] calldata items) external;

    /// @notice The worker: `award` and `commit` in one. On a unit already ASSIGNED with the same terms it
    /// acts as `commit`; `items[i].ack.startAt` then names the acknowledged start, if there was an Ack.
    /// @param commitments The worker's commitments, one an item.
    /// @dev 5, 6, 16
    function awardCommit(
        Request[] calldata requests,
        AwardItem[] calldata items,
        bytes32[] calldata commitments
    ) external;

    /// @notice The worker, or anyone with its signed Commit, until
    /// resultBy = max((startAt or since) + delay, since) + GRACE: records commitments to results.
    /// @param sigs The worker's signatures of Commit(unit, termsHash, commitment); zero where it sends.
    /// @dev 7, 16, 19
    function commit(Unit[] calldata units, bytes32[] calldata commitments, Sig[] calldata sigs) external;

    /// @notice Anyone, until revealBy = checkBy + REVEAL: opens commitments and makes results public. A drawn
    /// unit only once its check is committed or checkBy is over; any other once the secret shows that it is
    /// not drawn, or since + SECRET is over.
    /// @dev 6, 7, 16
    function reveal(Unit[] calldata units, Opening[] calldata openings) external;

    /// @notice Anyone, after challengeBy = since + vwin + CHALLENGE, or after reportBy = challengeBy + REPORT
    /// if there are reports or a check, or after challengeBy + GRACE if no draw secret was shown: ends units
    /// as PAID, SLASHED or UNRESOLVED and moves the money of §7.1, or makes them DISPUTED.
    /// @param secrets The draw secrets of units that were revealed without; else zero.
    /// @dev 2, 3, 4, 8, 16
    function settle(Unit[] calldata units, Secret[] calldata secrets) external;

    // ── views ───────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Phase, entry time and digest of each unit, and whether it has a docket.
    function phaseOf(bytes32[] calldata units) external view returns (UnitState[] memory);

    function accountOf(address account) external view returns (Account memory);

    /// @notice n faults of m settled units, s of t gwei of deposits returned, and the score R (ppm) now.
    function repOf(address account)
        external
        view
        returns (uint24 n, uint24 m, uint64 s, uint64 t, uint32 score);

    /// @notice How a bid ranks under a request (§5), from its signed `rep`: at most 1e6, the highest wins.
    function scoreOf(Request calldata request, Bid calldata bid) external pure returns (uint256);

    function docketOf(bytes32 unit) external view returns (Docket memory);

    function reportOf(bytes32 unit, uint16 index) external view returns (Report memory);

    /// @notice The last block in which bids for a task count (0: it was never announced), and the leading bid of a
    /// shard, empty where there is none and once it became a unit.
    function auctionOf(
        bytes32 task,
        uint16 shard
    ) external view returns (uint256 closesAt, Auction memory best);

    /// @notice The demands of a unit, in order.
    function demandsOf(bytes32 unit) external view returns (Demand[] memory);

    function params() external view returns (Params memory);

    /// @notice Wei burned and not yet flushed.
    function burned() external view returns (uint96);

    /// @notice The judge of a kind; zero for court and unknown kinds.
    function judgeOf(uint8 kind) external view returns (address);
}
