"""What a recogniser may be told to expect without being told the answer. Pure.

A dialogue's state knows the words that may come. For prompts that nobody has a dialogue of, those are the
most frequent long words of the *other* half of them: no prompt's own text is in its hint.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench.speech_corpus.scoring import words_in

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST = 5
_WORDS = 24


def halves_hints(texts: Sequence[str]) -> list[str]:
    """A hint for each text, from the texts at the other parity."""
    hints = [_frequent(texts[parity::2]) for parity in (0, 1)]
    return [hints[1 - number % 2] for number in range(len(texts))]


def _frequent(texts: Sequence[str]) -> str:
    """The most frequent long words, once each, as a sentence."""
    counts = Counter(word for text in texts for word in words_in(text) if len(word) >= _LEAST)
    often = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_WORDS]
    return ", ".join(word for word, _ in often).capitalize() + "."
