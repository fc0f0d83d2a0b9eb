"""A gossip mesh: a message goes from every node that has it to all its neighbours, each hop late in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf, log
from random import Random

DEGREE = (
    8  # neighbours in the mean: gossipsub's six, and those that have chosen one for a neighbour themselves
)
SPREAD = (
    0.4  # of a link's latency, lognormal: one link in a hundred is two and a half times as slow as the median
)
JITTER = 0.25  # of each message on it, either way


@dataclass(frozen=True, slots=True)
class Mesh:
    """`links[i]`: (neighbour, seconds) of node i."""

    links: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def copies(self) -> float:
        """How often a node hears one message in the mean: once from every neighbour but the one it has it from."""
        nodes = len(self.links)
        return (sum(map(len, self.links)) - nodes + 1) / nodes

    def carry(self, source: int, chance: Random, loss: float = 0.0) -> Sequence[float]:
        """Seconds from saying a message at `source` until each node has it; `loss` is the share of packets lost."""
        reached = [inf] * len(self.links)
        reached[source] = 0.0
        queue = [(0.0, source)]
        while queue:
            at, node = heappop(queue)
            if at > reached[node]:
                continue
            for neighbour, seconds in self.links[node]:
                if reached[neighbour] <= at or (loss and chance.random() < loss):
                    continue
                arrival = at + seconds * (1 - JITTER + 2 * JITTER * chance.random())
                if arrival < reached[neighbour]:
                    reached[neighbour] = arrival
                    heappush(queue, (arrival, neighbour))
        return reached


def mesh(nodes: int, hop: float, chance: Random) -> Mesh:
    """A random mesh whose links take `hop` seconds in the median. Each node chooses half its neighbours, and is
    chosen by as many; the first it chooses is an older node, so that all are connected."""
    neighbours: list[dict[int, float]] = [{} for _ in range(nodes)]
    for node in range(1, nodes):
        older = chance.randrange(node)
        chosen = {older, *(chance.randrange(nodes) for _ in range(DEGREE // 2 - 1))} - {node}
        for other in sorted(chosen):
            seconds = chance.lognormvariate(log(hop), SPREAD)
            neighbours[node][other] = neighbours[other][node] = seconds
    return Mesh(tuple(tuple(links.items()) for links in neighbours))
