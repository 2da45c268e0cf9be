"""Change of sample rate by the SoX resampler, whole or as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import soxr

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]


def resample(samples: Samples, from_rate: int, to_rate: int, *, quality: Quality = "HQ") -> Samples:
    """The whole signal at another rate: shape (n,) to about (n * to_rate / from_rate,), without delay."""
    if from_rate == to_rate or samples.size == 0:
        return samples
    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality), np.int16)


class Resampler:
    """A stream at another rate.

    Output lags input by the filter: chunks come back shorter at first, and ``flush`` gives the rest.
    Lower quality means less lag.
    """

    def __init__(self, from_rate: int, to_rate: int, *, quality: Quality = "HQ") -> None:
        self._same = from_rate == to_rate
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality=quality)

    def process(self, samples: Samples) -> Samples:
        """Take the next chunk, shape (n,), any n; give what is ready, perhaps nothing."""
        if self._same:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), np.int16)

    def flush(self) -> Samples:
        """End the stream and give the rest; the next chunk starts a new stream."""
        if self._same:
            return np.zeros(0, np.int16)
        rest = np.asarray(self._stream.resample_chunk(np.zeros(0, np.int16), last=True), np.int16)
        self._stream.clear()
        return rest
