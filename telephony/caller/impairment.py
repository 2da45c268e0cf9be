"""A bad line on purpose: which packets of a stream are lost, late, swapped or doubled.

Pure and seeded: the same seed treats the same packets the same way. Works in user space because the network
emulation of a kernel is not to be had everywhere.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telephony.caller.script import ImpairmentSettings

_FULL_SCALE = 32768.0
_REORDERED_BY_S = 0.03
"""Later than the packet behind it (20 ms), earlier than the one behind that (40 ms)."""
_APART_S = 1e-5
"""Packets held up together leave one after the other: timers of one moment have no order."""


class Impairment:
    """Decides about one stream of packets, one after the other."""

    def __init__(self, settings: ImpairmentSettings, *, seed: int) -> None:
        self._settings = settings
        self._random = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._losing = False
        self._last_s = float("-inf")
        self.lost = 0
        """Packets thrown away so far."""

    def deliveries(self, at_s: float) -> list[float]:
        """When the copies of the packet due at ``at_s`` are to leave; empty when it is lost.

        Times are on the same clock as ``at_s`` and never before it.
        """
        settings = self._settings
        jitter_s = self._random.uniform(0.0, settings.jitter_ms / 1000)
        swapped = self._random.random() < settings.reorder
        doubled = self._random.random() < settings.duplicate
        if self._is_lost():
            self.lost += 1
            return []
        leaves_s = at_s + jitter_s
        if swapped:
            leaves_s += _REORDERED_BY_S
            return [leaves_s, leaves_s + _APART_S] if doubled else [leaves_s]
        # A network queues: a late packet holds up those behind it rather than being overtaken.
        leaves_s = max(leaves_s, self._last_s + _APART_S)
        times = [leaves_s, leaves_s + _APART_S] if doubled else [leaves_s]
        self._last_s = times[-1]
        return times

    def _is_lost(self) -> bool:
        """Two states, losing and not (Gilbert): mean run ``burst``, mean share ``loss``."""
        loss, burst = self._settings.loss, self._settings.burst
        draw = self._random.random()
        if loss >= 1.0 or burst <= 1.0:
            return draw < loss
        if self._losing:
            self._losing = draw >= 1.0 / burst
        else:
            self._losing = draw < loss / ((1.0 - loss) * burst)
        return self._losing

    def add_noise(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Mix steady noise at ``noise_dbfs`` (RMS) under samples; shape and type are kept."""
        level = self._settings.noise_dbfs
        if level is None:
            return samples
        noise = self._noise.normal(0.0, _FULL_SCALE * 10 ** (level / 20), samples.shape)
        return np.clip(samples + noise, -32768, 32767).astype(np.int16)
