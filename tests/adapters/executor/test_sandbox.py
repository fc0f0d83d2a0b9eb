"""Each wall alone and each wall gone: a child that broke out of the engine opens, connects and outlives nothing.

The hostile code is Python that a test puts in the place of the runner's work: what a program could do that had
found a hole in the engine and runs whatever it likes in the child.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from blockedge_node.core.job import Ending, TrapCode, ending_of
from blockedge_node.executor import children, probe, sandbox
from blockedge_node.executor.children import COMMAND
from blockedge_node.executor.pool import ExecutorFault, Pool
from blockedge_node.executor.sandbox import NAMES, Choice, Layers

# A zygote whose children, behind all walls, do this instead of their work and tell on stderr how it went.
_TRAITOR = """
import sys; sys.path.insert(0, sys.argv[1])
from blockedge_node.executor import runner, zygote
import os, socket, resource, ctypes, subprocess, signal
def obey(engine, order):
    try:
        {attack}
    except (OSError, ValueError, MemoryError) as error:
        os.write(2, b"stopped: " + str(error).encode())
    else:
        os.write(2, b"broke out")
    os._exit(7)
runner._obey = obey
zygote.main()
"""

ATTACKS = {
    "read": "open('/etc/passwd').read()",
    "write": "open('/tmp/blockedge-broke-out', 'w').write('x')",
    "socket": "socket.socket().connect(('127.0.0.1', 9))",
    "unix": "socket.socket(socket.AF_UNIX)",
    "fork": "os.fork()",
    "execute": "os.execv('/bin/true', ['/bin/true'])",
    "limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); open('/etc/passwd')",
    "root": "os.setuid(0); os.setgid(0); open('/etc/shadow')",
    "memory": "bytearray(16 << 30)",
    "closed-first": "os.close(2); os.close(0); open('/etc/passwd').read()",
}


_ALL_OFF: dict[str, Choice] = dict.fromkeys(NAMES, "off")


def only_off(name: str) -> Layers:
    choices: dict[str, Choice] = {name: "off"}
    return Layers(**choices)


def only_on(name: str) -> Layers:
    return Layers(**(_ALL_OFF | {name: "auto"}))


SETTINGS = {
    "all": Layers(),
    **{f"without-{name}": only_off(name) for name in NAMES},
    "limits-alone": Layers(**_ALL_OFF),
}


@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_child_that_broke_out_gets_nowhere(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    for attack, code in ATTACKS.items():
        if attack == "execute" and setting in ("limits-alone", "without-seccomp"):
            continue  # another program in the same process: it has the same walls, so it gains nothing
        if attack == "fork" and setting == "limits-alone" and os.geteuid() == 0:
            continue  # the kernel exempts root from this limit: that is what the uid is for
        command = (sys.executable, "-I", "-c", _TRAITOR.format(attack=code), COMMAND[-1])
        monkeypatch.setattr(children, "COMMAND", command)
        with pytest.raises(ExecutorFault) as fault:
            await Pool(layers=SETTINGS[setting]).run(probe.JOB, wall=60)
        assert fault.value.reason in ("died", "seccomp"), (attack, fault.value.detail)
        assert "broke out" not in fault.value.detail, attack
    assert not Path("/tmp/blockedge-broke-out").exists()


async def test_seccomp_kills_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, "-I", "-c", _TRAITOR.format(attack=ATTACKS["read"]), COMMAND[-1])
    monkeypatch.setattr(children, "COMMAND", command)
    with pytest.raises(ExecutorFault, match="SIGSYS"):
        await Pool(layers=only_on("seccomp")).run(probe.JOB, wall=60)


async def test_a_child_cannot_kill_the_node_or_its_siblings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without limits it could still send signals: seccomp, landlock, the pid name space and the uid each stop it."""
    for name in ("bubblewrap", "uid", "landlock", "seccomp"):
        attack = f"os.kill({os.getpid()}, 0)"
        command = (sys.executable, "-I", "-c", _TRAITOR.format(attack=attack), COMMAND[-1])
        monkeypatch.setattr(children, "COMMAND", command)
        pool = Pool(layers=only_on(name))
        with pytest.raises(ExecutorFault) as fault:
            await pool.run(probe.JOB, wall=60)
        assert pool.walls is not None
        if name in pool.walls.layers:
            assert "broke out" not in fault.value.detail, name


@pytest.mark.parametrize("setting", SETTINGS)
async def test_programs_run_the_same_behind_every_wall(setting: str, make: Any) -> None:
    async with Pool(layers=SETTINGS[setting]) as pool:
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT
        loop = await pool.run(make("(loop (br 0))", fuel=10_000_000), wall=60)
        assert ending_of(loop.result.exit) == (Ending.TRAPPED, TrapCode.OUT_OF_FUEL)
        wild = await pool.run(make("(drop (i32.load (i32.const -4)))"), wall=60)
        assert ending_of(wild.result.exit) == (Ending.TRAPPED, TrapCode.MEMORY_OUT_OF_BOUNDS)
        grow = await pool.run(
            make(
                "(drop (memory.grow (i32.const 64))) (i32.store (i32.const 4000000) (i32.const 1))",
                memory_limit=8 << 20,
            ),
            wall=60,
        )
        assert grow.result.exit == 0
        with pytest.raises(ExecutorFault, match=r"not done after 0\.5 s"):
            await pool.run(make("(loop (br 0))", fuel=1 << 62), wall=0.5)
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_a_wall_that_must_stand_and_cannot_stops_the_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ExecutorFault, match="bubblewrap is on") as fault:
        await Pool(layers=Layers(bubblewrap="on")).run(probe.JOB, wall=60)
    assert fault.value.reason == "sandbox"


async def test_a_bubblewrap_that_does_not_work_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: no permissions to create a new namespace >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(broken))
    async with Pool() as pool:
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT
        assert pool.walls is not None
        assert "no permissions" in pool.walls.missing["bubblewrap"]
        assert "bubblewrap" not in pool.walls.layers


def test_private_places_are_hidden_but_never_what_the_zygote_imports(tmp_path: Path) -> None:
    places = sandbox.hidden([tmp_path, Path("/nonexistent"), Path(sys.prefix)])
    assert str(tmp_path) in places
    assert "/nonexistent" not in places
    assert sys.prefix not in places
