"""Russian numbers as words, as far as days, times, digits and marks need them. Pure.

Words come from ``wording.words_of``: lower case, ``ё`` written ``е``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


def listed(words: str) -> list[str]:
    """Words apart from one another."""
    return words.split()


_UNITS = listed(
    "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
    "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
)
_TENS = {"двадцать": 20, "тридцать": 30, "сорок": 40, "пятьдесят": 50, "шестьдесят": 60}
_TENS |= {"семьдесят": 70, "восемьдесят": 80, "девяносто": 90}
_HUNDREDS = listed("сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот")
_FORMS = {
    "нуль": 0, "нуля": 0, "ноля": 0, "раз": 1, "одна": 1, "одно": 1, "одного": 1, "одной": 1, "час": 1,
    "две": 2, "двух": 2, "пара": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7, "восьми": 8,
    "девяти": 9, "десяти": 10, "одиннадцати": 11, "двенадцати": 12, "пятнадцати": 15, "двадцати": 20,
    "двадцатого": 20, "тридцатого": 30,
}  # fmt: skip

CARDINALS: Final = {word: value for value, word in enumerate(_UNITS)} | _TENS | _FORMS
"""Single words for 0 to 19 and the tens, in the cases that callers use."""
HUNDREDS: Final = {word: 100 * value for value, word in enumerate(_HUNDREDS, start=1)}

_ORDINAL_STEMS = listed(
    "перв втор трет четверт пят шест седьм восьм девят десят одиннадцат двенадцат тринадцат четырнадцат "
    "пятнадцат шестнадцат семнадцат восемнадцат девятнадцат двадцат"
)
_ORDINAL_ENDINGS = ("ый", "ой", "ий", "ого", "его", "ье", "ьего", "ое", "ому", "ая", "ую")
ORDINALS: Final = {
    stem + ending: value for value, stem in enumerate(_ORDINAL_STEMS, start=1) for ending in _ORDINAL_ENDINGS
} | {"тридцат" + ending: 30 for ending in _ORDINAL_ENDINGS}
"""``первого`` is 1; stems that a language does not have are never said either."""

_SAID_ONES = ("", *_UNITS[1:20])


def cardinal(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a number from 0 to 999 in words or figures; returns it and how many words it takes."""
    if at >= len(words):
        return None
    word = words[at]
    if word.isascii() and word.isdigit():
        return (int(word), 1) if len(word) <= 3 else None
    if word in HUNDREDS:
        rest = cardinal(words, at + 1) if at + 1 < len(words) and not words[at + 1].isdigit() else None
        return (HUNDREDS[word] + rest[0], 1 + rest[1]) if rest and rest[0] < 100 else (HUNDREDS[word], 1)
    value = CARDINALS.get(word)
    if value is None or word == "час":
        return None
    if (
        value >= 20
        and at + 1 < len(words)
        and 1 <= CARDINALS.get(words[at + 1], 0) <= 9
        and words[at + 1] != "час"
    ):
        return value + CARDINALS[words[at + 1]], 2
    return value, 1


def ordinal(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Read a day of the month: ``третьего``, ``двадцать первого``, ``24``, ``24 го``."""
    if at >= len(words):
        return None
    if words[at] in ORDINALS:
        return ORDINALS[words[at]], 1
    if words[at] in _TENS and at + 1 < len(words) and 1 <= ORDINALS.get(words[at + 1], 0) <= 9:
        return _TENS[words[at]] + ORDINALS[words[at + 1]], 2
    if words[at].isascii() and words[at].isdigit() and len(words[at]) <= 2:
        return int(words[at]), 1 + (at + 1 < len(words) and words[at + 1] in {"го", "е", "ое"})
    return None


def said(value: int, *, feminine: bool = False) -> str:
    """A number from 0 to 99 in words: ``двадцать один``, ``двадцать одна``."""
    if value == 0:
        return "ноль"
    tens, ones = (0, value) if value < 20 else (value // 10 * 10, value % 10)
    first = next((word for word, each in _TENS.items() if each == tens), "")
    last = {1: "одна", 2: "две"}.get(ones, _SAID_ONES[ones]) if feminine else _SAID_ONES[ones]
    return " ".join(part for part in (first, last) if part)
