"""The model's payoffs are the wei that the contracts move: scripts of single units, played on their bytecode."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockedge_node.core.params import Params
from blockedge_node.experiments.economics.payoffs import Ending, moves
from blockedge_node.wire.params import load_params

from .scripts import Chain, Script, play

CONFIG = Path(__file__).parents[2] / "config"
DETECTOR, RIVAL, REQUESTER = ("detector", "t"), ("rival", "t"), ("requester", "f")
LIAR = {"ending": Ending.RULED, "reports": (DETECTOR,)}
FALSE = {"ending": Ending.RULED, "reports": (REQUESTER,)}
CHECKED = {"ending": Ending.RULED, "check": "t"}
UP11, UP23 = "w" * 11, "w" * 23
ODD = {"price": 10_000_000_000_007, "deposit": 1_000_000_000_000_013, "fee": 10_000_000_000_003}

SCRIPTS = {
    "never acknowledged": Script(ending=Ending.UNACKNOWLEDGED),
    "refused": Script(ending=Ending.REFUSED),
    "withheld": Script(ending=Ending.WITHHELD),
    "withheld from a checker": Script(ending=Ending.WITHHELD, check="t"),
    "paid": Script(ending=Ending.SETTLED),
    "paid, the secret hidden": Script(ending=Ending.SETTLED, shown=False),
    "paid, checked": Script(ending=Ending.SETTLED, check="w"),
    "paid, the checker missed it": Script(ending=Ending.SETTLED, check="missed"),
    "paid, a report agreed": Script(ending=Ending.SETTLED, reports=(("detector", "w"),)),
    "paid, a report stayed hidden": Script(ending=Ending.SETTLED, reports=(("detector", "h"),)),
    "output never shown": Script(ending=Ending.OVERDUE),
    "output never shown, checked and reported": Script(
        ending=Ending.OVERDUE, check="w", reports=(DETECTOR, ("rival", "w"))
    ),
    "not defended": Script(ending=Ending.DEFAULT, reports=(DETECTOR, ("rival", "w"), ("backer", "h"))),
    "not defended against the checker": Script(ending=Ending.DEFAULT, check="t", reports=(DETECTOR,)),
    "not defended against a silent checker": Script(ending=Ending.DEFAULT, check="silent"),
    "liar convicted": Script(**LIAR, rounds=("ttttt",)),
    "liar convicted by three of five": Script(**LIAR, rounds=("tt-th",)),
    "liar convicted, the checker agreed": Script(**LIAR, check="w", rounds=("ttwtt",)),
    "liar convicted by its checker": Script(**CHECKED, rounds=("tttwn",)),
    "liar convicted by checker and detector": Script(
        **CHECKED, reports=(DETECTOR, ("rival", "w"), ("backer", "f")), rounds=("ttttf",)
    ),
    "liar convicted, the first accuser was wrong too": Script(
        ending=Ending.RULED, reports=(("detector", "f"), ("rival", "t")), rounds=("tttwt",)
    ),
    "convicted of a hash that nobody reported": Script(
        ending=Ending.RULED, reports=(("detector", "f"),), rounds=("ttttw",)
    ),
    "convicted after a silent checker": Script(ending=Ending.RULED, check="silent", rounds=("ttttt",)),
    "acquitted after a silent checker": Script(ending=Ending.RULED, check="silent", rounds=("wwwww",)),
    "falsely accused": Script(**FALSE, rounds=("wwwww",)),
    "falsely accused by two": Script(
        ending=Ending.RULED, reports=(("detector", "f"), ("rival", "f"), ("backer", "w")), rounds=("wwwwf",)
    ),
    "falsely accused by the checker": Script(ending=Ending.RULED, check="f", rounds=("wwfww",)),
    "falsely accused, checked": Script(**FALSE, check="w", rounds=("wwwff",)),
    "no juror had the input": Script(**FALSE, rounds=("nnnnw",)),
    "no juror had the input, the checker accused": Script(ending=Ending.RULED, check="f", rounds=("nnn--",)),
    "nobody voted": Script(**FALSE, rounds=("-----",)),
    "torn": Script(**FALSE, rounds=("wwff-",)),
    "torn over a checker": Script(**CHECKED, rounds=("ttwwh",)),
    "torn, hidden votes": Script(**LIAR, rounds=("tthhw",)),
    "wrongly convicted, right on appeal": Script(**FALSE, rounds=("fffww", UP11), funders=("worker",)),
    "wrongly acquitted, right on appeal": Script(
        **LIAR, rounds=("wwwtt", "ttttttttwww"), funders=("detector",)
    ),
    "a vain appeal": Script(**LIAR, rounds=("ttttt", "tttttttttww"), funders=("worker",)),
    "torn, then acquitted": Script(**FALSE, rounds=("wwff-", UP11), funders=("worker",)),
    "torn to the end": Script(
        **FALSE, rounds=("wwwww", "fffffffwwww", "wwwwwwwwwwwfffffffffff-"), funders=("rival", "worker")
    ),
    "up and down": Script(**FALSE, rounds=("fffff", UP11, "f" * 23), funders=("worker", "rival")),
    "three rounds, innocent": Script(
        **FALSE, rounds=("fffww", "ffffffwwwww", UP23), funders=("worker", "worker")
    ),
    "three rounds, guilty": Script(
        **CHECKED, rounds=("wwwww", "wwwwwwwwttt", "t" * 15 + "w" * 8), funders=("rival", "backer")
    ),
    "deposit pays the dues": Script(
        **LIAR, rounds=("-----", "t" * 11), funders=("detector",), deposit=2 * 10**14
    ),
    "odd amounts, paid": Script(ending=Ending.SETTLED, check="w", reports=(("detector", "w"),), **ODD),
    "odd amounts, convicted": Script(**LIAR, rounds=("tttww",), **ODD),
    "odd amounts, falsely accused": Script(**FALSE, rounds=("fffww", UP11), funders=("worker",), **ODD),
    "the last round captured": Script(
        **FALSE, rounds=("wwwww", "wwwwwwwffff", "f" * 12 + UP11), funders=("rival", "rival")
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=["dev", "prod"])
def params(request: pytest.FixtureRequest) -> Params:
    return load_params((CONFIG / f"params.{request.param}.json").read_text())


@pytest.mark.parametrize("name", SCRIPTS)
def test_contracts_move_what_the_model_says(name: str, params: Params) -> None:
    story, moved = play(Chain(params), SCRIPTS[name])
    assert moved == moves(story)
