"""A day, as callers name it in Russian. Pure.

The values are those of ``slots.day``: ``tuesday``, ``tomorrow``, ``day_after_tomorrow``, ``11-24``.
"""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.day import OVERMORROW
from telephony.assistants.slots.russian.numerals import listed, ordinal, said
from telephony.assistants.wording import same_word

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAYS: Final = {
    "сегодня": "today",
    "завтра": "tomorrow",
    "послезавтра": OVERMORROW,
    "понедельник": "monday",
    "вторник": "tuesday",
    "среда": "wednesday",
    "среду": "wednesday",
    "четверг": "thursday",
    "пятница": "friday",
    "пятницу": "friday",
    "суббота": "saturday",
    "субботу": "saturday",
    "воскресенье": "sunday",
}
_SAID: Final = {
    "today": "сегодня",
    "tomorrow": "завтра",
    OVERMORROW: "послезавтра",
    "monday": "в понедельник",
    "tuesday": "во вторник",
    "wednesday": "в среду",
    "thursday": "в четверг",
    "friday": "в пятницу",
    "saturday": "в субботу",
    "sunday": "в воскресенье",
}
MONTHS: Final = listed("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_ORDINALS: Final = listed(
    "первого второго третьего четвёртого пятого шестого седьмого восьмого девятого десятого одиннадцатого "
    "двенадцатого тринадцатого четырнадцатого пятнадцатого шестнадцатого семнадцатого восемнадцатого "
    "девятнадцатого"
)
_ROUND: Final = {20: "двадцатого", 30: "тридцатого"}


def parse_day(words: Sequence[str]) -> str | None:
    """The last day named that is not refused by a ``не`` before it."""
    found: str | None = None
    at = 0
    while at < len(words):
        value, taken = _day_at(words, at)
        before = [word for word in words[max(0, at - 2) : at] if word not in {"в", "во", "на"}]
        if value is not None and before[-1:] != ["не"]:
            found = value
        at += taken
    return found


def spoken_day(value: str) -> str:
    """How a value is said, as an answer to "when": ``во вторник``, ``двадцать первого ноября``."""
    month, _, day = value.partition("-")
    if not (day.isdigit() and month.isdigit()):
        return _SAID.get(value, value)
    number = int(day)
    tens = number // 10 * 10
    name = _ROUND.get(number) or (
        _ORDINALS[number - 1] if number < 20 else f"{said(tens)} {_ORDINALS[number - tens - 1]}"
    )
    return f"{name} {MONTHS[int(month) - 1]}"


def _day_at(words: Sequence[str], at: int) -> tuple[str | None, int]:
    for name, value in _DAYS.items():
        if words[at] == name or (len(name) > 7 and same_word(words[at], name)):
            return value, 1
    day = ordinal(words, at)
    if day is None:
        return None, 1
    after = at + day[1]
    for month, name in enumerate(MONTHS, start=1):
        if after < len(words) and same_word(words[after], name):
            last = calendar.monthrange(2024, month)[1]
            return (f"{month:02d}-{day[0]:02d}" if 1 <= day[0] <= last else None), day[1] + 1
    return None, 1
