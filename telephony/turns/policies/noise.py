"""A sound that is hardly above the line's noise, or no voice's, and without a word, is no caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence

_SURE_S = 0.1
_VOICE_S = 0.2
"""By then a voice is recognised as one; a knock, a click, a door never is."""


class Noise:
    """Resumes after a sound that no voice made, or as loud as what the line sounds like anyway.

    Args:
        least_db: how far above it a caller must be.
    """

    name = "noise"

    def __init__(self, *, least_db: float) -> None:
        self._least_db = least_db

    def consider(self, evidence: Evidence) -> Decision | None:
        if evidence.words:
            return None
        if not evidence.voice:
            if evidence.since_onset_s < _VOICE_S:
                return Decision("wait", self.name, "it may still be a voice")
            return Decision("resume", self.name, "no voice made that sound")
        if evidence.snr_db is None or evidence.sound_s < _SURE_S:
            return None
        if evidence.snr_db >= self._least_db:
            return None
        return Decision("resume", self.name, f"{evidence.snr_db:.0f} dB above the line's noise")
