"""How loud a line is when nobody speaks, so that a sound can be told from it. Pure."""

from __future__ import annotations

QUIET_DBFS = -70.0
"""Quieter than that no telephone's noise counts: digital silence would make everything loud."""

_FALL = 0.3
_RISE = 0.01


class NoiseFloor:
    """Follows the quiet moments: down quickly, up slowly."""

    def __init__(self) -> None:
        self._level_dbfs: float | None = None

    @property
    def level_dbfs(self) -> float | None:
        """The noise, in dBFS; None before anything was heard."""
        return self._level_dbfs

    def hear(self, level_dbfs: float) -> None:
        """One moment without speech, RMS in dBFS."""
        level_dbfs = max(QUIET_DBFS, level_dbfs)
        if self._level_dbfs is None:
            self._level_dbfs = level_dbfs
        else:
            pace = _FALL if level_dbfs < self._level_dbfs else _RISE
            self._level_dbfs += pace * (level_dbfs - self._level_dbfs)

    def above(self, level_dbfs: float) -> float | None:
        """By how many dB a sound is louder; None before the noise is known."""
        return None if self._level_dbfs is None else level_dbfs - self._level_dbfs
