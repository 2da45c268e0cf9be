"""Lines that the LiveKit SDK logs in every good call, by logger and anchored pattern.

What is listed here says nothing about a call's health; whatever is not listed is shown.
"""

from __future__ import annotations

import logging
import re

_KNOWN: tuple[tuple[str, re.Pattern[str]], ...] = (
    # Transcriptions that the agent publishes; the bridge has no use for them.
    ("root", re.compile(r"ignoring (text|byte) stream with topic '[^']*', no callback attached\Z")),
    ("livekit", re.compile(r"task cancelled: ")),
    ("livekit", re.compile(r".* - (signal client closed|.*data channel .* closed unexpectedly)", re.DOTALL)),
    ("livekit", re.compile(r".* - dropping pass-through signal — no stream available\Z")),
    # Handles of a room that was deleted are dropped by both sides.
    ("livekit", re.compile(r".*Attempted to drop unknown FFI handle: \d+", re.DOTALL)),
    # Written by the native side at exit, when nobody listens any more.
    ("livekit", re.compile(r".*server is not configured", re.DOTALL)),
)


class KnownNoise(logging.Filter):
    """Lets every record pass but the known ones; ``count`` says how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a known line."""
        if any(record.name == name and pattern.match(record.getMessage()) for name, pattern in _KNOWN):
            self.count += 1
            return False
        return True


def quieten() -> KnownNoise:
    """Hold known lines back on every handler of the root logger; call after logging is set up."""
    # The SDK tells every step of every connection at INFO.
    logging.getLogger("livekit").setLevel(logging.WARNING)
    noise = KnownNoise()
    for handler in logging.getLogger().handlers:
        handler.addFilter(noise)
    return noise
