"""``Mhm`` is no interruption: the agent goes on, and nothing of it becomes a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.weights import BRIEF_S, Weights, is_bid
from telephony.turns.words import Words, alike, made_of, without, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases

_SHORT = 3
"""Words; in a longer text nothing is forgiven."""

_FEW = 2
"""Words; short ones are no message by themselves, three of them may be one."""

_SHORT_WORD = 4
"""Letters; a longer word carries a message."""


class Backchannels:
    """Resumes after a text that is nothing but backchannels.

    A partial one may still become a sentence (``yeah, but I wanted …``), so it counts only once the
    caller has been silent for a moment.

    Recognisers err most where there is least to go by. Unless a question is pending, in an utterance of up to
    three words one that is a letter off is taken for the backchannel it sounds like, most of a phrase for the
    whole, and beside a backchannel small words, or one short word, are no message; nor is a word of no weight
    within a phrase, nor the beginning or the end of one by itself, nor one or two short words on no list,
    briefly said. None of that holds for words that say much, or sound like a stop.

    Args:
        settle_s: that moment.
    """

    name = "backchannels"

    def __init__(self, phrases: Phrases, *, settle_s: float) -> None:
        self._phrases = phrases
        self._settle_s = settle_s
        self._weights = Weights(phrases)
        self._several = sorted(phrase for phrase in phrases.backchannels if len(phrase) > 1)
        self._single = sorted(phrase[0] for phrase in phrases.backchannels if len(phrase) == 1)
        others = (
            phrases.stop,
            phrases.hold,
            phrases.answers,
            phrases.small,
            phrases.fillers,
            phrases.weighty,
        )
        self._known = {word for phrase in frozenset().union(*others) for word in phrase}

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        if not self._is_backchannel(words) and (
            evidence.question is not None or not (self._may_be(words) or self._is_scrap(words, evidence))
        ):
            return None
        if not evidence.final and evidence.silence_s < self._settle_s:
            return Decision("wait", self.name, "it may go on")
        return Decision("resume", self.name, f"{' '.join(words)!r} only shows that the caller listens", True)

    def _is_backchannel(self, words: Words) -> bool:
        known = self._phrases.backchannels | self._phrases.fillers
        return made_of(words, known) and not is_bid(words, self._phrases)

    def _may_be(self, words: Words) -> bool:
        """Whether a short utterance is a backchannel that was misheard."""
        phrases = self._phrases
        if len(words) > _SHORT:
            return False
        meant = tuple(self._sounds_like(word) for word in words)
        changed = sum(word != own for word, own in zip(meant, words, strict=True))
        rest = without(meant, phrases.backchannels)
        if changed > 1:
            return False
        if len(rest) == len(meant):
            return self._is_nearly_a_phrase(words)
        rest = without(rest, phrases.fillers | phrases.small)
        if not rest:
            return True
        # One word may have been misheard, not two.
        return not changed and (self._is_slip(rest) or self._is_nearly_a_phrase(words))

    def _is_scrap(self, words: Words, evidence: Evidence) -> bool:
        """Whether what was recognised is a part of a phrase, or too little to be a message."""
        if any(self._is_backchannel(words[:at] + words[at + 1 :]) for at in self._weightless_at(words)):
            return True
        if not words or self._weights.message.intersection(words) or made_of(words, self._phrases.answers):
            return False
        if any(words in (phrase[: len(words)], phrase[-len(words) :]) for phrase in self._several):
            # The rest of it may be late, and is waited for as long as any.
            return evidence.final
        if evidence.sound_s > BRIEF_S or not (evidence.final or evidence.silence_s >= self._settle_s):
            return False
        return len(words) <= _FEW and all(
            word in self._weights.light or self._is_slip((word,)) for word in words
        )

    def _weightless_at(self, words: Words) -> list[int]:
        """Where a word stands that may have been added to a phrase."""
        return (
            [at for at, word in enumerate(words) if word in self._weights.light] if len(words) > _FEW else []
        )

    def _sounds_like(self, word: str) -> str:
        if word in self._known:
            return word
        return next((each for each in self._single if alike(word, each)), word)

    def _is_slip(self, rest: Words) -> bool:
        return len(rest) == 1 and len(rest[0]) <= _SHORT_WORD and not self._weights.may_matter(rest[0])

    def _is_nearly_a_phrase(self, words: Words) -> bool:
        for phrase in self._several:
            if len(phrase) != len(words):
                continue
            same = [word for word, own in zip(words, phrase, strict=True) if word == own]
            other = [word for word, own in zip(words, phrase, strict=True) if word != own]
            most = 2 * len("".join(same)) > len("".join(phrase))
            if (
                len(other) == 1
                and most
                and not (self._weights.in_stop.intersection(same) or other[0] in self._weights.message)
            ):
                return True
        return False
