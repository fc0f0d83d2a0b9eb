"""A mapped program: run once for each item of its input (docs/protocol.md §3.5, Bundles; core/items.py).

Limits hold for the whole, and no item can take from those behind it what is theirs: with n items to go, the next
one may burn and print an n-th of what is left of fuel and stdoutMax, and what it does not need stays for the others.
One that traps has burnt its share, wherever it stopped, since that must not be observable; in the result's fuel and
memory it counts as zeros.

An item costs fuel beside its instructions, ITEM_COST and PAGE_COST for each page of its memory, about what they are
worth in time: starting an instance and hashing its memory. Without that a list of a thousand empty items with a
gigabyte each would keep checkers busy for minutes, for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from blockedge_node.core import items
from blockedge_node.core.ids import Hash
from blockedge_node.core.items import ANSWER, Answer, Told
from blockedge_node.core.job import MAX_STDERR, Ending, TrapCode, WasmJob, exit_word
from blockedge_node.executor.instance import Ended, said

ITEM_COST: Final = 200_000  # fuel
PAGE_COST: Final = 10_000  # fuel for each 64 KiB page of the memory that an item ended with
BAD_LIST: Final = exit_word(Ending.FAILED, 2)  # as a program says by convention that its input is bad
NO_FUEL: Final = Ended(exit=exit_word(Ending.TRAPPED, TrapCode.OUT_OF_FUEL))


def run(once: Callable[[WasmJob], Ended], job: WasmJob, told: Told) -> Ended:
    """`once` for each item; each answer is `told` with its place, in order, as soon as it is known."""
    given = items.split(job.stdin)
    room = job.stdout_max - ANSWER * len(given or ())
    if given is None or room < 0:
        why = "its lengths do not add up" if given is None else f"{len(given)} answers exceed stdoutMax"
        digest = Hash(hashlib.sha256().digest())
        return Ended(exit=BAD_LIST, memory_hash=digest, stderr=said(b"", f"a bad list of items: {why}"))
    fuel, answers, memories, stderr = job.fuel, list[Answer](), hashlib.sha256(), bytearray()
    used = 0
    for place, item in enumerate(given):
        togo = len(given) - place
        share = fuel // togo
        one = _item(once, replace(job, stdin=item, fuel=share, stdout_max=room // togo, mapped=False))
        answer = Answer(exit=one.exit, output=one.output)
        told(place, answer)
        answers.append(answer)
        trapped = one.exit >> 16 == Ending.TRAPPED
        fuel -= share if trapped else one.fuel_used
        room -= len(one.output)
        used += one.fuel_used
        memories.update(one.memory_hash)
        if one.stderr and len(stderr) < MAX_STDERR:
            stderr += f"[blockedge] item {place}:\n".encode() + one.stderr
    return Ended(
        exit=0,
        output=items.join_answers(answers),
        fuel_used=used,
        memory_hash=Hash(memories.digest()),
        stderr=bytes(stderr[:MAX_STDERR]),
    )


def _item(once: Callable[[WasmJob], Ended], job: WasmJob) -> Ended:
    """One run, with what it costs beside its instructions."""
    if job.fuel <= ITEM_COST:
        return NO_FUEL
    ended = once(replace(job, fuel=job.fuel - ITEM_COST))
    if ended.exit >> 16 == Ending.TRAPPED:
        return ended
    fuel_used = ended.fuel_used + ITEM_COST + PAGE_COST * ended.pages
    if fuel_used > job.fuel:
        return replace(NO_FUEL, stderr=said(ended.stderr, "no fuel left for the pages of its memory"))
    return replace(ended, fuel_used=fuel_used)
