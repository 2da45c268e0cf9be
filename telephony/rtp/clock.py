"""One 20 ms tick for all calls of a process.

Deadlines are absolute, so lateness of one tick never delays the next. After a stall of up to
100 ms the missed ticks follow at once, so that no call loses time; after a longer one they are
skipped and counted, because frames sent in a burst are dropped by the receiver anyway.
Without callbacks nothing is scheduled: an idle process does not wake up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.frame import FRAME_S
from telephony.clock import LoopClock
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle

log = get_logger(__name__)

MAX_LATENESS_S = 0.1
"""How late a tick may run before it is skipped."""

MAX_FAILURES = 5
"""A callback that raises this many ticks in a row is removed."""

_LOG_INTERVAL_S = 1.0
_REMEMBERED_TICKS = 3000


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late ticks ran, over the last minute of ticking; ``ticks`` and ``skipped`` since the start."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    ticks: int
    skipped: int


@dataclass(slots=True)
class _Record:
    failures: int = 0
    logged_at: float = float("-inf")


class MediaClock:
    """Calls every registered callback once each 20 ms, in the order of registration.

    A callback is a plain function and must not block. One that raises is logged, once a second at most,
    and called again at the next tick; after ``MAX_FAILURES`` failures in a row it is removed with a log
    line, so that one broken call cannot fill the log or slow down the others.

    Args:
        clock: where time comes from; the running loop's by default.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._callbacks: dict[Callable[[], None], _Record] = {}
        self._running = False
        self._timer: TimerHandle | None = None
        self._deadline = 0.0
        self._lateness: deque[float] = deque(maxlen=_REMEMBERED_TICKS)
        self._ticks = 0
        self._skipped = 0

    def add(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` from the next tick on; adding it twice is adding it once."""
        self._callbacks.setdefault(callback, _Record())
        self._schedule_first()

    def remove(self, callback: Callable[[], None]) -> None:
        """Never call ``callback`` again, not even in a tick under way; unknown ones are ignored."""
        self._callbacks.pop(callback, None)
        if not self._callbacks:
            self._cancel()

    def start(self) -> None:
        """Tick from now on, as long as there are callbacks; call it in the running loop."""
        if self._clock is None:
            self._clock = LoopClock()
        self._running = True
        self._schedule_first()

    def stop(self) -> None:
        """Tick no more; callbacks stay registered."""
        self._running = False
        self._cancel()

    @property
    def lateness(self) -> Lateness:
        """How punctual the ticks are."""
        late = sorted(self._lateness) or [0.0]
        return Lateness(
            p50_ms=1000 * late[len(late) // 2],
            p99_ms=1000 * late[int(len(late) * 0.99)],
            max_ms=1000 * late[-1],
            ticks=self._ticks,
            skipped=self._skipped,
        )

    def _schedule_first(self) -> None:
        if self._clock is None or not self._running or not self._callbacks or self._timer is not None:
            return
        self._deadline = self._clock.now() + FRAME_S
        self._timer = self._clock.call_later(FRAME_S, self._tick)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        clock = self._clock
        assert clock is not None, "only start() schedules ticks"
        late = max(0.0, clock.now() - self._deadline)
        self._lateness.append(late)
        if late > MAX_LATENESS_S:
            missed = int(late / FRAME_S)
            self._skipped += missed
            self._deadline += missed * FRAME_S
            # Marked as a matter of load: it says that the machine is busy, and nothing of a call.
            log.warning(
                "media_ticks_skipped",
                ticks=missed,
                late_ms=round(1000 * late),
                load_warning="media_ticks_skipped",
            )
        self._ticks += 1
        self._deadline += FRAME_S
        # Scheduled before the callbacks run: one that stops the clock or empties it must find this timer.
        self._timer = clock.call_later(max(0.0, self._deadline - clock.now()), self._tick)
        for callback, record in tuple(self._callbacks.items()):
            if callback in self._callbacks:
                self._call(callback, record)

    def _call(self, callback: Callable[[], None], record: _Record) -> None:
        try:
            callback()
        except Exception:
            self._failed(callback, record)
        else:
            record.failures = 0

    def _failed(self, callback: Callable[[], None], record: _Record) -> None:
        assert self._clock is not None, "only start() schedules ticks"
        record.failures += 1
        name = getattr(callback, "__qualname__", repr(callback))
        now = self._clock.now()
        if now - record.logged_at >= _LOG_INTERVAL_S:
            record.logged_at = now
            log.exception("media_callback_failed", callback=name)
        if record.failures >= MAX_FAILURES and callback in self._callbacks:
            self.remove(callback)
            log.error("media_callback_removed", callback=name, failures=record.failures)
