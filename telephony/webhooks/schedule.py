"""When a delivery is tried again.

Pure: time and chance come in as arguments. The default is the schedule of the Standard Webhooks
ecosystem: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

DEFAULT_DELAYS_S: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Delays after the first and each further failed attempt; one more failure and the delivery is dead."""

LONGEST_RETRY_AFTER_S = 86_400.0
"""A receiver may ask for at most a day's pause."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays in seconds after each failed attempt, and their spread.

    ``jitter``: each delay is stretched by up to this share, so that a crowd does not come back at once.
    """

    delays_s: tuple[float, ...] = DEFAULT_DELAYS_S
    jitter: float = 0.2

    def next_attempt(
        self, failed: int, now: datetime, *, retry_after_s: float | None, chance: float
    ) -> datetime | None:
        """When to try again.

        Args:
            failed: how many attempts have failed, this one included; 1 or more.
            retry_after_s: what the receiver asked for with 429 or 503; a longer wait than ours is granted.
            chance: a random number, 0 to 1.

        Returns:
            The instant, or None when the delivery is to be given up.
        """
        if failed > len(self.delays_s):
            return None
        delay_s = self.delays_s[failed - 1] * (1 + self.jitter * chance)
        if retry_after_s is not None:
            delay_s = max(delay_s, min(retry_after_s, LONGEST_RETRY_AFTER_S))
        return now + timedelta(seconds=delay_s)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110 section 10.2.3): seconds from now, at most a day, or None."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), LONGEST_RETRY_AFTER_S)
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return None
    return min(max(0.0, (instant - now).total_seconds()), LONGEST_RETRY_AFTER_S)
