"""Opening hours: what they are on a day, and how they are said. Pure."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

from telephony.assistants.slots.day import WEEKDAYS
from telephony.assistants.slots.time_of_day import spoken_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import Hours, Weekday

_CLOSED = "closed"


def open_on(hours: Mapping[Weekday, Hours], weekday: int) -> tuple[time, time] | None:
    """When a day opens and closes; None when it stays closed.

    Args:
        hours: from the assistant's file.
        weekday: 0 for Monday, as ``datetime.date.weekday`` counts.
    """
    written = _on(hours, weekday)
    if written == _CLOSED:
        return None
    opens, closes = written.split("-")
    return time.fromisoformat(opens), time.fromisoformat(closes)


def spoken_day_hours(hours: Mapping[Weekday, Hours], weekday: int) -> str:
    """``On Saturday we are open from 10 AM to 1 PM.``"""
    name = WEEKDAYS[weekday].capitalize()
    written = _on(hours, weekday)
    if written == _CLOSED:
        return f"On {name} we are closed."
    return f"On {name} we are open {_from_to(written)}."


def spoken_week(hours: Mapping[Weekday, Hours]) -> str:
    """The whole week in a sentence or two, days with the same hours together."""
    runs: list[tuple[int, int, str]] = []
    for weekday in range(len(WEEKDAYS)):
        written = _on(hours, weekday)
        if runs and runs[-1][2] == written:
            runs[-1] = (runs[-1][0], weekday, written)
        else:
            runs.append((weekday, weekday, written))
    opened = [
        f"{_days(first, last)} {_from_to(written)}" for first, last, written in runs if written != _CLOSED
    ]
    closed = [_days(first, last) for first, last, written in runs if written == _CLOSED]
    if not opened:
        return "We are closed all week."
    text = f"We are open {_listed(opened)}."
    return f"{text} We are closed on {_listed(closed)}." if closed else text


def _on(hours: Mapping[Weekday, Hours], weekday: int) -> str:
    return next((written for day, written in hours.items() if day == WEEKDAYS[weekday]), _CLOSED)


def _from_to(written: str) -> str:
    opens, closes = written.split("-")
    return f"from {spoken_time(opens)} to {spoken_time(closes)}"


def _days(first: int, last: int) -> str:
    names = [WEEKDAYS[first].capitalize(), WEEKDAYS[last].capitalize()]
    return names[0] if first == last else " to ".join(names)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
