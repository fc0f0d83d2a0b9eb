"""The contracts' own bytecode in pyrevm, asked the same questions as the model.

    chain.call(call) → Answer: why it reverted, in the contract's names, or what it logged
    chain.differs(world, …) → where the contracts' state is not what the model says, in words

Views are compared as raw words: nothing is decoded, so a hundred of them take about a millisecond.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pyrevm import EVM, BlockEnv, CfgEnv, Env

from blockedge_node.chain.abi_codec import Abi, contract
from blockedge_node.core.commitment import slot_digest
from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.reputation import reputation
from blockedge_node.core.selection import score as score_of
from tests.model.calls import Call
from tests.model.encoding import calldata
from tests.model.world import Dispute, Event, Stage, World

CHAIN_ID = 31337
FOUNDER = Address(b"\xf0" * 20)
REVERT = re.compile(r"output: 0x([0-9a-f]*)")
WITH_DETAIL = frozenset({"BadTerms", "Ineligible", "BadOpening"})  # whose argument is a name in ASCII
PANIC = bytes.fromhex("4e487b71")
STAGES = {Stage.COMMITTED: 1, Stage.REVEALED: 2, Stage.CLOSED: 3}

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    refused: str = ""  # `BadTerms(fuel)`, `TooLate`, …; "" if the call went through
    logs: tuple[tuple[str, Values], ...] = ()


class Chain:
    """Both contracts, or all three, freshly deployed."""

    def __init__(self, params: Params, now: int, *, court: bool) -> None:
        self._evm = EVM(env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)), gas_limit=1 << 63, spec_id="PRAGUE")
        self.now = now
        self.enter(now, 0)
        self._evm.set_balance(_hex(FOUNDER), 10**20)
        judge = self._deploy("PowJudge")
        self.at: dict[str, Address] = {}
        if court:  # it has to know where BlockEdge will stand
            self.at["Court"] = self._deploy("Court", astuple(params), _created(5))
            params = replace(params, court=self.at["Court"])
        self.params = params
        reports = self._deploy("Reports", astuple(params), judge)
        disputes = self._deploy("Disputes", astuple(params))
        auctions = self._deploy("Auctions", astuple(params))
        self.at["BlockEdge"] = self._deploy("BlockEdge", astuple(params), judge, reports, disputes, auctions)
        self.domain = Domain(CHAIN_ID, self.at["BlockEdge"])

    def _deploy(self, name: str, *args: Any) -> Address:
        return Address(bytes.fromhex(self._evm.deploy(_hex(FOUNDER), contract(name).creation(*args))[2:]))

    def enter(self, now: int, block: int) -> None:
        """The next block."""
        self.now = now
        self._evm.set_block_env(BlockEnv(number=block, timestamp=now))

    def give(self, who: Address, ether: int) -> None:
        self._evm.set_balance(_hex(who), ether)

    def purse(self, who: Address) -> int:
        return int(self._evm.get_balance(_hex(who)))

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, call: Call) -> Answer:
        data = calldata(call.to, call.name, call.args)
        try:
            self._evm.message_call(
                _hex(call.sender), _hex(self.at[call.to]), data, value=call.value, gas=call.gas
            )
        except RuntimeError as error:  # how pyrevm says that the EVM reverted or halted
            found = REVERT.search(str(error))
            return Answer(refused=_name(bytes.fromhex(found[1]) if found else b"", str(error)))
        assert self._evm.result is not None
        return Answer(logs=tuple(self._decoded(log.data, log.address) for log in self._evm.result.logs))

    def _decoded(self, log: tuple[Any, bytes], address: str) -> tuple[str, Values]:
        topics = [t if isinstance(t, bytes) else bytes.fromhex(t.removeprefix("0x")) for t in log[0]]
        for name in self.at:
            found = contract(name).log(topics, log[1])
            if found is not None:
                event = contract(name).events[topics[0]]
                return found[0], dict(zip((m.name for m in event.inputs), found[1], strict=True))
        raise AssertionError(f"an event of nobody, from {address}")

    # ── state ────────────────────────────────────────────────────────────────────────────────────────────

    def view(self, function: str, *args: Any, to: str = "BlockEdge") -> bytes:
        data = _selector(to, function) + abi_words(*args)
        return bytes(self._evm.message_call(_hex(FOUNDER), _hex(self.at[to]), data, is_static=True))

    def _named(self, function: str, *args: Any, to: str = "BlockEdge") -> dict[str, int]:
        """A view's static struct, by member."""
        raw = self.view(function, *args, to=to)
        return dict(zip(_members(to, function), map(_int, _words(raw)), strict=True))

    def differs(
        self,
        world: World,
        accounts: Iterable[Address],
        units: Iterable[UnitId],
        seats: Collection[int] = range(99),
    ) -> Iterator[str]:
        """All that differs, of these accounts and units, and of the sums; of cases, at these seats."""
        books = world.books
        yield from self._unlike("burned", _int(self.view("burned")), books.burned)
        yield from self._unlike("BlockEdge's ether", self.purse(self.at["BlockEdge"]), books.ether)
        yield from self._unlike("the sum of all buckets", books.ether, books.sum())
        for who in accounts:
            yield from self._account(world, who)
        for unit in units:
            yield from self._unit(world, unit)
        if "Court" in self.at:
            pots = sum(r.pot for d in world.disputes.values() if d.open for r in d.rounds)
            stakes = sum(ticket.stake for ticket in world.tickets)
            yield from self._unlike("the Court's ether", self.purse(self.at["Court"]), world.court_ether)
            yield from self._unlike("stakes and pots", world.court_ether, stakes + pots)
            for unit in units:
                if unit in world.disputes:
                    yield from self._case(unit, world.disputes[unit], seats)

    def _account(self, world: World, who: Address) -> Iterator[str]:
        name, account = f"account {who.hex()[:6]}", world.books.accounts[who]
        has = tuple(map(_int, _words(self.view("accountOf", who))))
        expects = (account.free, account.locked, account.exit_at, account.exit_amount)
        yield from self._unlike(f"{name} (free, locked, exit)", has, expects)
        rep = reputation(world.reps[who], world.now, world.params)
        has = tuple(map(_int, _words(self.view("repOf", who))))
        yield from self._unlike(f"{name} (n, m, s, t, R)", has, (rep.n, rep.m, rep.s, rep.t, rep.score))

    def _unit(self, world: World, key: UnitId) -> Iterator[str]:
        name = f"unit {key.hex()[:6]}"
        raw = self.view("phaseOf", 32, 1, key)
        phase, docket, since, digest = map(_int, _words(raw[64:]))
        unit = world.units.get(key)
        if unit is None:
            yield from self._unlike(f"{name} (phase)", phase, 0)
            return
        expects = (unit.phase, bool(unit.reports or unit.demands), unit.since)
        yield from self._unlike(f"{name} (phase, docket, since)", (phase, bool(docket), since), expects)
        words = _int(slot_digest(unit.terms.terms_hash(), unit.words()))
        yield from self._unlike(f"{name} (digest)", digest, words)
        if not docket:
            return
        has = self._named("docketOf", key)
        for member, value in _docket(unit).items():
            if member in has:
                yield from self._unlike(f"{name}, docket ({member})", has[member], value)
        if unit.demands:
            raw = self.view("demandsOf", key)[64:]
            has = list(map(_int, _words(raw)))
            expects = [n for d in unit.demands for n in (d.chunk, d.by, int(d.supplied))]
            yield from self._unlike(f"{name} (demands)", has, expects)
        for index, report in unit.reports.items():
            has = self._named("reportOf", key, index)
            expected = {
                "author": _int(report.author),
                "state": STAGES[report.stage],
                "verdict": report.verdict,
                "hash": _int(report.kept or report.hash),
            }
            yield from self._unlike(f"{name}, report {index}", has, expected)

    def _case(self, key: UnitId, dispute: Dispute, seats: Collection[int]) -> Iterator[str]:
        name, now = f"case {key.hex()[:6]}", dispute.rounds[-1]
        has = self._named("caseOf", key, to="Court")
        expected = {
            "state": 1 if dispute.open else 2,
            "round": len(dispute.rounds) - 1,
            "roundAt": now.since,
            "digest": _int(keccak256(dispute.case.words())[-25:]),
            "bonded": int(dispute.bonded),
        }
        yield from self._unlike(name, has, expected)
        for number, opened in enumerate(dispute.rounds):
            has = self._named("fundingOf", key, number, to="Court")
            bonded = number == 0 and dispute.bonded  # then it goes without saying
            expected = {"funder": 0 if bonded else _int(opened.funder), "pot": 0 if bonded else opened.pot}
            yield from self._unlike(f"{name}, round {number}", has, expected)
        for seat, vote in now.votes.items():
            if seat not in seats:
                continue
            has = self._named("voteOf", key, len(dispute.rounds) - 1, seat, to="Court")
            shown = vote.result_hash is not None
            kept = keccak256(vote.result_hash) if vote.result_hash is not None else vote.commitment
            expected = {"ticket": vote.ticket, "state": 2 if shown else 1, "hash": _int(kept[-26:])}
            yield from self._unlike(f"{name}, seat {seat}", has, expected)

    def tickets_differ(self, world: World, ids: Iterable[int]) -> Iterator[str]:
        for id in ids:
            ticket = world.tickets[id]
            has = self._named("ticketOf", id, to="Court")
            expected = {
                "owner": _int(ticket.owner),
                "stakedAt": ticket.staked_at,
                "leftAt": ticket.left_at,
                "stake": ticket.stake,
            }
            yield from self._unlike(f"ticket {id}", has, expected)

    def lots_differ(self, world: World, lots: Iterable[UnitId]) -> Iterator[str]:
        for unit in lots:
            lot = world.lots[unit]
            has = tuple(map(_int, _words(self.view("auctionOf", lot.task, lot.shard))))
            leads: tuple[int, ...] = (0,) * 5
            if (best := lot.best) is not None:
                score = score_of(lot.request, best).total
                leads = _int(best.worker), best.price, best.deposit, best.delay, score
            yield from self._unlike(f"auction {unit.hex()[:6]}", has, (lot.closes_at, *leads, lot.lapsed))

    def _unlike(self, what: str, has: Any, expects: Any) -> Iterator[str]:
        if has != expects:
            yield f"{what}: the contract has {has}, the model {expects}"


