"""When a telephone may ring by the clocks at the called person's place. Pure arithmetic.

An instant is allowed when the local clock of **every** zone that the number may lie in shows a time from
``start`` up to ``end`` on one of ``days``. What counts is what the clock shows, so on a day on which clocks
change the window is an hour longer or shorter where the change lies in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY_DAY = frozenset(range(7))
_HORIZON = timedelta(days=15)
"""Two weeks have every weekday of every zone beside every other: what is not found then never comes."""

_SECOND = timedelta(seconds=1)
_MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """A window of every allowed day.

    Attributes:
        start: first minute of the day, 0 to 1439.
        end: first minute that is too late, up to 1440; above ``start``.
        days: weekdays, 0 = Monday.
    """

    start: int = 9 * 60
    end: int = 20 * 60
    days: frozenset[int] = frozenset(range(5))

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= _MINUTES_OF_DAY:
            raise ValueError("the hours must begin before they end, on one day")

    @classmethod
    def parse(cls, start: str, end: str, days: Sequence[int] | frozenset[int]) -> Hours:
        """Hours from clock times such as ``09:00`` and ``24:00``."""
        return cls(_minute(start), _minute(end), frozenset(days))

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


def is_allowed(now: datetime, zones: Sequence[str], hours: Hours) -> bool:
    """Whether the clocks of all zones show an allowed time; False where no zone is known."""
    return bool(zones) and all(_shows(now, ZoneInfo(zone), hours) for zone in zones)


def next_allowed(now: datetime, zones: Sequence[str], hours: Hours) -> datetime | None:
    """The first instant from ``now`` on at which the telephone may ring, in UTC.

    Args:
        now: any instant with a time zone.
        zones: names of the zones that must agree.

    Returns:
        ``now`` itself where it is allowed; None where the zones never agree or none is known.
    """
    if not zones:
        return None
    places = [ZoneInfo(zone) for zone in zones]
    instant = now.astimezone(UTC)
    latest = instant + _HORIZON
    while instant <= latest:
        following = max(_next_in(instant, place, hours) for place in places)
        if following == instant:
            return instant
        if following < instant:
            return None  # clocks that no rule above foresees: rather never than wrongly
        instant = following
    return None


def _shows(instant: datetime, place: ZoneInfo, hours: Hours) -> bool:
    local = instant.astimezone(place)
    return local.weekday() in hours.days and hours.start <= _minute_of(local) < hours.end


def _next_in(instant: datetime, place: ZoneInfo, hours: Hours) -> datetime:
    """The first allowed instant of one zone from ``instant`` on."""
    if _shows(instant, place, hours):
        return instant
    if not hours.days:
        return instant + 2 * _HORIZON
    local = instant.astimezone(place)
    day = local.date()
    if _minute_of(local) >= hours.start:
        day += timedelta(days=1)
    while day.weekday() not in hours.days:
        day += timedelta(days=1)
    return _first_showing(datetime.combine(day, time(hours.start // 60, hours.start % 60)), place, instant)


def _first_showing(wall: datetime, place: ZoneInfo, after: datetime) -> datetime:
    """The first instant after ``after`` at which the clock shows ``wall`` or, where it skips that, more."""
    early, late = (wall.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:  # shown once, or twice: the clock was put back
        return early if early > after else late
    # The clock was put forward over it, somewhere between the two readings.
    low, high = late, early
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        if middle.astimezone(place).replace(tzinfo=None) >= wall:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
