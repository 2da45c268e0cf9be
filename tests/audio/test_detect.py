"""Tones are told apart, in noise and through G.711 too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.detect import dominant_frequency, goertzel
from telephony.audio.frame import silence, to_int16
from telephony.audio.g711 import decode_pcmu, encode_pcmu
from telephony.audio.tones import noise, sine

pytestmark = pytest.mark.pure


@given(st.floats(100, 3800), st.floats(0.01, 1.0))
def test_frequency_of_any_tone(frequency: float, amplitude: float) -> None:
    """The frequency of 100 ms of any tone of the telephone band is found within 3 Hz at any level."""
    assert dominant_frequency(sine(frequency, 0.1, amplitude=amplitude)) == pytest.approx(frequency, abs=3)


def test_tone_through_g711_and_noise() -> None:
    """A tone 20 dB above noise is found after mu-law."""
    tone = sine(440, 0.2, amplitude=0.1).astype(np.float64) + noise(0.2, -43, np.random.default_rng(1))
    heard = decode_pcmu(encode_pcmu(to_int16(tone)))
    assert dominant_frequency(heard) == pytest.approx(440, abs=2)
    assert goertzel(heard, 440) > 0.9


def test_goertzel_tells_tones_of_neighbouring_parties() -> None:
    """Two tones 40 Hz apart are told apart in 100 ms."""
    tone = sine(440, 0.1)
    assert goertzel(tone, 440) > 0.99
    assert goertzel(tone, 480) < 0.01


@pytest.mark.parametrize("samples", [silence(), silence(0), silence(5)])
def test_silence_has_no_tone(samples: np.ndarray) -> None:
    """Silence, an empty array or a few samples have no tone, and are no error."""
    assert dominant_frequency(samples) == 0.0
    assert goertzel(samples, 440) == 0.0


def test_constant_offset_is_no_tone() -> None:
    """A constant offset below a tone does not hide it."""
    assert dominant_frequency(to_int16(sine(300, 0.1).astype(np.float64) + 3000)) == pytest.approx(300, abs=3)


def test_tone_at_the_end_of_the_band() -> None:
    """A tone in the last bin of the transform is still named, to the bin."""
    alternating = np.tile(np.array([1000, -1000], np.int16), 400)
    assert dominant_frequency(alternating) == pytest.approx(4000, abs=10)
