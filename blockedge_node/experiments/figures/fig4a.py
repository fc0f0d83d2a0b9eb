"""Fig. 4a: the time of an ONCHAIN negotiation, as the paper does it: from the block that holds the Request to the
one that decides who has won it (docs/protocol.md §5, §13).

    block b: `announce` of a Request          block b + BID_BLOCKS: the last bids; the best of them has won

Twenty requests a block are handed to five daemons in turn, and the other four bid on each. What is measured is read
from the chain alone: two timestamps, counted only if the leading bid is the best that anybody could make. Blocks come
at a fixed interval, or at exponential ones of the same mean as a proof-of-work chain's do; then one may be too short
for any bid, which is reported.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

from blockedge_node.chain.abi_codec import contract
from blockedge_node.cli.client import Client
from blockedge_node.config.amounts import parse_wei
from blockedge_node.core.ids import Address, TaskId, UnitId
from blockedge_node.core.task import unit_id
from blockedge_node.devnet import anvil
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.devnet.commands import PRICES
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search
from blockedge_node.experiments.figures.plots import COLOURS
from blockedge_node.experiments.figures.record import Condition, Table, at_least, at_most
from blockedge_node.experiments.load import devnet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = "fig4a"
NODES: Final = 5
RUNS: Final = 2000
SHORT: Final = 200  # with --quick
A_BLOCK: Final = 20  # requests
PAPER: Final = 6.40  # seconds: its mean, about one block of its chain
BLOCK_TIME: Final = 6.4
QUICK_BLOCK_TIME: Final = 2.0
IN_TIME: Final = 99.0  # % of runs that take exactly BID_BLOCKS blocks
APART: Final = 5.0  # % by which the mean may differ from the mean block interval
AFTER: Final = 4  # blocks in which the last auctions are closed
NONCES: Final = 1_000
PATIENCE: Final = 20  # block intervals without a block
POLICY: Final[Mapping[str, object]] = {"verify_bps": 0, "max_units": 100_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Auctioned:
    """One Request on the chain. `seconds` between the timestamps of `block` and `closes`."""

    requester: str  # n1 … n5
    block: int
    closes: int  # the last block in which bids count
    seconds: int
    bids: int  # that got on the chain: each was the best when it came
    leader: str = ""  # whose bid was the last of them; "" if nobody had bid
    best: str = ""  # who bids the least of all but the requester
    closed: int | None = None  # the block that wrote the unit down

    @property
    def decided(self) -> bool:
        """Whether the best bid had won BID_BLOCKS blocks after the Request."""
        return bool(self.leader) and self.leader == self.best


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All auctions of one chain, and the mean interval of its blocks, in seconds, while they were held."""

    name: str
    interval: float
    auctions: tuple[Auctioned, ...]
    fixed: bool  # blocks at a fixed interval


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────


def measure(runs: int, block_time: float, *, fixed: bool = True) -> Run:
    """Hand in `runs` requests, A_BLOCK a block, and read from the chain how they went."""
    name = f"{block_time:g} s blocks" if fixed else f"exponential blocks of mean {block_time:g} s"
    with (
        devnet(NODES, POLICY, block_time=block_time, profile="prod") as net,
        _blocks(net, block_time, fixed=fixed),
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(Client(str(node.socket))) for node in net.nodes]
        threads = stack.enter_context(ThreadPoolExecutor(NODES))
        chance = Random(f"{SEED} {name}")
        patience = PATIENCE * block_time
        first = block = _head(net)
        for handed in range(0, runs, A_BLOCK):
            block = _next(net, block, patience)
            inputs = [chance.randbytes(32) for _ in range(min(A_BLOCK, runs - handed))]
            shares = [inputs[which::NODES] for which in range(NODES)]
            list(threads.map(_hand_in, clients, shares))
            print(f"auction  {name}: {handed + len(inputs)} of {runs}", flush=True)
        while (auctions := _auctions(net, first))[1] + AFTER > block or auctions[0] < runs:
            block = _next(net, block, patience)  # short blocks come before the last requests are announced
        return Run(name=name, fixed=fixed, **_read(net, first, block))


