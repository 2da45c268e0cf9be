"""Sounds that are no words: coughs and the noises around a telephone. Seeded; nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import RATE, to_int16

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telephony.audio.frame import Samples

COUGHS = ("cough", "two coughs", "throat", "sneeze")
NOISES = ("traffic", "hiss", "knocks", "clatter", "hum", "crackle")

SPEECH_DBFS = -20.0
NOISE_BELOW_DB = 10.0
"""How far noise lies below the callers' speech."""


def sound(name: str, seed: int) -> Samples:
    """One sound at 8 kHz: a cough as loud as speech, a noise 10 dB below it.

    Raises:
        ValueError: nothing is called that.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    if name in COUGHS:
        return _levelled(_cough(name, rng), SPEECH_DBFS)
    if name in NOISES:
        return _levelled(_noise(name, rng), SPEECH_DBFS - NOISE_BELOW_DB)
    raise ValueError(f"no sound is called {name!r}")


def _cough(name: str, rng: np.random.Generator) -> NDArray[np.float64]:
    match name:
        case "cough":
            return _burst(rng, 0.32)
        case "two coughs":
            return np.concatenate([_burst(rng, 0.28), np.zeros(int(0.16 * RATE)), _burst(rng, 0.24)])
        case "throat":
            return _burst(rng, 0.45) * (0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 26 * _time(0.45))))
    return np.concatenate(
        [_band(rng, 0.22, 300, 900) * np.linspace(0.1, 0.4, int(0.22 * RATE)), _burst(rng, 0.25)]
    )


def _burst(rng: np.random.Generator, seconds: float) -> NDArray[np.float64]:
    """An explosion, the breath after it, and a voiced end, as coughs have them."""
    at = _time(seconds)
    breath = _band(rng, seconds, 350, 3200) * np.minimum(1.0, at / 0.008) * np.exp(-at / (seconds / 3))
    pitch = 150 + 40 * rng.random()
    voiced = sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(2, 9))
    return np.asarray(breath + 0.12 * voiced * np.exp(-((at - 0.6 * seconds) ** 2) / 0.003))


def _noise(name: str, rng: np.random.Generator) -> NDArray[np.float64]:
    seconds = 0.5 + rng.random()
    at = _time(seconds)
    swell = np.sin(np.pi * at / seconds) ** 0.5
    match name:
        case "traffic":
            return _band(rng, seconds, 250, 700) * swell
        case "hiss":
            return _band(rng, seconds, 300, 3400) * swell
        case "hum":
            return np.asarray(sum(np.sin(2 * np.pi * 100 * k * at) / k for k in (3, 4, 5, 7)) * swell)
    peaks = {"knocks": 5, "clatter": 14, "crackle": 40}[name]
    wave = np.zeros(at.size)
    for begin in rng.uniform(0, seconds - 0.08, peaks):
        first, length = int(begin * RATE), int(rng.uniform(0.015, 0.07) * RATE)
        decay = np.exp(-np.arange(length) / (length / 5))
        low = rng.uniform(300, 1200)
        wave[first : first + length] += _band(rng, length / RATE, low, low * 2)[:length] * decay
    return wave


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(int(seconds * RATE)) / RATE


def _band(rng: np.random.Generator, seconds: float, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.normal(size=int(seconds * RATE)))
    hertz = np.fft.rfftfreq(int(seconds * RATE), 1 / RATE)
    within = np.clip((hertz - low_hz + 100) / 100, 0, 1) * np.clip((high_hz + 200 - hertz) / 200, 0, 1)
    return np.asarray(np.fft.irfft(spectrum * within, int(seconds * RATE)))


def _levelled(wave: NDArray[np.float64], dbfs: float) -> Samples:
    """At a level over its loud half, so that pauses do not make it louder."""
    power = np.sort(np.square(wave))[wave.size // 2 :].mean() if wave.size else 1.0
    scaled = wave * (32768 * 10 ** (dbfs / 20) / np.sqrt(max(power, 1e-12)))
    return to_int16(np.clip(scaled, -30000, 30000))
