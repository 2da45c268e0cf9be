"""The types of slots by name: how each is read, said, and hinted at to the recogniser. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telephony.assistants.slots.answer import parse_answer
from telephony.assistants.slots.day import parse_day, spoken_day
from telephony.assistants.slots.digits import parse_digits, spoken_digits
from telephony.assistants.slots.name import parse_name
from telephony.assistants.slots.number import parse_number, parse_russian_number
from telephony.assistants.slots.russian import answer as russian_answer
from telephony.assistants.slots.russian import day as russian_day
from telephony.assistants.slots.russian import digits as russian_digits
from telephony.assistants.slots.russian import name as russian_name
from telephony.assistants.slots.russian import time_of_day as russian_time
from telephony.assistants.slots.time_of_day import parse_time, spoken_time
from telephony.assistants.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telephony.assistants.slots.answer import Answer

SlotTypeName = Literal["day", "time", "name", "yes_no", "digits", "number", "text", "choice"]


@dataclass(frozen=True, slots=True)
class SlotType:
    """One type of slot.

    Attributes:
        read: utterance and whether this slot was asked for, to the value or None.
        said: value to how it is spoken.
        hint: examples for the recogniser, in its own spelling.
        keys: whether it can be typed on the telephone's keypad.
    """

    read: Callable[[str, bool], str | None]
    said: Callable[[str], str]
    hint: str
    keys: bool = False


def _as_is(value: str) -> str:
    return value


def _whole(text: str, asked: bool) -> str | None:
    """All that was said; whether it is an answer, only a person could tell."""
    return " ".join(text.split()) or None if asked else None


def _never(text: str, asked: bool) -> str | None:
    # What may be chosen stands in the form, so the form reads it.
    return None


SLOT_TYPES: Final[dict[SlotTypeName, SlotType]] = {
    "day": SlotType(
        read=lambda text, _: parse_day(words_of(text)),
        said=spoken_day,
        hint="Monday, Tuesday, Wednesday, Thursday, Friday, tomorrow.",
    ),
    "time": SlotType(
        read=lambda text, asked: parse_time(words_of(text), asked=asked),
        said=spoken_time,
        hint="At 9 a.m., half past three, 3:30 p.m., quarter to four.",
    ),
    "name": SlotType(
        read=lambda text, asked: parse_name(text, asked=asked),
        said=_as_is,
        hint="My name is, it's.",
    ),
    "yes_no": SlotType(
        read=lambda text, asked: parse_answer(words_of(text)) if asked else None,
        said=_as_is,
        hint="Yes, that's right. No.",
    ),
    "digits": SlotType(
        read=lambda text, asked: parse_digits(words_of(text)) if asked else None,
        said=spoken_digits,
        hint="2 0 7 9 4 6.",
        keys=True,
    ),
    "number": SlotType(
        read=lambda text, asked: parse_number(words_of(text)) if asked else None,
        said=_as_is,
        hint="Eight. I would say nine. 10.",
        keys=True,
    ),
    "text": SlotType(read=_whole, said=_as_is, hint=""),
    "choice": SlotType(read=_never, said=lambda value: value.replace("_", " "), hint=""),
}
"""In English."""

_RUSSIAN: Final[dict[SlotTypeName, SlotType]] = {
    "day": SlotType(
        read=lambda text, _: russian_day.parse_day(words_of(text)),
        said=russian_day.spoken_day,
        hint="Сегодня, завтра, в понедельник, во вторник, в среду.",
    ),
    "time": SlotType(
        read=lambda text, asked: russian_time.parse_time(words_of(text), asked=asked),
        said=russian_time.spoken_time,
        hint="В девять утра, в пять вечера, в половине четвёртого, в 15:30.",
    ),
    "name": SlotType(
        read=lambda text, asked: russian_name.parse_name(text, asked=asked),
        said=_as_is,
        hint="Меня зовут.",
    ),
    "yes_no": SlotType(
        read=lambda text, asked: russian_answer.parse_answer(words_of(text)) if asked else None,
        said=lambda value: {"yes": "да", "no": "нет"}.get(value, value),
        hint="Да, верно. Нет.",
    ),
    "digits": SlotType(
        read=lambda text, asked: russian_digits.parse_digits(words_of(text)) if asked else None,
        said=russian_digits.spoken_digits,
        hint="2 0 7 9 4 6.",
        keys=True,
    ),
    "number": SlotType(
        read=lambda text, asked: parse_russian_number(words_of(text)) if asked else None,
        said=_as_is,
        hint="Восемь. Девять. 10.",
        keys=True,
    ),
    "text": SLOT_TYPES["text"],
    "choice": SLOT_TYPES["choice"],
}


def slot_types(language: str) -> Mapping[SlotTypeName, SlotType]:
    """The types in a language; English where there are none of it."""
    return _RUSSIAN if language == "ru" else SLOT_TYPES


def answer_in(language: str, words: Sequence[str]) -> Answer | None:
    """Whether an utterance agrees or refuses."""
    return russian_answer.parse_answer(words) if language == "ru" else parse_answer(words)
