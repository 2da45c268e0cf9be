"""How many words of a text were recognised wrongly. Pure.

Numbers are compared as they are spoken, digit by digit, since Whisper writes ``3`` where a text says
``three``; marks and capitals are not compared, nor ``ё`` and ``е``.
"""

from __future__ import annotations

import re

from telephony.edit_distance import edit_distance

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
    return edit_distance(words_in(heard), words_in(said))


def letter_errors(heard: str, said: str) -> int:
    """The same for letters."""
    return edit_distance(" ".join(words_in(heard)), " ".join(words_in(said)))
