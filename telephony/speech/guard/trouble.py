"""What goes wrong with providers, and whom they are told to. Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["stt", "llm", "tts", "realtime"]

TroubleKind = Literal["late", "failed", "switched", "exhausted", "returned"]
"""``late``: a deadline was missed; ``failed``: an error came before it; ``switched``: another serves from now
on; ``exhausted``: none can serve this turn; ``returned``: the first choice serves again."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong, or right again.

    Attributes:
        stage: whose.
        kind: what.
        provider: whom it is about, such as ``deepgram/nova-3``.
        reason: why, in a few words.
    """

    stage: Stage
    kind: TroubleKind
    provider: str
    reason: str = ""


Tell = Callable[[Trouble], None]
