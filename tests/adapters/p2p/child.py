"""One node in a process of its own. Prints its address; then obeys one command a line on stdin:

publish N      publish N requests (signed by this node) → "done"
heard N        wait until N requests were heard → "done"
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import structlog
import trio

from blockedge_node.core.events import RequestHeard
from tests.adapters.p2p import support
from tests.adapters.p2p.support import make_node, publish, until


async def main() -> None:
    options = json.loads(sys.argv[1])
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    support._nonces = itertools.count(options.get("nonces", 1))
    node = make_node(
        options["name"],
        Path(options["directory"]),
        listen=options.get("listen", "/ip4/127.0.0.1/tcp/0"),
        bootstrap=tuple(options.get("bootstrap", ())),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(node.p2p.run)
        print(node.address, flush=True)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            command, count = line.split()
            if command == "publish":
                for _ in range(int(count)):
                    await publish(node)
            else:
                await until(lambda count=int(count): len(node.of(RequestHeard)) >= count, f"{count} requests")
            print("done", flush=True)
        nursery.cancel_scope.cancel()


trio.run(main)
