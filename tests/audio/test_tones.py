"""Test signals have the length, level and frequency that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency, goertzel
from telephony.audio.level import dbfs
from telephony.audio.tones import DTMF_FREQUENCIES, dual_tone, noise, sine

pytestmark = pytest.mark.pure


def test_sine_has_length_frequency_and_peak() -> None:
    """A sine is as long, as high and as loud as asked, at any rate."""
    tone = sine(1000, 0.25, rate=48000, amplitude=0.5)
    assert tone.shape == (12000,)
    assert tone.dtype == np.int16
    assert np.max(np.abs(tone)) == pytest.approx(16384, abs=2)
    assert dominant_frequency(tone, 48000) == pytest.approx(1000, abs=0.5)


def test_full_amplitude_does_not_wrap() -> None:
    """Amplitude 1 stays within int16: neighbouring samples never jump from end to end."""
    tone = sine(100, 0.1, amplitude=1.0).astype(int)
    assert np.max(np.abs(np.diff(tone))) < 4000


def test_dual_tone_holds_both_frequencies_equally() -> None:
    """Each of the two sines carries half of the power, and the sum keeps the peak."""
    tone = dual_tone(770, 1336, 0.1, amplitude=0.6)
    assert goertzel(tone, 770) == pytest.approx(0.5, abs=0.03)
    assert goertzel(tone, 1336) == pytest.approx(0.5, abs=0.03)
    assert np.max(np.abs(tone)) <= 0.6 * 32767 + 1


def test_noise_has_its_level_and_is_reproducible() -> None:
    """Noise measures the level asked for, and the same seed gives the same samples."""
    first, second = (noise(1.0, -30.0, np.random.default_rng(5)) for _ in range(2))
    assert dbfs(first) == pytest.approx(-30.0, abs=0.3)
    assert np.array_equal(first, second)


def test_key_frequencies() -> None:
    """All sixteen keys have the row and column of Q.23."""
    assert len(DTMF_FREQUENCIES) == 16
    assert DTMF_FREQUENCIES["1"] == (697, 1209)
    assert DTMF_FREQUENCIES["0"] == (941, 1336)
    assert DTMF_FREQUENCIES["D"] == (941, 1633)
