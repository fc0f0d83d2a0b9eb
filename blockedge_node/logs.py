"""Logging: facts as fields, once, where they happen.

JSON lines when nobody watches, coloured lines on a terminal; both to stderr. Three things are done to every
line on its way: secrets are blacked out by their field's name, bytes become 0x-hex, and an error of ours
(BlockEdgeError) becomes one `error` field: its text already says what to do, a traceback would hide it. The
last lines stay in memory for `blockedge logs`, bounded, so that a node without a journal can still be asked.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections import deque
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from blockedge_node.errors import BlockEdgeError

# Fields that are never written, whatever they hold: whoever reads a log must not be able to reveal or spend.
SECRET_FIELDS = frozenset(
    "salt secret guard_secret guard_r s_r s_w password passphrase private_key key token authorization "
    "keystore mnemonic seed".split()
)
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Fields = MutableMapping[str, Any]


class LogRing:
    """The last `size` log lines, numbered from 1 so that a reader can go on where it stopped."""

    def __init__(self, size: int) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=size)
        self._last = 0

    def append(self, line: str) -> None:
        self._last += 1
        self._lines.append((self._last, line))

    def since(self, number: int) -> list[tuple[int, str]]:
        """Lines after `number`, oldest first; what has been dropped is missing."""
        return [entry for entry in self._lines if entry[0] > number]


def redact(_logger: object, _method: str, fields: Fields) -> Fields:
    for name in fields.keys() & SECRET_FIELDS:
        fields[name] = "[redacted]"
    return fields


def readable(_logger: object, _method: str, fields: Fields) -> Fields:
    for name, value in fields.items():
        if isinstance(value, bytes | bytearray | memoryview):
            fields[name] = "0x" + bytes(value).hex()
    return fields


def one_line_errors(_logger: object, _method: str, fields: Fields) -> Fields:
    """Errors we raise on purpose become `error` and `kind`; the rest are bugs and keep their traceback."""
    found = fields.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BlockEdgeError):
        fields["error"] = str(error)
        fields["kind"] = type(error).__name__
    elif isinstance(error, BaseException):
        fields["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return fields


class _Keep:
    """A processor that leaves a JSON copy of every line in the ring."""

    def __init__(self, ring: LogRing) -> None:
        self._ring = ring

    def __call__(self, _logger: object, _method: str, fields: Fields) -> Fields:
        self._ring.append(json.dumps(fields, default=str))
        return fields


def configure(
    *, level: str = "info", format: str = "auto", keep: int = 2_000, stream: TextIO | None = None
) -> LogRing:
    """Set up logging for this process and return the ring that `blockedge logs` reads.

    `format` is auto, json or console; auto asks whether `stream` (stderr) is a terminal. Libraries that use
    the standard logging module are heard from warnings on.
    """
    stream = stream or sys.stderr
    console = format == "console" or (format == "auto" and stream.isatty())
    ring = LogRing(keep)
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            readable,
            one_line_errors,
            _Keep(ring),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
    return ring


class _ToStructlog(logging.Handler):
    """Hands the libraries' records to structlog, so that one stream has one format."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        method = log.error if record.levelno >= logging.ERROR else log.warning
        method(record.getMessage(), library=record.name, exc_info=record.exc_info)
