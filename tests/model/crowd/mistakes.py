"""What can be wrong with a call: one thing at a time, or nothing could be learnt from its failing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core.court import Case, SeatProof
from blockedge_node.core.ids import Hash
from blockedge_node.core.task import Kind, Result
from blockedge_node.core.unit import Phase
from tests.model import calls
from tests.model.calls import NO_RESULT, UNSIGNED, Call, Opening, Shown, Sig
from tests.model.crowd.juries import Juries
from tests.model.crowd.people import DATA, SHARDS

RARE = {
    "draw",
    "commitCheck",
    "fineChecker",
    "showJury",
    "defend",
    "demand",
    "supply",
    "appeal",
    "closeRound",
}


class Mistakes(Juries):
    def _spoilt(self, call: Call) -> Call:
        """One call in seven has something wrong with it; of the rare ones, one in three, and half of the fines."""
        odds = 0.5 if call.name == "fineChecker" else 0.3 if call.name in RARE else 0.14
        if not self._sometimes(odds):
            return call
        ways = [self._by_another]
        match call.name:
            case "award" | "awardCommit":
                ways += [self._odd_signatures, self._odd_lists]
            case "announce" | "postBid" | "closeAuction":
                ways += [self._odd_auction] * 3
            case "commit" | "reveal" | "settle":
                ways += [self._odd_targets, self._odd_lists, self._odd_seconds]
            case "timeout" | "commitReport" | "closeReports":
                ways += [self._odd_targets]
            case "draw" | "commitCheck" | "fineChecker" | "showJury" | "defend" | "demand" | "supply":
                ways += [self._odd_targets, self._odd_words, self._odd_words, self._odd_words]
            case "commitVote" | "revealVote" | "closeRound":
                ways += [self._odd_case, self._odd_words, self._odd_words, self._odd_words]
            case "appeal":
                ways += [self._odd_case, lambda call: replace(call, value=call.value + 1)]
            case "revealReport":
                ways += [self._odd_targets, self._odd_report, self._odd_report, self._odd_report]
        return self.chance.choice(ways)(call)

    def _by_another(self, call: Call) -> Call:
        return replace(call, sender=self._anybody(call.sender))

    def _odd_signatures(self, call: Call) -> Call:
        item = self.chance.choice(call.args[1])
        sigs = (Sig(self.chance.randbytes(64)), *item.bid_sigs[1:])
        odd = self.chance.choice(
            [
                replace(item, award_sig=Sig(self.chance.randbytes(64))),
                replace(item, ack_sig=Sig(self.chance.randbytes(64))),
                replace(item, bid_sigs=sigs),
                replace(item, bid_sigs=(*item.bid_sigs[:-1], UNSIGNED)),
                replace(item, bid_sigs=()),
                replace(item, bids=(), bid_sigs=()),
                replace(item, request=len(call.args[0])),
            ]
        )
        items = tuple(odd if i is item else i for i in call.args[1])
        return replace(call, args=(call.args[0], items, *call.args[2:]))

    def _odd_lists(self, call: Call) -> Call:
        """The arrays of a call differ in length, or all are empty."""
        if call.name == "award":
            return replace(call, args=((), ()))
        position = self.chance.randrange(1, len(call.args))
        shorter = tuple(a[:-1] if i == position else a for i, a in enumerate(call.args))
        return replace(call, args=shorter)

    def _odd_targets(self, call: Call) -> Call:
        first = call.args[0]
        many = isinstance(first, tuple)
        target: calls.Unit = first[-1] if many else first
        words = list(target.data)
        words[self.chance.randrange(4)] = Hash(self._secret())
        odd = self.chance.choice(
            [
                replace(target, data=tuple(words)),
                replace(target, terms=replace(target.terms, price=target.terms.price + 1)),
                replace(target, terms=replace(target.terms, worker=self._anybody(target.terms.worker))),
                replace(target, terms=replace(target.terms, shard=target.terms.shard + SHARDS)),
            ]
        )
        return replace(call, args=((*first[:-1], odd) if many else odd, *call.args[1:]))

    def _odd_seconds(self, call: Call) -> Call:
        """What comes with the last unit is wrong: an opening, a secret, a signature."""
        items = call.args[1]
        match call.name:
            case "reveal":
                odd = self._odd_opening(items[-1])
            case "settle":
                odd = Shown(secret=self._secret(), guard_r=self._secret())
            case _:
                odd = Hash(self._secret())
        return replace(call, args=(call.args[0], (*items[:-1], odd), *call.args[2:]))

    def _odd_opening(self, opening: Opening) -> Opening:
        return self.chance.choice(
            [
                replace(opening, salt=self._secret()),
                replace(opening, guard=self._secret()),
                replace(opening, secret=self._secret()),
                replace(opening, guard_r=self._secret()),
                replace(opening, result=replace(opening.result, fuel_used=7)),
                replace(opening, output=opening.output + b"!"),
                replace(opening, output=bytes(1025)),
            ]
        )

    def _odd_report(self, call: Call) -> Call:
        unit, index, opening, proof = call.args
        ways: list[tuple[Any, ...]] = [
            (index + 1, opening, proof),
            (index, replace(opening, author=self._anybody(opening.author)), proof),
            (index, replace(opening, salt=self._secret()), proof),
            (index, replace(opening, result_hash=self._secret()), proof),
        ]
        if unit.terms.kind == Kind.POW:
            of_proof: list[tuple[Any, ...]] = [
                (index, opening, replace(proof, request=replace(proof.request, nonce=0))),
                (index, opening, replace(proof, data=DATA[:64])),
                (index, opening, replace(proof, result=NO_RESULT)),
                (index, opening, replace(proof, output=proof.output + b"!")),
                (index, opening, replace(proof, evidence=proof.evidence + b"!")),
            ]
            ways = of_proof if self._sometimes(0.7) else ways
            if self._sometimes(0.2):
                return replace(call, gas=365_000)  # too little for the judge
        return replace(call, args=(unit, *self.chance.choice(ways)))

    def _odd_words(self, call: Call) -> Call:
        """Of the plain arguments, one is another: a hash, a number, a proof, some bytes."""
        places = range(1, len(call.args))
        proofs = [place for place in places if isinstance(call.args[place], SeatProof)]
        place = self.chance.choice(proofs if proofs and self._sometimes(0.4) else places)
        return replace(call, args=tuple(self._other(a) if i == place else a for i, a in enumerate(call.args)))

    def _other(self, value: Any) -> Any:
        match value:
            case int():
                return max(0, value + self.chance.choice([-1, 1])) % 256
            case SeatProof():
                changes = [{"attempt": (value.attempt + 1) % 8}, {"tickets": value.tickets + 1}]
                changes += [{"tickets": max(0, value.tickets - 1)}]
                return replace(value, **self.chance.choice(changes))
            case Result():
                return replace(value, fuel_used=value.fuel_used + 1)
            case Case():
                return replace(value, fee=value.fee + 1)
            case bytes():
                return self._secret() if len(value) == 32 and self._sometimes(0.9) else bytes(len(value))
            case _:
                return value[:-1] if value else (Hash(self._secret()),)

    def _odd_case(self, call: Call) -> Call:
        """About another case, or one that never was so; or with another unit."""
        position = next(i for i, a in enumerate(call.args) if isinstance(a, Case))
        case = call.args[position]
        others = [d.case for d in self.world.disputes.values()]
        odd = self.chance.choice(
            [self.chance.choice(others), replace(case, accuser=self._anybody(case.accuser))]
        )
        args = [odd if i == position else a for i, a in enumerate(call.args)]
        if call.name == "closeRound" and self._sometimes(0.5):
            return self._odd_targets(call)
        return replace(call, args=tuple(args))

    def _presumptuous(self) -> Call:
        """Somebody speaks for one of the contracts."""
        if self.world.disputes and self._sometimes(0.7):
            case = self.chance.choice(list(self.world.disputes.values())).case
            if self._sometimes(0.5):
                return Call(sender=self._anybody(), name="open", args=(case, False, 0, 0), to="Court")
            unit = self.world.units[case.unit].shown_as()
            nobody = (bytes(20),) * 3
            ruling = (Phase.PAID, case.accused, nobody, (0, 0, 0), 0)
            return Call(sender=self._anybody(), name="rule", args=(unit, ruling))
        return Call(sender=self._anybody(), name="take", args=(0, 1), to="Court")
