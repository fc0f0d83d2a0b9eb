"""The calls of a unit's life, and about its end: each as whoever would make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from blockedge_node.core.commitment import Role, commitment, guard
from blockedge_node.core.court import SeatProof
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Secret
from blockedge_node.core.merkle import CHUNK, leaves, root_of_leaves
from blockedge_node.core.task import Commit
from tests.model.calls import NO_PROOF, UNSIGNED, Call, Opening, Proof, ReportOpening, Shown
from tests.model.crowd.auctions import Auctions
from tests.model.crowd.people import DATA, SHARDS, SOLUTIONS, Claim, Job
from tests.model.tickets import Seat, old_enough, sitting
from tests.model.world import SHOWN, Report, Stage, Unit


class Units(Auctions):
    def _with_others(self, unit: Unit, fits: Callable[[Unit], bool]) -> list[Unit]:
        """A batch: this unit, at times with others in its phase, at times twice."""
        batch = [unit]
        if self._sometimes(0.15):
            batch += [u for u in self.world.units.values() if u is not unit and fits(u)][-2:]
        if self._sometimes(0.05):
            batch.append(unit)
        return batch

    def _batch(self, unit: Unit) -> list[Unit]:
        return self._with_others(unit, lambda other: other.phase == unit.phase and other.id in self.jobs)

    def _commit(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        sender = unit.terms.worker if self._sometimes(0.6) else self._anybody()
        hashes = [self._hidden(u.id, u.terms.worker, self.jobs[u.id].opening) for u in units]
        structs = [
            Commit(unit=u.id, terms_hash=u.terms.terms_hash(), commitment=h)
            for u, h in zip(units, hashes, strict=True)
        ]
        sigs = [
            UNSIGNED if u.terms.worker == sender else self._sign(u.terms.worker, s)
            for u, s in zip(units, structs, strict=True)
        ]
        targets = tuple(u.shown_as() for u in units)
        return Call(sender=sender, name="commit", args=(targets, tuple(hashes), tuple(sigs)))

    def _reveal(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        openings = tuple(self._opening(u) for u in units)
        targets = tuple(u.shown_as() for u in units)
        return Call(sender=self._anybody(), name="reveal", args=(targets, openings))

    def _opening(self, unit: Unit) -> Opening:
        opening = self.openings.get(unit.commitment, self.jobs[unit.id].opening)
        if self._sometimes(0.1 if unit.drawn else 0.85):
            shown = self._shown(unit)
            return replace(opening, secret=shown.secret, guard_r=shown.guard_r)
        return opening

    def _shown(self, unit: Unit) -> Shown:
        """The requester's secret, if it has one."""
        if unit.terms.draw_commit not in self.draws:
            return Shown()
        secret, s_r = self.draws[unit.terms.draw_commit]
        return Shown(secret=secret, guard_r=guard(s_r))

    def _settle(self, unit: Unit, job: Job) -> Call:
        units = self._batch(unit)
        targets = tuple(u.shown_as() for u in units)
        secrets = tuple(
            self._shown(u) if not u.flags & SHOWN and self._sometimes(0.5) else Shown() for u in units
        )
        return Call(sender=self._anybody(), name="settle", args=(targets, secrets))

    def _timeout(self, unit: Unit, job: Job) -> Call:
        targets = tuple(u.shown_as() for u in self._batch(unit))
        return Call(sender=self._anybody(), name="timeout", args=(targets,))

    def _report(self, unit: Unit, job: Job) -> Call:
        author = self._anybody()
        if unit.court and not self.world.has_court and self._sometimes(0.8):
            author = unit.terms.requester
        evidence = b""
        if unit.court:
            claim = self._claim(unit, job)
        else:
            right, *others = SOLUTIONS[unit.terms.shard % SHARDS]
            evidence = right if self._sometimes(0.6) else self.chance.choice([*others, b"", b"rubbish!"])
            claim = keccak256(evidence)
        hash = self._hide(unit, Role.REPORTER, author, claim, evidence)
        return Call(sender=author, name="commitReport", args=(unit.shown_as(), hash))

    def _claim(self, unit: Unit, job: Job) -> Hash:
        """A court kind's result, as somebody else says that it is."""
        dice = self.chance.random()
        if dice < 0.2:
            return self.openings.get(unit.commitment, job.opening).result.hash()
        return self._result(self._answer(job.request, 0 if dice < 0.7 else self.chance.randint(1, 3))).hash()

    def _hide(self, unit: Unit, role: Role, author: Address, claim: Hash, evidence: bytes = b"") -> Hash:
        opening = ReportOpening(author=author, result_hash=claim, salt=self._secret())
        hash = commitment(self.world.domain, unit.id, role, author, claim, Secret(opening.salt))
        self.claims[hash] = Claim(opening, evidence)
        return hash

    def _reveal_report(self, unit: Unit, job: Job) -> Call:
        pending = self._hidden_reports(unit) or [*unit.reports, 1]
        index = self.chance.choice(pending)
        report = unit.reports.get(index)
        claim = self.claims.get(report.hash) if report is not None else None
        if claim is None:
            claim = Claim(ReportOpening(author=self._anybody(), result_hash=ZERO_HASH, salt=self._secret()))
        proof = NO_PROOF
        if not unit.court:
            found = self.openings.get(unit.commitment, job.opening)
            proof = Proof(
                request=job.request,
                data=DATA,
                result=found.result,
                output=found.output,
                evidence=claim.evidence,
            )
        args = (unit.shown_as(), index, claim.opening, proof)
        return Call(sender=self._anybody(), name="revealReport", args=args)

    def _close(self, unit: Unit, job: Job) -> Call:
        held = [i for i, r in unit.reports.items() if r.stage != Stage.CLOSED]
        indices = tuple(held) if held and self._sometimes(0.6) else (self.chance.randint(0, 3),)
        if self._sometimes(0.05):
            indices += (1,) * self.chance.choice([1, 16])
        return Call(sender=self._anybody(), name="closeReports", args=(unit.shown_as(), indices))

    def _hidden_reports(self, unit: Unit) -> list[int]:
        """Those that will be opened: the checker of one unit in four, and a reporter now and then, keep silent."""
        hidden = [i for i, report in unit.reports.items() if report.stage == Stage.COMMITTED]
        return [i for i in hidden if unit.id[i % 32] % (8 if i else 4) and self._can_show(unit.reports[i])]

    def _can_show(self, report: Report) -> bool:
        claim = self.claims.get(report.hash)
        return claim is not None and claim.opening.author == report.author

    # ── checks ───────────────────────────────────────────────────────────────────────────────────────────

    def _draw(self, unit: Unit, job: Job) -> Call:
        shown = self._shown(unit)
        return Call(sender=self._anybody(), name="draw", args=(unit.shown_as(), shown.secret, shown.guard_r))

    def _check(self, unit: Unit, job: Job) -> Call:
        attempt, _, owner = self._drawn(unit) or (0, 0, self._anybody())
        claim = self._claim(unit, job)
        if self._sometimes(0.4):
            claim = self.openings.get(unit.commitment, job.opening).result.hash()
        hash = self._hide(unit, Role.CHECKER, owner, claim)
        proof = SeatProof(attempt=attempt, tickets=old_enough(self.world, unit.committed_at))
        return Call(sender=owner, name="commitCheck", args=(unit.shown_as(), proof, hash))

    def _drawn(self, unit: Unit) -> Seat | None:
        """Who has to check the unit, or would have had to."""
        if unit.draw_seed is None:
            return None
        parties = {unit.terms.worker, unit.terms.requester}
        return sitting(self.world, unit.draw_seed, 0, unit.committed_at, parties)

    def _fine(self, unit: Unit, job: Job) -> Call:
        attempt = (self._drawn(unit) or (0,))[0]
        proof = SeatProof(attempt=attempt, tickets=old_enough(self.world, unit.committed_at))
        args = (unit.shown_as(), unit.draw_seed or ZERO_HASH, unit.committed_at, proof)
        return Call(sender=self._anybody(), name="fineChecker", args=args)

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────

    def _demand(self, unit: Unit, job: Job) -> Call:
        result = self.openings.get(unit.commitment, job.opening).result
        chunk = self.chance.choice([0, 1, 4, 9, 2**32 - 1])
        return Call(sender=unit.terms.requester, name="demand", args=(unit.shown_as(), result, chunk))

    def _supply(self, unit: Unit, job: Job) -> Call:
        result = self.openings.get(unit.commitment, job.opening).result
        row = leaves(self.outputs.get(result.output_root, b""))
        asked = [demand.chunk for demand in unit.demands if demand.open] or [0]
        chunk = self.chance.choice(asked)
        at = min(chunk, len(row) - 1)
        data = self.outputs.get(result.output_root, b"")[CHUNK * at : CHUNK * (at + 1)]
        args = (unit.shown_as(), result, chunk, len(row), data, _path(row, at))
        return Call(sender=self._anybody(), name="supply", args=args)


def _path(row: Sequence[Hash], at: int) -> tuple[Hash, ...]:
    """The siblings on the way from a leaf to the root; an odd node has none, and moves up."""
    path, level = [], list(row)
    while len(level) > 1:
        if at ^ 1 < len(level):
            path.append(level[at ^ 1])
        pairs = [root_of_leaves(level[i : i + 2]) for i in range(0, len(level), 2)]
        level, at = [Hash(pair) for pair in pairs], at // 2
    return tuple(path)