@contextmanager
def _blocks(net: Devnet, mean: float, *, fixed: bool) -> Iterator[None]:
    """Blocks at exponential intervals, mined by a thread of ours, where they are not fixed."""
    if fixed:
        yield
        return
    anvil.rpc(net.rpc, "evm_setIntervalMining", 0)
    chance, ended = Random(f"{SEED} intervals"), threading.Event()

    def mine() -> None:
        while not ended.wait(chance.expovariate(1 / mean)):
            anvil.rpc(net.rpc, "evm_mine")

    miner = threading.Thread(target=mine, daemon=True)
    miner.start()
    try:
        yield
    finally:
        ended.set()
        miner.join()


def _hand_in(api: Client, challenges: Sequence[bytes]) -> None:
    for challenge in challenges:
        search = Search(challenge=challenge, target=0, range_size=NONCES)
        api.post(
            "/api/v1/jobs",
            {
                "kind": "pow",
                "onchain": True,
                "inputs": [api.upload(search.encode())],
                "shards": 1,
                "fuel": NONCES * FUEL_PER_NONCE,
                "max_price": str(10**14),
                "max_delay": 60,
                "weights": {"price": 10_000, "delay": 0, "rep": 0},
                "merge": "first",
            },
        )


# ── the chain ────────────────────────────────────────────────────────────────────────────────────────────


def _head(net: Devnet) -> int:
    return int(anvil.rpc(net.rpc, "eth_blockNumber"), 16)


