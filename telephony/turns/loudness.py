"""The loudness of a line, by which a sound is noticed before a voice is recognised in it. Pure.

Many words begin with a hiss, in which no detector hears a voice.
"""

from __future__ import annotations

from telephony.turns.noise_floor import NoiseFloor

LOUD_DB = 15.0
"""So much above the line's noise is loud."""

LOUD_DBFS = -50.0
"""Nothing below is, however quiet the line."""

LOUD_MOMENTS = 2
"""Loud moments in a row that are taken for the beginning of a sound: a click is one."""


class Loudness:
    """One line's."""

    def __init__(self) -> None:
        self._noise = NoiseFloor()
        self._moments = 0

    def hear(self, level_dbfs: float) -> bool:
        """One moment of the line, RMS in dBFS; whether a sound begins with it."""
        above_db = self._noise.above(level_dbfs)
        loud = level_dbfs >= LOUD_DBFS and (above_db is None or above_db >= LOUD_DB)
        self._moments = self._moments + 1 if loud else 0
        return self._moments == LOUD_MOMENTS

    def nobody(self, level_dbfs: float) -> None:
        """The moment that was heard last was nobody's: unless it was loud, it was the line's noise."""
        if not self._moments:
            self._noise.hear(level_dbfs)

    def above(self, level_dbfs: float) -> float | None:
        """By how many dB a sound is louder than the noise; None before that is known."""
        return self._noise.above(level_dbfs)
