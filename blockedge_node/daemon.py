"""blockedge-node: one edge node. OPEN FIRST.

The daemon builds its adapters, starts them in order and stops them together; nothing is decided here.

    store ─▶ chain ─▶ engine ─▶ p2p ─▶ executor ─▶ api ─▶ READY=1
             heads     facts    gossip  children   unix socket

What comes in (a head, a message, a client's job) is told to the engine as an event; the engine keeps what runs
equal to what the core says is due (engine.py, core/node.py); the performer does it through the ports.

A service that returns or raises ends the daemon: systemd restarts it, and a restart is a look at the journal and
the chain. What the world does wrong (RPC, peers, programs) is handled inside the adapters and ends nothing.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
import trio

from blockedge_node import logs
from blockedge_node.api.models import ItemEvent
from blockedge_node.api.server import serve
from blockedge_node.backend import NodeBackend
from blockedge_node.backend.bell import Bell
from blockedge_node.backend.bundled import item_event
from blockedge_node.chain.adapter import ChainAdapter, ChainConfig
from blockedge_node.config import Coalition, Config, load, load_coalition
from blockedge_node.content import Caps, ContentStore
from blockedge_node.core.actions import ChainAction, Note
from blockedge_node.core.deadlines import too_short
from blockedge_node.core.events import CallMined, Event, HeadSeen, RequestHeard
from blockedge_node.core.ids import Address, Secret, short
from blockedge_node.core.job import ENGINE
from blockedge_node.core.node import MACHINES
from blockedge_node.core.params import Params
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Standing
from blockedge_node.engine import Engine
from blockedge_node.engine import load as load_node
from blockedge_node.errors import BlockEdgeError, ConfigError, Transient, first_of
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.pool import Pool, memory_warning
from blockedge_node.executor.sandbox import Layers
from blockedge_node.p2p.network import P2P
from blockedge_node.p2p.settings import Settings as P2pSettings
from blockedge_node.performer import Performer
from blockedge_node.store import keystore
from blockedge_node.store.blobs import Blobs
from blockedge_node.store.journal import Journal
from blockedge_node.wire.eip712 import LocalSigner

log = structlog.get_logger("daemon")

KEEP_DAYS = 30  # of retired machines, notes and costs
KEEP_BLOBS = 7 * 86_400.0  # seconds since a blob was last used; pinned ones stay
HOUSEKEEPING = 3_600.0  # seconds
GAS_LOOK = 5.0  # seconds between looks at whether the account can pay for its transactions
PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, MDWE_NO_INHERIT = 65, 1, 2  # linux/prctl.h
CHAIN_PATIENCE = 30.0  # seconds at start in which an RPC endpoint may come up

MakePerformer = Callable[..., Performer]


class SystemChance:
    """ports.Chance: the kernel's randomness, trio's clock."""

    def secret(self) -> Secret:
        return Secret(secrets.token_bytes(32))

    def monotonic(self) -> float:
        return trio.current_time()


@dataclass(frozen=True, slots=True)
class AccountedChain:
    """ports.Chain that writes down what each call of ours cost."""

    chain: ChainAdapter
    journal: Journal

    async def send(self, call: ChainAction) -> CallMined:
        mined = await self.chain.send(call)
        await self.journal.spend(mined)
        return mined

    async def standing(self, who: Address) -> Standing | None:
        return await self.chain.standing(who)


async def run(config: Config, ring: logs.LogRing, make_performer: MakePerformer = Performer) -> None:
    """Run a node until SIGTERM or SIGINT. Raises ConfigError, ChainError for what the operator must mend."""
    began = trio.current_time()
    coalition = load_coalition(config.coalition_file)
    key = keystore.payment_key(config.payment_key, keystore.password(config.password_file))
    seed = keystore.network_key(config.network_key)
    with closing(Journal(config.data_dir / "journal.db", MACHINES)) as journal:
        blobs = Blobs(config.data_dir / "content")
        engines: list[Engine] = []
        chain = ChainAdapter(
            _chain_config(config, coalition),
            key,
            journal,
            keep=lambda: engines[0].kept() if engines else frozenset(),
        )
        async with aclosing(chain.rpc):
            params = await _open(chain)
            policy = replace(config.policy(engines=[ENGINE]), block_time=coalition.block_time)
            _check_windows(params, policy.block_time, config.settings.chain.confirmations)
            signer = LocalSigner(key, chain.domain)
            pool = _pool(config)
            bell = Bell()
            p2p = P2P(
                seed=seed,
                listen=config.settings.p2p.listen,
                bootstrap=(*config.settings.p2p.bootstrap, *coalition.bootstrap),
                domain=chain.domain,
                signer=signer,
                standing=chain.standing,
                blobs=blobs,
                emit=lambda event: engine.tell(_with_objection(event, content)),
                now=chain.now,
                draw_commit=chain.draw_commit,
                answered=lambda *told: _answered(bell, item_event(engine.node, *told)),
                settings=P2pSettings(
                    announce=config.settings.p2p.announce, fee_bps=params.fee_bps, clients=policy.clients
                ),
            )
            caps = Caps(**config.settings.programs.model_dump())
            content = ContentStore(blobs, p2p, policy.engines, pool.check, caps, pool.room)
            performer = make_performer(
                signer=signer,
                chance=SystemChance(),
                chain=AccountedChain(chain, journal),
                network=p2p,
                content=content,
                executor=pool,
                domain=chain.domain,
            )
            engine = Engine(
                node=load_node(journal),
                journal=journal,
                performer=performer,
                policy=policy,
                domain=chain.domain,
                params=params,
                me=chain.address,
                heard=lambda notes: _tell(bell, notes),
                crowd=p2p.crowd,
            )
            engines.append(engine)
            backend = NodeBackend(
                config=config,
                coalition=coalition,
                engine=engine,
                chain=chain,
                p2p=p2p,
                pool=pool,
                content=content,
                journal=journal,
                blobs=blobs,
                ring=ring,
                bell=bell,
                began=began,
            )
            async with trio.open_nursery() as services:
                await services.start(_stop_on_signal, services.cancel_scope)
                await services.start(pool.serve)
                services.start_soon(_test_executor, pool, engine)
                services.start_soon(chain.run, lambda event: engine.tell(_with_objection(event, content)))
                await services.start(engine.run)
                await services.start(p2p.run)
                await services.start(_serve_api, config, backend)
                services.start_soon(_housekeeping, journal, blobs)
                services.start_soon(_watch_gas, chain, engine)
                services.start_soon(_watchdog)
                notify("READY=1")
                log.info("ready", address=chain.address, seconds=round(trio.current_time() - began, 2))
            notify("STOPPING=1")


# ── the start ────────────────────────────────────────────────────────────────────────────────────────────


def _chain_config(config: Config, coalition: Coalition) -> ChainConfig:
    urls = config.settings.chain.rpc or coalition.rpc
    if not urls:
        raise ConfigError("no RPC endpoint is known: set chain.rpc, or rpc in the coalition file")
    return ChainConfig(
        urls=tuple(urls),
        chain_id=coalition.chain_id,
        contract=coalition.contract_address,
        code_hash=coalition.expected_code,
        court=coalition.court_address,
        others=coalition.other_codes,
        start=coalition.deployment_block,
        conf=config.settings.chain.confirmations,
        poll=config.settings.chain.poll_seconds,
        timeout=config.settings.chain.rpc_timeout,
    )


def _pool(config: Config) -> Pool:
    """The executor as the operator wants it. Raises ConfigError if its cache has no place."""
    chosen = config.settings.executor
    place = config.data_dir / "native"
    try:
        cache = Cache(place, size=chosen.cache) if chosen.cache else None
    except OSError as error:
        raise ConfigError(f"compiled programs cannot be kept in {place}: {error}") from error
    return Pool(
        slots=chosen.slots,
        memory=chosen.memory or None,
        cache=cache,
        layers=Layers(
            bubblewrap=chosen.bubblewrap, uid=chosen.uid, landlock=chosen.landlock, seccomp=chosen.seccomp
        ),
        hide=(config.data_dir, config.payment_key.parent, config.password_file.parent),
    )


async def _open(chain: ChainAdapter) -> Params:
    """The deployment's constants, once an endpoint answers. Raises ChainError if it is the wrong chain."""
    deadline = trio.current_time() + CHAIN_PATIENCE
    while True:
        try:
            return await chain.open()
        except Transient as error:
            if trio.current_time() > deadline:
                raise
            log.warning("waiting for the chain", error=str(error))
            await trio.sleep(1)


