"""How many words of a text were recognised wrongly. Pure.

Numbers are compared as they are spoken, digit by digit, since Whisper writes ``3`` where a text says
``three``; marks and capitals are not compared, nor ``ё`` and ``е``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(r"\d|[^\W\d_]+(?:['’][^\W\d_]+)*")
_DIGITS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ноль": "0",
    "один": "1",
    "одну": "1",
    "два": "2",
    "две": "2",
    "три": "3",
    "четыре": "4",
    "пять": "5",
    "шесть": "6",
    "семь": "7",
    "восемь": "8",
    "девять": "9",
}


def words_in(text: str) -> list[str]:
    """The words that are compared; each digit is one."""
    plain = text.casefold().replace("ё", "е").replace("’", "'")
    return [_DIGITS.get(word, word) for word in _WORD.findall(plain)]


def errors(heard: str, said: str) -> int:
    """Words put in, left out or replaced (Levenshtein)."""
    return distance(words_in(heard), words_in(said))


def letter_errors(heard: str, said: str) -> int:
    """The same for letters."""
    return distance(" ".join(words_in(heard)), " ".join(words_in(said)))


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """How many must be changed, put in or left out to make one of another (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, each in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, counterpart in enumerate(other, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (each != counterpart)),
            )
    return row[-1]
