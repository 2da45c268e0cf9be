"""The agent's words, utterance by utterance: what was heard of them, and whether they ask something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telephony.agent.asked import digits_asked, question_kind
from telephony.turns.endpointing import Asked
from telephony.turns.spoken import asks, heard_part, last_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.turns.evidence import Question

_ASKED_S = 15.0
"""How long a question that was asked may wait for its answer."""
_REMEMBERED_S = 5.0
"""How long the agent's last utterance may be what the caller answers, or what the line echoes."""


class AgentsWords:
    """One call's.

    Args:
        assistant: whose flow's questions they may be.
        state: where the flow stands; None where no flow leads the call.

    Attributes:
        share: of the last utterance's audio, how much was played, 0 to 1.
    """

    def __init__(self, assistant: Assistant, state: Callable[[], FlowState | None]) -> None:
        self._assistant = assistant
        self._state = state
        self._text = ""
        self._ended_at = float("-inf")
        self.share = 1.0

    def begin(self) -> None:
        """What follows is another utterance."""
        self._text = ""

    def add(self, text: str) -> None:
        """More of what the agent is saying."""
        self._text += text

    def over(self, share: float) -> None:
        """The utterance has ended, of which so much was played."""
        self.share = share
        self._ended_at = time.monotonic()

    @property
    def heard(self) -> str:
        """What was heard of the last utterance."""
        return heard_part(self._text, self.share).strip()

    def last(self, share: float, *, speaking: bool) -> str:
        """The last words that were heard; empty where the agent has been silent for long.

        Args:
            share: of the utterance's audio, how much has been played.
        """
        remembered = speaking or time.monotonic() - self._ended_at < _REMEMBERED_S
        return last_words(self._text, share) if remembered else ""

    def question(self, share: float) -> Question | None:
        """What they ask for; None where they ask nothing."""
        return question_kind(self._assistant, self._state()) if asks(self._text, share) else None

    def asked(self) -> Asked:
        """What the caller was asked a moment ago, and has not answered yet."""
        remembered = time.monotonic() - self._ended_at < _ASKED_S
        if not remembered or not asks(self._text, self.share):
            return Asked()
        state = self._state()
        return Asked(question_kind(self._assistant, state), digits_asked(self._assistant, state))