def _check_windows(params: Params, block_time: int, conf: int) -> None:
    """Raises ConfigError for a coalition whose windows an honest node could miss (docs/protocol.md §3.3)."""
    faults = too_short(params, block_time, conf)
    if faults:
        raise ConfigError("this coalition's windows are too short to be safe: " + "; ".join(faults))


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────


async def _serve_api(
    config: Config,
    backend: NodeBackend,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    config.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    await serve(
        backend,
        path=config.socket,
        tcp=config.settings.api.tcp,
        token_file=config.token_file,
        max_upload=config.settings.api.max_upload,
        task_status=task_status,
    )


def _with_objection(event: Event, content: ContentStore) -> Event:
    """A request, heard or announced on the chain, reaches the core with what is known here about its program."""

    def why(request: Request) -> str:
        known = content.objection(request)
        return known.why if known else ""

    if isinstance(event, RequestHeard):
        return replace(event, objection=why(event.request))
    if isinstance(event, HeadSeen) and event.auctions:
        shown = (
            replace(view, objection=why(view.request)) if view.takes_bids(event.newest) else view
            for view in event.auctions
        )
        return replace(event, auctions=tuple(shown))
    return event


async def _stop_on_signal(
    scope: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            scope.cancel()
            return


async def _test_executor(pool: Pool, engine: Engine) -> None:
    """Before this machine's results are worth a deposit: does it compute what all others do?

    A machine that fails runs on as a requester and makes no bids, whatever `resume` says.
    """
    warning = memory_warning()
    try:
        await pool.self_test()
    except Transient as fault:
        warning = str(fault)
    if warning is not None:
        log.error("executor is not fit for work: this node makes no bids", error=warning, code="BE-EXEC-01")
        engine.set_policy(replace(engine.policy, unfit=True))
    if pool.walls is not None:
        log.info("sandbox", layers=[*pool.walls.layers, "limits"], missing=dict(pool.walls.missing))


async def _watch_gas(chain: ChainAdapter, engine: Engine) -> None:
    """A promise needs its transactions: without ether for them, no new bid is made."""
    while True:
        short = chain.status().sender.gas_short
        if short != engine.policy.gas_short:
            engine.set_policy(replace(engine.policy, gas_short=short))
            if short:
                log.error("too little ether for gas: no new bids until there is more", code="BE-CHAIN-03")
        await trio.sleep(GAS_LOOK)


async def _housekeeping(journal: Journal, blobs: Blobs) -> None:
    """Nothing grows without a bound."""
    while True:
        await trio.sleep(HOUSEKEEPING)
        rows = await journal.prune(KEEP_DAYS)
        files = await trio.to_thread.run_sync(blobs.prune, KEEP_BLOBS)
        log.info("pruned", rows=rows, blobs=files)


async def _watchdog() -> None:
    """Tell systemd that the loop still turns, twice in each WatchdogSec."""
    microseconds = int(os.environ.get("WATCHDOG_USEC", 0))
    while microseconds:
        notify("WATCHDOG=1")
        await trio.sleep(microseconds / 2e6)


def notify(state: str) -> None:
    """sd_notify: one datagram to $NOTIFY_SOCKET, nothing where there is none."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.sendall(state.encode())


def refuse_new_code() -> bool:
    """No memory of this process becomes executable that was ever writable: an attacker in here brings no code of
    his own. Not inherited, because the executor's compiler writes code (docs/decisions/0011-one-unit.md). False
    where the kernel cannot do that (Linux before 6.6)."""
    zero = ctypes.c_ulong(0)
    asked = ctypes.c_ulong(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT)
    return bool(ctypes.CDLL(None).prctl(PR_SET_MDWE, asked, zero, zero, zero) == 0)


def _answered(bell: Bell, event: ItemEvent | None) -> None:
    """What a worker says on its way: for whoever listens now."""
    if event is not None:
        bell.say(event)


def _tell(bell: Bell, notes: Sequence[Note]) -> None:
    """Notes that are on disk: to the log, and to those who follow them."""
    if notes:
        bell.ring()
    for note in notes:
        log.info(note.code, about=short(note.subject), **dict(note.fields))


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────


def main(
    arguments: Sequence[str] | None = None,
    make_performer: MakePerformer = Performer,
    prog: str = "blockedge-node",
) -> None:
    """`blockedge-node run`. Exit codes: 0 stopped, 1 a bug or a service gave up, 2 the operator must act."""
    parser = argparse.ArgumentParser(prog=prog, description="A BlockEdge edge node.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    runner = verbs.add_parser("run", help="run the node until it is told to stop")
    runner.add_argument("--config", type=Path, help="node.toml; default: see docs/operations.md")
    runner.add_argument("--data-dir", type=Path, help="where keys, journal and blobs are")
    options = parser.parse_args(arguments)
    try:
        config = load(file=options.config, data_dir=options.data_dir)
        chosen = config.settings.logs
        ring = logs.configure(level=chosen.level, format=chosen.format, keep=chosen.keep)
        refuse_new_code()
        trio.run(run, config, ring, make_performer, strict_exception_groups=True)
    except BlockEdgeError as error:
        sys.exit(_fail(error))
    except BaseExceptionGroup as group:
        ours, bugs = group.split(BlockEdgeError)
        if ours is None or bugs is not None:
            raise
        sys.exit(_fail(first_of(ours)))


def _fail(error: BaseException) -> int:
    sys.stderr.write(f"blockedge-node: {error}\n")
    return 2 if isinstance(error, ConfigError) else 1


if __name__ == "__main__":
    main()
