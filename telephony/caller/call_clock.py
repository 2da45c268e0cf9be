"""The clock of one call: zero is the moment its INVITE is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle


class CallClock:
    """Another clock, counted from ``restart``: all times of a call are comparable and small."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zero_s = clock.now()

    def restart(self) -> None:
        """Now is zero."""
        self._zero_s = self._clock.now()

    def now(self) -> float:
        """Seconds since ``restart``."""
        return self._clock.now() - self._zero_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        """Run ``callback`` once, ``delay_s`` seconds from now."""
        return self._clock.call_later(delay_s, callback)
