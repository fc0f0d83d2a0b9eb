"""What must hold in every run, whoever lies, crashes or is cut off (docs/protocol.md §11).

After every block: invariants 1 (buckets sum to the balance, stakes and pots to the Court's), 2 (nothing locked once
all has ended), 3 (only SLASHED and REFUSED take from a deposit), 4 (paid once, ends stay), 14 (bounds of a
reputation), and that the views built from events are the contract's slots. Whenever a call is signed: invariant 18
(one salt an award, a report, a check, a vote). At the end: no honest node has lost anything but what it paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blockedge_node.chain.book import closed, slot_of
from blockedge_node.chain.events import Settled
from blockedge_node.core.actions import (
    AwardCommit,
    ChainAction,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
)
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Digest, Hash, UnitId
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.sim.evm import SimChain

REPUTATION_MAX = 1_000_000


@dataclass(eq=False)
class Audit:
    """One a run. Raises AssertionError where an invariant breaks."""

    chain: SimChain
    names: Mapping[Address, str]
    funded: int  # wei in the contract, all told
    blocks: int = 0
    _reorgs: int = 0
    commitments: dict[Digest, set[Hash]] = field(default_factory=dict)  # ever signed, by Award
    reports: dict[tuple[UnitId, Address], set[Hash]] = field(default_factory=dict)
    votes: dict[tuple[UnitId, int, int], set[Hash]] = field(default_factory=dict)
    checks: dict[UnitId, set[Hash]] = field(default_factory=dict)

    def signed(self, who: Address, call: ChainAction) -> None:
        """Invariant 18: what leaves a node, in any life of it."""
        match call:
            case AwardCommit(registration=registration, commitment=commitment):
                self._committed(registration.signed.award.digest(self.chain.domain), commitment)
            case CommitResult(target=target, commitment=commitment) if target.terms.mode & Mode.ONCHAIN:
                self._committed(Digest(target.terms.terms_hash()), commitment)
            case CommitReport(unit=unit, hash=hashed):
                reports = self.reports.setdefault((unit, who), set())
                reports.add(hashed)
                assert len(reports) == 1, f"invariant 18: two salts for a report on {unit.hex()}"
            case CommitVote(unit=unit, round=round, seat=seat, hash=hashed):
                votes = self.votes.setdefault((unit, round, seat), set())
                votes.add(hashed)
                assert len(votes) == 1, f"invariant 18: two salts for seat {seat} of round {round}"
            case CommitCheck(unit=unit, hash=hashed):
                checks = self.checks.setdefault(unit, set())
                checks.add(hashed)
                assert len(checks) == 1, f"invariant 18: two salts for the check of {unit.hex()}"
            case _:
                pass

    def _committed(self, award: Digest, commitment: Hash) -> None:
        """By Award, or by the Terms of what was won in an auction."""
        known = self.commitments.setdefault(award, set())
        known.add(commitment)
        assert len(known) == 1, f"invariant 18: two salts for award {award.hex()}"
        others = (c for a, c in self.commitments.items() if a != award)
        assert not any(commitment in c for c in others), "invariant 18: a commitment used twice"

    def block(self) -> None:
        """After each block, on its state; an empty one that no reorg brought changes nothing."""
        self.blocks += 1
        chain = self.chain
        if not chain.blocks[-1].txs and chain.reorgs == self._reorgs:
            return
        self._reorgs = chain.reorgs
        standings = {who: chain.standing(who) for who in self.names}
        free = sum(standing.account.free for standing in standings.values())
        locked = sum(standing.account.locked for standing in standings.values())
        assert free + locked + chain.burned == chain.held, "invariant 1"
        if chain.params.court == ZERO_ADDRESS:
            assert chain.held == self.funded, "invariant 1"
        else:
            stakes = sum(ticket.stake for ticket in chain.tickets.tickets)
            assert stakes + chain.pots == chain.court_held, "invariant 1, of the Court"
        views = chain.book.all_views()
        if all(map(closed, views)) and all(auction.lapsed for auction in chain.opened()):
            assert locked == 0, "invariant 2: all units have ended, and something is still locked"
        for who, standing in standings.items():
            r = standing.reputation
            bounds = 0 <= r.score <= REPUTATION_MAX and r.n <= r.m and r.s <= r.t
            assert bounds, f"invariant 14: {self.names[who]} has {r}"
        self._check_ends()
        expected = {view.unit: slot_of(view) for view in views}
        assert chain.slots(list(expected)) == expected, "views differ from the contract's slots"

    def _check_ends(self) -> None:
        """Invariants 3 and 4, over the whole canonical log: a reorg may have taken an end back."""
        settled: set[UnitId] = set()
        for block in self.chain.blocks:
            for record in block.records:
                if not isinstance(record, Settled):
                    continue
                assert record.unit not in settled, "invariant 4: a unit was settled twice"
                settled.add(record.unit)
                assert record.phase is Phase.PAID or not record.paid, "invariant 4: paid, but not PAID"
                takes = record.phase in (Phase.SLASHED, Phase.REFUSED)
                assert takes or not record.slashed, "invariant 3: an honest end took from a deposit"
        for view in self.chain.book.all_views():
            assert (view.unit in settled) == view.phase.terminal, "invariant 4: an end that did not last"
