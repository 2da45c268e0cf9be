"""What the agent itself has just said, and the line sends back, is nobody's interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision
from telephony.turns.words import contains, words_of

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence

_LEAST_WORDS = 3
"""Fewer words in a row may be chance: a caller repeats a name, or the last word."""


class Echo:
    """Resumes after words that the agent has spoken in the last seconds, in the same order."""

    name = "echo"

    def consider(self, evidence: Evidence) -> Decision | None:
        words = words_of(evidence.words)
        if len(words) < _LEAST_WORDS or not contains(words_of(evidence.agent_said), words):
            return None
        return Decision("resume", self.name, "the agent's own words came back", spent=True)
