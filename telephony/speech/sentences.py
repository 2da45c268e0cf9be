"""Cut a text into what is synthesised at once: a sentence, or a part of a long one.

Pure. A voice model's time grows with the length of what it is given, and the first sound comes only
after the whole of it; so no unit is longer than about 200 characters.
"""

from __future__ import annotations

import re

MAX_UNIT = 200
"""Longest unit, in characters."""

_END = re.compile(r"(?<=[.!?…])[\"”'’)\]]*\s+(?=\S)|\n+")
_CLAUSE = re.compile(r"(?<=[,;:—–])\s+")
_SPACE = re.compile(r"\s+")
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "prof", "st", "rev", "no", "vs", "jr", "sr", "ext", "apt"})


def speech_units(text: str, longest: int = MAX_UNIT) -> list[str]:
    """The units of a text, in order, none empty; no word is lost and only words longer than a unit are cut.

    Args:
        longest: in characters, at least 1.
    """
    return [unit for sentence in _sentences(text) for unit in _shorten(sentence, longest)]


def _sentences(text: str) -> list[str]:
    sentences, start = [], 0
    for match in _END.finditer(text):
        if "\n" in match.group() or _ends(text[start : match.start()], text[match.end() :]):
            sentences.append(text[start : match.end()])
            start = match.end()
    sentences.append(text[start:])
    return [stripped for sentence in sentences if (stripped := _SPACE.sub(" ", sentence).strip())]


def _ends(before: str, after: str) -> bool:
    """Whether the mark at the end of ``before`` ends a sentence rather than a title or an initial."""
    if after[:1].islower():
        return False
    if not before.endswith("."):
        return True
    last = before[:-1].rsplit(maxsplit=1)[-1:] or [""]
    word = last[0].lstrip("(\"“'‘").casefold()
    return word not in _TITLES and not (len(word) == 1 and word.isalpha())


def _shorten(sentence: str, longest: int) -> list[str]:
    units = []
    while len(sentence) > longest:
        cut = _last_cut(_CLAUSE, sentence, longest) or _last_cut(_SPACE, sentence, longest) or longest
        units.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*units, sentence] if sentence else units


def _last_cut(pattern: re.Pattern[str], sentence: str, longest: int) -> int:
    return max((m.start() for m in pattern.finditer(sentence) if 0 < m.start() <= longest), default=0)
