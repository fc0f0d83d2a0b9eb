"""`blockedge init`: a data directory with keys and settings, without a daemon."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from blockedge_node.cli.context import session
from blockedge_node.cli.output import facts
from blockedge_node.errors import ConfigError

SETTINGS = """\
# Settings of this node; `config/node.toml` of the source tree explains every key and its default.

[node]
data_dir = {data_dir}
"""


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    ctx: typer.Context,
    coalition: Annotated[
        Path | None, typer.Option(help="The coalition's file; copied into the data directory.")
    ] = None,
    light: Annotated[
        bool, typer.Option("--light", help="Weaker scrypt, for boards where the standard takes minutes.")
    ] = False,
) -> None:
    """Make the data directory, the network key and the payment key, and the settings file."""
    from blockedge_node.config import config_home, load, load_coalition
    from blockedge_node.store import keystore

    run = session(ctx)
    home = run.data_dir
    target = run.config_file or (home / "node.toml" if home else config_home() / "node.toml")
    config = load(file=target if target.exists() else None, data_dir=home)
    if config.payment_key.exists():
        raise ConfigError(
            f"{config.data_dir} has a payment key already ({config.payment_key}): keys are never overwritten; "
            "choose another --data-dir for another node"
        )
    if coalition is not None:
        load_coalition(coalition)
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = keystore.new_password(config.password_file)
    run.out.note("making the payment key…")
    address = keystore.new_payment_key(config.payment_key, password, "light" if light else "standard")
    if not config.network_key.exists():
        keystore.new_network_key(config.network_key)
    if coalition is not None:
        shutil.copyfile(coalition, config.coalition_file)
    if not target.exists():
        import json

        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_text(SETTINGS.format(data_dir=json.dumps(str(config.data_dir))), encoding="utf-8")
    data = {
        "address": "0x" + address.hex(),
        "data_dir": str(config.data_dir),
        "settings": str(target),
        "payment_key": str(config.payment_key),
        "password_file": str(config.password_file),
        "network_key": str(config.network_key),
        "coalition": str(config.coalition_file) if config.coalition_file.exists() else None,
    }
    rows = [
        ("account", data["address"] or ""),
        ("data", str(config.data_dir)),
        ("settings", str(target)),
        ("coalition", data["coalition"] or f"missing: put the coalition's file at {config.coalition_file}"),
    ]
    advice = (
        f"\nBack up {config.payment_key} and {config.password_file} now, apart from each other:\n"
        "whoever loses either loses the money, whoever has both has it. "
        "Then send some ether to the account and start `blockedge-node run`."
    )
    run.out.answer(data, facts(rows) + "\n" + advice)
