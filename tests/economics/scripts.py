"""Scripts of single units, played on the real contracts in pyrevm: each yields a Story and the wei that moved.

A script says who does what in the words of the model; the chain draws tickets and seats. So the checker and the
jurors of the Story are whoever was drawn, under the names of their tickets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from pyrevm import EVM, BlockEnv, CfgEnv, Env

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.calls import encode, target_of, value_of
from blockedge_node.chain.deploy import created_by
from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Appeal,
    AwardCommit,
    ChainAction,
    CloseReports,
    CloseRound,
    CommitCheck,
    CommitReport,
    CommitVote,
    Defend,
    Demand,
    Draw,
    FineChecker,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    RevealVote,
    Settle,
    ShowJury,
    TimeOut,
)
from blockedge_node.core.commitment import DrawSecrets, Role, commitment, guard
from blockedge_node.core.court import NO_INPUT, Case, Seat, SeatProof, Ticket, seat_of
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain, hash_words, keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, Secret, Signature
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import ROUNDS, draw_seed, drawn, jury_seed, round_seed, salts_mix
from blockedge_node.core.task import Ack, Award, Bid, Kind, Request, Result, unit_id
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import Unit
from blockedge_node.experiments.economics import payoffs
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    Claim,
    Ending,
    Moves,
    Round,
    Seats,
    Stakes,
    Story,
    Vote,
)
from blockedge_node.wire.eip712 import LocalSigner

CHAIN_ID = 31337
START = 1_800_000_000
RICH = 10**24
FUNDS = 10**22
FOUNDER = "0x" + "f0" * 20
TICKETS = 10
FUEL = 1_000_000
OUTPUT = b"seven"
LETTERS = {
    "w": ACCUSED,
    "t": "the truth",
    "f": "forged",
    "n": payoffs.NO_INPUT,
    "-": Vote.ABSENT,
    "h": Vote.HIDDEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`check`: what the drawn checker's hash is ("" undrawn, "w", "t", "f", "silent", "missed"). `reports`: author
    and letter, "h" for one that is never shown. `rounds`: a letter a seat. `funders`: of rounds 1 and 2."""

    ending: Ending
    price: int = 10**13
    deposit: int = 10**15
    fee: int = 10**13
    shown: bool = True
    check: str = ""
    reports: tuple[tuple[str, str], ...] = ()
    rounds: tuple[str, ...] = ()
    funders: tuple[str, ...] = ()
    s_w: Secret | None = None  # the worker's, where it was picked


