"""A time of day in Russian: ``в пять вечера``, ``полпятого``, ``без пятнадцати пять``, ``15:30``. Pure.

Without a part of the day the hours 1 to 6 are in the afternoon, as is usual where people have appointments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.russian.numerals import ORDINALS, cardinal, said

if TYPE_CHECKING:
    from collections.abc import Sequence

_AFTERNOON: Final = {"дня", "вечера", "вечером", "днем"}
_MORNING: Final = {"утра", "ночи", "утром", "ночью"}
_HOURS: Final = {"час", "часа", "часов"}
_MINUTES: Final = {"минут", "минуты", "минута"}
_NAMED: Final = {"полдень": "12:00", "полночь": "00:00"}
_LAST_AFTERNOON_HOUR: Final = 6


def parse_time(words: Sequence[str], *, asked: bool) -> str | None:
    """The last time of day in an utterance, as ``HH:MM``.

    Args:
        words: from ``words_of``.
        asked: whether a time was asked for; then a bare ``пять`` is one too.
    """
    found: str | None = None
    at = 0
    while at < len(words):
        if words[at] in _NAMED:
            found = _NAMED[words[at]]
        reading = _reading(words, at, asked=asked)
        if reading is None:
            at += 1
            continue
        hour, minute, taken = reading
        hour, more = _in_day(words, at + taken, hour)
        if 0 <= hour <= 23 and 0 <= minute <= 59:
            found = f"{hour:02d}:{minute:02d}"
        at += taken + more
    return found


def spoken_time(value: str) -> str:
    """How a value is said: ``пятнадцать тридцать``, ``девять часов``, ``двадцать один час``."""
    hour, minute = (int(part) for part in value.split(":"))
    if minute:
        return f"{said(hour)} {'' if minute > 9 else 'ноль '}{said(minute, feminine=True)}"
    ones = hour % 10
    unit = "часов" if 5 <= hour <= 20 or ones == 0 or ones >= 5 else "час" if ones == 1 else "часа"
    return f"{said(hour)} {unit}"


def _reading(words: Sequence[str], at: int, *, asked: bool) -> tuple[int, int, int] | None:
    word = words[at]
    clock, colon, minutes = word.partition(":")
    if colon:
        return int(clock), int(minutes), 1
    if word.startswith("пол") and word[3:] in ORDINALS:
        return (ORDINALS[word[3:]] - 2) % 12 + 1, 30, 1
    if word == "половина" and at + 1 < len(words) and words[at + 1] in ORDINALS:
        return (ORDINALS[words[at + 1]] - 2) % 12 + 1, 30, 2
    if word == "без":
        return _before(words, at)
    if word == "час":
        return 1, 0, 1
    return _hour_first(words, at, asked=asked)


def _before(words: Sequence[str], at: int) -> tuple[int, int, int] | None:
    minutes = (15, 1) if words[at + 1 : at + 2] in (["четверти"], ("четверти",)) else cardinal(words, at + 1)
    if minutes is None:
        return None
    after = at + 1 + minutes[1]
    after += after < len(words) and words[after] in _MINUTES
    hour = (1, 1) if after < len(words) and words[after] == "час" else cardinal(words, after)
    if hour is None or not 1 <= hour[0] <= 12 or not 1 <= minutes[0] <= 59:
        return None
    return (hour[0] - 2) % 12 + 1, 60 - minutes[0], after + hour[1] - at


def _hour_first(words: Sequence[str], at: int, *, asked: bool) -> tuple[int, int, int] | None:
    hour = cardinal(words, at)
    if hour is None or hour[0] > 24:
        return None
    after = at + hour[1]
    sure = after < len(words) and words[after] in _HOURS | _AFTERNOON | _MORNING
    after += after < len(words) and words[after] in _HOURS
    minute = cardinal(words, after)
    if minute and 10 <= minute[0] <= 59:
        after += minute[1]
        after += after < len(words) and words[after] in _MINUTES
        return hour[0], minute[0], after - at
    led = at > 0 and words[at - 1] in {"в", "к", "около", "после"}
    return (hour[0], 0, after - at) if sure or (asked and (led or len(words) <= 3)) else None


def _in_day(words: Sequence[str], at: int, hour: int) -> tuple[int, int]:
    part = words[at] if at < len(words) else ""
    if part in _AFTERNOON:
        return (hour + 12 if 1 <= hour < 12 else hour), 1
    if part in _MORNING:
        return hour % 12 if hour == 12 else hour, 1
    return (hour + 12 if 1 <= hour <= _LAST_AFTERNOON_HOUR else hour), 0
