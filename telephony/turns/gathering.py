"""Evidence from what is known at one moment: the agent's situation, the caller's sound and words. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telephony.turns.evidence import Evidence

if TYPE_CHECKING:
    from telephony.turns.evidence import Situation, Transcripts
    from telephony.turns.loudness import Loudness
    from telephony.turns.overlap import Overlap


def evidence_of(situation: Situation, transcripts: Transcripts, language: str, *, key: str = "") -> Evidence:
    """What is known without a sound of the caller's.

    Args:
        transcripts: which words are to be expected of the recogniser.
        language: whose phrases are looked at.
        key: that was pressed.
    """
    return Evidence(
        transcripts=transcripts,
        agent=situation.agent,
        agent_said=situation.agent_said,
        question=situation.question,
        must_hear=situation.must_hear,
        language=language,
        answered=situation.answered,
        answered_s=situation.answered_s,
        key=key,
    )


def evidence_of_words(
    situation: Situation, transcripts: Transcripts, language: str, text: str, *, final: bool
) -> Evidence:
    """The same of words that come while the agent listens."""
    return Evidence(
        words=text,
        final=final,
        transcripts=transcripts,
        agent="listening",
        question=situation.question,
        language=language,
        answered=situation.answered,
        answered_s=situation.answered_s,
    )


def with_overlap(
    told: Evidence, overlap: Overlap[Any], loudness: Loudness, now: float, *, paused_s: float
) -> Evidence:
    """The same with a sound of the caller's over the agent's speech.

    Args:
        now: by the overlap's clock.
        paused_s: how long the agent has been held for it.
    """
    level = overlap.level_dbfs
    return replace(
        told,
        since_onset_s=now - overlap.began_at,
        voice=overlap.voice,
        sound_s=max(0.0, overlap.last_sound_at - overlap.began_at),
        silence_s=overlap.silence_s(now),
        paused_s=paused_s,
        snr_db=None if level is None else loudness.above(level),
        words=overlap.words,
        final=overlap.final,
        answered_s=told.answered_s - (now - overlap.onset_at),
    )
