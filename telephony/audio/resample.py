"""Change of sample rate: a whole signal by the SoX resampler, a live stream by a short filter of our own.

SoX works in blocks, so that a stream of 20 ms frames comes out of it 50 to 160 ms late and in bursts
(measured, every quality but its cubic one). In a conversation that is the delay of a whole network, so
a stream is filtered here: windowed-sinc, linear phase, 3 ms of lag, flat to 3.3 kHz of an 8 kHz signal
and 70 dB down at its band edge.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view

from telephony.audio.frame import Samples, to_int16

if TYPE_CHECKING:
    from numpy.typing import NDArray

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]

_ZERO_CROSSINGS = 24
"""Of the filter on each side, at the lower one of the two rates: 3 ms at 8 kHz."""

_KAISER_BETA = 7.0
_CUTOFF = 0.455
"""Of the lower rate: the middle between the end of the pass band and the band edge."""


def resample(samples: Samples, from_rate: int, to_rate: int, *, quality: Quality = "HQ") -> Samples:
    """The whole signal at another rate: shape (n,) to about (n * to_rate / from_rate,), without delay."""
    if from_rate == to_rate or samples.size == 0:
        return samples
    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality), np.int16)


class Resampler:
    """A stream at another rate, cut up in any way.

    All output together is as long as the input, in time, and in step with it. It lags by 24 samples of
    the lower rate (3 ms at 8 kHz): the first chunk comes back that much shorter, all others in full, and
    ``flush`` gives the rest.

    Args:
        from_rate: of the input in Hz.
        to_rate: of the output in Hz.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        divisor = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // divisor, from_rate // divisor
        self._bank = _filter_bank(self._up, self._down) if self._up != self._down else None
        self._reach = 0 if self._bank is None else self._bank.shape[1] // 2
        self._start()

    def process(self, samples: Samples) -> Samples:
        """Take the next chunk, shape (n,), any n; give what is ready, perhaps nothing."""
        if self._bank is None:
            return samples
        self._taken += samples.size
        return self._advance(samples, self._outputs_before(self._taken - self._reach))

    def flush(self) -> Samples:
        """End the stream and give the rest; the next chunk starts a new stream."""
        if self._bank is None:
            return np.zeros(0, np.int16)
        rest = self._advance(np.zeros(self._reach, np.int16), self._outputs_before(self._taken))
        self._start()
        return rest

    def _start(self) -> None:
        # Input time 0 is at index reach - 1: the signal begins out of silence.
        self._waiting: NDArray[np.float64] = np.zeros(max(0, self._reach - 1))
        self._waiting_from = 1 - self._reach
        self._taken = 0
        self._given = 0

    def _outputs_before(self, time: int) -> int:
        """How many output samples lie before input sample ``time``."""
        return max(0, -(-time * self._up // self._down))

    def _advance(self, samples: Samples, until: int) -> Samples:
        assert self._bank is not None, "checked by the callers"
        self._waiting = np.concatenate((self._waiting, samples))
        if until <= self._given:
            return np.zeros(0, np.int16)
        windows = sliding_window_view(self._waiting, 2 * self._reach)
        out = np.empty(until - self._given)
        # Every up-th output has the same filter, and windows that are an even step apart.
        for lane in range(min(self._up, out.size)):
            index, phase = divmod((self._given + lane) * self._down, self._up)
            first = index - (self._reach - 1) - self._waiting_from
            outputs = out[lane :: self._up]
            last = first + (outputs.size - 1) * self._down
            np.einsum("ij,j->i", windows[first : last + 1 : self._down], self._bank[phase], out=outputs)
        self._given = until
        done = until * self._down // self._up - (self._reach - 1) - self._waiting_from
        self._waiting = self._waiting[done:]
        self._waiting_from += done
        return to_int16(out)


def _filter_bank(up: int, down: int) -> NDArray[np.float64]:
    """One filter for each position of an output sample between two input samples, shape (up, taps)."""
    stretch = max(1.0, down / up)
    reach = math.ceil(_ZERO_CROSSINGS * stretch)
    # Distance in input samples from each tap to the output sample.
    distance = np.arange(up)[:, None] / up + (reach - 1 - np.arange(2 * reach))[None, :]
    band = 2 * _CUTOFF / stretch
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / reach) ** 2, 0.0, 1.0)))
    bank = np.sinc(band * distance) * window
    return np.asarray(bank / bank.sum(axis=1, keepdims=True), np.float64)
