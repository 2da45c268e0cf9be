"""What machines say when they answer, and what people say: phrases per language, as data. Pure.

The lists are ``cues.yaml``. A phrase is words in order: ``leave/record * message~`` means "leave" or
"record", up to three words, and a word that begins with "message". All languages are listened for at once: a
mailbox speaks its network's language, whatever the assistant's is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal, get_args

import yaml

CueKind = Literal["voicemail", "screener", "ivr", "unavailable", "hold", "person"]
"""``unavailable``: the network says that the subscriber cannot be reached; ``hold``: one is asked to wait;
``person``: what people say."""

_KINDS: tuple[CueKind, ...] = get_args(CueKind)
_GAP = 3
_WORD = re.compile(r"[^\W_]+")
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase that was found; ``strong`` where it decides alone."""

    kind: CueKind
    phrase: str
    language: str
    strong: bool


def words_of(text: str) -> tuple[str, ...]:
    """The words of a transcript in lower case, without punctuation; ё is е."""
    plain = unicodedata.normalize("NFKC", text[-_MOST:]).casefold().replace("ё", "е")
    return tuple(_WORD.findall(plain.replace("’", "").replace("'", "")))


def find_cues(text: str) -> tuple[Cue, ...]:
    """Every phrase that stands in a transcript."""
    words = words_of(text)
    if not words:
        return ()
    return tuple(cue for cue, pattern in _phrases() if _stands_in(pattern, words, whole=cue.kind == "person"))


def phrases() -> tuple[Cue, ...]:
    """Every phrase that is listened for."""
    return tuple(cue for cue, _ in _phrases())


Pattern = tuple[tuple[str, ...], ...]
"""Each word's spellings; an empty one is a gap."""


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[Cue, Pattern], ...]:
    text = resources.files("telephony.triage").joinpath("cues.yaml").read_text("utf-8")
    # Nothing but strings: "yes" and "no" are words here.
    raw = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - which builds nothing else
    found = []
    for language, kinds in raw.items():
        for kind, lists in kinds.items():
            if kind not in _KINDS:
                raise ValueError(f"cues.yaml: {kind} is no kind of cue")
            for strength, texts in lists.items():
                for phrase in texts:
                    cue = Cue(kind, phrase, language, strength == "strong")
                    found.append((cue, _pattern(phrase)))
    return tuple(found)


def _pattern(text: str) -> Pattern:
    return tuple(() if part == "*" else tuple(part.split("/")) for part in text.split())


def _stands_in(pattern: Pattern, words: tuple[str, ...], *, whole: bool) -> bool:
    """Whether the phrase is among the words; one of a person is at their beginning or end."""
    starts = range(len(words))
    for start in starts:
        end = _match(pattern, words, start)
        if end is not None and (not whole or start == 0 or end == len(words)):
            return True
    return False


def _match(pattern: Pattern, words: tuple[str, ...], at: int) -> int | None:
    """Where a match of the pattern from ``at`` on ends, None where there is none."""
    if not pattern:
        return at
    if not pattern[0]:
        for skipped in range(_GAP + 1):
            end = _match(pattern[1:], words, at + skipped) if at + skipped <= len(words) else None
            if end is not None:
                return end
        return None
    if at >= len(words) or not any(_fits(spelling, words[at]) for spelling in pattern[0]):
        return None
    return _match(pattern[1:], words, at + 1)


def _fits(spelling: str, word: str) -> bool:
    return word.startswith(spelling[:-1]) if spelling.endswith("~") else word == spelling
