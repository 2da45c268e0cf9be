"""How hard an endpoint may be tried: all at once while it answers, gently while it does not.

Pure but for the clock that is handed in. An endpoint that keeps failing is left one attempt at a
time, so that it costs the sender next to nothing; its first success opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FAILURES_BEFORE_GENTLE = 5
_LANES_A_PLACE = 2
_SHORTEST_GAP_S = 0.05
_LONGEST_GAP_S = 2.0
_HASTEN_EVERY = timedelta(seconds=30)


@dataclass(slots=True)
class Pace:
    """One endpoint's recent history, in this process.

    ``concurrency``: attempts under way at once. ``in_flight``: lanes that are worked through; ``unwritten``:
    those of them whose last attempt is over and waits to be written down. While those wait, others are
    sent, so that a disk that syncs slowly does not set the pace; but not without a bound, since all of
    them would be sent again after a crash. ``failing_since``: the first failure after the last success;
    None while it answers.
    """

    concurrency: int
    in_flight: int = 0
    unwritten: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    not_before: datetime | None = None
    hastened_at: datetime | None = None

    @property
    def gentle(self) -> bool:
        """Whether it failed so often in a row that it is tried one at a time."""
        return self.failures >= FAILURES_BEFORE_GENTLE

    def room(self, now: datetime) -> int:
        """How many more lanes may be begun now."""
        if self.not_before is not None and now < self.not_before:
            return 0
        most = self._most
        return max(0, min(most - (self.in_flight - self.unwritten), _LANES_A_PLACE * most - self.in_flight))

    def worthwhile(self, now: datetime) -> int:
        """How many places to fill now; 0 while only a few are free, since each claim is a commit."""
        free = self.room(now)
        return free if free > (self._most - 1) // 2 else 0

    @property
    def _most(self) -> int:
        return 1 if self.gentle else self.concurrency

    def succeeded(self, now: datetime) -> bool:
        """Note a success; returns whether everything that waits for the endpoint should be tried now."""
        was_gentle = self.gentle
        self.failures, self.failing_since, self.not_before = 0, None, None
        if not was_gentle or (self.hastened_at and now - self.hastened_at < _HASTEN_EVERY):
            return False
        self.hastened_at = now
        return True

    def failed(self, now: datetime, retry_after_s: float | None) -> None:
        """Note a failure; the receiver's own Retry-After holds for everything it gets."""
        self.failures += 1
        self.failing_since = self.failing_since or now
        gap_s = 0.0
        if self.gentle:
            gap_s = min(
                _LONGEST_GAP_S, _SHORTEST_GAP_S * 2 ** min(10, self.failures - FAILURES_BEFORE_GENTLE)
            )
        pause = timedelta(seconds=max(gap_s, retry_after_s or 0.0))
        if pause:
            self.not_before = max(self.not_before or now, now + pause)
