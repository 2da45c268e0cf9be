"""Near misses of a recogniser, put right by what is expected: ``видите`` is ``введите`` where that may come.

Pure. Whisper base spells Russian by ear: most of its errors are one or two letters, of vowels that are not
stressed and consonants that sound alike. A word is replaced only by one of those that are expected at this
moment, only by one that is spelled or sounds much like it, and never a short one: who says something else is
understood as before.
"""

from __future__ import annotations

import re

from telephony.edit_distance import edit_distance

_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 5
"""Letters of a word that may be corrected."""
_LETTERS_AN_ERROR = 4
"""Of so many letters one may differ."""
_LETTERS_A_VOWEL = 3
"""The same where the consonants sound alike."""

_SOUNDS = str.maketrans("бвгджзщ", "пфктшсш", "аеёиоуыэюяйьъ")
_DOUBLED = re.compile(r"(.)\1+")


def expected_words(hint: str) -> list[str]:
    """The words of a hint that may correct others, each once."""
    found = (word.casefold() for word in _WORD.findall(hint))
    return list(dict.fromkeys(word for word in found if len(word) >= _LEAST))


def corrected(text: str, hint: str) -> str:
    """A text with its near misses of expected words put right; marks and capitals stay."""
    expected = expected_words(hint)
    return _WORD.sub(lambda match: _nearest(match[0], expected), text) if expected else text


def _nearest(word: str, expected: list[str]) -> str:
    plain = word.casefold().replace("ё", "е")
    if len(plain) < _LEAST:
        return word
    best, least = "", len(plain)
    for each in expected:
        other = each.replace("ё", "е")
        if other == plain:
            return word
        if other[-1] != plain[-1] and (_is_vowel(other[-1]) or not _sound_alike(other[-1], plain[-1])):
            # Another ending is another form of the word, and may well have been said.
            continue
        alike = _consonants(plain) == _consonants(other)
        most = min(len(plain), len(other)) // (_LETTERS_A_VOWEL if alike else _LETTERS_AN_ERROR)
        if (
            abs(len(plain) - len(other)) <= most
            and (found := edit_distance(plain, other)) <= most
            and found < least
        ):
            best, least = each, found
    if not best:
        return word
    return best.capitalize() if word[:1].isupper() else best


def _sound_alike(one: str, other: str) -> bool:
    return _consonants(one) == _consonants(other)


def _is_vowel(letter: str) -> bool:
    return not _consonants(letter)


def _consonants(word: str) -> str:
    return _DOUBLED.sub(r"\1", word.translate(_SOUNDS))
