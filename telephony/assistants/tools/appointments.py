"""The tool that books an appointment."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from telephony.assistants.slots.time_of_day import spoken_time
from telephony.assistants.tools.dates import date_in, spoken_date, time_in
from telephony.assistants.tools.diary import LENGTH, Appointment
from telephony.assistants.tools.hours import open_on, spoken_day_hours

if TYPE_CHECKING:
    from datetime import date, time

    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result


async def book_appointment(
    desk: Desk,
    day: Annotated[str, Field(description="Weekday, tomorrow, or a date such as 2026-11-24.")],
    time: Annotated[str, Field(description="Time of day, such as 15:30.")],
    name: Annotated[str, Field(description="Who it is for.", min_length=1, max_length=100)],
) -> Result:
    """Book an appointment. Read day, time and name back to the caller and have them confirmed first."""
    now = desk.now()
    at = time_in(time)
    on = date_in(day, now, at) if at else None
    if at is None or on is None:
        return _refused("unclear", "I did not understand the day or the time.")
    if datetime.combine(on, at, now.tzinfo) <= now:
        return _refused("past", "That time has already passed.")
    hours = open_on(desk.assistant.opening_hours, on.weekday())
    if hours is None:
        return _refused("closed_day", spoken_day_hours(desk.assistant.opening_hours, on.weekday()))
    opens, closes = hours
    ends = datetime.combine(on, at) + LENGTH
    if at < opens or ends.date() != on or ends.time() > closes:
        return _refused("closed", spoken_day_hours(desk.assistant.opening_hours, on.weekday()))
    wanted = Appointment(on, at, name)
    if await asyncio.to_thread(desk.diary.book, wanted, call_id=desk.call_id) == "taken":
        free = await asyncio.to_thread(desk.diary.free_times, on, opens, closes)
        return _refused("taken", _offer(on, at, free))
    desk.collected({"day": on.isoformat(), "time": at.isoformat("minutes"), "name": name})
    return {
        "booked": True,
        "date": on.isoformat(),
        "time": at.isoformat("minutes"),
        "name": name,
        "text": f"{spoken_date(on)}, at {spoken_time(at.isoformat('minutes'))}",
    }


def _refused(reason: str, text: str) -> Result:
    return {"booked": False, "reason": reason, "text": text}


def _offer(on: date, wanted: time, free: list[time]) -> str:
    if not free:
        return f"{spoken_date(on)} is fully booked."

    def distance(at: time) -> int:
        return abs((at.hour - wanted.hour) * 60 + at.minute - wanted.minute)

    nearest = min(free, key=distance)
    return f"That time is taken. {spoken_time(nearest.isoformat('minutes'))} is still free."
