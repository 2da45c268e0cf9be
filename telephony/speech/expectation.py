"""What the caller is likely to say next, told by who leads the conversation to who listens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Expectation:
    """One call's hint to its recogniser, shared by reference: the dialogue writes it, the STT reads it."""

    hint: str = ""
    """What is likely to be heard, as the recogniser would write it: ``Monday at half past three.``"""
