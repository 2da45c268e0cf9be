"""A caller who is a machine as well: it says the same again and again, and nobody hangs up. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from telephony.turns.words import words_of

if TYPE_CHECKING:
    from telephony.turns.words import Words

REPEATED = 6
"""The same sentence so many times is no person's: who is not understood says it otherwise, or gives up."""
AMONG = 12
"""Among so many of the caller's last utterances."""
_LEAST_WORDS = 4
"""Shorter ones are repeated by people too: yes, no, hello."""


class MachineTalk:
    """One call's."""

    def __init__(self) -> None:
        self._said: deque[Words] = deque(maxlen=AMONG)

    def heard(self, text: str) -> bool:
        """What the caller has said; whether that is a machine's."""
        words = words_of(text)
        if len(words) < _LEAST_WORDS:
            return False
        self._said.append(words)
        return self._said.count(words) >= REPEATED
