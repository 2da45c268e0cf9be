"""What a bridge that died left unsaid: the end of each call it had.

A new bridge says it in its place, or another one of the machine within ``SWEEP_S``, from the files of events
that nobody writes to any more. Guarantee: a call that another living bridge of the machine has is left alone,
and one that has its end gets no second, also where several bridges look at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Any

from telephony.bridge import ending
from telephony.logs import get_logger
from telephony.spool import EventSpool, left_by_the_dead, read_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telephony.calls.events import Event

log = get_logger(__name__)

_ENDS = frozenset({"call.ended", "call.refused"})


SWEEP_S = 5.0
"""How often a bridge looks whether another one of the machine has died."""


class LeftCalls:
    """Looks again and again, and at each file that has its end only once.

    Args:
        events_dir: of all bridges of the machine.
    """

    def __init__(self, events_dir: Path) -> None:
        self._events_dir = events_dir
        self._ended: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.to_thread(end_left_calls, self._events_dir, self._ended)
            await asyncio.sleep(SWEEP_S)


def end_left_calls(events_dir: Path, known: set[str] | None = None) -> int:
    """Write the end of every call that a dead bridge had; returns how many those were.

    Blocks for as long as it takes to read the files; a file that cannot be written to is passed over.

    Args:
        known: names of files that need not be read again; added to.
    """
    known = set() if known is None else known
    with _alone(events_dir) as is_alone:
        return _end_all(events_dir, known) if is_alone else 0


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process looks through a folder meanwhile; what one finds two would both end."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        # No bridge has had a call yet.
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _end_all(events_dir: Path, known: set[str]) -> int:
    ended = 0
    known &= {path.name for path in events_dir.glob("*.jsonl")}
    for path in list(left_by_the_dead(events_dir, "bridge", known)):
        events = list(read_events(path))
        if any(event.type in _ENDS for event in events):
            known.add(path.name)
            continue
        if not events:
            continue
        try:
            _end(events_dir, events)
        except OSError as error:
            log.error("left_call_not_ended", call_id=events[0].call_id, reason=error.strerror)
            continue
        ended += 1
    if ended:
        log.warning("left_calls_ended", calls=ended)
    return ended


def _end(events_dir: Path, events: list[Event]) -> None:
    lost = ending.BRIDGE_LOST
    told: dict[str, Any] = {
        "reason": lost.name,
        "cause": lost.sentence,
        "ended_by": lost.ended_by,
        "code": lost.code,
    }
    answered = any(event.type == "call.answered" for event in events)
    if not answered and events[0].data.get("direction") == "inbound":
        told["outcome"] = "failed"
    spool = EventSpool(events_dir, events[0].call_id, "bridge")
    try:
        spool.emit("call.ended", **told)
    finally:
        spool.close()
