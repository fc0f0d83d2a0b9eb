"""What a requester owes a unit that may be spot-checked, from its commitment to the jury (protocol §4, §6.2).

| view      | what holds                            | due                                | from … until          |
|-----------|---------------------------------------|------------------------------------|-----------------------|
| COMMITTED | the Award's secrets are here          | PublishSecret, again and again     | … its reveal          |
| COMMITTED | they show it drawn, it is not marked  | Draw                               | … secretBy            |
| REVEALED  | they show it undrawn, nobody said so  | PublishSecret; Settle with them    | …; its windows …      |
| REVEALED  | else                                  | Settle, if the worker does not     | its windows + GRACE … |
| REVEALED  | its output neither came nor was shown | Demand of a chunk                  | half … challengeBy    |
| DISPUTED  | s_R is not shown                      | ShowJury                           | … showBy              |
| DISPUTED  | the case is open, its rounds are over | CloseRound, if the worker does not | appealBy + GRACE …    |

A view is of a confirmed head, so a secret leaves the node only when the commitment behind it is CONF deep. A secret
that never gets out burns φ and the worker's reputation for this unit: it is said again until the unit moves on.
"""

from __future__ import annotations

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    Demand,
    Draw,
    PublishSecret,
    Settle,
    ShowJury,
)
from blockedge_node.core.commitment import DrawSecrets
from blockedge_node.core.deadlines import (
    challenge_by,
    jury_shown_by,
    open_demands,
    secret_by,
    settles,
)
from blockedge_node.core.dispute import close_round
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_HASH, Secret
from blockedge_node.core.sortition import draw_seed, drawn
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import SECRET_SHOWN, Phase, UnitView
from blockedge_node.core.world import World

REPEAT = 2  # seconds until a secret is said again; doubled each time
DEMANDS = 2  # of the three that a unit may have: the second only if the first was answered
CHUNK_BITS = 17  # an output has at most 2^16 chunks (job.MAX_STDOUT); nobody but its holder knows how many


def shows_drawn(view: UnitView, secret: Secret) -> bool:
    """Whether this secret, which opens the unit's drawCommit, draws it for a check."""
    if view.commitment is None:
        return False
    return drawn(draw_seed(secret, view.commitment), view.terms.spot_bps)


def due(view: UnitView, secrets: DrawSecrets | None, lacks_output: bool, world: World) -> tuple[Action, ...]:
    """`secrets`: those of the Award that the unit's Terms are of; `lacks_output`: it has not been delivered."""
    match view.phase:
        case Phase.COMMITTED if secrets:
            return (*_say(view, secrets, world), *_mark(view, secrets, world))
        case Phase.REVEALED:
            asked = _demand(view, secrets, world) if lacks_output else ()
            said = _say(view, secrets, world) if secrets and not view.flags & SECRET_SHOWN else ()
            return (*said, *asked, *_settle(view, secrets, world))
        case Phase.DISPUTED:
            return (*_show(view, secrets, world), *close_round(view, world, spare=world.params.grace))
        case _:
            return ()


def _say(view: UnitView, secrets: DrawSecrets, world: World) -> tuple[Action, ...]:
    copy = (max(0, world.now - view.since) // REPEAT).bit_length()
    return (PublishSecret(unit=view.unit, secret=secrets.secret, guard_r=secrets.guard_r, copy=copy),)


def _mark(view: UnitView, secrets: DrawSecrets, world: World) -> tuple[Action, ...]:
    late = world.now > secret_by(view, world.params)
    if view.draw or late or not shows_drawn(view, secrets.secret):
        return ()
    return (Draw(unit=view.unit, target=view.on_chain, secret=secrets.secret, guard_r=secrets.guard_r),)


def _settle(view: UnitView, secrets: DrawSecrets | None, world: World) -> tuple[Action, ...]:
    """At once if that saves φ: without the secret it would burn. Else only if the worker does not."""
    unsaid = not view.flags & SECRET_SHOWN
    if secrets and unsaid and not shows_drawn(view, secrets.secret):
        if not settles(view, world.params, world.now, shown=True):
            return ()
        return (Settle(unit=view.unit, target=view.on_chain, secret=secrets.secret, guard_r=secrets.guard_r),)
    if settles(view, world.params, world.now - world.params.grace):
        return (Settle(unit=view.unit, target=view.on_chain),)
    return ()


def _demand(view: UnitView, secrets: DrawSecrets | None, world: World) -> tuple[Action, ...]:
    """Half of the window is for the delivery to come after all."""
    last = challenge_by(view, world.params)
    if not (view.since + last) // 2 < world.now <= last or secrets is None or view.result is None:
        return ()
    if view.terms.mode & Mode.NO_DEMAND or view.result.output_root in (ZERO_HASH, merkle.root(view.output)):
        return ()
    if open_demands(view) or len(view.demands) >= DEMANDS:
        return ()
    if world.standing.account.free < view.terms.check_fee:
        return ()  # its bond
    chunk = chunk_to_demand(view, secrets.guard_secret, len(view.demands))
    return (Demand(unit=view.unit, target=view.on_chain, revealed=view.result, chunk=chunk),)


def chunk_to_demand(view: UnitView, secret: Secret, number: int) -> int:
    """Which chunk: chance that the worker cannot foresee, the same after a restart.

    Small and large indexes are as likely, since what lies beyond the end counts as the last chunk.
    """
    dice = hash_words(secret, view.unit, number)
    bits = int.from_bytes(dice[:8], "big") % CHUNK_BITS
    return int.from_bytes(dice[8:], "big") % (1 << bits)


def _show(view: UnitView, secrets: DrawSecrets | None, world: World) -> tuple[Action, ...]:
    if secrets is None or view.jury_secret is not None or view.defended is not None:
        return ()
    if world.now > jury_shown_by(view, world.params):
        return ()
    return (
        ShowJury(
            unit=view.unit,
            target=view.on_chain,
            secret=secrets.secret,
            guard_secret=secrets.guard_secret,
        ),
    )
