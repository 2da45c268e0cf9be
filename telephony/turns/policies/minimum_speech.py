"""Somebody who goes on talking wants the floor, whatever is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.policies.same_answer import REST_S, may_be_rest
from telephony.turns.weights import is_bid
from telephony.turns.words import begins, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases

_SEVERAL = 2
"""Words that take the floor at once."""


class MinimumSpeech:
    """Yields to words of weight, and to sound that lasts, where no word of it is known.

    One word of a partial transcript is waited on, since the next partial may show it to be another; so is
    what may yet become a backchannel or a request for a moment.

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
        if may_be_rest(evidence):
            least_s = max(least_s, REST_S)
        if evidence.sound_s >= least_s:
            return Decision("yield", self.name, f"the caller speaks for {least_s:g} s")
        return None

    def _of_words(self, evidence: Evidence, words: tuple[str, ...]) -> Decision | None:
        phrases = self._phrases
        settled = evidence.final or evidence.silence_s >= self._settle_s
        if not evidence.final and begins(words, phrases.backchannels | phrases.hold, phrases.fillers):
            # The rest of it may be late; whether it comes at all is for the deadline.
            return None if settled else Decision("wait", self.name, "it may become a backchannel")
        weighty = without(words, phrases.backchannels | phrases.fillers)
        if is_bid(words, phrases):
            weighty = words
        if len(weighty) >= _SEVERAL or (weighty and settled):
            return Decision("yield", self.name, "the caller speaks")
        return Decision("wait", self.name, "one word, not settled") if weighty else None
