"""What a bridge that died left unsaid: the end of each call it had.

A new bridge says it in its place, from the files of events that nobody writes to any more. Guarantee: a
call that another living bridge of the machine has is left alone, and one that has its end gets no second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.bridge import ending
from telephony.logs import get_logger
from telephony.spool import EventSpool, left_by_the_dead, read_events

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.calls.events import Event

log = get_logger(__name__)

_ENDS = frozenset({"call.ended", "call.refused"})


def end_left_calls(events_dir: Path) -> int:
    """Write the end of every call that a dead bridge had; returns how many those were.

    Blocks for as long as it takes to read the files; a file that cannot be written to is passed over.
    """
    ended = 0
    for path in list(left_by_the_dead(events_dir, "bridge")):
        events = list(read_events(path))
        if not events or any(event.type in _ENDS for event in events):
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
