"""The caller's turn: when it began, what was said in it so far, and how much silence ends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from telephony.turns.endpointing import Asked, Endpointing

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentSession

    from telephony.assistants.schema import Assistant

_CUT_OFF_S = 0.6
"""A caller who speaks on so shortly after the end of a turn had not ended it."""


class CallersTurn:
    """One call's, turn after turn.

    Args:
        assistant: whose settings and phrases.
        final_only: whether the recogniser tells of words only after a pause.
        asked: what the agent has asked, at this moment.

    Attributes:
        sounded_at: when the caller's voice was heard last, in seconds since 1970; None before it was.
        answered: the answer that the last turn was; empty where it was none.
    """

    def __init__(self, assistant: Assistant, *, final_only: bool, asked: Callable[[], Asked]) -> None:
        self._asked = asked
        self._ends = Endpointing(
            assistant.endpointing,
            assistant.turns.language or assistant.language,
            assistant.turns.phrases,
            final_only=final_only,
        )
        self._session: AgentSession[Any] | None = None
        self._tuned_s = 0.0
        self._said: list[str] = []
        self._partial = False
        self._began_at: float | None = None
        self._taken_at = float("-inf")
        self._answer = ""
        self._answered_at = float("-inf")
        self.answered = ""
        self.sounded_at: float | None = None

    def attach(self, session: AgentSession[Any]) -> None:
        """Tell a session from now on how long to wait."""
        self._session = session

    @property
    def silence_s(self) -> float:
        """Silence that ends the turn, by what was asked and said so far."""
        return self._ends.silence_s(" ".join(self._said), self._asked())

    @property
    def since_answer_s(self) -> float:
        """Since the last turn was complete."""
        return time.monotonic() - self._answered_at

    # What the caller does

    def onset(self, lead_s: float) -> None:
        """The caller begins to make a sound, which began ``lead_s`` ago."""
        if time.monotonic() - self._taken_at < _CUT_OFF_S + lead_s:
            # Nobody answers that fast: the caller had not finished.
            self._ends.cut_off()
            self._taken_at = float("-inf")
        if self._began_at is None:
            self._began_at = time.time() - lead_s

    def sounded(self) -> None:
        """The caller's voice is heard."""
        self.sounded_at = time.time()

    def said(self, text: str, *, final: bool) -> None:
        """The recogniser tells of words: a partial text replaces the one before, a final one stays."""
        if self._partial and self._said:
            self._said.pop()
        self._said.append(text)
        self._partial = not final
        # Asked now: the reply is begun, and is what the agent says, before the turn is taken.
        self._answer = self._ends.answer(" ".join(self._said), self._asked())
        self.tune()

    # What becomes of it

    def not_begun(self) -> None:
        """The sound so far was the beginning of no turn."""
        self._began_at = None

    def forget_words(self) -> None:
        """The words so far belong to no turn that is still to come."""
        self._said.clear()
        self._partial = False
        self._answer = ""

    def taken(self) -> float | None:
        """The turn is complete: when it began, in seconds since 1970; None where nobody knows."""
        self.answered = self._answer
        self.forget_words()
        self._taken_at = self._answered_at = time.monotonic()
        began_at, self._began_at = self._began_at, None
        return began_at

    def went_well(self) -> None:
        """The agent's answer was not cut: the silence before it had been enough."""
        self._ends.went_well()

    def tune(self) -> None:
        """Have the session wait as long as the text so far wants it; read when the caller falls silent."""
        session, silence_s = self._session, round(self.silence_s, 2)
        if session is None or silence_s == self._tuned_s:
            return
        self._tuned_s = silence_s
        session.update_options(
            endpointing_opts={"mode": "fixed", "min_delay": silence_s, "max_delay": silence_s}
        )
