"""The tone of a phone that rings elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency
from telephony.bridge.dial_tone import frame_of_tone

pytestmark = pytest.mark.pure


def test_it_sounds_one_second_of_five() -> None:
    """425 Hz, then four seconds of silence, and again."""
    second = np.concatenate([frame_of_tone(number) for number in range(50)])
    assert abs(dominant_frequency(second, 8000) - 425) < 5
    assert not any(frame_of_tone(number).any() for number in range(50, 250))
    assert np.array_equal(frame_of_tone(250 + 7), frame_of_tone(7))
