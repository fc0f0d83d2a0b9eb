"""What whoever has a stake in a disputed unit does about its jury: appeal a wrong round, and end the case (§6.5).

    a round's votes are shown ─▶ it stands against me, and I know that it errs ─▶ Appeal, within APPEAL
                             └─▶ nobody appeals ─▶ CloseRound, by the first whom the outcome concerns

Appealing is what makes a false accusation a loss (§7.3): whoever was right is repaid with a tenth on top, so an
honest node does it by itself (policy.appeal). The jury that errs again is appealed again; the third is final.
"""

from __future__ import annotations

from collections.abc import Collection

from blockedge_node.core.actions import Action, Appeal, CloseRound
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import LAST_ROUND, appeal_by, latest, reveal_by, standing
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

AGAINST_WORKER = frozenset({Phase.SLASHED, Phase.UNRESOLVED})
AGAINST_ACCUSER = frozenset({Phase.PAID})


def appeal(view: UnitView, against_me: Collection[Phase], world: World) -> tuple[Action, ...]:
    """Fund the next round if the newest one, as it stands, has an outcome that is `against_me`."""
    round, opened = latest(view), view.case
    if opened is None or round is None or round.round >= LAST_ROUND or not world.policy.appeal:
        return ()
    case, params = opened.case, world.params
    if not reveal_by(case, round, params) < world.now <= appeal_by(case, round, params):
        return ()
    if standing(opened).phase not in against_me:
        return ()
    following = round.round + 1
    return (Appeal(unit=view.unit, case=case, round=following, value=appeal_cost(following, case.fee)),)


def close_round(view: UnitView, world: World, *, spare: int = 0) -> tuple[Action, ...]:
    """End the case once nobody can appeal any more, and `spare` seconds later."""
    round, opened = latest(view), view.case
    if opened is None or round is None:
        return ()
    if world.now <= appeal_by(opened.case, round, world.params) + spare:
        return ()
    right = standing(opened).right
    return (CloseRound(unit=view.unit, target=view.on_chain, case=opened.case, final_hash=right),)
