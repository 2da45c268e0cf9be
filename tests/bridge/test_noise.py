"""What the SDK says in every good call is held back, everything else is shown."""

from __future__ import annotations

import logging

import pytest

from telephony.bridge.noise import KnownNoise

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("logger", "text", "shown"),
    [
        ("root", "ignoring text stream with topic 'lk.transcription', no callback attached", False),
        ("telephony", "ignoring text stream with topic 'lk.transcription', no callback attached", True),
        ("root", "something ignoring text stream with topic 'x', no callback attached", True),
        ("livekit", "livekit::x:1:y - publisher data channel '_reliable' closed unexpectedly", False),
        ("livekit", "livekit::x:1:y - could not decrypt", True),
    ],
)
def test_only_known_lines_are_held_back(logger: str, text: str, shown: bool) -> None:
    """By logger and anchored pattern, and counted."""
    noise = KnownNoise()
    record = logging.LogRecord(logger, logging.WARNING, "", 0, text, None, None)
    assert noise.filter(record) is shown
    assert noise.count == (0 if shown else 1)
