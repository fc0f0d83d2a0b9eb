"""`blockedge doctor`: what this machine needs to be a node, row by row, each with its remedy. Needs no daemon.

A row is `ok`, `warn` (it works, with less) or `fail` (no node, or no bids); with a `fail` the exit code is 1.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import typer

from blockedge_node.cli.context import Session, session
from blockedge_node.cli.failures import FAILURE
from blockedge_node.errors import BlockEdgeError, ConfigError

if TYPE_CHECKING:
    from blockedge_node.config import Config

Verdict = Literal["ok", "warn", "fail"]

FREE_DISK = 2 << 30  # bytes: journal, a week of content, compiled programs
LEAST_MEMORY = 512 << 20  # bytes: the daemon and one small program
CLOCK_LATE, CLOCK_EARLY = 120.0, 15.0  # s between our clock and the time of the newest block


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(ctx: typer.Context) -> None:
    """Is this machine fit to be a node? Each precondition, and what to do where it fails; needs no daemon."""
    run = session(ctx)
    run.out.note("looking at this machine…")
    rows = list(examine(run))
    table = run.out.table(("check", "", "found"), [(row.check, row.verdict, row.found) for row in rows])
    advice = [f"{row.check}: {row.remedy}" for row in rows if row.remedy]
    run.out.answer([asdict(row) for row in rows], "\n".join([table, *([""] if advice else []), *advice]))
    if any(row.verdict == "fail" for row in rows):
        raise typer.Exit(FAILURE)


def examine(run: Session) -> Iterator[Row]:
    """All rows; what cannot be looked at for want of settings is left out."""
    yield _python()
    yield from _memory()
    config, row = _settings(run)
    yield from _executor(config)
    yield row
    if config is not None:
        yield _disk(config)
        yield _clock_and_chain(config)


def _python() -> Row:
    version = platform.python_version()
    fine = sys.version_info >= (3, 11)
    return Row(
        check="python",
        verdict="ok" if fine else "fail",
        found=f"{version} on {platform.machine()}",
        remedy="" if fine else "install Python 3.11 or later",
    )


def _memory() -> Iterator[Row]:
    from blockedge_node.executor import admission
    from blockedge_node.executor.pool import memory_warning

    warning = memory_warning()
    yield Row(
        check="overcommit",
        verdict="fail" if warning else "ok",
        found="strict" if warning else "the kernel grants memory that programs may use",
        remedy=f"{warning}: sysctl vm.overcommit_memory=0" if warning else "",
    )
    total = admission.total()
    enough = total is None or total >= LEAST_MEMORY
    yield Row(
        check="memory",
        verdict="ok" if enough else "fail",
        found="unknown" if total is None else f"{total >> 20} MiB, the limits of control groups included",
        remedy="" if enough else f"a node needs {LEAST_MEMORY >> 20} MiB; raise MemoryMax of its unit",
    )
    limited = bool(admission.limits())
    yield Row(
        check="cgroup",
        verdict="ok" if limited else "warn",
        found="memory is limited" if limited else "no memory limit around this process",
        remedy=""
        if limited
        else "under systemd the shipped unit sets MemoryMax; executor.memory bounds programs",
    )


_REMEDIES = {
    "bubblewrap": "install it (apt install bubblewrap) and allow user name spaces",
    "uid": "nothing to do: only a node that runs as root has a user to drop",
    "landlock": "Linux 5.13 or later, with landlock in /sys/kernel/security/lsm",
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER",
}


def _executor(config: Config | None) -> Iterator[Row]:
    """Starts the executor as the daemon would, and has it run its probe."""
    from blockedge_node.core.job import ENGINE
    from blockedge_node.executor.local import self_test
    from blockedge_node.executor.sandbox import NAMES, Layers

    chosen = config.settings.executor if config else None
    layers = Layers(**{name: getattr(chosen, name) for name in NAMES}) if chosen else Layers()
    walls, wrong = self_test(layers)
    if walls is not None:
        for name in NAMES:
            there = name in walls.layers
            yield Row(
                check=name,
                verdict="ok" if there else "warn",
                found="holds" if there else walls.missing.get(name, "not in force"),
                remedy="" if there else _REMEDIES[name],
            )
    yield Row(
        check="limits",
        verdict="ok",
        found="always on: no new files, sockets or processes in a program's child; its CPU time and memory bounded",
    )
    if wrong:
        remedy = f"install the pinned wasmtime ({ENGINE}) into this environment, or see the sandbox rows"
        yield Row(check="self-test", verdict="fail", found=wrong, remedy=remedy)
    else:
        yield Row(check="self-test", verdict="ok", found=f"computes what all others do ({ENGINE})")


def _settings(run: Session) -> tuple[Config | None, Row]:
    try:
        config = run.config
    except ConfigError as error:
        return None, Row(
            check="settings", verdict="fail", found=str(error), remedy="correct the settings file"
        )
    if not config.payment_key.exists():
        found = f"no keys in {config.data_dir} yet"
        return config, Row(check="settings", verdict="warn", found=found, remedy="run `blockedge init`")
    return config, Row(check="settings", verdict="ok", found=f"keys in {config.data_dir}")


def _disk(config: Config) -> Row:
    place = config.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return Row(
            check="disk",
            verdict="fail",
            found=f"{place} cannot be written",
            remedy="choose another node.data_dir, or give it to the node's user",
        )
    enough = free >= FREE_DISK
    return Row(
        check="disk",
        verdict="ok" if enough else "warn",
        found=f"{free >> 20} MiB free at {place}",
        remedy=""
        if enough
        else f"leave {FREE_DISK >> 20} MiB for the journal, content and compiled programs",
    )


def _clock_and_chain(config: Config) -> Row:
    """Ask the first endpoint: is it there, is it the chain, does our clock agree with its newest block?"""
    from blockedge_node.config import load_coalition

    try:
        coalition = load_coalition(config.coalition_file)
    except BlockEdgeError as error:
        return Row(
            check="chain",
            verdict="warn",
            found=str(error),
            remedy=f"put the coalition's file at {config.coalition_file}",
        )
    for url in config.settings.chain.rpc or coalition.rpc:
        try:
            chain, stamp = _newest_block(url, config.settings.chain.rpc_timeout)
        except (OSError, ValueError) as error:
            return Row(
                check="chain",
                verdict="fail",
                found=f"{url}: {error}",
                remedy="set chain.rpc to one that answers",
            )
        late = time.time() - stamp
        if chain != coalition.chain_id:
            found = f"{url} is chain {chain}, the coalition's is {coalition.chain_id}"
            return Row(
                check="chain", verdict="fail", found=found, remedy="set chain.rpc to the coalition's chain"
            )
        fine = -CLOCK_EARLY <= late <= max(CLOCK_LATE, 4.0 * coalition.block_time)
        return Row(
            check="chain",
            verdict="ok" if fine else "warn",
            found=f"{url} answers; its newest block is {late:.0f} s old by our clock",
            remedy=""
            if fine
            else "set the clock by NTP (timedatectl set-ntp true), or use an endpoint that is in step",
        )
    return Row(check="chain", verdict="fail", found="no endpoint is known", remedy="set chain.rpc")


def _newest_block(url: str, timeout: float) -> tuple[int, int]:
    """(chain id, time of the newest block in Unix seconds). Raises OSError or ValueError."""
    import httpx

    try:
        with httpx.Client(timeout=timeout) as client:

            def ask(method: str, *params: object) -> object:
                body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                return client.post(url, json=body).json()["result"]

            block = ask("eth_getBlockByNumber", "latest", False)
            if not isinstance(block, dict):
                raise ValueError("it has no blocks")
            return int(str(ask("eth_chainId")), 16), int(block["timestamp"], 16)
    except httpx.HTTPError as error:
        raise OSError(str(error) or type(error).__name__) from error
    except (LookupError, TypeError) as error:
        raise ValueError("it does not answer as an Ethereum node does") from error
