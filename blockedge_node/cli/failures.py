"""How a command ends: 0 ok, 1 failure, 2 usage, 3 daemon unreachable, 4 timeout, 5 chain or balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockedge_node.errors import BlockEdgeError, ChainError, ConfigError, Unreachable

FAILURE, USAGE, UNREACHABLE, TIMEOUT, CHAIN = 1, 2, 3, 4, 5


class TimedOut(BlockEdgeError):
    """What was waited for did not happen in time."""


class Failed(BlockEdgeError):
    """The daemon said no; `code` is its problem document's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


# Problems whose cause is what was typed: another argument would have worked.
_USAGE_CODES = frozenset(
    "bad-request invalid too-large ambiguous-id length-required bad-data key-reused".split()
)


def of_problem(problem: Mapping[str, Any]) -> BlockEdgeError:
    """The error that a problem document stands for."""
    code, detail = str(problem.get("code", "error")), str(problem.get("detail", "the node gave no reason"))
    if candidates := problem.get("candidates"):
        detail += "".join(f"\n  {candidate}" for candidate in candidates)
    if code in _USAGE_CODES:
        return ConfigError(detail)
    if code == "chain":
        return ChainError(detail)
    if code == "timeout":
        return TimedOut(detail)
    if code == "unreachable":
        return Unreachable(detail)
    return Failed(code, detail)


def exit_code(error: BlockEdgeError) -> int:
    for kind, code in (
        (ConfigError, USAGE),
        (Unreachable, UNREACHABLE),
        (TimedOut, TIMEOUT),
        (ChainError, CHAIN),
    ):
        if isinstance(error, kind):
            return code
    return FAILURE


def code_of(error: BlockEdgeError) -> str:
    """A stable word for `--json`: the daemon's code, or what the exit code stands for."""
    names = {
        USAGE: "usage",
        UNREACHABLE: "unreachable",
        TIMEOUT: "timeout",
        CHAIN: "chain",
        FAILURE: "failure",
    }
    return error.code if isinstance(error, Failed) else names[exit_code(error)]
