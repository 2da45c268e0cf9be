"""What to say to a caller who says nothing, or nothing that could be understood. Pure.

Neither silence nor noise may keep a line busy for ever: after the last prompt, or after a limit that
the operator sets, the agent says goodbye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant

MAX_UNHEARD = 6
"""Utterances in a row without a word in them, after which the agent gives up."""


@dataclass(frozen=True, slots=True)
class Reprompt:
    """What to say next; after a ``last`` one the line is hung up."""

    text: str
    last: bool = False


class Reprompts:
    """The patience of one assistant with one caller.

    Args:
        assistant: whose words are used.
        limit_s: silence after which no further prompt is worth it.
    """

    def __init__(self, assistant: Assistant, *, limit_s: float) -> None:
        self._assistant = assistant
        self._limit_s = limit_s
        self._silences = 0
        self._unheard = 0

    def heard(self) -> None:
        """The caller said or pressed something that was understood."""
        self._silences = self._unheard = 0

    def silence(self, silent_s: float, question: str) -> Reprompt:
        """Nothing was said for a while.

        Args:
            silent_s: since the caller was last understood.
            question: what is still to be answered, or nothing.
        """
        silence = self._assistant.silence
        if self._silences >= len(silence.prompts) or silent_s >= self._limit_s:
            return Reprompt(silence.goodbye, last=True)
        prompt = silence.prompts[self._silences]
        self._silences += 1
        return Reprompt(f"{prompt} {question}".strip())

    def unheard(self, question: str) -> Reprompt:
        """Something was said that held no word."""
        self._unheard += 1
        if self._unheard >= MAX_UNHEARD:
            return Reprompt(self._assistant.silence.goodbye, last=True)
        words = self._assistant.not_understood
        return Reprompt(f"{words[min(self._unheard, len(words)) - 1]} {question}".strip())
