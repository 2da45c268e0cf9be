"""The tool that tells the opening hours."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from telephony.assistants.tools.dates import date_in
from telephony.assistants.tools.hours import spoken_day_hours, spoken_week

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result


async def opening_hours(
    desk: Desk,
    day: Annotated[
        str, Field(description="Weekday, today, tomorrow or a date; empty for the whole week.")
    ] = "",
) -> Result:
    """Tell the opening hours, of one day or of the whole week."""
    hours = desk.assistant.opening_hours
    on = date_in(day, desk.now(), time.max) if day else None
    return {"text": spoken_week(hours) if on is None else spoken_day_hours(hours, on.weekday())}
