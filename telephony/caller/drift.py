"""A sound card that runs too fast or too slow.

Pure. Telephones have clocks of their own, up to some 200 ppm from anybody else's: 60 ms in five minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle


class DriftingClock:
    """Another clock, faster by so many millionths.

    Args:
        clock: the true one.
        ppm: parts per million; positive is fast, so that frames come more often than each 20 ms.
    """

    def __init__(self, clock: Clock, ppm: float) -> None:
        self._clock = clock
        self._rate = 1 + ppm / 1e6
        self._zero_s = clock.now()

    def now(self) -> float:
        """Seconds as this clock counts them."""
        return (self._clock.now() - self._zero_s) * self._rate

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        """Run ``callback`` when ``delay_s`` seconds have passed on this clock."""
        return self._clock.call_later(delay_s / self._rate, callback)
