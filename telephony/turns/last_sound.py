"""When a caller was last heard, by loudness. Pure.

A voice activity detector goes on saying "voice" for 30 to 100 ms after the last sound, longer after a loud
one: silence that is counted from there ends a turn later than it says. Loudness knows the end to a window.
"""

from __future__ import annotations

from telephony.turns.noise_floor import NoiseFloor

ABOVE_NOISE_DB = 10.0
"""A sound is at least so much louder than the line; noise swings by less."""
BELOW_PEAK_DB = 35.0
"""And at most so much softer than the loudest moment of what was said: soft endings of words are within."""
MOST_S = 0.15
"""A detector that heard a voice for longer than that after the last loud moment has heard a soft one."""


class LastSound:
    """One caller's line."""

    def __init__(self) -> None:
        self._noise = NoiseFloor()
        self._peak_dbfs: float | None = None
        self._since_s = 0.0

    def hear(self, level_dbfs: float, seconds: float, *, speaking: bool) -> None:
        """One moment.

        Args:
            level_dbfs: its RMS.
            seconds: how long it is.
            speaking: whether the detector hears somebody speak, pauses of theirs included.
        """
        if not speaking:
            self._noise.hear(level_dbfs)
            self._peak_dbfs = None
            return
        above = self._noise.above(level_dbfs)
        self._peak_dbfs = level_dbfs if self._peak_dbfs is None else max(self._peak_dbfs, level_dbfs)
        audible = above is None or (above >= ABOVE_NOISE_DB and level_dbfs >= self._peak_dbfs - BELOW_PEAK_DB)
        self._since_s = 0.0 if audible else self._since_s + seconds

    def silence_s(self, detected_s: float) -> float:
        """Silence so far, where the detector has counted ``detected_s``: at least that."""
        return min(max(detected_s, self._since_s), detected_s + MOST_S)
