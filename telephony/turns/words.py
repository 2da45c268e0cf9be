"""Recognised text as words that can be compared, and phrases found among them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telephony.edit_distance import edit_distance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Words = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LONG = 6
_DRAWN_OUT = re.compile(r"(\w)\1{2,}")


def words_of(text: str) -> Words:
    """The words of a text: lower case, without marks; ``Mmmm-hm`` is ``mm hm``, ``ё`` is ``е``."""
    plain = text.casefold().replace("ё", "е").replace("’", "'")
    return tuple(_DRAWN_OUT.sub(r"\1\1", word) for word in _WORD.findall(plain))


def made_of(words: Words, phrases: Collection[Words]) -> bool:
    """Whether a text is nothing but phrases, one after the other; one without words is not."""
    reachable = {0}
    for at in range(len(words)):
        if at in reachable:
            reachable.update(at + len(each) for each in phrases if words[at : at + len(each)] == each)
    return bool(words) and len(words) in reachable


def opening(words: Words, phrases: Iterable[Words], before: Collection[Words]) -> Words:
    """The longest phrase that a text begins with, whatever ``before`` says ahead of it; or nothing."""
    longest_first = sorted(phrases, key=len, reverse=True)
    for at in range(len(words)):
        for phrase in longest_first:
            if words[at : at + len(phrase)] == phrase:
                return phrase
        if not made_of(words[: at + 1], before):
            return ()
    return ()


def without(words: Words, phrases: Iterable[Words]) -> Words:
    """The words that belong to none of the phrases."""
    left: list[str] = []
    longest_first = sorted(phrases, key=len, reverse=True)
    at = 0
    while at < len(words):
        found = next((each for each in longest_first if words[at : at + len(each)] == each), ())
        if not found:
            left.append(words[at])
        at += max(1, len(found))
    return tuple(left)


def begins(words: Words, phrases: Collection[Words], between: Collection[Words] = ()) -> bool:
    """Whether a text may become one of the phrases, or several: it is nothing but them and the start of one.

    Args:
        between: may stand between them.
    """
    known = {*phrases, *between}
    for at in range(len(words)):
        rest = words[at:]
        if (at == 0 or made_of(words[:at], known)) and any(
            len(phrase) > len(rest) and phrase[: len(rest)] == rest for phrase in phrases
        ):
            return True
    return made_of(words, known)


def alike(word: str, other: str, least: int = 5) -> bool:
    """Whether one word may be heard for the other: one letter of five differs, two of six.

    Args:
        least: letters of a word of which one may differ; shorter ones must be the same.
    """
    most = 0 if min(len(word), len(other)) < least else 1 + (len(other) >= _LONG)
    if word == other:
        return True
    if not most or abs(len(word) - len(other)) > most:
        return False
    return edit_distance(word, other) <= most


def contains(words: Words, part: Words) -> bool:
    """Whether some words stand in a text one after the other."""
    return any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))
