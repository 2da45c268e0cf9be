"""``Yes`` shows that somebody listens, unless something was asked: then it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import made_of, opening, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases


class Answers:
    """Yields to an answer while a question is pending."""

    name = "answers"

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def consider(self, evidence: Evidence) -> Decision | None:
        if evidence.question not in ("yes_no", "choice", "open"):
            return None
        phrases, words = self._phrases, words_of(evidence.words)
        phrase = opening(words, phrases.answers, phrases.fillers)
        if not phrase or not made_of(words, phrases.weightless):
            return None
        return Decision("yield", self.name, f"{' '.join(phrase)!r} answers the question")
