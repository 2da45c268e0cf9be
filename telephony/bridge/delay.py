"""Take back delay that a hiccup left behind, where nobody hears it.

Pure. Every queue between two clocks fills by a frame at each stall and would stay full: delay that
serves nothing. What never falls below the wanted depth for a whole second is left out, frame by frame,
in silence, or in speech when it is too much to wait for a pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.audio.level import dbfs

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

QUIET_DBFS = -50.0
"""Below this a frame can be left out without anybody hearing it."""

WINDOW = 50
"""Frames over which the smallest depth is looked for: one second."""

SPEECH_EXCESS = 5
"""Frames too many that are worth a click in speech; one such frame a window. Speech has
pauses: what is less waits for one."""


def is_quiet(frame: Samples) -> bool:
    """Whether a frame is silence to the ear."""
    return dbfs(frame) < QUIET_DBFS


class DelayTrim:
    """Watches one queue's depth and says which frames to leave out.

    Attributes:
        wanted: frames that may wait all the time, at least 0.
        trimmed: frames that were left out.
    """

    def __init__(self, wanted: float = 0.0) -> None:
        self.wanted = wanted
        self.trimmed = 0
        self._seen = 0
        self._lowest = float("inf")
        self._excess = 0
        self._click_allowed = False

    def observe(self, waiting: float) -> None:
        """Note the depth in frames, once each 20 ms, where it is lowest: just after a frame was taken."""
        self._lowest = min(self._lowest, waiting)
        self._seen += 1
        if self._seen < WINDOW:
            return
        self._excess = max(0, int(self._lowest - self.wanted))
        self._click_allowed = self._excess >= SPEECH_EXCESS
        self._seen, self._lowest = 0, float("inf")

    def leaves_out(self, frame: Samples) -> bool:
        """Whether this frame is to be left out; it then counts as left out."""
        if not self._excess:
            return False
        if not is_quiet(frame):
            if not self._click_allowed:
                return False
            self._click_allowed = False
        self._excess -= 1
        self.trimmed += 1
        return True
