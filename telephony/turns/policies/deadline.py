"""Every pause ends: silence is answered by going on, a caller who is still heard by yielding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence


class Deadline:
    """Decides what nobody else has decided.

    Args:
        resume_s: silence after which the agent goes on, where words come as they are spoken.
        resume_unheard_s: the same where they come afterwards, or never.
        longest_s: longest pause.
    """

    name = "deadline"

    def __init__(self, *, resume_s: float, resume_unheard_s: float, longest_s: float) -> None:
        self._resume_s = resume_s
        self._resume_unheard_s = resume_unheard_s
        self._longest_s = longest_s

    def consider(self, evidence: Evidence) -> Decision | None:
        limit_s = self._resume_s if evidence.transcripts == "interim" else self._resume_unheard_s
        if evidence.silence_s >= limit_s:
            return Decision("resume", self.name, f"silence for {limit_s:g} s, and nothing was said")
        if evidence.paused_s < self._longest_s:
            return None
        if evidence.sounding:
            return Decision("yield", self.name, f"the caller is heard for {self._longest_s:g} s")
        return Decision("resume", self.name, f"nothing was decided for {self._longest_s:g} s")
