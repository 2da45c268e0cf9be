"""How much single words say, by the lists of a language. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.words import alike, contains, made_of

if TYPE_CHECKING:
    from telephony.turns.phrases import Phrases
    from telephony.turns.words import Words

BRIEF_S = 0.5
"""Sound; what takes longer and was understood as one short word is another that was misheard. Single
backchannels take 0.2 to 0.5 s, words that stop an agent mostly longer."""


def is_bid(words: Words, phrases: Phrases) -> bool:
    """Whether words that mean nothing beside others are all there is, and ask for something: ``sorry?``."""
    return made_of(words, phrases.fillers) and any(contains(words, each) for each in phrases.weighty)


class Weights:
    """One language's.

    Attributes:
        in_stop: words of phrases that stop the agent.
        message: words that say much by themselves, those of stop phrases among them.
        light: words that say nothing by themselves.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.in_stop = {word for phrase in phrases.stop for word in phrase}
        self.message = {word for phrase in phrases.weighty for word in phrase} | self.in_stop
        light = phrases.small | phrases.backchannels
        self.light = {phrase[0] for phrase in light if len(phrase) == 1} - self.message
        self._stop = sorted(phrase[0] for phrase in phrases.stop if len(phrase) == 1)

    def may_matter(self, word: str) -> bool:
        """Whether a word is a message by itself, or may have been a stop."""
        return word in self.message or any(alike(word, each, 3) for each in self._stop)
