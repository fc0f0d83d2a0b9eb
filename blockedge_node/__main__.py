"""`blockedge-node`: the daemon's command, which is daemon.py; here is only how it gets into memory fast.

Two thousand modules are imported before the first line of ours runs. Looking for garbage among what they define
takes an eighth of that time and finds none, then and later: so the collector starts after them, and leaves them out.
"""

from __future__ import annotations

import gc


def main() -> None:
    gc.disable()
    from blockedge_node import daemon

    gc.freeze()
    gc.enable()
    daemon.main()


if __name__ == "__main__":
    main()
