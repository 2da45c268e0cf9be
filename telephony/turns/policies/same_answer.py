"""``Yes. … That's right.`` is one answer: what only says it again does not end the agent's reply to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import alike, contains, made_of, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases
    from telephony.turns.words import Words

GOES_ON_S = 1.2
"""So soon after an answer nobody answers the next question: what is heard belongs to the answer before."""

REST_S = 1.8
"""The rest of an answer is shorter: "that's right, thank you very much"."""

_SHORT = 3
"""Words; among so few one may have been misheard."""


class SameAnswer:
    """Resumes after words that begin shortly after an answer was taken and say no more than it did.

    An answer is short, so its end is decided early; some give it in two breaths. The second would otherwise
    answer the question that the agent goes on to, or end a sentence that nobody has heard, such as the
    confirmation of what the first has set off. Words of another sense are none of that, nor words that add
    something.
    """

    name = "same_answer"

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        several = {phrase for phrase in phrases.backchannels if len(phrase) > 1}
        self._agreeing = several - phrases.denials

    def consider(self, evidence: Evidence) -> Decision | None:
        first, words = words_of(evidence.answered), words_of(evidence.words)
        if not words or not may_be_rest(evidence):
            return None
        meant = words if made_of(words, self._phrases.weightless) else self._meant(words)
        if not meant or self._denies(meant) != self._denies(first):
            return None
        if not evidence.final and evidence.sounding and evidence.paused_s < REST_S:
            return Decision("wait", self.name, "it may go on")
        return Decision("resume", self.name, f"{' '.join(words)!r} says the answer again", spent=True)

    def _meant(self, words: Words) -> Words:
        """The words with one that was misheard put right; nothing where they mean something else."""
        if len(words) > _SHORT:
            return ()
        known = sorted({word for phrase in self._phrases.weightless for word in phrase})
        for at, word in enumerate(words):
            for each in known:
                meant = (*words[:at], each, *words[at + 1 :])
                if alike(word, each) and made_of(meant, self._phrases.weightless):
                    return meant
        return ()

    def _denies(self, words: Words) -> bool:
        # "No problem" holds a "no" and agrees.
        rest = without(words, self._agreeing)
        return any(contains(rest, phrase) for phrase in self._phrases.denials)


def may_be_rest(evidence: Evidence) -> bool:
    """Whether a sound began so shortly after an answer that it may be the rest of it."""
    return bool(evidence.answered) and evidence.answered_s <= GOES_ON_S
