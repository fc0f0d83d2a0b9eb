"""The exceptions of BlockEdge, by who has to act.

BlockEdgeError              every error we raise on purpose; its text says what, why and what to do
 ├─ Transient               the world is slow or away: the adapter retries with backoff
 ├─ PeerError               somebody else's bad data: drop it, score the sender
 │   └─ NotTaken            a task that this node does not take on, for a reason with a code
 ├─ Rejected                the chain or a peer said no, for a named reason
 ├─ ConfigError             the operator must change a setting, a file or an argument (exit code 2)
 ├─ ChainError              chain or balance stands in the way (exit code 5)
 └─ Unreachable             the daemon does not answer (exit code 3)

Anything else that is raised is our own bug and ends the process.
"""

from __future__ import annotations


class BlockEdgeError(Exception):
    """Base of all errors raised on purpose."""


class Transient(BlockEdgeError):
    """May work when tried again; never a verdict on anybody."""


class PeerError(BlockEdgeError):
    """Bad data from a peer or a program's author."""


class NotTaken(PeerError):
    """A task that this node does not take on; `code` is what its requester may read."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Rejected(BlockEdgeError):
    """The chain or a peer refused, with a reason we can name."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class ConfigError(BlockEdgeError):
    """A setting, a file or an argument is wrong."""


class ChainError(BlockEdgeError):
    """The chain or a balance does not allow what was asked."""


class Unreachable(BlockEdgeError):
    """No daemon answers at the given address."""


def first_of(error: BaseException) -> BaseException:
    """What really happened, under the nurseries' exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
