"""The executor's program: a process that has imported everything and forks one child for each order.

A fresh Python with wasmtime takes 60–100 ms; a fork of one that is ready takes one or two. So this process
does the imports, makes the engine, tries which walls this machine has, and then only forks and reaps. It has one
thread, holds no key, reads no order and never sees a program: what it hands on is file descriptors.

On its control socket (stdin, one packet a message) the node sends `fork` with three descriptors:

    job      the child's stdin and stdout: one order in, one reply out (frames.py)
    words    the child's stderr
    status   ours: `born PID` with the child's pidfd, or `failed WHY`; when it is reaped `ended STATUS`

The node kills a child by its pidfd, which means the same process in every pid name space and is never reused.
When the control socket closes, the node is gone: all children are killed, and this process ends.
"""

from __future__ import annotations

import array
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from blockedge_node.executor import runner, runtime, sandbox

FORK: Final = b"fork"
_STDIO: Final = 3


def main() -> None:
    """`argv[-1]`: the operator's choices, `uid=auto,landlock=off,…`. First word to the node: what holds, as JSON."""
    control = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "r+b") as null:
        os.dup2(null.fileno(), 0)
        os.dup2(null.fileno(), 1)
    try:
        engine = runtime.new_engine()
        layers, missing = _choose(sys.argv[-1])
    except (runtime.Fault, OSError) as error:
        control.sendall(json.dumps({"fault": str(error)}).encode())
        return
    control.sendall(json.dumps({"layers": layers, "missing": missing}).encode())
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it marks
    _serve(control, lambda: runner.serve(engine, layers))


def _choose(choices: str) -> tuple[list[str], dict[str, str]]:
    """(the inner layers in force, why others are not). Raises OSError for one that must be on and cannot."""
    layers, missing = [], {}
    for name, _, choice in (item.partition("=") for item in choices.split(",")):
        why = "switched off" if choice == "off" else sandbox.holds(name)
        if not why:
            layers.append(name)
        elif choice == "on":
            raise OSError(f"executor.{name} is on, but this machine does not have it: {why}")
        else:
            missing[name] = why
    return layers, missing


def _serve(control: socket.socket, work: Callable[[], None]) -> None:
    wake, ring = os.pipe()
    os.set_blocking(ring, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = select.poll()
    watch.register(control, select.POLLIN)
    watch.register(wake, select.POLLIN)
    children: dict[int, socket.socket] = {}
    while True:
        ready = {descriptor for descriptor, _ in watch.poll()}
        if wake in ready:
            os.read(wake, 1 << 10)
            _reap(children)
        if control.fileno() in ready:
            message, given, _, _ = socket.recv_fds(control, 64, 3)
            if message != FORK or len(given) != 3:
                break
            _fork(children, given, work)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(children: dict[int, socket.socket], given: list[int], work: Callable[[], None]) -> None:
    job, words, report = given
    status = socket.socket(fileno=report)
    try:
        pid = os.fork()
    except OSError as error:  # no memory, or too many processes
        status.sendall(f"failed {error}".encode())
        status.close()
        os.close(job)
        os.close(words)
        return
    if pid == 0:
        _become(job, words, work)
    os.close(job)
    os.close(words)
    children[pid] = status
    handle = os.pidfd_open(pid)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))]
    try:
        status.sendmsg([f"born {pid}".encode()], rights)
    except OSError:
        os.kill(pid, signal.SIGKILL)  # whoever ordered it has gone away
    os.close(handle)


def _become(job: int, words: int, work: Callable[[], None]) -> NoReturn:
    """The fork's side: nothing of the zygote stays open, so no child can reach another's streams."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(job, 0)
        os.dup2(job, 1)
        os.dup2(words, 2)
        os.closerange(_STDIO, os.sysconf("SC_OPEN_MAX"))
        work()
    except BaseException:  # noqa: BLE001 (whatever it is must not return into the zygote's loop)
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(1)


def _reap(children: dict[int, socket.socket]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        report = children.pop(pid, None)
        if report is not None:
            with suppress(OSError):  # nobody waits for it
                report.sendall(f"ended {os.waitstatus_to_exitcode(status)}".encode())
            report.close()


if __name__ == "__main__":
    main()
