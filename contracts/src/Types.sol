// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Every struct that crosses the ABI or lies in storage. Money is in wei, ratios in ppm (1e6 = 1) or bps
// (1e4 = 1), times in seconds of block.timestamp. Digests of the signed ones are in Hashing.sol.

// ── signed messages (docs/protocol.md §2.1) ─────────────────────────────────────────────────────────────

/// What a requester wants done, and the bids it will consider; its digest is the task.
struct Request {
    address requester;
    uint64 nonce;
    address ue;
    uint8 kind; // KIND_POW, KIND_WASM
    uint8 mode; // bits MODE_*
    uint16 shards;
    uint16 spotBps;
    bytes32 program;
    bytes32 inputRoot;
    bytes32 acl;
    uint64 fuel;
    uint96 maxPrice;
    uint96 minDeposit;
    uint96 checkFee;
    uint32 maxDelay;
    uint32 repMin; // ppm
    uint32 repMax; // ppm
    uint16 wPrice; // the three weights add up to 10 000
    uint16 wDelay;
    uint16 wRep;
    uint40 expiry;
}

/// A worker's promise for one shard.
struct Bid {
    bytes32 task;
    uint16 shard;
    address worker;
    uint96 price;
    uint96 deposit;
    uint32 delay;
    uint32 rep; // ppm, as the worker read it on the chain
    uint40 expiry;
}

/// The requester's choice of one bid, good for registration in [notBefore, registerBy].
struct Award {
    bytes32 task;
    uint16 shard;
    bytes32 bid;
    bytes32 drawCommit;
    uint40 notBefore;
    uint40 registerBy;
}

/// The worker holds the input and starts at `startAt`.
struct Ack {
    bytes32 award;
    uint40 startAt;
}

/// What a run ended with: exit = kind * 2^16 + code (0 = normal), output root, fuel and final memory.
struct Result {
    uint32 exit;
    bytes32 outputRoot;
    uint64 fuelUsed;
    bytes32 memoryHash;
}

/// An EIP-2098 signature, low s. All zero where its signer is the sender of the transaction.
struct Sig {
    bytes32 r;
    bytes32 vs;
}

// ── units (docs/protocol.md §3.2) ───────────────────────────────────────────────────────────────────────

/// The life of a unit. The values from Paid on are terminal and never change.
enum Phase {
    None,
    Assigned,
    Committed,
    Revealed,
    Disputed,
    Paid,
    Slashed,
    Refused,
    Unresolved
}

/// What was agreed for one unit; fixed at registration.
struct Terms {
    bytes32 task;
    uint16 shard;
    uint8 kind;
    uint8 mode;
    uint16 spotBps;
    address requester;
    address worker;
    uint96 price;
    uint96 deposit;
    uint96 checkFee;
    uint32 delay;
    uint32 vwin; // the verification window, fixed by the Request's fuel
    bytes32 drawCommit;
}

/// A unit as every call after registration carries it. `data` by phase, unused words 0:
/// Assigned [startAt, 0 if unacknowledged]; Committed [commitment, drawSeed if marked drawn];
/// Revealed [resultHash, guard, flags, the fourth word of below];
/// Disputed [resultHash, guard, flags | challengeBy << 8, s_R if shown];
/// terminal: as in the phase before, but ruled by a jury [.., .., the third word | FLAG_RULED, finalHash].
/// The fourth word of Revealed is the commitment while flags are 0, keccak256(abi.encode(drawSeed,
/// committedAt)) with FLAG_CHECK_MISSED, else 0.
struct Unit {
    Terms terms;
    bytes32[4] data;
}

// ── calldata (docs/protocol.md §3.4) ────────────────────────────────────────────────────────────────────

/// One award to register. `bids`: the winner's first, then losers' in descending order of score, if any.
struct AwardItem {
    uint16 request; // index into the call's requests
    Bid[] bids;
    Sig[] bidSigs; // as many as bids
    Award award;
    Sig awardSig;
    Ack ack;
    Sig ackSig;
}

