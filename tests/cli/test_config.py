"""Settings: where they come from, what stops a start, and that the shipped files say the truth."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from blockedge_node.config import Config, Settings, load, load_coalition, parse_wei
from blockedge_node.config.schema import PolicySection
from blockedge_node.core.world import Policy
from blockedge_node.errors import ConfigError

SHIPPED = Path(__file__).resolve().parents[2] / "config"


def load_text(tmp_path: Path, text: str, **given: object) -> Config:
    file = tmp_path / "node.toml"
    file.write_text(text)
    return load(file=file, env={}, **given)  # type: ignore[arg-type]


def test_shipped_file_says_the_defaults() -> None:
    assert load(file=SHIPPED / "node.toml", env={}).settings == Settings()


def test_shipped_file_names_every_key() -> None:
    written = set(re.findall(r"^(\w+) = ", (SHIPPED / "node.toml").read_text(), re.MULTILINE))
    assert written == {key.partition(".")[2] for key, _, _ in Config(settings=Settings()).listed()}


def test_shipped_devnet_file_loads() -> None:
    assert load(file=SHIPPED / "devnet.toml", env={}).settings.chain.confirmations == 0


def test_shipped_coalition_example_loads() -> None:
    coalition = load_coalition(SHIPPED / "coalition.example.toml")
    assert coalition.contract_address.hex() == "5fbdb2315678afecb367f032d93f642f64180aa3"
    assert coalition.expected_code is None


def test_policy_maps_one_to_one_to_core() -> None:
    elsewhere = {
        "requester",
        "worker",
        "verifier",
        "juror",
        "slots",
        "speed",
        "engines",
        "towers",
        "clients",
        "appeal_budget",
        "block_time",
        "gas_short",
        "unfit",
    }
    assert set(PolicySection.model_fields) == {f.name for f in dataclasses.fields(Policy)} - elsewhere


def test_defaults_equal_those_of_core() -> None:
    assert Config(settings=Settings()).policy() == Policy()


def test_policy_takes_roles_slots_and_engines(tmp_path: Path) -> None:
    config = load_text(tmp_path, '[node]\nroles = ["worker"]\n[executor]\nslots = 3')
    policy = config.policy(["be-det-1/x"])
    assert (policy.worker, policy.requester, policy.verifier, policy.juror) == (True, False, False, False)
    assert (policy.slots, policy.engines) == (3, frozenset({"be-det-1/x"}))


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[policy]\nprice_floor = 1\nspread = 5\nattempts = 6\n[logs]\nlevel = "debug"')
    env = {"BLOCKEDGE_POLICY_PRICE_FLOOR": "2 gwei", "BLOCKEDGE_POLICY_SPREAD": "7"}
    config = load(file=file, env=env, flags={"policy.price_floor": "3 ether"})
    assert config.settings.policy.price_floor == 3 * 10**18
    assert config.settings.policy.spread == 7
    assert config.settings.policy.attempts == 6
    origins = {key: origin for key, _, origin in config.listed()}
    assert origins["policy.price_floor"] == "flag"
    assert origins["policy.spread"] == "env BLOCKEDGE_POLICY_SPREAD"
    assert origins["policy.attempts"] == f"file {file}"
    assert origins["policy.bid_ttl"] == "default"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[policy]\nprise_floor = 1",
            r"unknown key 'policy.prise_floor' in .*nearest .* 'policy.price_floor'",
        ),
        ("[polisy]\nspread = 1", r"unknown section 'polisy' in .*nearest .* 'policy'"),
        ("[polisy]", r"unknown section 'polisy'"),
        ("spread = 1", r"outside of a section"),
        ("[policy]\nprice_floor = 0.1", r"policy.price_floor in file .*not an amount"),
        ('[policy]\nprice_floor = "0.1"', r"not a whole number of wei"),
        ('[policy]\nprice_floor = "1 finney"', r"unknown unit 'finney'"),
        ('[api]\ntcp = "0.0.0.0:80"', r"api.tcp in .*not loopback"),
        ('[node]\nroles = ["miner"]', r"node.roles.0 in .*"),
        ("[policy", r"is not valid TOML"),
    ],
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_text(tmp_path, text)


def test_a_misspelt_variable_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"BLOCKEDGE_POLICY_PRISE_FLOOR.*policy.price_floor"):
        load(data_dir=tmp_path, env={"BLOCKEDGE_POLICY_PRISE_FLOOR": "1"})


def test_variables_of_no_section_belong_to_others(tmp_path: Path) -> None:
    load(data_dir=tmp_path, env={"BLOCKEDGE_SHARD": "1", "BLOCKEDGE_JSON": "1", "BLOCKEDGE_API": "/x"})


def test_lists_come_from_the_environment_too(tmp_path: Path) -> None:
    env = {"BLOCKEDGE_CHAIN_RPC": "http://a, http://b", "BLOCKEDGE_POLICY_KINDS": "[1]"}
    settings = load(data_dir=tmp_path, env=env).settings
    assert settings.chain.rpc == ("http://a", "http://b")
    assert settings.policy.kinds == {1}


def test_a_named_data_dir_brings_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("[executor]\nslots = 9")
    config = load(data_dir=tmp_path, env={})
    assert config.settings.executor.slots == 9
    assert config.socket == tmp_path / "api.sock"
    assert config.payment_key == tmp_path / "keys" / "payment.json"


def test_a_socket_path_that_no_socket_may_have_is_named(tmp_path: Path) -> None:
    config = load(data_dir=tmp_path / ("deep" * 30), env={})
    with pytest.raises(ConfigError, match="longer than 107 bytes"):
        _ = config.socket


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        (12, 12),
        ("12", 12),
        ("5 gwei", 5 * 10**9),
        ("0.001 ether", 10**15),
        ("1_000 wei", 1000),
        ("1 Ether", 10**18),
    ],
)
def test_amounts(text: object, wei: int) -> None:
    assert parse_wei(text) == wei


@pytest.mark.parametrize("text", ["", "-1", "1.5", "nan", "1 2 3", True, None, "1e40 ether", 2**96, "ether"])
def test_not_amounts(text: object) -> None:
    with pytest.raises(ValueError, match=r"amount|whole number|out of range|unit"):
        parse_wei(text)


def test_towers_and_clients_are_addresses(tmp_path: Path) -> None:
    config = load_text(
        tmp_path,
        f'[watchtower]\ntowers = ["0x{"aa" * 20}"]\nclients = ["0x{"bb" * 20}"]\nappeal_budget = "1 gwei"',
    )
    policy = config.policy()
    assert (policy.towers, policy.clients) == ((b"\xaa" * 20,), frozenset({b"\xbb" * 20}))
    assert policy.appeal_budget == 10**9
    with pytest.raises(ConfigError, match=r"watchtower\.towers"):
        load_text(tmp_path, '[watchtower]\ntowers = ["bob"]')


def test_what_is_listed_can_be_written_as_json(tmp_path: Path) -> None:
    config = load_text(tmp_path, f'[watchtower]\nclients = ["0x{"bb" * 20}"]')
    listed = {key: value for key, value, _ in config.listed()}
    assert json.loads(json.dumps(listed)) == listed
    assert listed["watchtower.clients"] == ["0x" + "bb" * 20]
    assert listed["policy.kinds"] == [1, 2]
