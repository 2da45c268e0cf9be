"""Words as a recogniser writes them, and whether a phrase stands among them. Pure.

Recognisers disagree about capitals, commas, ``o'clock`` and ``p.m.``, and miss a letter of a long
word now and then; a phrase is found all the same. Matching works on a list of words, never by a
regular expression from a file, so that no assistant's file can make it slow.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_CHARACTERS = 2000
"""A longer utterance is cut: nobody says more in one turn that a phrase could be found in."""

_GAP_WORDS = 3
_MAX_GAPS = 3
_FUZZY_LENGTH = 6

_MERIDIEM = re.compile(r"\b([ap])\.\s?m\b\.?|(?<=\d)\s?([ap])\.?\s?m\b\.?")
_DOTTED_TIME = re.compile(r"\b(\d{1,2})\.(\d{2})\b(?!\.?\d)")
_WORD = re.compile(r"\d{1,2}:\d{2}|\d+|[^\W\d_]+")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")


def words_of(text: str) -> tuple[str, ...]:
    """Split an utterance into lower-case words without punctuation.

    ``3:30 p.m.`` becomes ``("3:30", "pm")``, ``that's`` becomes ``("thats",)``, ``3pm`` becomes
    ``("3", "pm")``.
    """
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()
    plain = plain.replace("’", "'").replace("'", "").replace("ё", "е")
    plain = _MERIDIEM.sub(lambda match: f" {match.group(1) or match.group(2)}m ", plain)
    plain = _DOTTED_TIME.sub(r"\1:\2", plain)
    return tuple(_WORD.findall(_GROUPED.sub("", plain)))


def same_word(heard: str, meant: str) -> bool:
    """Whether a heard word is the meant one, one wrong, missing or extra letter forgiven in long ones."""
    if heard == meant:
        return True
    if len(meant) < _FUZZY_LENGTH or abs(len(heard) - len(meant)) > 1 or not heard.isalpha():
        return False
    return _one_edit_apart(heard, meant)


def _one_edit_apart(left: str, right: str) -> bool:
    if len(left) > len(right):
        left, right = right, left
    at = 0
    while at < len(left) and left[at] == right[at]:
        at += 1
    if len(left) == len(right):
        swapped = left[at : at + 2] == right[at : at + 2][::-1] and left[at + 2 :] == right[at + 2 :]
        return swapped or left[at + 1 :] == right[at + 1 :]
    return left[at:] == right[at + 1 :]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that must follow one another: ``book/make an appointment``, ``speak * operator``.

    ``a/b`` is either word, ``*`` is any words, three at most.
    """

    steps: tuple[frozenset[str] | None, ...]

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """Read the notation.

        Raises:
            ValueError: there is no word in it, or ``*`` stands at an end.
        """
        steps: list[frozenset[str] | None] = []
        for part in text.split():
            if part == "*":
                steps.append(None)
                continue
            choices = [words_of(choice) for choice in part.split("/")]
            if any(len(choice) != 1 for choice in choices):
                raise ValueError(f"{part!r} is not one word, or words joined by /")
            steps.append(frozenset(choice[0] for choice in choices))
        if not steps or steps[0] is None or steps[-1] is None:
            raise ValueError("a phrase begins and ends with a word")
        if steps.count(None) > _MAX_GAPS:
            raise ValueError(f"at most {_MAX_GAPS} * in one phrase")
        if any(first is None and second is None for first, second in itertools.pairwise(steps)):
            raise ValueError("two * stand together")
        return cls(tuple(steps))

    def is_in(self, words: Sequence[str]) -> bool:
        """Whether the phrase stands anywhere in an utterance."""
        return any(self._ends(words, start, 0) for start in range(len(words)))

    def _ends(self, words: Sequence[str], at: int, step: int) -> bool:
        if step == len(self.steps):
            return True
        wanted = self.steps[step]
        if wanted is None:
            gaps = range(at, min(at + _GAP_WORDS, len(words)) + 1)
            return any(self._ends(words, after, step + 1) for after in gaps)
        if at >= len(words) or not any(same_word(words[at], meant) for meant in wanted):
            return False
        return self._ends(words, at + 1, step + 1)


def any_in(phrases: Iterable[Phrase], words: Sequence[str]) -> bool:
    """Whether one of the phrases stands in an utterance."""
    return any(phrase.is_in(words) for phrase in phrases)
