"""How often something may be done: so many at once, then so many a second. Pure but for the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.clock import Clock


class Allowance:
    """A token bucket.

    Args:
        burst: how many at once.
        per_s: how many a second it grows by, up to ``burst``.

    Attributes:
        refused: how many were not allowed since ``take_refused`` last asked.
    """

    def __init__(self, clock: Clock, *, burst: int, per_s: float) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._per_s = per_s
        self._left = self._burst
        self._at = clock.now()
        self.refused = 0

    def take(self) -> bool:
        """Whether one more may be done now; it then counts."""
        now = self._clock.now()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            self.refused += 1
            return False
        self._left -= 1.0
        return True

    def take_refused(self) -> int:
        """How many were refused since this was last asked."""
        count, self.refused = self.refused, 0
        return count
