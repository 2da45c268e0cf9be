"""What a recogniser may be told to expect without being told the answer. Pure.

A dialogue's state knows the words that may come. For prompts that nobody has a dialogue of, those are the
shortest sentences of the *other* half of them that hold its most frequent long words: no prompt's own text is
in its hint.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from bench.speech_corpus.scoring import words_in

if TYPE_CHECKING:
    from collections.abc import Sequence

_SENTENCE = re.compile(r"[А-ЯЁA-Z][^.!?]+[.!?](?=\s|$)")
_LEAST = 5
_WORDS = 24
_LONGEST = 50
_LETTERS = 110
"""A longer hint makes Whisper go on with it rather than listen."""


def halves_hints(texts: Sequence[str]) -> list[str]:
    """A hint for each text, from the texts at the other parity."""
    hints = [_typical(texts[parity::2]) for parity in (0, 1)]
    return [hints[1 - number % 2] for number in range(len(texts))]


def _typical(texts: Sequence[str]) -> str:
    """Sentences with many frequent words that no sentence before them had."""
    often = _frequent(texts)
    sentences = sorted({part.strip() for text in texts for part in _SENTENCE.findall(text)})
    sentences = [each for each in sentences if len(each) <= _LONGEST]
    chosen: list[str] = []
    while sentences and sum(map(len, chosen)) < _LETTERS:
        best = max(sentences, key=lambda each: sum(often.get(word, 0) for word in set(words_in(each))))
        if not any(often.get(word) for word in words_in(best)):
            break
        chosen.append(best)
        for word in words_in(best):
            often.pop(word, None)
    return " ".join(chosen)


def _frequent(texts: Sequence[str]) -> dict[str, int]:
    """The most frequent long words, and how often each is said."""
    counts = Counter(word for text in texts for word in words_in(text) if len(word) >= _LEAST)
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_WORDS])
