"""What the members of a coalition may do with one unit, and what each way is worth to everybody.

A game begins with an *opening*, chosen before the draw is known: the worker works, lies, refuses or withholds; the
requester may keep back the input. Then comes one of three *nodes*: the unit is not drawn, drawn to a ticket of the
coalition, or drawn to another. In every node the coalition has a list of plays; the first is the honest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from blockedge_node.experiments.economics.disputes import FORGED, TRUTH, contest, fought
from blockedge_node.experiments.economics.payoffs import ACCUSED, Claim, Ending, Story, Who
from blockedge_node.experiments.economics.rerolls import rerolled
from blockedge_node.experiments.economics.setting import (
    ACCOMPLICE,
    CHECKER,
    DETECTOR,
    OWN_CHECKER,
    REQUESTER,
    WORKER,
    Coalition,
    Member,
    Play,
    Setting,
    Utility,
    utility_of,
    with_costs,
)
from blockedge_node.experiments.economics.shams import best_sham


class Node(Enum):
    UNDRAWN = "not drawn"
    OWN = "own checker drawn"
    OTHER = "other checker drawn"


class Opening(Enum):
    """What the coalition settles before the draw; of those without nodes, the unit ends there."""

    WORK = "work"
    LIE = "lie"
    WITHHOLD = "withhold"
    REFUSE = "refuse"
    IGNORE = "refuse without an Ack"
    DENY = "keep back the input"
    NOTHING = "no unit at all"


NODELESS = {
    Opening.REFUSE: Ending.REFUSED,
    Opening.IGNORE: Ending.UNACKNOWLEDGED,
    Opening.DENY: Ending.UNACKNOWLEDGED,
}


@dataclass(frozen=True, slots=True)
class Game:
    coalition: Coalition
    setting: Setting

    # ── openings ─────────────────────────────────────────────────────────────────────────────────────────

    def openings(self) -> Iterator[Opening]:
        yield Opening.WORK
        if Member.WORKER in self.coalition:
            yield from (Opening.LIE, Opening.WITHHOLD, Opening.REFUSE, Opening.IGNORE)
            if Member.REQUESTER in self.coalition:
                yield Opening.NOTHING
        elif Member.REQUESTER in self.coalition:
            yield Opening.DENY

    def nodeless(self, opening: Opening) -> Play | None:
        if opening is Opening.NOTHING:
            return Play(opening.value, {})
        if opening not in NODELESS:
            return None
        story = Story(stakes=self.setting.stakes, ending=NODELESS[opening], trusted=self.setting.trusted)
        return Play(opening.value, self._utility(story))

    def plays(self, opening: Opening, node: Node) -> list[Play]:
        return list(
            {Opening.WORK: self._work, Opening.LIE: self._lie, Opening.WITHHOLD: self._withhold}[opening](
                node
            )
        )

    # ── the worker works ─────────────────────────────────────────────────────────────────────────────────

    def _work(self, node: Node) -> Iterator[Play]:
        checks: list[tuple[str, Claim | None, Who | None, tuple[Who, ...]]]
        knows = Member.WORKER in self.coalition or Member.REQUESTER in self.coalition
        match node:
            case Node.UNDRAWN:
                checks = [("", None, None, ())]
            case Node.OTHER:
                checks = [("", Claim(CHECKER, ACCUSED), None, (CHECKER,))]
                if Member.REQUESTER in self.coalition:
                    checks.append(("starve the checker", None, CHECKER, ()))
            case Node.OWN:
                checks = [("check", Claim(OWN_CHECKER, ACCUSED), None, (OWN_CHECKER,))]
                if knows:
                    checks.append(("copy the check", Claim(OWN_CHECKER, ACCUSED), None, ()))
                checks.append(("check nothing", None, OWN_CHECKER, ()))
        for does, check, missed, ran in checks:
            computed = (WORKER, *ran)
            yield self._settled(does, check=check, missed=missed, computed=computed, right=True)
            for reports in self._idle_reports():
                yield self._settled(
                    f"{does}, {reports[0]}", check=check, missed=missed, reports=reports[1],
                    computed=computed, right=True,
                )  # fmt: skip
            if missed is None:
                for author in self._reporters():
                    yield self._disputed(
                        f"{does}, accuse ({author})", lied=False, check=check,
                        reports=(Claim(author, FORGED),), computed=computed,
                    )  # fmt: skip
        if Member.REQUESTER in self.coalition:
            yield self._hidden(lied=False)
        if node is Node.OWN:
            for does, result in (("accuse", FORGED), ("check and stay silent", None)):
                yield self._disputed(
                    f"{does} as checker", lied=False, check=Claim(OWN_CHECKER, result), computed=(WORKER,)
                )
        if Member.WORKER in self.coalition:
            kept_back = Story(
                stakes=self.setting.stakes, ending=Ending.OVERDUE, trusted=self.setting.trusted,
                check=checks[0][1],
            )  # fmt: skip
            yield Play("keep back the output", self._utility(kept_back, (WORKER, *checks[0][3])))
        yield from self._shams(node, lied=False)

    # ── the worker lies ──────────────────────────────────────────────────────────────────────────────────

    def _lie(self, node: Node) -> Iterator[Play]:
        watch = (Claim(DETECTOR, TRUTH),) if self.setting.watched else ()
        match node:
            case Node.UNDRAWN:
                if watch:
                    yield from self._against(None, watch, ())
                else:
                    yield self._settled("")
                if Member.DETECTOR in self.coalition:
                    yield from self._against(None, (Claim(ACCOMPLICE, TRUTH), *watch), (ACCOMPLICE,))
            case Node.OWN:
                agreeing = Claim(OWN_CHECKER, ACCUSED)
                if watch:
                    yield from self._against(agreeing, watch, ())
                else:
                    yield self._settled("agree", check=agreeing)
                yield from self._against(Claim(OWN_CHECKER, TRUTH), watch, (OWN_CHECKER,))
            case Node.OTHER:
                caught = Claim(CHECKER, TRUTH)
                yield from self._against(caught, watch, (CHECKER,))
                if Member.DETECTOR in self.coalition:
                    more = (Claim(ACCOMPLICE, TRUTH), *watch)
                    yield from self._against(caught, more, (CHECKER, ACCOMPLICE))
                story = Story(stakes=self.setting.stakes, ending=Ending.WITHHELD, check=caught)
                yield Play("withhold", self._utility(story, (CHECKER,)))
                if Member.REQUESTER in self.coalition and not watch:
                    yield self._settled("starve the checker", missed=CHECKER)
        if Member.REQUESTER in self.coalition and not watch:
            yield self._hidden(lied=True)
        if not watch:
            yield from self._shams(node, lied=True)

    def _against(
        self, check: Claim | None, reports: tuple[Claim, ...], computed: tuple[Who, ...]
    ) -> Iterator[Play]:
        """A lie contradicted, fought at its best; with its requester's help, also by picking among juries."""
        does = "fight it" if reports or check else ""
        yield self._disputed(does, lied=True, check=check, reports=reports, computed=computed)
        outsider = next((c.author for c in (check, *reports) if c and c.author in (CHECKER, DETECTOR)), None)
        if outsider and {Member.WORKER, Member.REQUESTER, Member.JURORS} <= self.coalition.members:
            bait = contest(self.coalition, self.setting, lied=True, check=check, reports=reports)
            yield rerolled(bait, victim=outsider)

    def _withhold(self, node: Node) -> Iterator[Play]:
        check = {Node.UNDRAWN: None, Node.OWN: OWN_CHECKER, Node.OTHER: CHECKER}[node]
        claim = Claim(check, TRUTH) if check else None
        story = Story(stakes=self.setting.stakes, ending=Ending.WITHHELD, check=claim)
        yield Play("", self._utility(story, (check,) if check else ()))

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────

    def _shams(self, node: Node, *, lied: bool) -> Iterator[Play]:
        if node is Node.UNDRAWN and {Member.WORKER, Member.REQUESTER} <= self.coalition.members:
            for starving in (False, True):
                yield best_sham(self.coalition, self.setting, lied=lied, starving=starving)

    def _reporters(self) -> Iterator[Who]:
        if Member.REQUESTER in self.coalition:
            yield REQUESTER
        if Member.DETECTOR in self.coalition:
            yield ACCOMPLICE

    def _idle_reports(self) -> Iterator[tuple[str, tuple[Claim, ...]]]:
        for author in self._reporters():
            yield f"copy a report ({author})", (Claim(author, ACCUSED),)
            yield f"report and stay silent ({author})", (Claim(author, None),)

    def _hidden(self, *, lied: bool) -> Play:
        """The draw secret never shown: nobody is drawn, φ burns."""
        computed = () if lied else (WORKER,)
        return self._settled("hide the secret", shown=False, computed=computed, right=not lied)

    def _settled(
        self,
        does: str,
        *,
        check: Claim | None = None,
        missed: Who | None = None,
        reports: tuple[Claim, ...] = (),
        computed: tuple[Who, ...] = (),
        shown: bool = True,
        right: bool = False,
    ) -> Play:
        story = Story(
            stakes=self.setting.stakes, ending=Ending.SETTLED, check=check, missed=missed, reports=reports,
            shown=shown,
        )  # fmt: skip
        return Play(does.strip(", "), self._utility(story, computed, right=right))

    def _disputed(
        self,
        does: str,
        *,
        lied: bool,
        check: Claim | None = None,
        reports: tuple[Claim, ...] = (),
        computed: tuple[Who, ...] = (),
    ) -> Play:
        found = fought(contest(self.coalition, self.setting, lied=lied, check=check, reports=reports))
        worth = 0 if lied else self._worth
        utility = with_costs(found, self.setting, computed=computed, worth=worth)
        return Play(does.strip(", "), utility)

    @property
    def _worth(self) -> int:
        """Of a right result to the requester; to one that conspires with its worker it may be for show."""
        both = {Member.WORKER, Member.REQUESTER} <= self.coalition.members
        return 0 if both else self.setting.worth

    def _utility(self, story: Story, computed: tuple[Who, ...] = (), *, right: bool = False) -> Utility:
        return utility_of(story, self.setting, computed=computed, worth=self._worth if right else 0)