/// What opens a worker's commitment. `output`: the whole output, at most 1 KiB; empty if off-chain or none.
struct Opening {
    Result result;
    bytes32 salt;
    bytes32 guard;
    bytes32 secret;
    bytes32 guardR;
    bytes output;
}

/// The requester's draw secret; zeros: not shown.
struct Secret {
    bytes32 secret;
    bytes32 guardR;
}

/// What opens a report's hash. Judged kinds: resultHash = keccak256(evidence).
struct ReportOpening {
    address author;
    bytes32 resultHash;
    bytes32 salt;
}

/// What a judge needs; all empty for court kinds.
struct Proof {
    Request request;
    bytes data;
    Result result;
    bytes output;
    bytes evidence;
}

/// Which ticket a draw fell on: the first attempt whose ticket may sit, out of so many old enough tickets.
struct SeatProof {
    uint8 attempt;
    uint32 tickets;
}

/// A dispute before the court, as every call about it carries it; fixed when it opens.
struct Case {
    bytes32 unit;
    bytes32 seed; // of round 0
    bytes32 accused; // the worker's resultHash
    address worker;
    address requester;
    address accuser; // 0: the drawn checker stayed silent
    uint40 snapshot; // tickets that are in at this time may be drawn
    uint32 tickets; // how many were old enough then
    uint32 vwin;
    uint96 fee; // of one seat
}

/// What the court found. `dues` are what is owed to the funder of each round, out of the pots first.
struct Ruling {
    Phase outcome; // Paid, Slashed or Unresolved
    bytes32 finalHash; // the hash that counts as right, NO_INPUT, or 0 if nobody voted
    address[3] funders; // [0]: the accuser
    uint96[3] dues;
    uint96 fines; // of jurors: sent along with what is left of the pots, to burn
}

// ── storage (docs/protocol.md §3.2) ─────────────────────────────────────────────────────────────────────

struct Account {
    uint96 free;
    uint96 locked;
    uint40 exitAt; // 0: not exiting
    uint96 exitAmount; // its own slot, written only on exit
}

struct Reputation {
    uint32 good; // 1/1000 points
    uint32 bad; // 1/1000 points
    uint16 week; // of the last decay
    uint24 n; // convictions and acknowledged refusals
    uint24 m; // settled units
    uint64 t; // gwei of deposits staked, rounded up
    uint64 s; // gwei of deposits returned in full, rounded down
}

/// One slot. Exists only for units that were checked, reported or demanded.
struct Docket {
    uint16 reports; // how many were committed; indices 1 … reports
    uint16 revealed; // but a check that agrees
    uint24 best; // 1 + the lowest index that convicts (judged) or contradicts (court); 0: none
    uint8 demands; // open ones
    uint8 demanded; // ever, at most DEMAND_LIMIT
    uint40 ticket; // 1 + the drawn checker's, once it committed: its check is report 0
    bool defended;
    bool fined; // the drawn checker that committed nothing
    bytes16 seedAcc; // XOR of the first half of keccak256(salt) of all revealed reports; in storage without
    // that of a check that agrees
}

enum AuctionState {
    None,
    Open,
    Closed
}

/// One slot a task whose shards are auctioned on the chain.
struct Announcement {
    uint40 closesAt; // the last block in which bids count; 0: never announced
    uint216 drawCommits; // the low bits of their hash: whoever closes brings them along
}

/// Two slots a shard: the best bid so far. Emptied when the shard becomes a unit.
struct Auction {
    address worker; // 0: nobody has bid
    uint96 price;
    uint96 deposit;
    uint32 delay;
    uint32 score;
    bool closed; // without a unit: no bid, or too late
}

/// The requester's demand for one chunk of an output that is not on the chain.
struct Demand {
    uint32 chunk;
    uint40 by;
    bool supplied;
}

enum ReportState {
    None,
    Committed,
    Revealed,
    Closed
}

