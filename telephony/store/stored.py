"""Events as they are stored and published: numbered by the record, with a stable id.

Pure.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.calls.events import LINE

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping

    from telephony.calls.events import Event


@dataclass(frozen=True, slots=True)
class Incoming:
    """One account of a source, its data as it came.

    ``key`` is what makes it the same account again where the source does not number its own, such as
    the id of LiveKit's webhook; its ``source_seq`` is then 0 and the record numbers it.
    """

    event: Event
    key: str | None = None

    def digest(self) -> bytes:
        """Equal for the same account told twice; 16 bytes."""
        event = self.event
        if self.key is not None:
            said: list[Any] = [event.source, self.key]
        else:
            said = [event.source, event.source_seq, event.type, event.time.isoformat(), event.data]
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of one call, or of the line, with its public number."""

    call_id: str
    seq: int
    type: str
    source: str
    source_seq: int
    time: datetime
    received_at: datetime
    late: bool
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The same for every delivery and replay of this event."""
        return event_id(self.call_id, self.seq)

    def payload(self) -> dict[str, Any]:
        """The public JSON: what webhooks, streams and the api carry."""
        return {
            "id": self.id,
            "type": self.type,
            "timestamp": self.time.isoformat(timespec="microseconds"),
            "call_id": None if self.call_id == LINE else self.call_id,
            "seq": self.seq,
            "source": self.source,
            "late": self.late,
            "data": self.data,
        }

    @classmethod
    def from_row(cls, row: RowMapping) -> StoredEvent:
        """Read a row of the event table, or of a join that has its columns."""
        return cls(**{name: row[name] for name in cls.__slots__})


def event_id(call_id: str, seq: int) -> str:
    """The public id of an event."""
    return f"evt_{call_id.removeprefix('call_')}_{seq}"
