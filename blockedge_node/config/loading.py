"""From flags, environment and files to one checked `Config`."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from blockedge_node.config.schema import Coalition, Section, Settings
from blockedge_node.core.ids import Address
from blockedge_node.core.world import Policy
from blockedge_node.errors import ConfigError

SYSTEM = Path("/etc/blockedge")
# A unix socket's address holds 108 bytes with its closing zero; a longer path fails with a riddle at bind.
MAX_SOCKET_PATH = 107

SectionT = TypeVar("SectionT", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings with their origins ("policy.price_floor" → "file /etc/…") and the paths they lead to."""

    settings: Settings
    file: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_system(self) -> bool:
        return self.file is not None and self.file.parent == SYSTEM

    @property
    def data_dir(self) -> Path:
        if self.settings.node.data_dir:
            return Path(self.settings.node.data_dir).expanduser().absolute()
        return Path("/var/lib/blockedge") if self.is_system else state_home()

    @property
    def socket(self) -> Path:
        """Raises ConfigError if the path is longer than a unix socket's address may be."""
        default = Path("/run/blockedge/api.sock") if self.is_system else Path("api.sock")
        path = self.resolve(self.settings.api.socket or default)
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ConfigError(
                f"the API socket's path is longer than {MAX_SOCKET_PATH} bytes, which no unix socket may be: "
                f"{path}; set api.socket to a shorter one"
            )
        return path

    @property
    def token_file(self) -> Path:
        return self.resolve(self.settings.api.token_file)

    @property
    def network_key(self) -> Path:
        return self.resolve(self.settings.keys.network)

    @property
    def payment_key(self) -> Path:
        return self.resolve(self.settings.keys.payment)

    @property
    def password_file(self) -> Path:
        """LoadCredential of systemd wins: its file exists in memory only."""
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and (given := Path(credentials) / "password").exists():
            return given
        return self.resolve(self.settings.keys.password_file)

    @property
    def coalition_file(self) -> Path:
        return self.resolve(self.settings.coalition.file)

    def resolve(self, path: str | Path) -> Path:
        """`path` as it stands if absolute, else inside the data dir."""
        return self.data_dir / Path(path).expanduser()

    def policy(self, engines: Iterable[str] = (), block_time: int = 12) -> Policy:
        """The operator's choices as core wants them; `engines` are the runtime ids the executor reports,
        `block_time` is the coalition's."""
        choices: dict[str, Any] = self.settings.policy.model_dump()
        for role in ("requester", "worker", "verifier", "juror"):
            choices[role] = role in self.settings.node.roles
        executor, watchtower = self.settings.executor, self.settings.watchtower
        return Policy(
            **choices,
            slots=executor.slots,
            speed=executor.speed,
            engines=frozenset(engines),
            towers=tuple(Address(tower) for tower in watchtower.towers),
            clients=frozenset(Address(client) for client in watchtower.clients),
            appeal_budget=watchtower.appeal_budget,
            block_time=block_time,
        )

    def listed(self) -> Iterator[tuple[str, Any, str]]:
        """Every setting as (key, value, origin), in the order of the file; values as JSON can have them."""
        for name, section in self.settings:
            for key, value in section:
                yield f"{name}.{key}", _plain(value), self.origins.get(f"{name}.{key}", "default")


