"""The frame that everything is cut into."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, silence, to_int16

pytestmark = pytest.mark.pure


def test_a_frame_is_20_ms() -> None:
    """160 samples at 8000 Hz are 20 ms."""
    assert FRAME_SAMPLES / RATE == FRAME_S == 0.02


def test_silence_is_writable_and_fresh() -> None:
    """Each call gives zeros of its own."""
    first = silence()
    first[0] = 5
    assert not silence().any()
    assert silence(3).tolist() == [0, 0, 0]


def test_rounding_and_clipping() -> None:
    """Values are rounded to the nearest and held at the ends of int16."""
    assert to_int16(np.array([0.6, -0.6, 40000.0, -40000.0])).tolist() == [1, -1, 32767, -32768]
