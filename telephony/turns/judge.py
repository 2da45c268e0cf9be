"""Asks the policies in their order; the first that has something to say decides. Pure.

The order is the meaning: a key is nobody's backchannel, a stop word wins over all that follows, what must
be heard over all but that, an answer over a backchannel of the same word unless it only repeats the one
before, words over loudness, and the deadline ends what nobody has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.phrases import phrases_for
from telephony.turns.policies.answers import Answers
from telephony.turns.policies.aside import Aside
from telephony.turns.policies.backchannels import Backchannels
from telephony.turns.policies.deadline import Deadline
from telephony.turns.policies.echo import Echo
from telephony.turns.policies.hold_phrases import HoldPhrases
from telephony.turns.policies.key import Key
from telephony.turns.policies.minimum_speech import MinimumSpeech
from telephony.turns.policies.must_hear import MustHear
from telephony.turns.policies.noise import Noise
from telephony.turns.policies.same_answer import SameAnswer
from telephony.turns.policies.stop_words import StopWords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.turns.decision import Policy
    from telephony.turns.evidence import Evidence
    from telephony.turns.settings import TurnSettings

_WAIT = Decision("wait", "judge", "no policy has decided")


class Judge:
    """The policies of one call.

    Args:
        policies: in the order of asking.
        language: whose phrases they look at.
    """

    def __init__(self, policies: Sequence[Policy], language: str = "en") -> None:
        self.language = language
        self._policies = tuple(policies)

    def decide(self, evidence: Evidence) -> Decision:
        """What is to be done; ``wait`` where no policy has decided yet."""
        for policy in self._policies:
            decision = policy.consider(evidence)
            if decision is not None:
                return decision
        return _WAIT


def judge_for(settings: TurnSettings, language: str) -> Judge:
    """The judge of an assistant.

    Args:
        settings: its ``turns`` section.
        language: the assistant's; the section may name another.
    """
    phrases = phrases_for(settings.language or language, settings.phrases)
    settle_s = settings.settle_ms / 1000
    return Judge(
        (
            Key(),
            StopWords(phrases),
            MustHear(),
            HoldPhrases(phrases),
            SameAnswer(phrases),
            Answers(phrases),
            Backchannels(phrases, settle_s=settle_s),
            Aside(phrases, settle_s=settle_s),
            Echo(),
            Noise(least_db=settings.noise_db),
            MinimumSpeech(
                phrases,
                least_s=settings.min_speech_ms / 1000,
                least_unheard_s=settings.min_speech_unheard_ms / 1000,
                settle_s=settle_s,
            ),
            Deadline(
                resume_s=settings.resume_after_ms / 1000,
                resume_unheard_s=settings.resume_after_unheard_ms / 1000,
                longest_s=settings.longest_pause_ms / 1000,
            ),
        ),
        phrases.language,
    )
