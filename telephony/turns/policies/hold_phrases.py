"""A caller who asks for a moment gets it: silence, no answer and no prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import made_of, opening, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases


class HoldPhrases:
    """Patience with a text that is nothing but hold phrases and weightless words."""

    name = "hold_phrases"

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def consider(self, evidence: Evidence) -> Decision | None:
        phrases, words = self._phrases, words_of(evidence.words)
        phrase = opening(words, phrases.hold, phrases.weightless | phrases.small)
        if not phrase or not made_of(words, phrases.hold | phrases.weightless | phrases.small | phrases.stop):
            return None
        return Decision("patience", self.name, f"the caller said {' '.join(phrase)!r}", spent=True)
