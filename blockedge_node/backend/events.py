"""What happens to jobs, as it happens: a reader follows the journal, from any line that it has seen before.

The journal is the queue. Whoever reads slowly finds the lines still there, and one that was away for a day resumes
with the id of the last line it saw; nothing is held in memory for anybody, and nothing waits for a reader. Answers to
items of bundles, which workers tell before they commit to them, are in no journal: whoever listens gets them, as many
as are kept for it (bell.py).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal

import trio

from blockedge_node.api import models
from blockedge_node.backend.bell import Bell
from blockedge_node.backend.parts import Parts
from blockedge_node.store.journal import Journal, StoredNote

Told = models.Event | models.ItemEvent
State = Literal["running", "done", "settled", "failed", "cancelled"]

HEARTBEAT: Final = 15.0  # seconds of silence, after which a reader is told that there is nothing to tell
GATHER: Final = 0.05  # seconds after a line in which further ones are read together with it
LINES: Final = 200  # read from the journal at a time

STATES: Final[dict[str, State]] = {
    "job.began": "running",
    "job.collected": "running",
    "job.retried": "running",
    "job.output_lost": "running",
    "job.done": "done",
    "job.settled": "settled",
    "job.failed": "failed",
}


async def follow(
    journal: Journal, bell: Bell, since: int | None, job: bytes | None
) -> AsyncGenerator[Sequence[Told]]:
    """Events of all jobs, or of one, behind the line `since` (None: from now on), as many at a time as there are;
    none for every HEARTBEAT in which nothing happened, and once at the start. Endless.
    Raises Rejected if too many follow already."""
    with bell.reading() as reader:
        seen = await journal.newest_note() if since is None else since
        yield ()
        while True:
            rung = bell.next
            lines = await journal.notes_after(seen, LINES, code="job.")
            told: list[Told] = [event_model(line) for line in lines if line.note.code in STATES]
            told += reader.take()
            if found := [event for event in told if job in (None, event.job)]:
                yield found
            if lines:
                seen = lines[-1].id
            if len(lines) == LINES:
                continue
            with trio.move_on_after(HEARTBEAT) as silence:
                await rung.wait()
                await trio.sleep(GATHER)
            if silence.cancelled_caught:
                yield ()


def event_model(line: StoredNote) -> models.Event:
    fields = dict(line.note.fields)
    return models.Event(
        id=line.id,
        job=line.note.subject,
        state="cancelled" if fields.get("reason") == "cancelled" else STATES[line.note.code],
        code=line.note.code,
        at=line.at / 1000,
        fields={**fields},
    )


class EventsPart(Parts):
    def events(self, since: int | None, job: bytes | None) -> AsyncGenerator[Sequence[Told]]:
        return follow(self.journal, self.bell, since, job)