struct Report {
    address author;
    ReportState state;
    uint8 verdict; // VERDICT_*; court kinds: RIGHT if it agrees with the worker, UNKNOWN if it contradicts
    bytes32 hash; // the commitment, then the opened resultHash
}

/// A staked right to be drawn as checker or juror.
struct Ticket {
    address owner;
    uint40 stakedAt;
    uint40 leftAt; // 0: in
    uint96 stake;
}

enum CaseState {
    None,
    Open,
    Closed
}

/// One slot a case: where it is, and the low 200 bits of keccak256(abi.encode(Case)).
struct CaseSlot {
    CaseState state;
    uint8 round;
    uint40 roundAt; // when that round began
    uint200 digest;
    bool bonded; // the accuser's bond paid for round 0: five fees, and no Funding is written down
}

enum VoteState {
    None,
    Committed,
    Revealed
}

/// One slot a round: who paid for it, and how much.
struct Funding {
    address funder;
    uint96 pot;
}

/// One slot a vote: who sits, and the low 208 bits of the commitment, then of the opened resultHash's hash.
struct Vote {
    uint32 ticket;
    VoteState state;
    uint208 hash;
}

// ── views ───────────────────────────────────────────────────────────────────────────────────────────────

struct UnitState {
    Phase phase;
    bool docket;
    uint40 since;
    uint208 digest;
}

/// The deployment's constants (docs/protocol.md §7.2).
struct Params {
    uint16 feeBps;
    uint16 spotBpsMin;
    uint96 seat; // wei
    uint32 grace;
    uint32 secret;
    uint32 reveal;
    uint32 challenge;
    uint32 report;
    uint32 maxAward;
    uint64 refFuel; // fuel per second
    uint32 vwinBase;
    uint32 vwinMax;
    uint32 ticketAge;
    uint32 unbond;
    uint32 defend;
    uint32 jcommit;
    uint32 jreveal;
    uint32 appeal;
    uint32 daWindow;
    uint96 feeUnit; // wei
    uint16 bidBlocks;
    address court; // 0: none
}

// ── constants ───────────────────────────────────────────────────────────────────────────────────────────

uint8 constant KIND_POW = 1;
uint8 constant KIND_WASM = 2;

uint8 constant MODE_ONCHAIN = 1;
uint8 constant MODE_NO_DEMAND = 2;

uint8 constant ROLE_WORKER = 0;
uint8 constant ROLE_CHECKER = 1;
uint8 constant ROLE_REPORTER = 2;
uint8 constant ROLE_JUROR = 3;

uint256 constant FLAG_DRAWN = 1;
uint256 constant FLAG_SECRET_SHOWN = 2; // marked drawn in time, or shown undrawn, or nothing to draw
uint256 constant FLAG_CHECK_MISSED = 4;
uint256 constant FLAG_RULED = 8;
// Where a disputed unit's third word holds challengeBy: above the flags.
uint256 constant CHALLENGE_SHIFT = 8;

uint8 constant VERDICT_UNKNOWN = 0;
uint8 constant VERDICT_RIGHT = 1;
uint8 constant VERDICT_WRONG = 2;

// What a juror votes who could not get the input.
bytes32 constant NO_INPUT = keccak256("BlockEdge.NO_INPUT");
// Seats of round 0: what an accuser pays for.
uint256 constant FIRST_SEATS = 5;
// What a juror or checker loses by a wrong or hidden answer, in check fees (α of docs/protocol.md).
uint256 constant ALPHA = 10;

uint256 constant BPS = 10_000;
uint256 constant PPM = 1_000_000;
// Below 20 prices, cheating pays at 10 % checks (docs/protocol.md §7.3).
uint256 constant DEPOSIT_FACTOR = 20;
// One content-addressed chunk: the largest output that goes inline.
uint256 constant CHUNK = 1024;
uint256 constant DEMAND_LIMIT = 3;
uint256 constant MAX_DELAY = 604_800;
// Shards of an auctioned Request that is spot-checked: whoever closes one brings all their drawCommits.
uint256 constant AUCTION_SHARDS = 64;
