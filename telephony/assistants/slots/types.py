"""The types of slots by name: how each is read, said, and hinted at to the recogniser. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telephony.assistants.slots.answer import parse_answer
from telephony.assistants.slots.day import parse_day, spoken_day
from telephony.assistants.slots.digits import parse_digits, spoken_digits
from telephony.assistants.slots.name import parse_name
from telephony.assistants.slots.time_of_day import parse_time, spoken_time
from telephony.assistants.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Callable

SlotTypeName = Literal["day", "time", "name", "yes_no", "digits"]


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
}
