"""The diary: who comes when.

Booking the same time for the same name twice is one appointment, so a tool that is called again
after an interruption does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from telephony.assistants.tools.records import Record, RecordFile

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = timedelta(minutes=30)
"""How long an appointment takes."""
PLACES = 3
"""How many people can have an appointment at the same time."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """One line of the diary."""

    day: date
    at: time
    name: str


class Diary:
    """Appointments in a file, or in memory without one. Its methods block: call them off the loop."""

    def __init__(self, path: Path | None = None) -> None:
        self._records = RecordFile(path)

    def book(self, wanted: Appointment, *, call_id: str = "") -> Literal["booked", "taken"]:
        """Write an appointment down, unless as many others are there at that time as there are places."""

        def decide(records: list[Record]) -> tuple[Literal["booked", "taken"], Record | None]:
            there = [entry for entry in map(_read, records) if _overlap(entry, wanted)]
            if any(_same(entry, wanted) for entry in there):
                return "booked", None
            if len(there) >= PLACES:
                return "taken", None
            return "booked", {
                "day": wanted.day.isoformat(),
                "at": wanted.at.isoformat("minutes"),
                "name": wanted.name,
                "call_id": call_id,
            }

        return self._records.change(decide)

    def free_times(self, day: date, opens: time, closes: time) -> list[time]:
        """When an appointment could begin on a day, every half hour."""
        booked = [_read(record) for record in self._records.all()]
        begin, end = datetime.combine(day, opens), datetime.combine(day, closes)
        free = []
        while begin + LENGTH <= end:
            candidate = Appointment(day, begin.time(), "")
            if sum(_overlap(entry, candidate) for entry in booked) < PLACES:
                free.append(candidate.at)
            begin += LENGTH
        return free

    def appointments(self) -> list[Appointment]:
        """Everything in the diary, in the order of booking."""
        return [_read(record) for record in self._records.all()]


def _read(record: Record) -> Appointment:
    return Appointment(
        date.fromisoformat(record["day"]), time.fromisoformat(record["at"]), str(record["name"])
    )


def _overlap(left: Appointment, right: Appointment) -> bool:
    apart = datetime.combine(left.day, left.at) - datetime.combine(right.day, right.at)
    return abs(apart) < LENGTH


def _same(left: Appointment, right: Appointment) -> bool:
    return (left.day, left.at, left.name.casefold()) == (right.day, right.at, right.name.casefold())
