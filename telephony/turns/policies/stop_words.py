"""A caller who says stop is obeyed at once, on a partial transcript too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import made_of, opening, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases


class StopWords:
    """Yields to a text that begins with a stop phrase, whatever weightless words stand before it.

    ``I cannot wait`` is none, since its phrase does not begin it; ``wait a second`` is a hold phrase. A
    stop word alone is no turn: who says it wants silence, not an answer.
    """

    name = "stop_words"

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def consider(self, evidence: Evidence) -> Decision | None:
        phrases, words = self._phrases, words_of(evidence.words)
        if _is_hold(words, phrases) or _is_answer(evidence, words, phrases):
            return None
        phrase = opening(words, phrases.stop, phrases.weightless)
        if not phrase:
            return None
        reason = f"the caller said {' '.join(phrase)!r}"
        span = evidence.must_hear
        if span is None:
            alone = not without(words, phrases.stop | phrases.weightless)
            return Decision("yield", self.name, reason, spent=alone)
        if span.yields_to_stop:
            return Decision("patience", self.name, f"{reason}, and the rest must be heard after it")
        return None


def _is_hold(words: tuple[str, ...], phrases: Phrases) -> bool:
    """``wait the second`` is one, with a small word misheard."""
    known = phrases.hold | phrases.fillers
    return made_of(words, known) or made_of(without(words, phrases.small), known)


def _is_answer(evidence: Evidence, words: tuple[str, ...], phrases: Phrases) -> bool:
    """``не надо`` stops a speech and answers a question."""
    return evidence.question is not None and made_of(words, phrases.answers)
