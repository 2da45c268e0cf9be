"""Fill what was lost so that it is not heard as a click or a hole: repeat the voice's last period.

The idea is that of ITU-T G.711 Appendix I: find the pitch period of what was played last, go on with
it while fading out over 60 ms, and fade back into real audio. Unlike there nothing is delayed, so the
join at the start is smoothed by letting the step between the two waveforms decay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telephony.audio.frame import FRAME_SAMPLES, Samples, silence, to_int16

FADE_FRAMES = 3
"""Frames from full level to nothing: 60 ms."""

_MIN_PERIOD = 40
_MAX_PERIOD = 140
_TEMPLATE = 160
_SEAM = 10
_RETURN = 40

_Signal = NDArray[np.float64]
_FADE_IN = (np.arange(_RETURN) + 0.5) / _RETURN
_SEAM_IN = (np.arange(_SEAM) + 0.5) / _SEAM
_FADE_OUT = 1.0 - np.arange(FADE_FRAMES * FRAME_SAMPLES) / (FADE_FRAMES * FRAME_SAMPLES)


class Concealer:
    """Fills the gaps of one stream of frames; call exactly one of its methods for each frame."""

    def __init__(self) -> None:
        # Two frames hold enough history; it is put together only when something is missing.
        self._last: Samples | None = None
        self._before: Samples = silence()
        self._cycle: _Signal | None = None
        self._filled = 0

    def play(self, frame: Samples) -> Samples:
        """A frame that came, shape (160,): given back as it is; after a gap, its first 5 ms faded in."""
        if self._filled:
            signal = frame.astype(np.float64)
            signal[:_RETURN] = self._continuation(_RETURN) * (1.0 - _FADE_IN) + signal[:_RETURN] * _FADE_IN
            frame = to_int16(signal)
            self._cycle = None
            self._filled = 0
        self._remember(frame)
        return frame

    def conceal(self) -> Samples | None:
        """A frame for one that did not come, shape (160,).

        None once 60 ms have been filled in a row, and before anything was played.
        """
        if self._last is None or self._filled >= FADE_FRAMES * FRAME_SAMPLES:
            return None
        if self._cycle is None:
            history = np.concatenate((self._before, self._last)).astype(np.float64)
            self._cycle = _last_cycle(history)
            signal = self._continuation(FRAME_SAMPLES)
            # What comes next is what came after the sample one period ago.
            step = history[-1] - history[-1 - self._cycle.size]
            signal[:_RETURN] += step * (1.0 - _FADE_IN)
        else:
            signal = self._continuation(FRAME_SAMPLES)
        self._filled += FRAME_SAMPLES
        frame = to_int16(signal)
        self._remember(frame)
        return frame

    def _remember(self, frame: Samples) -> None:
        if self._last is not None:
            self._before = self._last
        self._last = frame

    def _continuation(self, count: int) -> _Signal:
        """The next ``count`` samples of the repeated period, at the level that the fade has come to."""
        out = np.zeros(count)
        gain = _FADE_OUT[self._filled : self._filled + count]
        if self._cycle is not None and gain.size:
            at = np.arange(self._filled, self._filled + gain.size) % self._cycle.size
            out[: gain.size] = self._cycle[at] * gain
        return out


def cross_fade(earlier: Samples, later: Samples) -> Samples:
    """Fade linearly from one frame into another of the same length."""
    rise = (np.arange(len(earlier)) + 0.5) / len(earlier)
    return to_int16(earlier * (1.0 - rise) + later * rise)


def _last_cycle(history: _Signal) -> _Signal:
    """The last pitch period, its end bent so that its beginning follows it without a step."""
    period = _pitch_period(history)
    cycle = history[-period:].copy()
    before = history[-period - _SEAM : -period]
    cycle[-_SEAM:] = cycle[-_SEAM:] * (1.0 - _SEAM_IN) + before * _SEAM_IN
    return cycle


def _pitch_period(history: _Signal) -> int:
    """The lag in samples, 40 to 140 (57 to 200 Hz), at which the last 20 ms resemble what came before."""
    template = history[-_TEMPLATE:]
    earlier = history[-_TEMPLATE - _MAX_PERIOD : -_MIN_PERIOD]
    products = np.correlate(earlier, template, "valid")
    squares = np.concatenate(([0.0], np.cumsum(earlier * earlier)))
    energies = squares[_TEMPLATE:] - squares[:-_TEMPLATE]
    # Lags run from the longest to the shortest.
    likeness = products / np.sqrt(energies + 1.0)
    return _MAX_PERIOD - int(np.argmax(likeness))
