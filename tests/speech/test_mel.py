"""The log-Mel spectrogram that Whisper was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.speech.mel import BANDS, RATE, log_mel

pytestmark = pytest.mark.pure


def chirp(samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A rising tone at half scale."""
    time = np.arange(samples) / RATE
    return (0.5 * np.sin(2 * np.pi * (200 + 800 * time) * time)).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "window_s"), [(0, 1), (1, 1), (160, 1), (15_999, 1), (16_000, 1), (5000, 10)]
)
def test_the_window_is_filled(count: int, window_s: int) -> None:
    """Any audio gives the whole window: 80 bands, 100 frames a second."""
    bands = log_mel(chirp(count), window_s)
    assert bands.shape == (BANDS, 100 * window_s)
    assert bands.dtype == np.float32
    assert np.isfinite(bands).all()


@given(st.integers(1, 15_000))
def test_silence_need_not_be_transformed(count: int) -> None:
    """Filling the window with the floor gives what transforming the zeros would give."""
    audio = chirp(count)
    padded = np.zeros(RATE, np.float32)
    padded[:count] = audio
    np.testing.assert_allclose(log_mel(audio, 1), log_mel(padded, 1), atol=1e-6)


def test_the_figures_are_whispers() -> None:
    """Points of a fixed chirp as openai/whisper's log_mel_spectrogram computes them."""
    bands = log_mel(chirp(16_000), 1)
    points = [(0, 0), (5, 10), (20, 50), (27, 40), (40, 90), (79, 99)]
    np.testing.assert_allclose(
        [bands[point] for point in points], [1.1684, 0.3436, -0.134, -0.0988, 1.1371, -0.4275], atol=1e-4
    )


def test_a_tone_stands_in_its_band() -> None:
    """The loudest band of a tone of 1 kHz is the one that holds 1 kHz."""
    time = np.arange(RATE) / RATE
    bands = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32), 1)
    assert 24 <= int(np.argmax(bands[:, 50])) <= 27


def test_quiet_is_clamped_to_eight_decades() -> None:
    """Nothing is more than 8 decades below the loudest point."""
    bands = log_mel(chirp(4000), 2)
    assert bands.max() - bands.min() == pytest.approx(2.0, abs=1e-5)
