"""A string of digits: a number of a card, a patient, a telephone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.numerals import CARDINALS

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DIGITS = 32
"""Longer strings are not taken for an answer."""

_DIGIT_WORDS: Final = {word: str(value) for word, value in CARDINALS.items() if value <= 9} | {
    "oh": "0",
    "o": "0",
}
_TIMES: Final = {"double": 2, "triple": 3, "treble": 3}


def parse_digits(words: Sequence[str]) -> str | None:
    """All digits of an utterance in their order: ``207-946-0958``, ``two oh seven``, ``double five``."""
    digits = ""
    times = 1
    for word in words:
        if word in _TIMES:
            times = _TIMES[word]
            continue
        plain = word.replace(":", "")
        part = plain if plain.isascii() and plain.isdigit() else _DIGIT_WORDS.get(word, "")
        digits += part[:1] * (times - 1) + part
        times = 1
    return digits if 1 <= len(digits) <= MAX_DIGITS else None


def spoken_digits(value: str) -> str:
    """Digits apart from one another, so that a voice does not read them as one number."""
    return " ".join(value)
