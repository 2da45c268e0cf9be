"""A time of day, as callers say it and recognisers write it. Pure.

``3:30 p.m.``, ``half past three``, ``three thirty``, ``15:30``, ``330``, ``quarter to four``, ``noon``
all become ``HH:MM``. Without am or pm the hours 1 to 6 are in the afternoon and 7 to 12 are daytime
too, as is usual where people have appointments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.numerals import cardinal

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED: Final = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}
_PARTS: Final = {"morning": "am", "afternoon": "pm", "evening": "pm"}
_BEFORE: Final = frozenset({"at", "around", "about", "for", "by", "say", "make", "rather"})
_PAST: Final = frozenset({"past", "passed"})
_FIRST_AFTERNOON_HOUR, _LAST_AFTERNOON_HOUR = 1, 6


@dataclass(frozen=True, slots=True)
class _Reading:
    hour: int
    minute: int
    taken: int
    sure: bool
    """Whether its form says that it is a time; a bare number only is one when a time was asked for."""
    meridiem: str = ""


def parse_time(words: Sequence[str], *, asked: bool) -> str | None:
    """The last time of day in an utterance, as ``HH:MM``.

    Args:
        words: from ``words_of``.
        asked: whether a time was asked for; then a bare ``three`` or ``330`` is one too.
    """
    found: str | None = None
    at = 0
    while at < len(words):
        if words[at] in _NAMED:
            found = _NAMED[words[at]]
        reading = _reading_at(words, at)
        if reading is None:
            at += 1
            continue
        refused = at > 0 and words[at - 1] == "not"
        if not refused and (reading.sure or _is_likely(words, at, reading, asked=asked)):
            found = _in_day(reading) or found
        at += reading.taken
    return found


def spoken_time(value: str) -> str:
    """How a value is said: ``3:30 PM``, ``9 AM``, ``noon``."""
    hour, minute = (int(part) for part in value.split(":"))
    if (hour, minute) == (12, 0):
        return "noon"
    half = "AM" if hour < 12 else "PM"
    shown = hour % 12 or 12
    return f"{shown}:{minute:02d} {half}" if minute else f"{shown} {half}"


def _is_likely(words: Sequence[str], at: int, reading: _Reading, *, asked: bool) -> bool:
    # "one" is a pronoun far more often than an hour, unless "at" stands before it.
    before = words[at - 1] if at else ""
    if before in {"at", "around"}:
        return True
    return asked and (before in _BEFORE or len(words) <= reading.taken + 3) and words[at] != "0"


def _reading_at(words: Sequence[str], at: int) -> _Reading | None:
    reading = _clock(words, at) or _past_or_to(words, at) or _hour_first(words, at)
    if reading is None:
        return None
    after = at + reading.taken
    rest = words[after : after + 3]
    if rest[:1] and rest[0] in {"am", "pm"}:
        return _Reading(reading.hour, reading.minute, reading.taken + 1, True, rest[0])
    if rest[:1] == ("oclock",) or rest[:1] == ["oclock"]:
        following = _reading_part(words, after + 1)
        return _Reading(reading.hour, reading.minute, reading.taken + 1 + following[1], True, following[0])
    part = _reading_part(words, after)
    if part[0]:
        return _Reading(reading.hour, reading.minute, reading.taken + part[1], True, part[0])
    return reading


def _reading_part(words: Sequence[str], at: int) -> tuple[str, int]:
    rest = list(words[at : at + 3])
    if rest[:1] and rest[0] in {"am", "pm"}:
        return rest[0], 1
    if len(rest) == 3 and rest[:2] == ["in", "the"] and rest[2] in _PARTS:
        return _PARTS[rest[2]], 3
    return "", 0


def _clock(words: Sequence[str], at: int) -> _Reading | None:
    hour, colon, minute = words[at].partition(":")
    if colon:
        return _Reading(
            int(hour), int(minute), 1, sure=True, meridiem="24" if len(hour) == 2 and hour < "10" else ""
        )
    if words[at].isascii() and words[at].isdigit() and len(words[at]) in {3, 4}:
        return _Reading(int(words[at][:-2]), int(words[at][-2:]), 1, sure=False)
    return None


def _past_or_to(words: Sequence[str], at: int) -> _Reading | None:
    minutes: int
    after = words[at + 1] if at + 1 < len(words) else ""
    # A recogniser writes "house past three" and "have passed three": nothing else comes before a past.
    if words[at] == "half" or (words[at].startswith("h") and after in _PAST):
        taken = 1 + (after in _PAST)
        hour = cardinal(words, at + taken)
        return _Reading(hour[0], 30, taken + hour[1], sure=True) if hour and 1 <= hour[0] <= 12 else None
    if words[at] in {"quarter", "a"}:
        skip = 2 if list(words[at : at + 2]) == ["a", "quarter"] else 1
        if words[at] == "a" and skip == 1:
            return None
        minutes, taken = 15, skip
    else:
        number = cardinal(words, at)
        if number is None:
            return None
        minutes, taken = number
        taken += at + taken < len(words) and words[at + taken] in {"minutes", "minute"}
    side = words[at + taken] if at + taken < len(words) else ""
    hour = cardinal(words, at + taken + 1)
    if side not in {*_PAST, "after", "to"} or hour is None or not 1 <= hour[0] <= 12 or minutes > 59:
        return None
    taken += 1 + hour[1]
    if side == "to":
        return _Reading((hour[0] - 2) % 12 + 1, 60 - minutes, taken, sure=True) if minutes else None
    return _Reading(hour[0], minutes, taken, sure=True)


def _hour_first(words: Sequence[str], at: int) -> _Reading | None:
    hour = cardinal(words, at)
    if hour is None or hour[0] > 24 or (hour[1] == 2):
        return None
    after = at + 1
    if after < len(words) and words[after] in {"oh", "o"}:
        ones = cardinal(words, after + 1)
        if ones and ones[0] <= 9:
            return _Reading(hour[0], ones[0], 2 + ones[1], sure=True)
    minute = cardinal(words, after)
    if minute and 10 <= minute[0] <= 59 and hour[0] <= 12:
        return _Reading(hour[0], minute[0], 1 + minute[1], sure=not words[at].isdigit())
    return _Reading(hour[0], 0, 1, sure=False)


def _in_day(reading: _Reading) -> str | None:
    hour, minute = reading.hour, reading.minute
    if reading.meridiem in {"am", "pm"} and 1 <= hour <= 12:
        hour = hour % 12 + (12 if reading.meridiem == "pm" else 0)
    elif reading.meridiem == "" and _FIRST_AFTERNOON_HOUR <= hour <= _LAST_AFTERNOON_HOUR:
        hour += 12
    return f"{hour:02d}:{minute:02d}" if 0 <= hour <= 23 and 0 <= minute <= 59 else None
