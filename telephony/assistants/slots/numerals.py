"""English numbers as words, as far as days, times and digits need them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


def _numbered(words: str) -> dict[str, int]:
    return {word: value for value, word in enumerate(words.split())}


_TENS: Final = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}

CARDINALS: Final = (
    _numbered(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen"
    )
    | _TENS
)
"""Single words for 0 to 19 and the tens up to 50."""

_ORDINALS: Final = _numbered(
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
) | {"twentieth": 20, "thirtieth": 30}
_ENDINGS: Final = frozenset({"st", "nd", "rd", "th"})


def cardinal(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a number from 0 to 59 in words or figures; returns it and how many words it takes."""
    if at >= len(words):
        return None
    word = words[at]
    if word.isascii() and word.isdigit():
        return (int(word), 1) if len(word) <= 2 and int(word) <= 59 else None
    value = CARDINALS.get(word)
    if value is None:
        return None
    if word in _TENS and at + 1 < len(words):
        ones = CARDINALS.get(words[at + 1], 0)
        if 1 <= ones <= 9:
            return value + ones, 2
    return value, 1


def ordinal(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a day of the month: ``third``, ``twenty fourth``, ``24 th``, ``24``."""
    if at >= len(words):
        return None
    if words[at] in _ORDINALS:
        return _ORDINALS[words[at]], 1
    if words[at] in _TENS and at + 1 < len(words) and 1 <= _ORDINALS.get(words[at + 1], 0) <= 9:
        return _TENS[words[at]] + _ORDINALS[words[at + 1]], 2
    number = cardinal(words, at)
    if number is None:
        return None
    value, taken = number
    if at + taken < len(words) and words[at + taken] in _ENDINGS:
        taken += 1
    return value, taken
