"""The one frame that all telephone audio here is cut into: 20 ms of 8 kHz mono, 160 samples.

G.711 (RFC 3551 section 4.5.14) fixes the rate; 20 ms is the packet time every carrier uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Linear PCM, one channel, shape (n,)."""

RATE = 8000
"""Samples a second."""

FRAME_SAMPLES = 160
"""Samples in a frame."""

FRAME_S = FRAME_SAMPLES / RATE
"""Length of a frame in seconds."""

FULL_SCALE = 32768.0
"""The magnitude that 0 dBFS stands for."""


def silence(count: int = FRAME_SAMPLES) -> Samples:
    """``count`` zero samples, writable."""
    return np.zeros(count, np.int16)


def to_int16(signal: NDArray[np.floating[Any]]) -> Samples:
    """Round and clip a signal in int16 units, shape (n,), to int16."""
    return np.asarray(np.clip(np.rint(signal), -32768, 32767), np.int16)
