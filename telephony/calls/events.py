"""What happened to a call: past-tense facts with a time, numbered by whoever saw them.

Pure: no I/O and no LiveKit import. ``telephony.spool`` writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

EventType = Literal[
    "call.requested",
    "call.permitted",
    "call.dialling",
    "call.ringing",
    "call.answered",
    "call.answered_by",
    "call.refused",
    "call.ended",
    "call.reported",
    "call.amended",
    "call.transferred",
    "agent.started",
    "agent.interrupted",
    "interruption.ignored",
    "speech.heard",
    "provider.trouble",
    "filler.spoken",
    "caller.on_hold",
    "turn.completed",
    "tool.called",
    "fields.collected",
    "usage.reported",
    "dtmf.received",
    "do_not_call.requested",
    "recording.ready",
    "recording.refused",
    "recording.stored",
    "recording.deleted",
    "room.started",
    "room.finished",
    "participant.joined",
    "participant.left",
]
"""The names an event may have; ``turn.completed`` is one finished utterance of either side.

``call.reported`` is one more account of what the record has already, or has yet to settle: each
source that saw the call end reports it, and the record alone says ``call.ended``, once.
``call.amended`` tells what an account that came after the end has changed.
"""

EVENT_TYPES: frozenset[str] = frozenset(get_args(EventType))

Source = Literal["job", "bridge", "dispatcher", "dialer", "reconciler", "livekit", "record"]
"""Who saw it; each source numbers its own events of a call from 1, without gaps.

``record`` is the api itself, where it draws a conclusion from what the others saw.
"""

SOURCES: frozenset[str] = frozenset(get_args(Source))


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one call.

    ``data`` holds JSON values only. ``time`` is UTC.
    """

    call_id: str
    source: Source
    source_seq: int
    type: EventType
    time: datetime
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape that is spooled and published; times in RFC 3339 with microseconds."""
        return {
            "call_id": self.call_id,
            "source": self.source,
            "source_seq": self.source_seq,
            "type": self.type,
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
            "data": self.data,
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Event:
        """Read the shape of ``to_json`` back.

        Raises:
            ValueError: a field is missing or has the wrong form.
        """
        try:
            event_type, time = raw["type"], datetime.fromisoformat(raw["time"])
            if event_type not in EVENT_TYPES:
                raise ValueError(f"unknown event type {event_type!r}")
            if raw["source"] not in SOURCES:
                raise ValueError(f"unknown source {raw['source']!r}")
            if time.tzinfo is None:
                raise ValueError("the time has no zone")
            return cls(
                call_id=str(raw["call_id"]),
                source=raw["source"],
                source_seq=int(raw["source_seq"]),
                type=event_type,
                time=time,
                data=dict(raw.get("data") or {}),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an event: {error}") from error


LINE = "line"
"""What stands in place of a call id in events about the line itself, such as a disabled endpoint."""

LINE_EVENT_TYPES: frozenset[str] = frozenset(
    {
        "endpoint.disabled",
        "webhook.test",
        "batch.created",
        "batch.paused",
        "batch.resumed",
        "batch.cancelled",
        "batch.finished",
        "do_not_call.added",
        "do_not_call.removed",
    }
)


def selects(patterns: Iterable[str], event_type: str) -> bool:
    """Whether a filter takes an event: ``*``, a type, or the start of one such as ``call.*``."""
    return any(
        pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
        for pattern in patterns
    )
