"""One node in a process of its own. Prints its address; then obeys one command a line on stdin:

publish N      publish N requests (signed by this node) → "done"
heard N        wait until N requests were heard → "done"
put PATH       store a file as a blob → its root
served 0       → how many bytes of blobs were handed out
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import structlog
import trio

from blockedge_node.core.events import RequestHeard
from blockedge_node.core.ids import Root
from blockedge_node.p2p.limits import Rate
from tests.adapters.p2p import support
from tests.adapters.p2p.support import QUICK, make_node, publish, until


async def main() -> None:
    options = json.loads(sys.argv[1])
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    support._nonces = itertools.count(options.get("nonces", 1))
    settings = QUICK
    if rate := options.get("rate"):
        settings = replace(settings, blob_rate=Rate(burst=64 * 1024, refill=rate))
    node = make_node(
        options["name"],
        Path(options["directory"]),
        listen=options.get("listen", "/ip4/127.0.0.1/tcp/0"),
        bootstrap=tuple(options.get("bootstrap", ())),
        settings=settings,
    )
    served: list[int] = []
    chunks = node.blobs.chunks

    def counted(root: Root, first: int, count: int) -> bytes:
        data = chunks(root, first, count)
        served.append(len(data))
        return data

    node.blobs.chunks = counted  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        await nursery.start(node.p2p.run)
        print(node.address, flush=True)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            command, argument = line.split()
            answer = "done"
            match command:
                case "publish":
                    for _ in range(int(argument)):
                        await publish(node)
                case "heard":
                    await until(
                        lambda n=int(argument): len(node.of(RequestHeard)) >= n, f"{argument} requests"
                    )
                case "put":
                    answer = node.blobs.put(Path(argument).read_bytes()).hex()
                case "served":
                    answer = str(sum(served))
            print(answer, flush=True)
        nursery.cancel_scope.cancel()


trio.run(main)
