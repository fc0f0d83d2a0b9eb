"""Token buckets: who may use how much of this node, per signer, per peer, and in all (docs/protocol.md §2.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    burst: float  # tokens a full bucket holds
    refill: float  # tokens per second


class Bucket:
    """Holds up to `burst` tokens, refilled at `refill` a second. `now` is any monotonic clock in seconds."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._tokens, self._at = rate, rate.burst, now

    def take(self, now: float, amount: float = 1) -> bool:
        """Take `amount` tokens if they are there."""
        self._fill(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def owe(self, now: float, amount: float) -> float:
        """Take `amount` at once, going into debt; the seconds until the bucket is even again."""
        self._fill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self._rate.refill)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.refill)
        self._at = now


class Buckets:
    """One bucket a key; the least recently used is forgotten beyond `keep`, which forgives at most one burst."""

    def __init__(self, rate: Rate, clock: Callable[[], float], keep: int = 4096) -> None:
        self._rate, self._clock, self._keep = rate, clock, keep
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def of(self, key: Hashable) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._clock())
            if len(self._buckets) > self._keep:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket

    def take(self, key: Hashable, amount: float = 1) -> bool:
        return self.of(key).take(self._clock(), amount)

    def owe(self, key: Hashable, amount: float) -> float:
        return self.of(key).owe(self._clock(), amount)
