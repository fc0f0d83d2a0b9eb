// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Account,
    AwardItem,
    Bid,
    Docket,
    Opening,
    Params,
    Phase,
    Proof,
    Report,
    ReportOpening,
    Request,
    Result,
    Secret,
    Sig,
    Terms,
    Unit,
    UnitState
} from "../Types.sol";

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
    /// @notice The listed bid at this index does not rank below the one before it.
    error Unranked(uint256 index);
    /// @notice The arrays of a call differ in length.
    error BadLength(uint256 expected, uint256 actual);
    /// @notice Something shown does not hash to what was committed; `what` is its name in ASCII.
    error BadOpening(bytes32 what);
    /// @notice The unit, or the report, is in another phase than the call needs.
    error BadPhase(uint8 expected, uint8 actual);
    /// @notice Terms and data do not hash to the digest on record.
    error BadUnit(uint208 expected, uint208 actual);
    /// @notice The call opens after this time.
    error TooEarly(uint256 opensAt);
    /// @notice The call's deadline is over.
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
    event Committed(bytes32 indexed unit, bytes32 commitment);
    /// @notice `flags`: 1 marked drawn, 2 secret shown. `output` is empty if kept off the chain.
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
    /// @notice The unit has ended. `paid` went to the worker as its price, `slashed` left its deposit (wei).
    event Settled(bytes32 indexed unit, Phase phase, uint256 paid, uint256 slashed);
    /// @notice An item of a batch changed nothing; `reason` is the selector of the error that says why.
    event Skipped(bytes32 indexed unit, bytes4 reason);
}

/// @title Two-stage reports against a revealed result (docs/protocol.md §6.4).
/// @notice Single calls: what a batch would skip reverts here.
interface IReports {
    /// @notice Anyone but the worker, until challengeBy; court kinds without a court: the requester only.
    /// Locks the bond X = max(deposit / 20, checkFee) of the sender.
    /// @param hash commitment(unit, role 2, sender, resultHash, salt); judged kinds: resultHash is
    /// keccak256(evidence).
    function commitReport(Unit calldata unit, bytes32 hash) external;

    /// @notice Anyone, after challengeBy and until reportBy: opens a report. Judged kinds: asks the judge,
    /// which needs 330 000 gas left; the lowest index with verdict 2 is the paid detector.
    /// @param index The report's, from 1.
    /// @param proof Judged kinds: what the judge needs. Court kinds: ignored, send it empty.
    /// @dev 6, 7, 13
    function revealReport(
        Unit calldata unit,
        uint16 index,
        ReportOpening calldata opening,
        Proof calldata proof
    ) external;

    /// @notice Anyone, once the unit has ended: lets the bonds of up to 16 reports go, as §6.4 says.
    /// Indices without a held bond are skipped.
    /// @dev 2
    function closeReports(Unit calldata unit, uint16[] calldata indices) external;
}

/// @title Escrow, units of work and their punishment: the one contract users talk to.
/// @notice Stage 1 of docs/protocol.md §14. Numbers in @dev are the invariants of docs/protocol.md §11.
/// Deadlines (§3.3): a call is in time if and only if block.timestamp <= its deadline.
interface IBlockEdge is IBlockEdgeErrors, IBlockEdgeEvents, IReports {
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

    /// @notice Anyone, until revealBy = since + REVEAL: opens commitments and makes results public.
    /// @dev 6, 7, 16
    function reveal(Unit[] calldata units, Opening[] calldata openings) external;

    /// @notice Anyone, after challengeBy = since + vwin + CHALLENGE, or after reportBy = challengeBy + REPORT
    /// if there are reports: ends units as PAID, SLASHED or UNRESOLVED and moves the money of §7.1.
    /// @param secrets The draw secrets; zero where the Request has no spot check.
    /// @dev 2, 3, 4, 8, 16
    function settle(Unit[] calldata units, Secret[] calldata secrets) external;

    /// @notice Anyone: ends units whose worker let a deadline pass. After resultBy: REFUSED. After revealBy:
    /// SLASHED, the deposit half to the requester and half burned.
    /// @dev 3, 8, 16, 19
    function timeout(Unit[] calldata units) external;

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

    function params() external view returns (Params memory);

    /// @notice Wei burned and not yet flushed.
    function burned() external view returns (uint96);

    /// @notice The judge of a kind; zero for court and unknown kinds.
    function judgeOf(uint8 kind) external view returns (address);
}
