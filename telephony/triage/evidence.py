"""What is known of whoever answered, at one moment. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telephony.calls.outcomes import AnsweredBy
    from telephony.triage.cues import Cue
    from telephony.triage.tones import Tone


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """What a language model made of the words: one of LiveKit's categories, and its own reason."""

    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was heard since the answer.

    Attributes:
        answered_s: seconds since the answer.
        greeting_s: from the first sound of a voice to the last; 0 while there was none.
        utterances: how many, by pauses of 0.3 s and more.
        pauses_s: the pauses between them.
        silence_s: since the last sound of a voice; since the answer where there was none.
        words: what was recognised so far.
        words_due: whether a recogniser listens and has not told of the last utterance yet.
        cues: the phrases found in it.
        tones: the tones heard, in order.
        tone_sounding: whether one sounds now.
        model: what a model made of the words, where one is asked.
        model_due: whether one is asked and has not answered yet.
        before: what the network played before the answer, as far as it was recognised.
    """

    answered_s: float
    greeting_s: float = 0.0
    utterances: int = 0
    pauses_s: tuple[float, ...] = ()
    silence_s: float = 0.0
    words: str = ""
    words_due: bool = False
    cues: tuple[Cue, ...] = ()
    tones: tuple[Tone, ...] = ()
    tone_sounding: bool = False
    model: ModelVerdict | None = None
    model_due: bool = False
    before: str = ""

    @property
    def beep(self) -> Tone | None:
        """The last beep."""
        return next((tone for tone in reversed(self.tones) if tone.name == "beep"), None)

    def to_event(self) -> dict[str, Any]:
        """As ``call.answered_by`` carries it: milliseconds, and no empty values."""
        told: dict[str, Any] = {
            "answered_ms": round(self.answered_s * 1000),
            "greeting_ms": round(self.greeting_s * 1000),
            "utterances": self.utterances,
            "pauses_ms": [round(pause * 1000) for pause in self.pauses_s],
            "silence_ms": round(self.silence_s * 1000),
            "words": self.words[-500:],
            "cues": [f"{cue.kind}: {cue.phrase}" for cue in self.cues],
            "tones": [f"{tone.name} {tone.hz:.0f} Hz {tone.length_s:.2f} s" for tone in self.tones],
            "model": f"{self.model.category}: {self.model.reason}" if self.model else "",
            "early_media": self.before,
        }
        return {name: value for name, value in told.items() if value not in ("", [])}


@dataclass(frozen=True, slots=True)
class Decision:
    """Who answered.

    Attributes:
        answered_by: as the call's record has it.
        confidence: 0 to 1.
        reason: in a few words.
        unreachable: whether nobody can be reached by this call: an announcement, or a fax machine.
    """

    answered_by: AnsweredBy
    confidence: float
    reason: str
    unreachable: bool = False
