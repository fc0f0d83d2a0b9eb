"""What a devnet's node is told to play, in which tasks, and that every scenario's play is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockedge_node.devnet.cheats import Play, parse
from blockedge_node.devnet.lies import LIARS
from blockedge_node.devnet.scenarios import SCENARIOS
from blockedge_node.errors import ConfigError
from tests.adapters.chain.test_book import REQUEST, WHO

ALICE = "0x" + WHO[0].hex()


@pytest.mark.parametrize(
    ("text", "play"),
    [
        ("fabricate", Play(mode="fabricate")),
        ("refuse,kind=1", Play(mode="refuse", kind=1)),
        (f"lazy,requester={ALICE}", Play(mode="lazy", requester=WHO[0])),
        (
            f"withhold,kind=2,requester={ALICE},max_delay=61",
            Play(mode="withhold", kind=2, requester=WHO[0], max_delay=61),
        ),
    ],
)
def test_a_play_reads_as_it_is_written(text: str, play: Play) -> None:
    assert parse(text) == play
    assert parse(str(play)) == play


@pytest.mark.parametrize("text", ["", "murder", "Fabricate", "fabricate kind=1"])
def test_an_unknown_part_names_those_that_exist(text: str) -> None:
    with pytest.raises(ConfigError, match="known are absent-juror, blind"):
        parse(text)


@pytest.mark.parametrize("limit", ["kind=", "kind=two", "kind", "requester=alice", "shard=3", "max_delay=1s"])
def test_a_wrong_limit_says_how_one_is_written(limit: str) -> None:
    with pytest.raises(ConfigError, match="is no play: write MODE"):
        parse(f"refuse,{limit}")


def test_a_play_is_for_the_tasks_that_fit_all_its_limits() -> None:
    named = Play(mode="lazy", kind=REQUEST.kind, requester=REQUEST.requester, max_delay=REQUEST.max_delay)
    for play in (named, Play(mode="lazy"), replace(named, kind=0), replace(named, requester=b"")):
        assert play.fits(REQUEST)
    for other in (replace(named, kind=2), replace(named, requester=WHO[1]), replace(named, max_delay=2)):
        assert not other.fits(REQUEST)


def test_every_scenario_plays_parts_that_exist_and_has_a_name_of_its_own() -> None:
    assert {mode for scenario in SCENARIOS for mode in scenario.plays.values()} <= LIARS.keys()
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    for scenario in SCENARIOS:
        assert len({words for words, _ in scenario.claims}) == len(scenario.claims)
