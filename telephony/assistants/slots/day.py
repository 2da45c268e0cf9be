"""A day, as callers name it: a weekday, today, tomorrow, or a day of a month. Pure.

The value is the caller's meaning, not a date: ``tuesday``, ``tomorrow``, ``11-24``. Which date that
is depends on when the call takes place, so the tool that books it decides.
"""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.numerals import ordinal
from telephony.assistants.wording import same_word

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of ``datetime.date.weekday``."""

MONTHS: Final = tuple(calendar.month_name[number].lower() for number in range(1, 13))
"""``MONTHS[0]`` is january."""

_SHORT: Final = {
    "mon": "monday",
    "tue": "tuesday",
    "tues": "tuesday",
    "weds": "wednesday",
    "wednsday": "wednesday",
    "wensday": "wednesday",
    "thur": "thursday",
    "thurs": "thursday",
    "fri": "friday",
}
OVERMORROW: Final = "day_after_tomorrow"
"""The value of the day after tomorrow."""

_RELATIVE: Final = frozenset({"today", "tomorrow"})
_TODAY: Final = frozenset({"tonight"})


def parse_day(words: Sequence[str]) -> str | None:
    """The last day named that is not refused by a ``not`` before it: ``not Monday, Tuesday`` is Tuesday."""
    found: str | None = None
    at = 0
    while at < len(words):
        value, taken = _day_at(words, at)
        if value is not None and not (at > 0 and words[at - 1] == "not"):
            found = value
        at += taken
    return found


def spoken_day(value: str) -> str:
    """How a value is said: ``Tuesday``, ``tomorrow``, ``November 24``."""
    month, _, day = value.partition("-")
    if day.isdigit() and month.isdigit():
        return f"{MONTHS[int(month) - 1].capitalize()} {int(day)}"
    if value == OVERMORROW:
        return "the day after tomorrow"
    return value.capitalize() if value in WEEKDAYS else value


def _day_at(words: Sequence[str], at: int) -> tuple[str | None, int]:
    word = words[at]
    if word in _RELATIVE:
        after = list(words[max(0, at - 3) : at]) == ["the", "day", "after"] or list(
            words[max(0, at - 2) : at]
        ) == ["day", "after"]
        return (OVERMORROW if word == "tomorrow" and after else word), 1
    if word in _TODAY:
        return "today", 1
    if word in _SHORT:
        return _SHORT[word], 1
    for weekday in WEEKDAYS:
        if same_word(word, weekday):
            return weekday, 1
    return _date_at(words, at)


def _date_at(words: Sequence[str], at: int) -> tuple[str | None, int]:
    month = _month(words[at])
    if month is not None:
        step = 1 + (at + 1 < len(words) and words[at + 1] == "the")
        day = ordinal(words, at + step)
        return (_date(month, day[0]), step + day[1]) if day else (None, 1)
    day = ordinal(words, at)
    if day is None:
        return None, 1
    after = at + day[1]
    after += after < len(words) and words[after] == "of"
    month = _month(words[after]) if after < len(words) else None
    return (_date(month, day[0]), after + 1 - at) if month is not None else (None, 1)


def _month(word: str) -> int | None:
    # "may" and "march" are ordinary words too, but here only a day of the month beside them counts.
    for number, name in enumerate(MONTHS, start=1):
        if same_word(word, name):
            return number
    return None


def _date(month: int, day: int) -> str | None:
    return f"{month:02d}-{day:02d}" if 1 <= day <= calendar.monthrange(2024, month)[1] else None
