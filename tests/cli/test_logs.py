"""Logging: one format a stream, no secrets, no tracebacks for errors whose text is enough."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from blockedge_node.errors import ConfigError
from blockedge_node.logs import LogRing, configure


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_lines_where_nobody_watches() -> None:
    stream = io.StringIO()
    ring = configure(stream=stream)
    structlog.get_logger().info("result committed", unit=b"\x01\x02", block=7)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["unit"], line["block"], line["level"]) == (
        "result committed",
        "0x0102",
        7,
        "info",
    )
    assert json.loads(ring.since(0)[0][1])["unit"] == "0x0102"


def test_secrets_never_reach_a_stream() -> None:
    stream = io.StringIO()
    ring = configure(stream=stream, level="debug")
    structlog.get_logger().debug("award made", salt=b"hunter2", password="hunter2", secret=b"hunter2")
    assert "hunter2" not in stream.getvalue()
    assert b"hunter2".hex() not in stream.getvalue() + ring.since(0)[0][1]


def test_an_error_of_ours_is_one_line() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    try:
        raise ConfigError("the file is missing")
    except ConfigError:
        structlog.get_logger().exception("start failed")
    line = json.loads(stream.getvalue())
    assert (line["error"], line["kind"]) == ("the file is missing", "ConfigError")
    assert "Traceback" not in stream.getvalue()


def test_a_bug_keeps_its_traceback() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    try:
        _ = {}["x"]
    except KeyError:
        structlog.get_logger().exception("died")
    assert "Traceback" in json.loads(stream.getvalue())["exception"]


def test_console_lines_for_people() -> None:
    stream = io.StringIO()
    configure(stream=stream, format="console")
    structlog.get_logger().warning("peer lost", peer="12D3")
    assert "peer lost" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_ring_is_bounded_and_numbered() -> None:
    ring = LogRing(3)
    for i in range(10):
        ring.append(str(i))
    assert ring.since(0) == [(8, "7"), (9, "8"), (10, "9")]
    assert ring.since(9) == [(10, "9")]