def _next(net: Devnet, after: int, patience: float) -> int:
    """The next block's number, once it is there. Raises BlockEdgeError."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if (head := _head(net)) > after:
            return head
        time.sleep(0.05)
    raise BlockEdgeError(f"no block after number {after} for {patience:g} s")


def _auctions(net: Devnet, first: int) -> tuple[int, int]:
    """How many auctions were announced in blocks after `first`, and the last block in which bids count."""
    topic = next(topic for topic, event in contract("BlockEdge").events.items() if event.name == "Announced")
    span = {"fromBlock": hex(first + 1), "toBlock": "latest", "address": net.contract}
    logs = anvil.rpc(net.rpc, "eth_getLogs", {**span, "topics": ["0x" + topic.hex()]})
    return len(logs), max((int(_entry(log)[2]["closesAt"]) for log in logs), default=first)


def _read(net: Devnet, first: int, last: int) -> dict[str, Any]:
    """The mean block interval and all auctions of the blocks after `first`."""
    span = {"fromBlock": hex(first + 1), "toBlock": hex(last), "address": net.contract}
    logs = anvil.rpc(net.rpc, "eth_getLogs", span)
    times = {
        number: int(anvil.rpc(net.rpc, "eth_getBlockByNumber", hex(number), False)["timestamp"], 16)
        for number in range(first, last + 1)
    }
    names = {Address(bytes.fromhex(node.address[2:])): node.name for node in net.nodes}
    auctions = read_auctions(map(_entry, logs), times, names)
    held = [auction.block for auction in auctions] + [auction.closes for auction in auctions]
    if not held:
        raise BlockEdgeError("no Request was announced: look at the daemons' logs")
    interval = (times[max(held)] - times[min(held)]) / (max(held) - min(held))
    return {"interval": interval, "auctions": tuple(auctions)}


Entry = tuple[int, str, Mapping[str, Any]]  # block, event, its values by name


def _entry(log: Mapping[str, Any]) -> Entry:
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    abi = contract("BlockEdge")
    found = abi.log(topics, bytes.fromhex(log["data"][2:]))
    if found is None:
        raise BlockEdgeError(f"an event of nobody in block {log['blockNumber']}")
    name, values = found
    members = [member.name for member in abi.events[topics[0]].inputs]
    return int(log["blockNumber"], 16), name, dict(zip(members, values, strict=True))


def read_auctions(
    entries: Iterator[Entry], times: Mapping[int, int], names: Mapping[Address, str]
) -> list[Auctioned]:
    """Auctions in the order of their announcements. `times`: timestamps by block; `names`: nodes by address."""
    found: dict[UnitId, Auctioned] = {}
    for block, event, values in entries:
        if event == "Announced":
            requester = names[values["requester"]]
            closes = int(values["closesAt"])
            found[unit_id(TaskId(values["task"]), 0)] = Auctioned(
                requester=requester,
                block=block,
                closes=closes,
                seconds=times[closes] - times[block],
                bids=0,
                best=_cheapest(name for name in names.values() if name != requester),
            )
        elif event == "BidPosted":
            auction = found[values["unit"]]
            found[values["unit"]] = replace(auction, bids=auction.bids + 1, leader=names[values["worker"]])
        elif event == "Awarded" and values["unit"] in found:
            found[values["unit"]] = replace(found[values["unit"]], closed=block)
    return list(found.values())


def _cheapest(names: Iterator[str]) -> str:
    return min(names, key=lambda name: parse_wei(PRICES[int(name[1:])]["price_floor"]))


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────


def summary(run: Run) -> dict[str, Any]:
    decided = [auction.seconds for auction in run.auctions if auction.decided]
    return {
        "runs": len(run.auctions),
        "decided_percent": round(100 * len(decided) / len(run.auctions), 2),
        "without_bid_percent": round(100 * sum(not a.leader for a in run.auctions) / len(run.auctions), 2),
        "mean_seconds": round(statistics.fmean(decided), 3) if decided else None,
        "mean_interval_seconds": round(run.interval, 3),
        "mean_bids": round(statistics.fmean(a.bids for a in run.auctions), 2),
        "closed_blocks_later": statistics.median(
            [a.closed - a.closes for a in run.auctions if a.closed is not None] or [0]
        ),
    }


def conditions(runs: Sequence[Run]) -> Iterator[Condition]:
    for run in runs:
        told = summary(run)
        if not run.fixed:  # a block may be too short for any bid: reported, not asserted
            continue
        yield at_least(
            f"on the chain, {run.name}: best bid has won BID_BLOCKS blocks after its Request",
            told["decided_percent"],
            IN_TIME,
            " %",
        )
        apart = abs((told["mean_seconds"] or 0.0) / run.interval - 1)
        yield at_most(
            f"on the chain, {run.name}: mean and block interval apart", 100 * apart, APART, " %", digits=2
        )


def table(runs: Sequence[Run]) -> Table:
    rows = [
        (run.name, a.requester, a.block, a.closes, a.seconds, a.bids, a.leader, a.best, a.closed or "")
        for run in runs
        for a in run.auctions
    ]
    columns = (
        "blocks",
        "requester",
        "announced_block",
        "last_bid_block",
        "seconds",
        "bids",
        "leader",
        "best",
    )
    return Table(name="fig4a", columns=(*columns, "closed_block"), rows=rows)


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    for colour, run in zip(COLOURS, runs, strict=False):
        times = sorted(a.seconds for a in run.auctions if a.decided)
        shares = [(number + 1) / len(times) for number in range(len(times))]
        label = f"{run.name}: mean {statistics.fmean(times):.2f} s" if times else run.name
        axes.step(times, shares, where="post", color=colour, linewidth=1.2, label=label)
    axes.axvline(
        PAPER, color="#444444", linewidth=0.8, linestyle=":", label=f"the paper's mean, {PAPER:.2f} s"
    )
    axes.set_title("ONCHAIN: block of the Request to block of the last bid")
    axes.set_xlabel("seconds of block timestamps")
    axes.set_ylabel("share of negotiations")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right")
