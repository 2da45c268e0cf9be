"""How loud a stretch of samples is."""

from __future__ import annotations

import math

import numpy as np

from telephony.audio.frame import FULL_SCALE, Samples

FLOOR_DBFS = -96.0
"""What silence measures: the step of 16 bits, rather than minus infinity."""


def rms(samples: Samples) -> float:
    """Root mean square in int16 units, 0 to 32768; 0 for no samples at all."""
    if samples.size == 0:
        return 0.0
    # Squares of int16 do not fit int32 sums beyond two samples.
    signal = samples.astype(np.float64)
    return math.sqrt(float(np.dot(signal, signal)) / samples.size)


def dbfs(samples: Samples) -> float:
    """Level in dB below full scale by RMS: a full-scale sine is -3.01, silence ``FLOOR_DBFS``."""
    value = rms(samples)
    if value <= 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 20.0 * math.log10(value / FULL_SCALE))
