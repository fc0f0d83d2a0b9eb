"""How the zygote is started."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
import trio

from blockedge_node.executor import children
from blockedge_node.executor.children import COMMAND, Zygote
from blockedge_node.executor.sandbox import Layers


async def test_the_node_can_make_no_code_and_its_compiler_can() -> None:
    """Where the kernel has it; elsewhere only the compiler is looked at."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import mmap, trio\n"
        "from blockedge_node.daemon import refuse_new_code\n"
        "from blockedge_node.executor.pool import Pool\n"
        "print(refuse_new_code())\n"
        "try:\n"
        "    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
        "except PermissionError:\n"
        "    print('no code')\n"
        "trio.run(Pool().self_test)\n"
        "print('fit')\n"
    )
    command = [sys.executable, "-c", script, COMMAND[-1]]
    done = await trio.run_process(command, capture_stdout=True)
    assert done.stdout.decode().split("\n")[:-1] in (["True", "no code", "fit"], ["False", "fit"])


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
