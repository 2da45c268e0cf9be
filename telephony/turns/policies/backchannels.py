"""``Mhm`` is no interruption: the agent goes on, and nothing of it becomes a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import Words, alike, made_of, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases

_SHORT = 3
"""Words; in a longer text no letter is forgiven."""


class Backchannels:
    """Resumes after a text that is nothing but backchannels.

    A partial one may still become a sentence (``yeah, but I wanted …``), so it counts only once the
    caller has been silent for a moment. Small words among them make no message of it, and in a short
    utterance a word that is a letter off is taken for the one it sounds like, unless a question is
    pending: recognisers err most where there is least to go by.

    Args:
        settle_s: that moment.
    """

    name = "backchannels"

    def __init__(self, phrases: Phrases, *, settle_s: float) -> None:
        self._phrases = phrases
        self._settle_s = settle_s
        self._single = sorted(phrase[0] for phrase in phrases.backchannels if len(phrase) == 1)
        self._known = {
            word
            for phrase in (*phrases.stop, *phrases.hold, *phrases.answers, *phrases.small, *phrases.fillers)
            for word in phrase
        }

    def consider(self, evidence: Evidence) -> Decision | None:
        phrases, words = self._phrases, words_of(evidence.words)
        small: frozenset[Words] = frozenset()
        if evidence.question is None:
            words, small = self._as_meant(words), phrases.small - phrases.fillers - phrases.backchannels
        if not made_of(words, phrases.backchannels | phrases.fillers | small) or not without(words, small):
            return None
        if not evidence.final and evidence.silence_s < self._settle_s:
            return Decision("wait", self.name, "it may go on")
        return Decision("resume", self.name, f"{' '.join(words)!r} only shows that the caller listens", True)

    def _as_meant(self, words: Words) -> Words:
        if not 0 < len(words) <= _SHORT:
            return words
        return tuple(
            word if word in self._known else next((each for each in self._single if alike(word, each)), word)
            for word in words
        )
