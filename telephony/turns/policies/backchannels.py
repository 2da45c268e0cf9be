"""``Mhm`` is no interruption: the agent goes on, and nothing of it becomes a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import made_of, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence
    from telephony.turns.phrases import Phrases


class Backchannels:
    """Resumes after a text that is nothing but backchannels.

    A partial one may still become a sentence (``yeah, but I wanted …``), so it counts only once the
    caller has been silent for a moment.

    Args:
        settle_s: that moment.
    """

    name = "backchannels"

    def __init__(self, phrases: Phrases, *, settle_s: float) -> None:
        self._phrases = phrases
        self._settle_s = settle_s

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        if not made_of(words, self._phrases.backchannels | self._phrases.fillers):
            return None
        if not evidence.final and evidence.silence_s < self._settle_s:
            return Decision("wait", self.name, "it may go on")
        return Decision("resume", self.name, f"{' '.join(words)!r} only shows that the caller listens", True)
