"""Test signals: sines, key tones and noise, exact in length and level, the same every time."""

from __future__ import annotations

import math

import numpy as np

from telephony.audio.frame import FULL_SCALE, RATE, Samples, to_int16

_PEAK = 32767.0

DTMF_FREQUENCIES: dict[str, tuple[int, int]] = {
    key: (low, high)
    for row, low in zip(("123A", "456B", "789C", "*0#D"), (697, 770, 852, 941), strict=True)
    for key, high in zip(row, (1209, 1336, 1477, 1633), strict=True)
}
"""Row and column frequency in Hz of each key (ITU-T Q.23)."""


def sine(frequency_hz: float, duration_s: float, *, rate: int = RATE, amplitude: float = 0.3) -> Samples:
    """A sine that starts at zero phase.

    Args:
        frequency_hz: 0 to rate / 2.
        duration_s: length; the result has round(duration_s * rate) samples.
        rate: sample rate in Hz.
        amplitude: peak, 0 to 1 of full scale.
    """
    time = np.arange(round(duration_s * rate)) / rate
    return to_int16(amplitude * _PEAK * np.sin(2 * np.pi * frequency_hz * time))


def dual_tone(
    low_hz: float, high_hz: float, duration_s: float, *, rate: int = RATE, amplitude: float = 0.3
) -> Samples:
    """Two sines of equal level, as a key of a telephone sounds; ``amplitude`` is the peak of the sum."""
    time = np.arange(round(duration_s * rate)) / rate
    both = np.sin(2 * np.pi * low_hz * time) + np.sin(2 * np.pi * high_hz * time)
    return to_int16(amplitude / 2 * _PEAK * both)


def noise(duration_s: float, dbfs: float, rng: np.random.Generator, *, rate: int = RATE) -> Samples:
    """White Gaussian noise at an RMS level of ``dbfs`` (0 is full scale); clipped where it exceeds int16."""
    scale = FULL_SCALE * math.pow(10.0, dbfs / 20.0)
    return to_int16(rng.standard_normal(round(duration_s * rate)) * scale)