class Chain:
    """The contracts with TICKETS tickets of as many owners, and named actors with ether and balances."""

    def __init__(self, params: Params) -> None:
        self.evm = EVM(env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)), gas_limit=1 << 63, spec_id="PRAGUE")
        self.evm.set_balance(FOUNDER, RICH)
        self.now = START
        self.after(0)
        nonce = self.evm.basic(FOUNDER).nonce
        self.params = replace(params, court=created_by(Address(b"\xf0" * 20), nonce + 4))
        constants = astuple(self.params)
        judge = self._create("PowJudge")
        reports = self._create("Reports", constants, judge)
        disputes = self._create("Disputes", constants)
        auctions = self._create("Auctions", constants)
        edge = created_by(Address(b"\xf0" * 20), nonce + 5)
        court = self._create("Court", constants, edge)
        assert court == self.params.court
        assert self._create("BlockEdge", constants, judge, reports, disputes, auctions) == edge
        self.domain = Domain(CHAIN_ID, Address(edge))
        self.at = {"BlockEdge": edge, "Court": court}
        self.signers = {
            name: LocalSigner(keccak256(name.encode()), self.domain)
            for name in (
                "worker",
                "requester",
                "detector",
                "rival",
                "backer",
                *map(ticket_name, range(TICKETS)),
            )
        }
        for name in self.signers:
            self.evm.set_balance(_hex(self.address(name)), RICH)
            self._send(name, "BlockEdge", contract("BlockEdge").call("fund"), FUNDS)
        for number in range(TICKETS):
            self._send(ticket_name(number), "Court", contract("Court").call("stake"), params.seat)
        self.staked_at = self.now
        self.after(params.ticket_age + 1)

    def _create(self, name: str, *args: Any) -> bytes:
        return bytes.fromhex(self.evm.deploy(FOUNDER, contract(name).creation(*args))[2:])

    def address(self, name: str) -> Address:
        return self.signers[name].address

    def name(self, address: Address) -> str:
        return next(name for name, signer in self.signers.items() if signer.address == address)

    def after(self, seconds: int) -> None:
        self.until(self.now + seconds)

    def until(self, time: int) -> None:
        self.now = time
        self.evm.set_block_env(BlockEnv(number=time - START + 1, timestamp=time))

    def call(self, sender: str, action: ChainAction) -> None:
        """Must do what it says: a revert raises here, a skip fails."""
        self._send(sender, target_of(action), encode([action]), value_of(action))

    def _send(self, sender: str, target: str, data: bytes, value: int = 0) -> None:
        self.evm.message_call(
            _hex(self.address(sender)), _hex(self.at[target]), data, value=value, gas=40_000_000
        )
        assert self.evm.result is not None
        for topics, logged in (log.data for log in self.evm.result.logs):
            found = contract("BlockEdge").log(topics, logged)
            assert found is None or found[0] != "Skipped", f"{data[:4].hex()} was skipped: {found}"

    def view(self, target: str, function: str, *args: Any) -> Any:
        abi = contract(target)
        raw = self.evm.message_call(FOUNDER, _hex(self.at[target]), abi.call(function, *args), is_static=True)
        return abi.returned(function, raw)[0]

    def tickets(self) -> list[Ticket]:
        owners = [self.address(ticket_name(number)) for number in range(TICKETS)]
        return [
            Ticket(id=number, owner=owner, staked_at=self.staked_at) for number, owner in enumerate(owners)
        ]

    def wealth(self) -> Counter[str]:
        """Wei of everybody, wherever it lies, and what was burned."""
        found: Counter[str] = Counter()
        for name, signer in self.signers.items():
            free, locked, *_ = self.view("BlockEdge", "accountOf", signer.address)
            found[name] = free + locked + self.evm.get_balance(_hex(signer.address))
        for number in range(TICKETS):
            found[ticket_name(number)] += self.view("Court", "ticketOf", number)[3]
        found[payoffs.BURNED] = self.view("BlockEdge", "burned")
        return found


def ticket_name(number: int) -> str:
    return f"ticket {number}"


def _hex(address: bytes) -> str:
    return "0x" + address.hex()


def secret(*words: object) -> Secret:
    return Secret(keccak256(repr(words).encode()))


def play(chain: Chain, script: Script, *, nonce: int = 1) -> tuple[Story, Moves]:
    """Plays the script on the chain and tells what came of it."""
    before = chain.wealth()
    story = Played(chain, script, nonce).play()
    after = chain.wealth()
    return story, {who: after[who] - before[who] for who in after if after[who] != before[who]}


