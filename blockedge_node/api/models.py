"""What goes over HTTP, as pydantic models.

Addresses and hashes are lower-case 0x-hex, wei are decimal strings (scalars.py). Times are unix seconds,
durations are seconds, ratios are ppm or bps as the names say. Fields are only ever added: `/api/v1` and the
CLI's `{"v": 1}` are one promise.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blockedge_node.api.scalars import Address, Bps, Bytes32, Ppm, Wei, WeiSum


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ── node and peers ───────────────────────────────────────────────────────────────────────────────────────


class Head(Model):
    number: int
    hash: Bytes32
    time: int
    age: float  # seconds since this node saw it


class Service(Model):
    """One part of the daemon: chain, engine, p2p, executor, api."""

    name: str
    ok: bool
    detail: str = ""


class Account(Model):
    free: Wei
    locked: Wei
    exit_at: int = 0
    exit_amount: Wei = 0


class NodeStatus(Model):
    version: str
    address: Address
    peer_id: str
    coalition: str
    chain_id: int
    contract: Address
    ready: bool
    paused: bool
    roles: tuple[str, ...]
    uptime: float
    head: Head | None = None  # None until the first block is seen
    account: Account | None = None
    reputation: Ppm | None = None
    services: tuple[Service, ...] = ()
    listen: tuple[str, ...] = ()  # multiaddrs that others may dial
    peers: int = 0
    jobs_open: int = 0
    units_live: int = 0
    tickets: int = 0  # ours that are in: they may be drawn, as soon as they are old enough
    checks: int = 0  # duties of ours: units under way whose check we were drawn for …
    juries: int = 0  # … and in whose jury we sit
    slots_used: int = 0
    slots: int = 0
    exposure: Wei = 0
    transactions_pending: int = 0
    stuck: int = 0  # jobs and units past a deadline that nothing moves; should be 0


class Peer(Model):
    peer_id: str
    addresses: tuple[str, ...] = ()
    address: Address | None = None  # the account it speaks for, once a key card was heard
    connected: bool = True
    since: int | None = None
    banned: str | None = None  # why


class NewPeer(Model):
    multiaddr: str = Field(pattern=r"^/.+/p2p/[1-9A-HJ-NP-Za-km-z]+$", max_length=512)


# ── jobs: what clients hand in ───────────────────────────────────────────────────────────────────────────


class Weights(Model):
    """How bids are ranked, in bps; together 10 000 (docs/protocol.md §5)."""

    price: Bps = 5_000
    delay: Bps = 2_500
    rep: Bps = 2_500

    @model_validator(mode="after")
    def _sum(self) -> Weights:
        if self.price + self.delay + self.rep != 10_000:
            raise ValueError("the three weights must add up to 10000")
        return self


class Stored(Model):
    root: Bytes32
    size: int


class ProgramSpec(Model):
    """A program to publish: a built-in one by `name`, or `wasm` by the root of an uploaded module."""

    name: str | None = None
    wasm: Bytes32 | None = None
    argv: tuple[str, ...] | None = None  # None: the built-in's own, or just the program's name
    params: dict[str, str] = {}  # fills {param:NAME} in argv
    files: dict[str, Bytes32] = {}
    fuel: int = Field(default=10**10, ge=1, le=2**62)
    memory: int | None = Field(default=None, ge=1)
    stdout_max: int | None = Field(default=None, ge=0)
    merge: Literal["concat", "first", "program"] | None = None

    @model_validator(mode="after")
    def _one(self) -> ProgramSpec:
        if (self.name is None) == (self.wasm is None):
            raise ValueError("name a built-in program or the root of an uploaded module, one of the two")
        return self


class Program(Model):
    program: Bytes32  # the manifest's root: what a Request names
    engine: str
    fuel: int
    merge: str


class BuiltIn(Model):
    name: str
    summary: str
    sha256: str = ""
    size: int = 0


class JobSpec(Model):
    """POST /api/v1/jobs. Kind "wasm" names a program and one input a shard, "pow" one data blob for all."""

    kind: Literal["wasm", "pow"] = "wasm"
    program: Bytes32 | None = None
    inputs: tuple[Bytes32, ...] = Field(min_length=1, max_length=1024)
    shards: int = Field(ge=1, le=1024)
    fuel: int = Field(ge=1, le=2**62)
    max_price: Wei  # a unit
    min_deposit: Wei = 0  # a unit; the contract's floor of 20 prices applies anyway
    max_delay: int = Field(default=60, ge=1, le=604_800)
    rep_min: Ppm = 0
    rep_max: Ppm = 1_000_000
    weights: Weights = Weights()
    lifetime: int = Field(default=300, ge=10, le=604_800)  # seconds until its request expires
    no_demand: bool = False  # accept outputs over 1 KiB off the chain (docs/protocol.md §10)
    merge: Literal["concat", "first", "program"] = "concat"
    label: str = Field(default="", max_length=200)
    workers: tuple[Address, ...] = Field(default=(), max_length=64)  # whose bids count; none: everybody's
    spot_bps: Bps | None = None  # rate of spot checks in bps; the deployment's least applies anyway
    check_fee: Wei | None = Field(default=None)  # for one check, or one juror's seat
    bundle: bool = False  # a micro-task: wait a moment for others like it, and share a unit with them
    onchain: bool = False  # the contract chooses among bids on the chain, instead of this node (§5)

    @model_validator(mode="after")
    def _fits(self) -> JobSpec:
        if self.kind == "wasm":
            if self.program is None:
                raise ValueError('kind "wasm" needs a program; POST /api/v1/programs gives its root')
            if len(self.inputs) != self.shards:
                raise ValueError(f"{self.shards} shards need as many inputs, got {len(self.inputs)}")
        else:
            if self.program is not None or len(self.inputs) != 1:
                raise ValueError('kind "pow" takes no program and exactly one input')
            if self.no_demand:
                raise ValueError('kind "pow" always shows its output: no_demand does not apply')
        if self.onchain and self.workers:
            raise ValueError("the contract chooses among all bids: workers cannot be named with onchain")
        if self.bundle and (self.kind != "wasm" or self.shards != 1 or self.onchain):
            raise ValueError("a bundle takes wasm jobs of one shard whose winner is found by gossip")
        if self.max_price == 0:
            raise ValueError("max_price must be above 0")
        if self.rep_min > self.rep_max:
            raise ValueError("rep_min is above rep_max: nobody could bid")
        return self


# Who finds the winner: the requester among bids that it hears, or the contract.
Mode = Literal["gossip", "onchain"]


class Unit(Model):
    """One shard as this node knows it. Figures are None until known."""

    id: Bytes32
    task: Bytes32
    shard: int
    phase: str  # requested, announced, awarded (won, not yet on the chain), then the contract's: assigned … refused
    role: str = "requester"  # ours
    worker: Address | None = None
    price: Wei | None = None
    deposit: Wei | None = None
    delay: int | None = None
    # seconds from publishing the request to the verified Ack; on the chain from seeing the announcement to its winner
    negotiation: float | None = None
    since: int | None = None
    next: str = ""  # what happens next, and by when
    exit: int | None = None
    exit_text: str = ""  # "ok", "exited with code 1", "trapped: out of fuel"
    output_root: Bytes32 | None = None
    output_size: int | None = None
    gas: int = 0  # of our transactions about this unit, all calls together
    fee: Wei = 0  # what they cost
    paid: WeiSum = 0  # from Settled
    slashed: WeiSum = 0
    # of its spot check, if it has one: not-drawn is known once the requester's secret was shown
    check: Literal["", "not-drawn", "drawn", "missed", "committed", "agrees", "differs"] = ""
    checker: Address | None = None
    reports: int = 0
    stuck: str = ""  # why, if past a deadline that nothing moves


class Task(Model):
    id: Bytes32
    job: Bytes32 | None = None
    requester: Address
    role: str
    kind: str
    shards: int
    fuel: int
    max_price: Wei
    min_deposit: Wei
    max_delay: int
    expiry: int
    mode: Mode = "gossip"
    units: tuple[Unit, ...] = ()


class Job(Model):
    id: Bytes32
    label: str = ""
    kind: str
    mode: Mode = "gossip"
    state: Literal["running", "done", "settled", "failed", "cancelled"]
    created: float
    shards: int
    shards_done: int  # verified results at hand
    shards_settled: int = 0  # on the chain, terminal
    detail: str = ""  # why it failed, or what it waits for
    result_ready: bool = False
    result_size: int | None = None
    spent: WeiSum = 0  # prices of paid units
    fees: WeiSum = 0  # transaction fees
    stuck: str = ""
    bundle: Bytes32 | None = None  # the job that this micro-task is an item of …
    place: int | None = None  # … and where in it, once it is closed
    items: int = 0  # of a bundle: how many micro-tasks it is made of
    exit: int | None = None  # of a micro-task that is done
    exit_text: str = ""
    tasks: tuple[Task, ...] = ()


class Note(Model):
    """One line of a story. `code` is stable ("award.made", "unit.paid"), `fields` are its figures."""

    code: str
    subject: Bytes32
    at: float | None = None
    fields: dict[str, str | int | float] = {}


class Event(Model):
    """Something that happened to a job; `id` grows, and survives a restart of the node."""

    id: int
    job: Bytes32
    state: Literal["running", "done", "settled", "failed", "cancelled"]
    code: str  # of the note behind it
    at: float
    fields: dict[str, str | int | float] = {}


class ItemEvent(Model):
    """A worker's answer to one item of a bundle, before it committed to it: it binds nobody, and what the job's
    result says later counts. It has no id, and is not told again."""

    job: Bytes32
    bundle: Bytes32
    place: int
    exit: int
    exit_text: str
    output: str  # base64
    provisional: Literal[True] = True


class ScoredBid(Model):
    """A bid that the requester heard, with its score and the three parts that add up to it (§5)."""

    unit: Bytes32
    shard: int
    worker: Address
    price: Wei
    deposit: Wei
    delay: int
    rep: Ppm
    score: Ppm
    score_price: Ppm
    score_delay: Ppm
    score_rep: Ppm
    outcome: Literal["won", "lost", "dead", "open"]  # dead: won, but its award came to nothing
    reason: str = ""


class Story(Model):
    """How a job, task or unit came to what it is: every bid, every refusal, every step, oldest first."""

    id: Bytes32
    kind: Literal["job", "task", "unit"]
    job: Job | None = None
    tasks: tuple[Task, ...] = ()
    bids: tuple[ScoredBid, ...] = ()  # by shard, best first
    notes: tuple[Note, ...] = ()


class Found(Model):
    """What an id's prefix stands for."""

    kind: Literal["job", "task", "unit"]
    id: Bytes32
    job: Bytes32 | None = None
    task: Bytes32 | None = None


