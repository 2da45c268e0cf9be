"""Somebody who goes on talking wants the floor, whatever is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases


class MinimumSpeech:
    """Yields to words of weight, and to sound that lasts, where no word of it is known.

    One word of a partial transcript is waited on: the next partial may show it to be another.

    Args:
        least_s: sound without a word that is enough, where words come as they are spoken.
        least_unheard_s: the same where they come afterwards, or never.
        settle_s: silence after which a partial transcript is taken as it is.
    """

    name = "minimum_speech"

    def __init__(self, phrases: Phrases, *, least_s: float, least_unheard_s: float, settle_s: float) -> None:
        self._phrases = phrases
        self._least_s = least_s
        self._least_unheard_s = least_unheard_s
        self._settle_s = settle_s

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        if words:
            return self._of_words(evidence, words)
        least_s = self._least_s if evidence.transcripts == "interim" else self._least_unheard_s
        if evidence.sound_s >= least_s:
            return Decision("yield", self.name, f"the caller speaks for {least_s:g} s")
        return None

    def _of_words(self, evidence: Evidence, words: tuple[str, ...]) -> Decision | None:
        phrases = self._phrases
        weighty = without(words, phrases.backchannels | phrases.fillers)
        settled = evidence.final or evidence.silence_s >= self._settle_s
        if len(weighty) >= 2 or (weighty and (settled or len(words) > 1)):
            return Decision("yield", self.name, "the caller speaks")
        if weighty:
            return Decision("wait", self.name, "one word, not settled")
        return None
