"""A batch's window as hours by the called person's clock; the arithmetic is the guard's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.dialer.batches.starting import AnyHour
from telephony.dialer.guard.hours import Hours as Clocks
from telephony.dialer.guard.hours import next_allowed
from telephony.dialer.guard.zones import zones_of

if TYPE_CHECKING:
    from datetime import datetime

    from telephony.dialer.batches.options import Window
    from telephony.dialer.batches.starting import Hours

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class CalleesHours:
    """A window in the zones that a number may lie in, or in one that the batch names."""

    clocks: Clocks
    zone: str | None = None

    def next_allowed(self, number: str, at: datetime) -> datetime | None:
        """The first instant from ``at`` on; None for a number whose zone nobody knows."""
        zones = (self.zone,) if self.zone else zones_of(number)
        return next_allowed(at, zones, self.clocks)


def hours_for(window: Window | None) -> Hours:
    """The hours of a window; without one a batch leaves hours to the guard."""
    if window is None:
        return AnyHour()
    days = [_DAYS.index(day) for day in window.days]
    return CalleesHours(Clocks.parse(window.start, window.end, days), window.timezone)
