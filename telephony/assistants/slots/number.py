"""A number, such as a mark from 0 to 10. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.numerals import cardinal
from telephony.assistants.slots.russian import numerals as russian

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 6
_NOT_ALONE: Final = frozenset({"one", "раз"})
"""Pronouns and particles far more often than numbers; they count where nothing else is said."""


def parse_number(words: Sequence[str]) -> str | None:
    """The last number of an utterance in words or figures: ``I would say 8 out of 10`` is 8."""
    return _last(words, english=True)


def parse_russian_number(words: Sequence[str]) -> str | None:
    """The same in Russian: ``восемь``, ``8 из 10``."""
    return _last(words, english=False)


def _last(words: Sequence[str], *, english: bool) -> str | None:
    found: str | None = None
    at = 0
    while at < len(words):
        word = words[at]
        if word.isascii() and word.isdigit() and len(word) <= _LONGEST:
            number: tuple[int, int] | None = (int(word), 1)
        else:
            number = cardinal(words, at) if english else russian.cardinal(words, at)
        if number is None or (word in _NOT_ALONE and len(words) > 2):
            at += 1
            continue
        if not _is_scale(words, at):
            found = str(number[0])
        at += number[1]
    return found


def _is_scale(words: Sequence[str], at: int) -> bool:
    """Whether it is the ``10`` of ``8 out of 10``."""
    return at > 0 and (list(words[max(0, at - 2) : at]) == ["out", "of"] or words[at - 1] == "из")
