"""The node's settings: one frozen object, read once, handed down.

Order of power: flag > environment (BLOCKEDGE_SECTION_KEY) > file (node.toml) > default. Every value remembers
where it came from, so `blockedge settings list` can say so. A key that does not exist is an error at start,
with the nearest one that does: a misspelt price floor that is silently ignored costs money.

What is *not* here: the protocol's constants. They are read from the contract (core.params), because a node
that configures its own windows gets slashed.

Files are looked for in this order: --config, $BLOCKEDGE_CONFIG, <data dir>/node.toml if a data dir is given,
$XDG_CONFIG_HOME/blockedge/node.toml, /etc/blockedge/node.toml. A file under /etc/blockedge means the system
layout (/var/lib/blockedge, /run/blockedge); otherwise everything lives in $XDG_STATE_HOME/blockedge.
"""

from __future__ import annotations

from blockedge_node.config.amounts import parse_hex, parse_wei
from blockedge_node.config.loading import (
    MAX_SOCKET_PATH,
    Config,
    config_home,
    devnet_home,
    load,
    load_coalition,
    state_home,
)
from blockedge_node.config.schema import Coalition, Settings

__all__ = [
    "MAX_SOCKET_PATH",
    "Coalition",
    "Config",
    "Settings",
    "config_home",
    "devnet_home",
    "load",
    "load_coalition",
    "parse_hex",
    "parse_wei",
    "state_home",
]