class Played:
    """One unit from its Award to its end. `data` follows the phase, as every caller must know it."""

    def __init__(self, chain: Chain, script: Script, nonce: int) -> None:
        self.chain, self.script, self.params = chain, script, chain.params
        self.salt, self.guard_w = secret("salt", nonce), script.s_w or secret("s_W", nonce)
        now = chain.now
        self.request = Request(
            requester=chain.address("requester"), nonce=nonce, kind=Kind.WASM, shards=1, fuel=FUEL,
            program=merkle.root(b"program"), input_root=merkle.root(b"input"), spot_bps=chain.params.spot_bps_min,
            max_price=script.price, min_deposit=0, check_fee=script.fee, max_delay=60,
            w_price=5_000, w_delay=2_500, w_rep=2_500, expiry=now + 3_600,
        )  # fmt: skip
        task = self.request.task(chain.domain)
        self.unit = unit_id(task, 0)
        self.result = Result(
            exit=0, output_root=merkle.root(OUTPUT), fuel_used=FUEL // 2, memory_hash=Hash(ZERO_HASH)
        )
        self.commitment = commitment(
            chain.domain, self.unit, Role.WORKER, chain.address("worker"), self.result.hash(), self.salt,
            guard=guard(self.guard_w),
        )  # fmt: skip
        self.secrets = next(s for s in map(self._secrets, range(10_000)) if self._fits(s))
        self.draw_seed = draw_seed(self.secrets.secret, self.commitment)
        self.bid = Bid(
            task=task, shard=0, worker=chain.address("worker"), price=script.price, deposit=script.deposit,
            delay=10, rep=140_000, expiry=now + 3_000,
        )  # fmt: skip
        self.award = Award(
            task=task, shard=0, bid=self.bid.digest(chain.domain), draw_commit=self.secrets.commit,
            not_before=now, register_by=now + 60,
        )  # fmt: skip
        self.terms = terms_of(self.request, self.bid, self.award, chain.params)
        self.data = [Hash(ZERO_HASH)] * 4
        self.check: Claim | None = None
        self.missed: str | None = None
        self.proof = SeatProof(attempt=0, tickets=0)

    def _secrets(self, attempt: int) -> DrawSecrets:
        return DrawSecrets(
            secret=secret("draw", self.request.nonce, attempt), guard_secret=secret("s_R", self.request.nonce)
        )

    def _fits(self, secrets: DrawSecrets) -> bool:
        seed = draw_seed(secrets.secret, self.commitment)
        return drawn(seed, self.request.spot_bps) == bool(self.script.check)

    @property
    def target(self) -> Unit:
        return Unit(terms=self.terms, data=(self.data[0], self.data[1], self.data[2], self.data[3]))

    # ── the happy path ───────────────────────────────────────────────────────────────────────────────────

    def play(self) -> Story:
        match self.script.ending:
            case Ending.REFUSED | Ending.UNACKNOWLEDGED:
                self._refuse()
            case Ending.WITHHELD:
                self._commit()
                self._timeout(self.params.secret + self.terms.vwin + self.params.reveal + 1)
            case _:
                self._commit()
                self._reveal()
                self._end()
        return self._story()

    def _signed(self) -> SignedAward:
        sign = self.chain.signers["requester"].sign
        bid_sig = self.chain.signers["worker"].sign(self.bid)
        return SignedAward(
            request=self.request, request_sig=Signature(b""), bid=self.bid, bid_sig=bid_sig,
            award=self.award, award_sig=sign(self.award),
        )  # fmt: skip

    def _refuse(self) -> None:
        acknowledged = self.script.ending is Ending.REFUSED
        registration = Registration(signed=self._signed())
        if acknowledged:
            ack = Ack(award=self.award.digest(self.chain.domain), start_at=self.chain.now)
            registration = replace(registration, ack=ack, ack_sig=self.chain.signers["worker"].sign(ack))
            self.data[0] = Hash(self.chain.now.to_bytes(32, "big"))
        self.chain.call("requester", RegisterAward(unit=self.unit, registration=registration))
        self._timeout(self.bid.delay + self.params.grace + 1)

    def _timeout(self, seconds: int) -> None:
        self.chain.after(seconds)
        self.chain.call("rival", TimeOut(unit=self.unit, target=self.target))

    def _commit(self) -> None:
        chain, registration = self.chain, Registration(signed=self._signed())
        chain.call(
            "worker",
            AwardCommit(unit=self.unit, registration=registration, commitment=self.commitment),
        )
        self.committed_at = chain.now
        self.data[0] = self.commitment
        if not self.script.check:
            return
        chain.after(1)
        draw = Draw(
            unit=self.unit, target=self.target, secret=self.secrets.secret, guard_r=self.secrets.guard_r
        )
        chain.call("requester", draw)
        self.data[1] = self.draw_seed
        parties = (self.terms.worker, self.terms.requester)
        seat = seat_of(chain.tickets(), self.draw_seed, 0, self.committed_at, self.params.ticket_age, parties)
        assert seat is not None
        self.ticket, self.proof, owner = seat.ticket.id, seat.proof, ticket_name(seat.ticket.id)
        if self.script.check == "missed":
            self.missed = owner
            return
        silent = self.script.check == "silent"
        self.check = Claim(owner, None if silent else _label(self.script.check))
        hidden = self._hash_of("f" if silent else self.script.check)
        hash = self._report_hash(Role.CHECKER, owner, hidden, 0)
        chain.call(owner, CommitCheck(unit=self.unit, target=self.target, proof=self.proof, hash=hash))

    def _reveal(self) -> None:
        chain, p = self.chain, self.params
        undrawn = not self.script.check
        shown = undrawn and self.script.shown
        if self.missed or (undrawn and not shown):
            chain.until(self.committed_at + p.secret + self.terms.vwin + 1)
        else:
            chain.after(1)
        extra = {"secret": self.secrets.secret, "guard_r": self.secrets.guard_r} if shown else {}
        chain.call(
            "worker",
            Reveal(
                unit=self.unit, target=self.target, result=self.result, salt=self.salt,
                guard=guard(self.guard_w), output=b"" if self.script.ending is Ending.OVERDUE else OUTPUT, **extra,
            ),
        )  # fmt: skip
        flags = 2 if shown else 0 if undrawn else 7 if self.missed else 3
        fourth = Hash(ZERO_HASH)
        if flags == 0:
            fourth = self.commitment
        elif self.missed:
            fourth = hash_words(self.draw_seed, self.committed_at)
        self.data = [self.result.hash(), guard(self.guard_w), Hash(flags.to_bytes(32, "big")), fourth]
        self.challenge_by = chain.now + self.terms.vwin + p.challenge

    # ── reports, and the end ─────────────────────────────────────────────────────────────────────────────

    def _end(self) -> None:
        chain, p = self.chain, self.params
        for index, (author, letter) in enumerate(self.script.reports, 1):
            hidden = self._hash_of("f" if letter == "h" else letter)
            hash = self._report_hash(Role.REPORTER, author, hidden, index)
            chain.call(author, CommitReport(unit=self.unit, target=self.target, hash=hash))
        if self.script.ending is Ending.OVERDUE:
            demand = Demand(unit=self.unit, target=self.target, revealed=self.result, chunk=0)
            chain.call("requester", demand)
            self._timeout(p.da_window + 1)
        else:
            chain.until(self.challenge_by + 1)
            self._show_reports()
            chain.until(self.challenge_by + max(p.report, p.grace) + 1)
            chain.call("rival", Settle(unit=self.unit, target=self.target))
        if self.script.ending is Ending.DEFAULT:
            self._disputed()
            self._timeout(p.defend + 1)
        elif self.script.ending is Ending.RULED:
            self._disputed()
            self._rule()
        indexes = tuple(range(1, 1 + len(self.script.reports)))
        if self.check is not None:
            indexes = (0, *indexes)
        open = tuple(i for i in indexes if self.chain.view("BlockEdge", "reportOf", self.unit, i)[1] != 3)
        if open:
            chain.call("rival", CloseReports(unit=self.unit, target=self.target, indexes=open))
        if self.missed and self.script.ending in (Ending.SETTLED, Ending.OVERDUE):
            chain.call(
                "rival",
                FineChecker(
                    unit=self.unit, target=self.target, draw_seed=self.draw_seed,
                    committed_at=self.committed_at, proof=self.proof,
                ),
            )  # fmt: skip

    def _show_reports(self) -> None:
        self.salts: list[Secret] = []
        shown = [
            (i, author, letter) for i, (author, letter) in enumerate(self.script.reports, 1) if letter != "h"
        ]
        if self.check is not None and self.check.result is not None:
            shown.insert(0, (0, self.check.author, self.script.check))
        for index, author, letter in shown:
            self.salts.append(secret("report", self.unit, index))
            self.chain.call(
                author,
                RevealReport(
                    unit=self.unit, target=self.target, index=index, author=self.chain.address(author),
                    result_hash=self._hash_of(letter), salt=self.salts[-1], request=self.request,
                    revealed=self.result, output=OUTPUT, evidence=b"",
                ),
            )  # fmt: skip

    def _disputed(self) -> None:
        flags = int.from_bytes(self.data[2], "big") | self.challenge_by << 8
        self.data[2:] = [Hash(flags.to_bytes(32, "big")), Hash(ZERO_HASH)]

    # ── the jury ─────────────────────────────────────────────────────────────────────────────────────────

    def _rule(self) -> None:
        chain, p = self.chain, self.params
        s_r = self.secrets.guard_secret
        chain.call(
            "requester",
            ShowJury(unit=self.unit, target=self.target, secret=self.secrets.secret, guard_secret=s_r),
        )
        self.data[3] = Hash(s_r)
        defend = Defend(unit=self.unit, target=self.target, guard_secret=self.guard_w, tickets=TICKETS)
        chain.call("worker", defend)
        case = self.case(self.salts)
        self.rounds: list[Round] = []
        for number, letters in enumerate(self.script.rounds):
            funder = self.script.funders[number - 1] if number else ""
            if number:
                value = len(letters) * case.fee
                chain.call(funder, Appeal(unit=self.unit, case=case, round=number, value=value))
            self._vote(case, number, letters, funder)
        chain.after(p.appeal + 1)
        final = payoffs.outcome_of(self.rounds[-1], len(self.rounds) - 1)[1]
        letter = next((k for k, v in LETTERS.items() if v == final), "")
        final_hash = self._hash_of(letter) if letter else Hash(ZERO_HASH)
        chain.call("rival", CloseRound(unit=self.unit, target=self.target, case=case, final_hash=final_hash))
        flags = int.from_bytes(self.data[2], "big") | 8
        self.data[2:] = [Hash(flags.to_bytes(32, "big")), final_hash]

    def case(self, salts: Sequence[Secret]) -> Case:
        claims = (self.check, *(Claim(author, _label(letter)) for author, letter in self.script.reports))
        accusers = [c.author for c in claims if c is not None and c.result not in (None, ACCUSED)]
        seed = jury_seed(self.guard_w, self.secrets.guard_secret, salts_mix(salts))
        return Case(
            unit=self.unit, seed=seed, accused=self.result.hash(), worker=self.terms.worker,
            requester=self.terms.requester, snapshot=self.challenge_by, tickets=TICKETS, vwin=self.terms.vwin,
            accuser=self.chain.address(accusers[0]) if accusers else ZERO_ADDRESS, fee=self.terms.check_fee,
        )  # fmt: skip

    def seated(self, seed: Hash, number: int, snapshot: int) -> list[Seat | None]:
        """Who sits in a round."""
        parties = {self.terms.worker, self.terms.requester}
        parties |= {self.chain.address(author) for author, _ in self.script.reports}
        if self.check is not None:
            parties.add(self.chain.address(self.check.author))
        tickets, age = self.chain.tickets(), self.params.ticket_age
        return [
            seat_of(tickets, round_seed(seed, number), seat, snapshot, age, parties)
            for seat in range(ROUNDS[number])
        ]

    def _vote(self, case: Case, number: int, letters: str, funder: str) -> None:
        """Whoever is drawn for seat i does what letter i says."""
        chain, p, opened = self.chain, self.params, self.chain.now
        sitting = self.seated(case.seed, number, case.snapshot)
        seats: list[Seats] = []
        for reveals in (False, True):
            for number_of_seat, letter in enumerate(letters):
                seat = sitting[number_of_seat]
                if seat is None:
                    continue
                owner, salt = ticket_name(seat.ticket.id), secret("vote", self.unit, number, number_of_seat)
                if not reveals:
                    seats.append(Seats(owner, LETTERS[letter]))
                if letter == "-":
                    continue
                hidden = self._hash_of("f" if letter == "h" else letter)
                place = {"unit": self.unit, "case": case, "round": number, "seat": number_of_seat}
                if reveals and letter != "h":
                    chain.call(owner, RevealVote(**place, result_hash=hidden, salt=salt))
                elif not reveals:
                    hash = commitment(
                        chain.domain, self.unit, Role.JUROR, chain.address(owner), hidden, salt,
                        round=number, seat=number_of_seat,
                    )  # fmt: skip
                    chain.call(owner, CommitVote(**place, attempt=seat.proof.attempt, hash=hash))
            chain.until(opened + p.jcommit + case.vwin + (p.jreveal if reveals else 0) + 1)
        self.rounds.append(Round(tuple(seats), funder))

    # ── words and hashes ─────────────────────────────────────────────────────────────────────────────────

    def _hash_of(self, letter: str) -> Hash:
        if letter == "w":
            return self.result.hash()
        if letter == "n":
            return NO_INPUT
        return replace(self.result, memory_hash=keccak256(letter.encode())).hash()

    def _report_hash(self, role: Role, author: str, hidden: Hash, index: int) -> Hash:
        salt = secret("report", self.unit, index)
        return commitment(self.chain.domain, self.unit, role, self.chain.address(author), hidden, salt)

    def _story(self) -> Story:
        script, p = self.script, self.params
        return Story(
            stakes=Stakes(
                price=script.price, deposit=script.deposit, fee=script.fee, fee_bps=p.fee_bps, seat=p.seat
            ),
            ending=script.ending,
            shown=script.shown,
            missed=self.missed,
            check=self.check,
            reports=tuple(
                Claim(author, None if letter == "h" else _label(letter)) for author, letter in script.reports
            ),
            rounds=tuple(self.rounds) if script.ending is Ending.RULED else (),
        )


def _label(letter: str) -> str | None:
    found = LETTERS[letter]
    return found if isinstance(found, str) else None
