"""Time as an argument: what waits takes a clock, so that tests can turn it by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class TimerHandle(Protocol):
    """A call that is due later and can be called off."""

    def cancel(self) -> None:
        """Call it off; harmless once it has run."""


class Clock(Protocol):
    """A monotonic clock with timers, in seconds."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        """Run ``callback`` once, ``delay_s`` seconds from now."""


class LoopClock:
    """The running event loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()

    def now(self) -> float:
        return self._loop.time()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return self._loop.call_later(delay_s, callback)


class _ManualTimer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until ``advance`` is called; timers run in the order they are due."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        return self._now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        timer = _ManualTimer(self._now + max(0.0, delay_s), callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; timers that become due run at their own time, new ones included."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end + 1e-9:
            _, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, timer.due)
            if timer.callback is not None:
                timer.callback()
        self._now = end

    @property
    def pending(self) -> int:
        """How many timers are still due."""
        return sum(1 for _, _, timer in self._timers if timer.callback is not None)
