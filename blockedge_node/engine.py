"""The engine: one loop that turns events into facts, and facts into what is running.

    event ─▶ core.node.step ─▶ journal.commit ─▶ due ─▶ start what is new, cancel what is no longer due
      ▲                                                        │
      └──────────── the event that an action ends with ◀───────┘

Three promises, each tested (tests/engine):
- *Write, then act.* Nothing is started, and nobody is told, before the facts behind it are in the journal. Events
  that arrive together are stepped together and share one transaction.
- *What runs is what is due.* An action that has ended is remembered, and not started again while it stays due; once
  it is no longer due it is forgotten, even if that lasted for one event within a burst.
- *A crash is a restart.* The engine keeps nothing that it does not get back from the journal and the next head; it
  handles no event before the first head, so that no machine acts on a view it has not got.

An exception that a port raises and the performer does not handle is our bug: it ends the engine, and the daemon
with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from blockedge_node.core import node as core
from blockedge_node.core.actions import Action, ChainAction, Note
from blockedge_node.core.events import Event, HeadSeen
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.node import Machine, Node
from blockedge_node.core.params import Params
from blockedge_node.core.world import Policy, World
from blockedge_node.performer import Tries
from blockedge_node.ports import Journal

BURST = 64  # events that share a transaction at most
BUFFER = 256  # events that wait before whoever brings the next one does
LINGER = 30.0  # seconds in which a call that took effect may still report its gas

Perform = Callable[[Action, Tries], Awaitable[Event | None]]


@dataclass(slots=True, eq=False)
class Running:
    """An action under way, or one that has ended while it stays due."""

    action: Action
    since: float  # trio's clock
    tries: Tries = field(default_factory=Tries)
    ended: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(slots=True, eq=False)
class _Told:
    event: Event
    written: trio.Event | None = None


class Engine:
    """See the module docstring. `node` is what the journal holds: `engine.load(journal)`."""

    def __init__(
        self,
        *,
        node: Node,
        journal: Journal,
        performer: Perform,
        policy: Policy,
        domain: Domain,
        params: Params,
        me: Address,
        heard: Callable[[Sequence[Note]], None] = lambda notes: None,
        crowd: Callable[[], int] = lambda: 0,
    ) -> None:
        self.node = node  # as committed: what the API reads
        self.policy = policy
        self._journal = journal
        self._perform = performer
        self._domain, self._params, self._me = domain, params, me
        self._heard = heard  # gets each line of story once it is written
        self._count_crowd = (
            crowd  # the nodes that are known: asked once a head, so that no turn moves in between
        )
        self._crowd = 0
        self._head: HeadSeen | None = None
        self._head_at = 0.0
        self._running: dict[Action, Running] = {}
        self._dues = _Dues()
        self._bring, self._events = trio.open_memory_channel[_Told](BUFFER)
        self._ahead: list[_Told] = []  # a head that arrived within a burst
        self._nursery: trio.Nursery | None = None

    # ── for adapters and the API ─────────────────────────────────────────────────────────────────────────

    async def tell(self, event: Event) -> None:
        """Bring an event; returns when there is room for it."""
        await self._bring.send(_Told(event))

    async def submit(self, event: Event) -> None:
        """Bring an event; returns when its facts are on disk. Not before the first head."""
        written = trio.Event()
        await self._bring.send(_Told(event, written))
        await written.wait()

    def kept(self) -> frozenset[UnitId]:
        """Units whose end some machine waits to see: the watcher shows them until then."""
        return self.node.units()

    @property
    def world(self) -> World | None:
        """None before the first head."""
        return self._world() if self._head else None

    @property
    def running(self) -> tuple[Running, ...]:
        """What is under way at this moment."""
        return tuple(running for running in self._running.values() if not running.ended)

    def set_policy(self, policy: Policy) -> None:
        """From the next event on; `due` follows at once."""
        self.policy = policy
        self._dues = _Dues()

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled, or until something raises what is ours. Started once a first head is handled."""
        async with trio.open_nursery() as self._nursery:
            waiting = await self._until_head()
            await self._take(waiting)
            task_status.started()
            while True:
                await self._take(await self._next_burst())

    async def _until_head(self) -> list[_Told]:
        """The first head, then all that came before it."""
        early: list[_Told] = []
        async for told in self._events:
            if isinstance(told.event, HeadSeen):
                return [told, *early]
            early.append(told)
        raise trio.EndOfChannel

    async def _next_burst(self) -> list[_Told]:
        """What has arrived, at least one. A head comes first in its burst: it retires what is on disk."""
        burst = [await self._events.receive()] if not self._ahead else [self._ahead.pop()]
        while len(burst) < BURST:
            try:
                told = self._events.receive_nowait()
            except trio.WouldBlock:
                break
            if isinstance(told.event, HeadSeen):
                self._ahead.append(told)
                break
            burst.append(told)
        return burst

    async def _take(self, burst: Sequence[_Told]) -> None:
        node, notes = self.node, list[Note]()
        changed: dict[str, None] = {}
        for told in burst:
            if isinstance(told.event, HeadSeen):
                self._head, self._head_at = told.event, trio.current_time()
                self._crowd = self._count_crowd()
            stepped = core.step(node, told.event, self._world())
            node = stepped.node
            changed.update(dict.fromkeys(stepped.changed))
            notes.extend(stepped.notes)
            self._drop(self._dues.of(node, self._world()))
        if changed or notes:
            await self._journal.commit({key: node.machines.get(key) for key in changed}, notes)
        self.node = node
        self._heard(notes)
        for told in burst:
            if told.written is not None:
                told.written.set()
        self._start(self._dues.of(node, self._world()))

    def _world(self) -> World:
        assert self._head is not None, "no event is handled before the first head"
        return World(
            me=self._me,
            domain=self._domain,
            params=self._params,
            policy=self.policy,
            head=self._head.head,
            standing=self._head.standing,
            tickets=self._head.tickets,
            head_age=trio.current_time() - self._head_at,
            crowd=self._crowd,
        )

    # ── what runs ────────────────────────────────────────────────────────────────────────────────────────

    def _drop(self, due: Mapping[Action, None]) -> None:
        """Cancel what is no longer due, and forget what had ended.

        A call is no longer due as soon as a view shows its effect, often a moment before its sender knows that
        it is mined: it is left alone for a while, so that its gas gets into the story.
        """
        for action in [action for action in self._running if action not in due]:
            scope = self._running.pop(action).scope
            if isinstance(action, ChainAction):
                scope.deadline = trio.current_time() + LINGER
            else:
                scope.cancel()

    def _start(self, due: Mapping[Action, None]) -> None:
        assert self._nursery is not None
        for action in due:
            if action not in self._running:
                running = self._running[action] = Running(action=action, since=trio.current_time())
                self._nursery.start_soon(self._run, running, name=f"engine.{type(action).__name__}")

    async def _run(self, running: Running) -> None:
        with running.scope:
            event = await self._perform(running.action, running.tries)
            running.ended = True
            if event is not None:
                await self.tell(event)


class _Dues:
    """`core.due`, asked again only of machines that changed: the rest of it follows from the head's time."""

    def __init__(self) -> None:
        self._now = -1
        self._known: dict[str, tuple[Machine, tuple[Action, ...]]] = {}

    def of(self, node: Node, world: World) -> Mapping[Action, None]:
        fresh = self._known if world.now == self._now else {}
        self._now = world.now
        known: dict[str, tuple[Machine, tuple[Action, ...]]] = {}
        for key, machine in node.machines.items():
            held = fresh.get(key)
            unchanged = held is not None and held[0] is machine
            known[key] = held if held and unchanged else (machine, core.due_of(machine, world))
        self._known = known
        due = [action for _, actions in known.values() for action in actions]
        return dict.fromkeys((*due, *core.refusals(node)))


def load(journal: Journal) -> Node:
    """The node as the journal has it."""
    machines = {key: machine for key, machine in journal.load().items() if isinstance(machine, Machine)}
    return Node(machines=machines)
