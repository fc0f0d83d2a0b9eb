"""The deployment's constants, in any of their spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blockedge_node.errors import ConfigError
from blockedge_node.wire.params import dump_params, load_params


@pytest.fixture
def dev(repository: Path) -> dict[str, Any]:
    values = json.loads((repository / "config" / "params.dev.json").read_text())
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_published_profiles_are_read_and_written(repository: Path, profile: str) -> None:
    text = (repository / "config" / f"params.{profile}.json").read_text()
    params = load_params(text)
    assert load_params(dump_params(params)) == params
    assert json.loads(json.dumps(dump_params(params))) == json.loads(text)


def test_every_spelling_is_one_name(dev: dict[str, Any]) -> None:
    params = load_params(dev)
    snake = {"".join("_" + c.lower() if c.isupper() else c for c in name): v for name, v in dev.items()}
    assert load_params(snake) == params
    assert load_params({name.upper(): v for name, v in snake.items()}) == params


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"grace": -1}, "grace"),
        ({"grace": 1.5}, "grace"),
        ({"grace": True}, "grace"),
        ({"grace": "five"}, "grace"),
        ({"seat": 1 << 96}, "seat"),
        ({"court": "0x12"}, "court"),
        ({"court": None}, "court"),
        ({"graze": 1}, "have no graze"),
    ],
)
def test_bad_value_names_itself(dev: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load_params(dev | changes)


def test_missing_value_names_itself(dev: dict[str, Any]) -> None:
    del dev["vwinMax"]
    with pytest.raises(ConfigError, match="lack vwin_max"):
        load_params(dev)


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load_params(text)
