"""Events of imaginary calls, as each source would number and send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telephony.calls.events import Event
from telephony.calls.reading import read_data
from telephony.calls.record import CallRecord, apply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telephony.calls.events import EventType, Source

CALL = "call_abcDEF123456"
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """An instant so many seconds after the INVITE."""
    return START + timedelta(seconds=seconds)


def event(source: Source, seq: int, event_type: EventType, second: float = 0.0, **data: Any) -> Event:
    """One event whose data has been read the way the api reads it."""
    return Event(CALL, source, seq, event_type, at(second), read_data(event_type, data))


def fold(events: Iterable[Event]) -> CallRecord:
    """The record after these events, in this order."""
    record = CallRecord(CALL)
    for each in events:
        record = apply(record, each).record
    return record


def good_call() -> list[Event]:
    """An inbound call that the agent answers, leads and ends, seen by bridge, job and LiveKit."""
    caller = {"from": "+15550100123", "to": "+15550100100"}
    return [
        event(
            "bridge", 1, "call.ringing", 0, **caller, trunk_id="ST_1", room="call_room", sip_call_id="SCL_x"
        ),
        event("livekit", 1, "call.ringing", 0.1, **caller, direction="inbound", room="call_room"),
        event(
            "job",
            1,
            "agent.started",
            0.3,
            assistant="reception",
            declared_fields=[
                {"name": "day", "required": True},
                {"name": "name", "required": True},
                {"name": "note"},
            ],
        ),
        event("bridge", 2, "call.answered", 0.5, codec="PCMU", audio_path="room"),
        event("job", 2, "turn.completed", 3, who="agent", text="Hello.", started_at=at(0.6).isoformat()),
        event("job", 3, "turn.completed", 6, who="caller", text="Friday.", started_at=at(4).isoformat()),
        event("bridge", 3, "dtmf.received", 7, digit="5"),
        event(
            "job", 4, "fields.collected", 8, fields={"day": {"value": "friday", "confidence": 0.9, "turn": 5}}
        ),
        event("job", 5, "call.ended", 10, outcome="answered", ended_by="agent", cause="The visit is booked."),
        event("livekit", 2, "participant.left", 10.3, kind="SIP", reason="ROOM_DELETED"),
        event(
            "bridge",
            4,
            "call.ended",
            10.2,
            ended_by="agent",
            cause="the room ended",
            packets=480,
            lost=20,
            jitter_ms=3.0,
        ),
    ]