def _plain(value: Any) -> Any:
    """Addresses as they are written, sets in order."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, frozenset):
        return [_plain(item) for item in sorted(value)]
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def load(
    *,
    flags: Mapping[str, object] | None = None,
    file: Path | None = None,
    data_dir: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Config:
    """The settings for this start.

    `flags` maps "section.key" to a value; `file` and `data_dir` are --config and --data-dir. Raises
    ConfigError naming the key, its source and, for a misspelt key, the nearest valid one.
    """
    env = os.environ if env is None else env
    data_dir = data_dir or (Path(env["BLOCKEDGE_DATA_DIR"]) if env.get("BLOCKEDGE_DATA_DIR") else None)
    asked = file or (Path(env["BLOCKEDGE_CONFIG"]) if env.get("BLOCKEDGE_CONFIG") else None)
    found = asked or next((path for path in _candidates(data_dir) if path.is_file()), None)

    values: dict[str, dict[str, object]] = {}
    origins: dict[str, str] = {}

    def put(key: str, value: object, origin: str) -> None:
        section, _, name = key.partition(".")
        values.setdefault(section, {})[name] = value
        origins[key] = origin

    if found is not None:
        for key, value in _flatten(read_toml(found), str(found)):
            put(key, value, f"file {found}")
    for key, variable in _variables(env):
        put(key, _from_text(key, env[variable]), f"env {variable}")
    if data_dir is not None:
        put("node.data_dir", str(data_dir), "flag --data-dir or env BLOCKEDGE_DATA_DIR")
    for key, value in (flags or {}).items():
        check_key(key, "the command line")
        put(key, value, "flag")
    return Config(settings=_validated(Settings, values, origins), file=found, origins=origins)


def load_coalition(path: Path) -> Coalition:
    """Raises ConfigError if the file is missing, malformed, or has unknown keys."""
    values = read_toml(path)
    for key in values:
        if key not in Coalition.model_fields:
            raise ConfigError(_unknown(key, str(path), list(Coalition.model_fields)))
    return _validated(Coalition, values, {}, str(path))


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {path}; `blockedge init` writes one, --config names another"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def state_home() -> Path:
    """Where a user's node keeps its data."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "blockedge"


def config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "blockedge"


def devnet_home() -> Path:
    """Where `devnet up` keeps its nodes unless told otherwise."""
    return state_home() / "devnet"


def check_key(key: str, source: str) -> None:
    """Raises ConfigError unless "section.key" exists."""
    section, _, name = key.partition(".")
    if section not in Settings.model_fields:
        raise ConfigError(_unknown(section, source, list(Settings.model_fields), what="section"))
    if name not in _keys(section):
        raise ConfigError(_unknown(key, source, [f"{section}.{name}" for name in _keys(section)]))


def _candidates(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        yield data_dir / "node.toml"
        return  # a named data dir is a node of its own: another node's file must not leak into it
    yield config_home() / "node.toml"
    yield SYSTEM / "node.toml"


def _keys(section: str) -> list[str]:
    kind = cast("type[Section]", Settings.model_fields[section].annotation)
    return list(kind.model_fields)


def _flatten(tables: Mapping[str, Any], source: str) -> Iterator[tuple[str, object]]:
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{source}: {section!r} stands outside of a section; write it under [section]")
        for key in table or {"": None}:
            if key or section not in Settings.model_fields:
                check_key(f"{section}.{key}" if key else section, source)
        yield from ((f"{section}.{key}", value) for key, value in table.items())


def _variables(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """BLOCKEDGE_POLICY_PRICE_FLOOR → policy.price_floor. Variables of no section belong to somebody else."""
    for variable in sorted(env):
        section, _, key = variable.removeprefix("BLOCKEDGE_").lower().partition("_")
        if variable.startswith("BLOCKEDGE_") and key and section in Settings.model_fields:
            check_key(f"{section}.{key}", f"the environment ({variable})")
            yield f"{section}.{key}", variable


def _from_text(key: str, text: str) -> object:
    """Lists are JSON or comma-separated in the environment; pydantic converts the rest."""
    section, _, name = key.partition(".")
    default = getattr(getattr(Settings(), section), name)
    if not isinstance(default, tuple | frozenset):
        return text
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ConfigError(f"{key} from the environment is not a JSON list: {text}") from None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [int(part) if part.isdecimal() else part for part in parts]


def _validated(
    kind: type[SectionT], values: Mapping[str, object], origins: Mapping[str, str], source: str = ""
) -> SectionT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        names = [str(part) for part in first["loc"]]
        origin = origins.get(".".join(names[:2])) or source
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{'.'.join(names)} in {origin}: {message}") from None


def _unknown(key: str, source: str, valid: list[str], what: str = "key") -> str:
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.0)
    return f"unknown {what} {key!r} in {source}: the nearest valid {what} is {near[0]!r}"
