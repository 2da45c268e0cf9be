"""What of a noisy line a voice activity detector is shown: what stands out of the noise. Pure.

A detector that was trained on studios takes a busy street for a voice now and then, and each time the agent
falls silent for it. The gate lets through what is louder than the line has been in its quiet moments, opens
at the first such frame, and closes a while after the last. A quiet line, and a caller on it, it leaves alone.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

QUIET_DBFS = -50.0
"""A line whose quiet moments are below that is not noisy: its gate is always open."""
HOLD_S = 0.3
"""So long it stays open after the last frame that stood out: softer ends of words are heard."""
MEMORY_S = 2.5
"""The quietest moments of so many seconds are the noise; nobody speaks that long without a breath."""

_LEAST_S = 0.3
_QUIETEST = 0.1


class EnergyGate:
    """One caller's.

    Args:
        open_db: how far above the noise a frame must be.
    """

    def __init__(self, open_db: float) -> None:
        self._open_db = open_db
        self._levels: deque[tuple[float, float]] = deque()
        self._heard_s = 0.0
        self._closes_s = 0.0

    @property
    def noise_dbfs(self) -> float | None:
        """What the line sounds like in its quiet moments; None before it was heard for a moment."""
        if self._heard_s < _LEAST_S:
            return None
        levels = sorted(level for level, _ in self._levels)
        return next(islice(levels, int(_QUIETEST * len(levels)), None))

    def hear(self, level_dbfs: float, seconds: float) -> bool:
        """One frame; whether it is let through.

        Args:
            level_dbfs: its RMS.
            seconds: how long it is.
        """
        self._levels.append((level_dbfs, seconds))
        self._heard_s += seconds
        while self._heard_s > MEMORY_S:
            self._heard_s -= self._levels.popleft()[1]
        noise = self.noise_dbfs
        if noise is None or noise < QUIET_DBFS or level_dbfs >= noise + self._open_db:
            self._closes_s = HOLD_S
            return True
        self._closes_s -= seconds
        return self._closes_s > 0.0
