"""One word of no known meaning does not take the floor: the agent speaks on, and answers it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.weights import BRIEF_S, Weights
from telephony.turns.words import begins, made_of, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases
    from telephony.turns.words import Words

_FEW = 3
"""Words."""

_PAIR = 2

_LONGEST_S = 0.9
"""Sound; two short words take no longer."""


class Aside:
    """Resumes after one word on no list, beside a backchannel, as a part of one, or briefly said by itself.

    Most such words are backchannels that the recogniser misheard, so they end nothing; a few are meant
    (``okay, Friday``), so they are kept, and are the caller's turn once the agent has spoken. Whoever wants
    the floor says more. Not where a question is pending, and not for words that say much or sound like a
    stop.

    Args:
        settle_s: silence after which a partial transcript is taken as it is.
    """

    name = "aside"

    def __init__(self, phrases: Phrases, *, settle_s: float) -> None:
        self._phrases = phrases
        self._weights = Weights(phrases)
        self._begun, self._ended = _words_of_pairs(phrases)
        self._settle_s = settle_s

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        if evidence.agent == "listening" or evidence.question is not None:
            return None
        if not evidence.final and begins(words, self._phrases.backchannels | self._phrases.hold):
            return None
        if not self._is_aside(words, evidence.sound_s):
            return None
        if not evidence.final and evidence.silence_s < self._settle_s:
            return Decision("wait", self.name, "it may be no more than that") if len(words) > 1 else None
        return Decision("resume", self.name, f"{' '.join(words)!r} can wait", after=True)

    def _is_aside(self, words: Words, sound_s: float) -> bool:
        phrases = self._phrases
        if sound_s > _LONGEST_S:
            return False
        if len(words) == _PAIR and self._is_pair(words):
            return True
        accompanied = without(words, phrases.backchannels)
        rest = without(accompanied, phrases.fillers | phrases.small)
        if len(words) > _FEW or len(rest) != 1 or self._weights.may_matter(rest[0]):
            return False
        # An answer that is no backchannel, because an assistant says so, counts by itself.
        alone = len(words) == 1 and sound_s <= BRIEF_S and not made_of(rest, phrases.answers)
        return alone or len(accompanied) < len(words)

    def _is_pair(self, words: Words) -> bool:
        """Whether one word of two is a backchannel's, such as the ``all`` of "all right"."""
        first, last = words
        return (first in self._begun and not self._weights.may_matter(last)) or (
            last in self._ended and not self._weights.may_matter(first)
        )


def _words_of_pairs(phrases: Phrases) -> tuple[set[str], set[str]]:
    """The first and the last words of backchannels of two words that say nothing else."""
    pairs = [phrase for phrase in phrases.backchannels if len(phrase) == _PAIR]
    others = [phrase for phrase in phrases.stop if len(phrase) == _PAIR]
    weighty = {word for phrase in phrases.weighty for word in phrase}
    first = {phrase[0] for phrase in pairs} - {phrase[0] for phrase in others}
    last = {phrase[-1] for phrase in pairs} - {phrase[-1] for phrase in others}
    return first - weighty, last - weighty
