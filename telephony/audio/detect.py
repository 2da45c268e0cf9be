"""Which tone is in a stretch of samples."""

from __future__ import annotations

import numpy as np

from telephony.audio.frame import RATE, Samples


def goertzel(samples: Samples, frequency_hz: float, rate: int = RATE) -> float:
    """The share of the signal's power at one frequency: 1 for that sine alone, about 0 for any other signal.

    Resolution is rate / n Hz: 50 Hz for one frame, 10 Hz for 100 ms. Silence gives 0.
    """
    signal = samples.astype(np.float64)
    power = float(np.dot(signal, signal))
    if power <= 0.0:
        return 0.0
    rotation = np.exp(-2j * np.pi * frequency_hz / rate * np.arange(signal.size))
    return min(1.0, 2.0 * abs(complex(np.dot(signal, rotation))) ** 2 / (signal.size * power))


def dominant_frequency(samples: Samples, rate: int = RATE) -> float:
    """The strongest frequency in Hz, finer than the bins of the transform; 0.0 for silence.

    Accurate to about 0.1 * rate / n for one tone, where n is at least 16 samples.
    """
    if samples.size < 16 or not samples.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    spectrum[0] = 0.0
    peak = int(np.argmax(spectrum))
    if not 0 < peak < spectrum.size - 1:
        return peak * rate / samples.size
    # A parabola through the logarithms of the three highest bins.
    below, at, above = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
    curve = float(below - 2 * at + above)
    offset = 0.5 * float(below - above) / curve if curve else 0.0
    return (peak + offset) * rate / samples.size
