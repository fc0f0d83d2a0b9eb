"""How the zygote is started."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

import pytest

from blockedge_node.executor import children
from blockedge_node.executor.children import Zygote
from blockedge_node.executor.sandbox import Layers


async def test_the_zygote_is_a_child_of_the_thread_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """bubblewrap ends with the thread that started it: one of trio's worker threads would be gone after ten
    idle seconds, and every longer run with it."""
    starters = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        starters.append(threading.get_ident())
        return subprocess.Popen(*arguments, **options)

    class Subprocess:
        Popen = staticmethod(start)
        DEVNULL = subprocess.DEVNULL

    monkeypatch.setattr(children, "subprocess", Subprocess)
    zygote = await Zygote.start(Layers())
    assert set(starters) == {threading.get_ident()}
    assert zygote.alive
    await zygote.end()
    assert await zygote.process.wait() < 0
