"""A caller who asks for a moment gets it: silence, no answer and no prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import made_of, opening, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases
    from telephony.turns.words import Words


class HoldPhrases:
    """Patience with a text that is nothing but hold phrases and weightless words, small ones right or not."""

    name = "hold_phrases"

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        phrase = self._opening(words) or self._opening(without(words, self._phrases.small))
        if not phrase:
            return None
        return Decision("patience", self.name, f"the caller said {' '.join(phrase)!r}", spent=True)

    def _opening(self, words: Words) -> Words:
        """The hold phrase that a text of nothing else begins with; or nothing."""
        phrases = self._phrases
        weightless = phrases.weightless | phrases.small
        phrase = opening(words, phrases.hold, weightless)
        return phrase if made_of(words, phrases.hold | weightless | phrases.stop) else ()
