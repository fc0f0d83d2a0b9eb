"""What every command gets: the global flags, and what they lead to (settings, client, output)."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from blockedge_node.cli.output import Output
from blockedge_node.errors import ConfigError

if TYPE_CHECKING:
    from blockedge_node.cli.client import Client
    from blockedge_node.config import Config


@dataclass(kw_only=True)
class Session:
    """One run of the command. Settings and client are made when first asked for: `--help` needs neither."""

    out: Output = field(default_factory=Output)
    verbose: bool = False
    data_dir: Path | None = None
    config_file: Path | None = None
    api: str | None = None
    timeout: float | None = None
    yes: bool = False

    @cached_property
    def config(self) -> Config:
        from blockedge_node.config import load

        return load(file=self.config_file, data_dir=self.data_dir)

    @cached_property
    def client(self) -> Client:
        from blockedge_node.cli.client import Client

        target = self.target()
        is_tcp = target.startswith(("http://", "https://"))
        return Client(target, token=self._token() if is_tcp else "", timeout=self.timeout)

    def target(self) -> str:
        """Where the daemon is: --api, the settings' socket, or the first node of a devnet that runs."""
        if self.api:
            return self.api
        path = self.config.socket
        if not path.exists() and self.data_dir is None and self.config_file is None:
            return devnet_socket() or str(path)
        return str(path)

    def _token(self) -> str:
        path = self.config.token_file
        try:
            return path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ConfigError(
                f"cannot read the API's token at {path} ({error.strerror}): name the node's --data-dir"
            ) from None

    def confirm(self, question: str) -> None:
        """Ask on a terminal, unless --yes has answered; a script means what it says. Raises ConfigError on no."""
        if self.yes or not sys.stdin.isatty() or typer.confirm(question):
            return
        raise ConfigError("left as it was")


def devnet_socket() -> str | None:
    """The first node of the devnet in its usual place, if its record is there."""
    from blockedge_node.config import devnet_home

    try:
        record = json.loads((devnet_home() / "devnet.json").read_text(encoding="utf-8"))
        return str(record["nodes"][0]["socket"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def session(ctx: typer.Context) -> Session:
    return cast(Session, ctx.obj)
