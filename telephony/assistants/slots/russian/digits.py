"""A string of digits in Russian, said one by one or in groups. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.slots.digits import MAX_DIGITS
from telephony.assistants.slots.russian.numerals import cardinal, said

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_digits(words: Sequence[str]) -> str | None:
    """All digits of an utterance in their order: ``девятьсот шестнадцать сто двадцать три`` is 916123."""
    digits = ""
    at = 0
    while at < len(words):
        plain = words[at].replace(":", "")
        number = None if plain.isascii() and plain.isdigit() else cardinal(words, at)
        if plain.isascii() and plain.isdigit():
            digits += plain
        elif number is not None:
            digits += str(number[0])
        at += number[1] if number else 1
    return digits if 1 <= len(digits) <= MAX_DIGITS else None


def spoken_digits(value: str) -> str:
    """Digits as words, apart from one another."""
    return " ".join(said(int(digit)) for digit in value)