class Bid(Model):
    task: Bytes32
    shard: int
    worker: Address
    price: Wei
    deposit: Wei
    delay: int
    rep: Ppm
    state: str  # live, won, lost, silent (a better bid was heard), expired, none
    reason: str = ""
    at: float | None = None


class Report(Model):
    unit: Bytes32
    index: int
    author: Address
    state: str  # committed, revealed, right, wrong, closed
    detail: str = ""


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────


class Reputation(Model):
    address: Address
    n: int  # convictions and acknowledged refusals
    m: int  # settled units
    s: int  # gwei of deposits returned in full
    t: int  # gwei of deposits staked
    score: Ppm  # R


class Wallet(Model):
    address: Address
    ether: Wei  # on the account itself: pays gas, and is what `fund` draws from
    account: Account  # in the contract
    covered: Wei  # free, less what is about to leave
    exposure: Wei = 0  # deposits promised by live bids
    unbond: int = 0  # seconds an exit takes


class Amount(Model):
    amount: Wei

    @model_validator(mode="after")
    def _some(self) -> Amount:
        if self.amount == 0:
            raise ValueError("the amount must be above 0")
        return self


class Transaction(Model):
    tx: Bytes32
    call: str
    block: int
    gas: int
    fee: Wei
    detail: str = ""


class Audit(Model):
    """Invariant 1 of docs/protocol.md §11, summed from the contracts' events; the Court's books likewise."""

    block: int
    contract: Address
    accounts: int
    free: WeiSum
    locked: WeiSum
    burned: WeiSum
    balance: WeiSum
    difference: WeiSum  # balance − (free + locked + burned)
    stakes: WeiSum = 0  # in tickets of the Court
    pots: WeiSum = 0  # of its open cases
    court_balance: WeiSum = 0
    court_difference: WeiSum = 0  # court_balance − (stakes + pots)
    holds: bool
    units: dict[str, int] = {}  # how many are in each phase


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────


class Setting(Model):
    key: str
    value: Any
    origin: str


class LogLine(Model):
    number: int
    line: dict[str, Any]


class Problem(Model):
    """RFC 9457. `code` is stable; `detail` says what, why and what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    candidates: tuple[str, ...] = ()
