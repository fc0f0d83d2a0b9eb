"""Tickets, and the calls of a dispute: every case has a mood, by which its jurors vote."""

from __future__ import annotations

from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import NO_INPUT
from blockedge_node.core.ids import ZERO_HASH, Hash
from blockedge_node.core.sortition import ROUNDS
from tests.model import court
from tests.model.calls import Call
from tests.model.crowd.people import Job
from tests.model.crowd.units import Units
from tests.model.tickets import old_enough
from tests.model.world import Dispute, Unit


class Juries(Units):
    def _ticket_call(self) -> Call:
        """Mostly stakes: fines make tickets leave."""
        who, seat = self._anybody(), self.world.params.seat
        some = self.chance.randrange(len(self.world.tickets) + 2)
        dice = self.chance.random()
        if dice < 0.45:
            value = seat if self._sometimes(0.9) else seat - 1
            return Call(sender=who, name="stake", value=value, to="Court")
        tickets = list(enumerate(self.world.tickets))
        match self.chance.choice(["unstake", "withdrawTicket", "collect"]):
            case "unstake" as name:
                fits = [id for id, ticket in tickets if ticket.left_at == 0][-4:]
            case "withdrawTicket" as name:
                fits = [id for id, ticket in tickets if ticket.left_at and ticket.stake]
            case name:
                fits = [id for id, ticket in tickets if ticket.stake > seat]
        id = self.chance.choice(fits) if fits and self._sometimes(0.8) else some
        if id < len(tickets) and self._sometimes(0.85):
            who = self.world.tickets[id].owner
        return Call(sender=who, name=name, args=(id,), to="Court")

    # ── the way to a jury ────────────────────────────────────────────────────────────────────────────────

    def _show_jury(self, unit: Unit, job: Job) -> Call:
        secret, s_r = self.draws.get(unit.terms.draw_commit, (ZERO_HASH, ZERO_HASH))
        return Call(sender=self._anybody(), name="showJury", args=(unit.shown_as(), secret, s_r))

    def _defend(self, unit: Unit, job: Job) -> Call:
        s_w = self.guarded.get(unit.guard, ZERO_HASH)
        args = (unit.shown_as(), s_w, old_enough(self.world, unit.challenge_by))
        return Call(sender=self._anybody(), name="defend", args=args)

    # ── votes ────────────────────────────────────────────────────────────────────────────────────────────

    def _try_case(self, unit: Unit, job: Job, dispute: Dispute) -> Call | None:
        """What the case waits for now; None: for time to pass."""
        now, world = self.world.now, self.world
        votes, number = dispute.rounds[-1].votes, len(dispute.rounds) - 1
        if now <= court.commit_by(world, dispute):
            absent = {"absent": 3, "late": 6}.get(job.mood, 15)  # one juror of so many stays away
            free = [s for s in range(ROUNDS[number]) if s not in votes and (unit.id[1] + s + number) % absent]
            self.chance.shuffle(free)
            seat = next((seat for seat in free if court.seat_of(world, dispute, number, seat)), None)
            return self._vote(unit, job, dispute, seat) if seat is not None else None
        if now <= court.reveal_by(world, dispute):
            hidden = 4 if job.mood == "late" else 20
            hidden_ones = [(s, v.commitment) for s, v in votes.items() if v.result_hash is None]
            mine = [seat for seat, hash in hidden_ones if self.votes.get(hash, (0,))[0] == (number, seat)]
            open_ = [seat for seat in mine if (unit.id[2] + seat) % hidden]
            return self._show_vote(dispute, self.chance.choice(open_)) if open_ else None
        if now <= court.close_by(world, dispute):
            eager = number < len(ROUNDS) - 1 and self._sometimes(0.35 if number == 0 else 0.5)
            return self._appeal(dispute) if eager else None
        return self._close_round(unit, dispute)

    def _vote(self, unit: Unit, job: Job, dispute: Dispute, seat: int) -> Call:
        number = len(dispute.rounds) - 1
        attempt, _, owner = court.seat_of(self.world, dispute, number, seat) or (0, 0, self._anybody())
        found, salt = self._opinion(unit, job, number), self._secret()
        hash = commitment(self.world.domain, unit.id, Role.JUROR, owner, found, salt, round=number, seat=seat)
        self.votes[hash] = (number, seat), found, salt
        args = (dispute.case, number, seat, attempt, hash)
        return Call(sender=owner, name="commitVote", args=args, to="Court")

    def _opinion(self, unit: Unit, job: Job, number: int) -> Hash:
        right = self._result(self._answer(job.request, 0)).hash()
        wrong = self._result(self._answer(job.request, self.chance.randint(1, 3))).hash()
        accuser = unit.reports[unit.best].hash if unit.best is not None else wrong
        opinions = {
            "bribed": [unit.result_hash, unit.result_hash, right],
            "accusing": [accuser, accuser, accuser, right],
            "starved": [NO_INPUT, NO_INPUT, right],
            "split": [right, wrong, unit.result_hash, NO_INPUT, accuser],
        }
        honest = job.mood not in opinions or (number > 0 and unit.id[3] % 2 == 0)  # appeals may turn it
        return (
            right if honest and self._sometimes(0.9) else self.chance.choice(opinions.get(job.mood, [wrong]))
        )

    def _show_vote(self, dispute: Dispute, seat: int) -> Call:
        vote = dispute.rounds[-1].votes[seat]
        _, found, salt = self.votes.get(vote.commitment, ((), ZERO_HASH, self._secret()))
        args = (dispute.case, len(dispute.rounds) - 1, seat, found, salt)
        return Call(sender=self._anybody(), name="revealVote", args=args, to="Court")

    def _appeal(self, dispute: Dispute) -> Call:
        number = min(len(dispute.rounds), len(ROUNDS) - 1)
        value = ROUNDS[number] * dispute.case.fee
        return Call(sender=self._anybody(), name="appeal", args=(dispute.case,), value=value, to="Court")

    def _close_round(self, unit: Unit, dispute: Dispute) -> Call:
        _, right = court.tally(dispute.rounds[-1], len(dispute.rounds) - 1, dispute.case.accused)
        args = (unit.shown_as(), dispute.case, right)
        return Call(sender=self._anybody(), name="closeRound", args=args, to="Court")

    def _any_case_call(self) -> Call | None:
        """One that its case is hardly waiting for."""
        if not self.world.disputes:
            return None
        disputes = list(self.world.disputes.values())
        running = [dispute for dispute in disputes if dispute.open]
        dispute = self.chance.choice(running if running and self._sometimes(0.8) else disputes)
        unit = self.world.units[dispute.case.unit]
        votes = dispute.rounds[-1].votes
        match self.chance.randrange(4):
            case 0:
                return self._vote(unit, self.jobs[unit.id], dispute, self.chance.randrange(24))
            case 1 if votes:
                return self._show_vote(dispute, self.chance.choice(list(votes)))
            case 2:
                return self._appeal(dispute)
            case _:
                return self._close_round(unit, dispute)
