"""What is known about a caller who made a sound while the agent had the floor. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

AgentState = Literal["speaking", "preparing", "listening"]
"""``preparing``: the next words are decided on but not heard yet."""

Question = Literal["yes_no", "choice", "digits", "open"]
"""What kind of answer a question asks for."""

Transcripts = Literal["interim", "final", "none"]
"""Which words are to be expected: while somebody speaks, only afterwards, or never."""

SpanKind = Literal["disclosure", "read_back", "transfer", "goodbye", "message"]
"""Why something must be heard."""


@dataclass(frozen=True, slots=True)
class Span:
    """Speech that must be heard to its end.

    Attributes:
        kind: why.
        yields_to_stop: whether a stop word makes it wait until the caller has finished; it goes on
            after that. A transfer notice and a goodbye wait for nobody.
    """

    kind: SpanKind
    yields_to_stop: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """One moment of one overlap; times in seconds.

    Attributes:
        since_onset_s: since the first sound.
        sound_s: of sound, pauses within it included: from the first to the last so far.
        voice: whether a voice was recognised in it, not just loudness.
        silence_s: since the last sound; 0 while there is one.
        paused_s: since playback was paused; 0 where it is not.
        snr_db: of the sound over the line's noise; None where nobody has measured it.
        words: what was recognised so far, as the recogniser writes it.
        final: whether the recogniser will not change them any more.
        transcripts: which words are to be expected.
        agent: what it is doing.
        agent_said: its words of the last seconds.
        question: what the caller was asked and has not answered; None where nothing is asked.
        must_hear: what is being said must be heard; None where not.
        language: whose phrases were looked at, such as ``ru``.
        answered: the answer, such as ``yes``, that was the caller's last turn; empty where it was none.
        answered_s: from when that turn was taken to the beginning of the sound.
        key: the key of the telephone that was pressed; empty for a sound.
    """

    since_onset_s: float = 0.0
    sound_s: float = 0.0
    voice: bool = True
    silence_s: float = 0.0
    paused_s: float = 0.0
    snr_db: float | None = None
    words: str = ""
    final: bool = False
    transcripts: Transcripts = "interim"
    agent: AgentState = "speaking"
    agent_said: str = ""
    question: Question | None = None
    must_hear: Span | None = None
    language: str = "en"
    answered: str = ""
    answered_s: float = 0.0
    key: str = ""

    @property
    def sounding(self) -> bool:
        """Whether the caller can be heard at this moment."""
        return self.silence_s <= 0.0

    def to_event(self) -> dict[str, Any]:
        """JSON for the record of the call: what is known, in ms, without the agent's own words."""
        told: dict[str, Any] = {
            "onset_ms": round(self.since_onset_s * 1000),
            "sound_ms": round(self.sound_s * 1000),
            "silence_ms": round(self.silence_s * 1000),
            "paused_ms": round(self.paused_s * 1000),
            "agent": self.agent,
            "transcripts": self.transcripts,
            "language": self.language,
        }
        if self.snr_db is not None:
            told["snr_db"] = round(self.snr_db, 1)
        if self.words:
            told |= {"words": self.words, "final": self.final}
        if self.question is not None:
            told["question"] = self.question
        if self.must_hear is not None:
            told["must_hear"] = self.must_hear.kind
        if self.key:
            told["key"] = self.key
        return told


@dataclass(frozen=True, slots=True)
class Situation:
    """What the agent is doing at this moment; see ``Evidence``."""

    agent: AgentState = "listening"
    agent_said: str = ""
    question: Question | None = None
    must_hear: Span | None = None
    answered: str = ""
    answered_s: float = 0.0
