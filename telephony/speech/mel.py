"""Whisper's log-Mel spectrogram, 80 bands a hundredth of a second.

Pure. Mirrors log_mel_spectrogram in openai/whisper whisper/audio.py (Hann window of 25 ms, Slaney's
Mel scale and area normalisation), but never transforms the silence that fills the window up: its bands
are all at the floor, so they are written down.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE = 16_000
BANDS = 80
FRAMES_PER_S = 100

_FFT = 400
_HOP = RATE // FRAMES_PER_S
_FLOOR = 1e-10
_RANGE = 8.0

Spectrogram = NDArray[np.float32]


def log_mel(samples: NDArray[np.float32], window_s: int) -> Spectrogram:
    """The spectrogram of audio followed by silence.

    Args:
        samples: shape (n,), float32, -1 to 1, 16 kHz mono, not longer than the window.
        window_s: length of the result, in s.

    Returns:
        Shape (80, 100 * window_s), float32.
    """
    frames = window_s * FRAMES_PER_S
    samples = samples[: frames * _HOP]
    # The first frame is centred on the first sample, so the signal is mirrored before it.
    head = samples[1 : _FFT // 2 + 1][::-1]
    head = np.concatenate([np.zeros(_FFT // 2 - len(head), np.float32), head])
    heard = min(frames, (len(samples) + _FFT // 2) // _HOP + 1)
    tail = np.zeros(max(0, (heard - 1) * _HOP + _FFT - len(head) - len(samples)), np.float32)
    padded = np.concatenate([head, samples, tail])

    slices = sliding_window_view(padded, _FFT)[::_HOP][:heard]
    power = np.abs(np.fft.rfft(slices * _hann(), axis=1)).astype(np.float32) ** 2
    bands = np.full((BANDS, frames), _FLOOR, np.float32)
    bands[:, :heard] = np.maximum(_filters() @ power.T, _FLOOR)
    decades = np.log10(bands)
    decades = np.maximum(decades, decades.max() - _RANGE)
    return np.ascontiguousarray((decades + 4.0) / 4.0, dtype=np.float32)


@functools.cache
def _hann() -> NDArray[np.float32]:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Triangles on the Mel scale, each of unit area; shape (80, 201)."""
    bins = np.fft.rfftfreq(_FFT, 1 / RATE)
    edges = _to_hz(np.linspace(0.0, float(_to_mel(np.array(RATE / 2))), BANDS + 2))
    width = np.diff(edges)
    rising = (bins[None, :] - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins[None, :]) / width[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


# Slaney's scale: linear below 1 kHz at 3 Mel per 200 Hz, then 27 Mel per factor 6.4.
_LINEAR = 3.0 / 200.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ * _LINEAR
_LOG = 27.0 / np.log(6.4)


def _to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    high = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) * _LOG
    return np.where(hz < _BREAK_HZ, hz * _LINEAR, high)


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    high = _BREAK_HZ * np.exp((mel - _BREAK_MEL) / _LOG)
    return np.where(mel < _BREAK_MEL, mel / _LINEAR, high)
