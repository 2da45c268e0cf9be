"""What each 20 ms of a telephone line is: silence, a voice or another noise, or one or two steady tones.

A tone is looked for in 40 ms under a Hann window: it is one where nearly all power lies in one or two
peaks. A vowel spreads over its harmonics; one that does not is no steadier than a voice is, which is told
from the next frames (``telephony.triage.tones``). What counts as sound follows the line's own noise.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, Samples
from telephony.audio.level import dbfs

_WINDOW = 2 * FRAME_SAMPLES
_BINS = 1024
_HALF_PEAK = 8
"""Bins to each side of a peak that belong to it: the window's main lobe, 50 Hz at 8 kHz, and its foot."""
_ONE_TONE = 0.85
"""Share of the power in the strongest peak from which there is one tone: 8 dB over noise."""
_TWO_TONES = 0.85
_WEAKER = 0.15
"""The least share of the weaker one of two tones."""
_LOWEST_HZ = 200.0

_ABOVE_NOISE_DB = 9.0
_QUIETEST_DBFS = -50.0
_LOUDEST_NOISE_DBFS = -38.0
"""A line with more noise of its own than this is one that nobody can be understood on."""
_NOISE_FRAMES = round(2.0 / FRAME_S)
_UNSURE_FRAMES = round(0.3 / FRAME_S)
_UNSURE_DBFS = -48.0
"""The most that noise is taken for while hardly any of the line was heard."""


@dataclass(frozen=True, slots=True)
class Sound:
    """20 ms.

    Attributes:
        at_s: when it began, in seconds of audio.
        level_dbfs: its level.
        heard: whether it stands out of the line's noise.
        tones: the frequencies of one or two steady tones in Hz, rising; empty for anything else.
    """

    at_s: float
    level_dbfs: float
    heard: bool
    tones: tuple[float, ...] = ()


class Hearing:
    """One line, frame by frame."""

    def __init__(self) -> None:
        self._frames = 0
        self._before = np.zeros(FRAME_SAMPLES, np.int16)
        self._levels: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._hann = np.hanning(_WINDOW)

    @property
    def now_s(self) -> float:
        """Seconds of audio so far."""
        return self._frames * FRAME_S

    def hear(self, frame: Samples) -> Sound:
        """The next 20 ms, int16 of shape (160,) at 8 kHz."""
        at_s, level = self.now_s, dbfs(frame)
        self._frames += 1
        self._levels.append(level)
        heard = level > self._threshold()
        tones = self._tones(frame) if heard else ()
        self._before = frame
        return Sound(at_s, level, heard, tones)

    def _threshold(self) -> float:
        floor = float(np.percentile(self._levels, 10))
        if len(self._levels) < _UNSURE_FRAMES:
            floor = min(floor, _UNSURE_DBFS)
        return min(max(floor + _ABOVE_NOISE_DB, _QUIETEST_DBFS), _LOUDEST_NOISE_DBFS)

    def _tones(self, frame: Samples) -> tuple[float, ...]:
        window = np.concatenate([self._before, frame]).astype(np.float64) * self._hann
        power = np.abs(np.fft.rfft(window, _BINS)) ** 2
        total = float(power.sum())
        if total <= 0.0:
            return ()
        first, share = _peak(power)
        if first < _LOWEST_HZ:
            return ()
        if share >= _ONE_TONE * total:
            return (first,)
        rest = power.copy()
        middle = round(first * _BINS / RATE)
        rest[max(0, middle - _HALF_PEAK) : middle + _HALF_PEAK + 1] = 0.0
        second, weaker = _peak(rest)
        if second >= _LOWEST_HZ and weaker >= _WEAKER * total and share + weaker >= _TWO_TONES * total:
            return (first, second) if first < second else (second, first)
        return ()


def _peak(power: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Frequency of the strongest peak in Hz, and its power."""
    middle = int(power.argmax())
    low, high = max(0, middle - _HALF_PEAK), middle + _HALF_PEAK + 1
    around = power[low:high]
    total = float(around.sum())
    if total <= 0.0:
        return 0.0, 0.0
    bins = np.arange(low, low + around.size)
    return float((bins * around).sum()) / total * RATE / _BINS, total