def unlike(answer: Answer, refused: frozenset[str], events: Iterable[Event]) -> str:
    """Where a contract's answer is not what the model foretold; "" if it is."""
    if refused or answer.refused:
        if answer.refused in refused:
            return ""
        said = f"reverts with {answer.refused}" if answer.refused else "goes through"
        return f"the contract {said}, the model refuses with {sorted(refused) or 'nothing'}"
    events = list(events)
    told, logged = [event.name for event in events], [name for name, _ in answer.logs]
    if told != logged:
        return f"the contract logs {logged}, the model {told}"
    for event, (name, values) in zip(events, answer.logs, strict=True):
        for member, expected in event.known.items():
            if name == "Skipped" and member == "reason":
                if (reason := _error_name(values[member])) not in expected:
                    return f"the contract skips for {reason}, the model for {set(expected)}"
            elif values[member] != expected:
                return (
                    f"{name}.{member}: the contract logs {_text(values[member])}, the model {_text(expected)}"
                )
    return ""


def _docket(unit: Any) -> dict[str, int]:
    open_demands = sum(demand.open for demand in unit.demands)
    return {
        "reports": unit.bonded,
        "revealed": unit.revealed,
        "best": 0 if unit.best is None else unit.best + 1,
        "demands": open_demands,
        "demanded": len(unit.demands),
        "ticket": 0 if unit.ticket is None else unit.ticket + 1,
        "defended": int(unit.defended),
        "fined": int(unit.fined),
        "seedAcc": unit.salts,
    }


