"""From what a caller calls a day to its date. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from telephony.assistants.slots.day import MONTHS, OVERMORROW, WEEKDAYS, parse_day
from telephony.assistants.slots.time_of_day import parse_time
from telephony.assistants.wording import words_of


def time_in(text: str) -> time | None:
    """A time of day as a model or a flow writes it: ``15:30``, ``3:30 pm``, ``half past three``."""
    value = parse_time(words_of(text), asked=True)
    return time.fromisoformat(value) if value else None


def date_in(text: str, now: datetime, at: time) -> date | None:
    """The next date that a day means.

    Args:
        text: ``2026-11-24``, ``tuesday``, ``tomorrow``, ``11-24``, ``the 24th of November``.
        now: the time at which it is said.
        at: the time of day meant; a weekday that is today means today only while it is still ahead.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    known = _is_month_day(text.strip()) or text.strip() == OVERMORROW
    value = text.strip() if known else parse_day(words_of(text))
    if value is None:
        return None
    today = now.date()
    if value in {"today", "tomorrow"}:
        return today + timedelta(days=value == "tomorrow")
    if value == OVERMORROW:
        return today + timedelta(days=2)
    if value in WEEKDAYS:
        ahead = (WEEKDAYS.index(value) - today.weekday()) % 7
        return today + timedelta(days=7 if ahead == 0 and at <= now.time() else ahead)
    month, day = (int(part) for part in value.split("-"))
    for year in range(today.year, today.year + 9):
        try:
            candidate = date(year, month, day)
        except ValueError:  # 29 February
            continue
        if candidate >= today:
            return candidate
    return None


def spoken_date(day: date) -> str:
    """``Tuesday, November 24``"""
    return f"{WEEKDAYS[day.weekday()].capitalize()}, {MONTHS[day.month - 1].capitalize()} {day.day}"


def _is_month_day(text: str) -> bool:
    month, dash, day = text.partition("-")
    return bool(dash) and month.isdigit() and day.isdigit() and 1 <= int(month) <= 12 and 1 <= int(day) <= 31
