"""The least value of the last seconds, in constant time a value."""

from __future__ import annotations

from collections import deque


class SlidingMinimum:
    """The minimum over a window of time.

    Only candidates are kept: a value that is followed by a smaller one can never be the minimum again.

    Args:
        window_s: how long a value counts.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._candidates: deque[tuple[float, float]] = deque()

    def __bool__(self) -> bool:
        return bool(self._candidates)

    @property
    def value(self) -> float:
        """The least value at the time of the last ``add``; there must have been one."""
        return self._candidates[0][1]

    def add(self, at_s: float, value: float) -> None:
        """Count ``value`` from ``at_s`` on; times do not decrease."""
        candidates = self._candidates
        while candidates and candidates[-1][1] >= value:
            candidates.pop()
        candidates.append((at_s, value))
        oldest = at_s - self._window_s
        while candidates[0][0] < oldest:
            candidates.popleft()

    def shift(self, change: float) -> None:
        """Add ``change`` to every value that still counts."""
        self._candidates = deque((at_s, value + change) for at_s, value in self._candidates)

    def clear(self) -> None:
        """Forget everything."""
        self._candidates.clear()
