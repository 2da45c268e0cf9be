"""Timer values of RFC 3261 (table 4 and section 17) and RFC 6026, and named timers on a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle


@dataclass(frozen=True, slots=True)
class Timers:
    """The three base values in seconds; all timers A to M derive from them."""

    t1: float = 0.5
    """Estimate of the round trip."""
    t2: float = 4.0
    """Longest interval between retransmissions of a non-INVITE request or an INVITE's final response."""
    t4: float = 5.0
    """How long a message may stay in the network."""

    @property
    def timeout(self) -> float:
        """64 * T1: timers B, F, H, J, L and M, and the least of timer D."""
        return 64 * self.t1

    @property
    def trying(self) -> float:
        """How soon an INVITE is answered 100 by the transaction itself: 200 ms (section 17.2.1)."""
        return 0.4 * self.t1


class NamedTimers:
    """Timers of one owner by their letter; starting one again replaces it."""

    __slots__ = ("_clock", "_running")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[str, TimerHandle] = {}

    def start(self, name: str, delay_s: float, callback: Callable[[], None]) -> None:
        """Run ``callback`` once after ``delay_s`` seconds."""
        self.stop(name)

        def fire() -> None:
            self._running.pop(name, None)
            callback()

        self._running[name] = self._clock.call_later(delay_s, fire)

    def runs(self, name: str) -> bool:
        """Whether that timer is still to fire."""
        return name in self._running

    def stop(self, *names: str) -> None:
        """Call these off; harmless for those that do not run."""
        for name in names:
            handle = self._running.pop(name, None)
            if handle is not None:
                handle.cancel()

    def stop_all(self) -> None:
        """Call all off."""
        self.stop(*list(self._running))