def _created(nonce: int) -> Address:
    """Where FOUNDER's transaction `nonce` < 128 will put a contract."""
    return Address(keccak256(b"\xd6\x94" + FOUNDER + bytes([nonce]))[12:])


@cache
def _selector(to: str, function: str) -> bytes:
    return contract(to).functions[function].selector


@cache
def _members(to: str, function: str) -> tuple[str, ...]:
    """The member names of the one struct that a view returns."""
    raw = json.loads(files("blockedge_node.chain").joinpath("abi", f"{to}.json").read_text())
    (entry,) = [e for e in raw["abi"] if e["type"] == "function" and e["name"] == function]
    return tuple(member["name"] for member in entry["outputs"][0]["components"])


def _name(data: bytes, halt: str) -> str:
    for abi in _abis():
        if (found := abi.error(data)) is not None:
            signature, values = found
            if signature.name in WITH_DETAIL:
                return f"{signature.name}({values[0].rstrip(bytes(1)).decode()})"
            return signature.name
    return "Panic" if data[:4] == PANIC else f"{halt[:60]}"


@cache
def _error_name(selector: bytes) -> str:
    return next((abi.errors[selector].name for abi in _abis() if selector in abi.errors), selector.hex())


@cache
def _abis() -> tuple[Abi, ...]:
    return contract("BlockEdge"), contract("Court")


def _words(raw: bytes) -> Iterator[bytes]:
    return (raw[i : i + 32] for i in range(0, len(raw), 32))


def _int(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _hex(address: bytes) -> str:
    return "0x" + address.hex()


def _text(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
