"""A caller who has put the agent on hold: music in place of a person. Pure.

Told from speech by what it has no need of: breath. Sound that goes on for seconds without a gap and without a
word is no speaker; where its loudness moves, it is no fan or street either.
"""

from __future__ import annotations

import statistics
from collections import deque

LISTEN_S = 8.0
"""Sound without a gap that is taken for music; people pause for breath every few seconds."""
LOUD_DBFS = -45.0
_MOST_GAPS = 0.08
"""Share of quiet windows that music may have."""
_LEAST_MOVING_DB = 1.5
"""Standard deviation of the level: a steady noise has less."""
_OVER_S = 2.0
"""Quiet after which the music is over."""


class HoldMusic:
    """One call's.

    Attributes:
        playing: whether the caller has put the agent on hold.
    """

    def __init__(self) -> None:
        self.playing = False
        self._levels: deque[tuple[float, float]] = deque()
        self._silent_since: float | None = None

    def hear(self, at: float, level_dbfs: float) -> bool:
        """The level of the caller's next moment; whether ``playing`` has changed by it.

        Args:
            at: a monotonic clock's, in s.
            level_dbfs: RMS of some tens of milliseconds.
        """
        if self.playing:
            return self._wait_for_its_end(at, level_dbfs)
        levels = self._levels
        levels.append((at, level_dbfs))
        while levels[0][0] < at - LISTEN_S:
            levels.popleft()
        if at - levels[0][0] < 0.95 * LISTEN_S or level_dbfs < LOUD_DBFS:
            return False
        loud = [level for _, level in levels if level >= LOUD_DBFS]
        if len(loud) < (1 - _MOST_GAPS) * len(levels) or statistics.pstdev(loud) < _LEAST_MOVING_DB:
            return False
        self.playing, self._silent_since = True, None
        levels.clear()
        return True

    def words(self) -> bool:
        """Somebody said something; whether ``playing`` has changed by it."""
        self._levels.clear()
        was, self.playing = self.playing, False
        return was

    def _wait_for_its_end(self, at: float, level_dbfs: float) -> bool:
        if level_dbfs >= LOUD_DBFS:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = at
        elif at - self._silent_since >= _OVER_S:
            self.playing = False
            return True
        return False
