from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dialer.guard.hours import EVERY_DAY, Hours, is_allowed, next_allowed
from telephony.dialer.guard.zones import zones_of

pytestmark = pytest.mark.pure

ZONES = [
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kamchatka",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "America/Adak",
    "Africa/Cairo",
]
MINUTE = timedelta(minutes=1)
windows = st.builds(
    lambda start, length, days: Hours(start, min(start + length, 23 * 60), frozenset(days)),
    st.integers(5 * 60, 21 * 60),
    st.integers(15, 16 * 60),
    st.sets(st.integers(0, 6), min_size=1),
)
# Round the days on which clocks change in one place or another, and anywhere else in the year.
instants = st.integers(0, 700 * 1440).map(
    lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + minute * MINUTE
) | st.builds(
    lambda day, minute: datetime.combine(day, datetime.min.time(), UTC) + minute * MINUTE,
    st.sampled_from(
        [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 25), date(2026, 11, 1)]
    ),
    st.integers(-1440, 2 * 1440),
)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T19:59:59", True),
        ("2026-11-23T20:00:00", False),
        ("2026-11-22T12:00:00", False),
    ],
)
def test_the_window_has_its_first_minute_and_not_its_last(now: str, allowed: bool) -> None:
    """09:00 is in, 20:00 is out, Sunday is out."""
    assert is_allowed(at(now, "Europe/Moscow"), ["Europe/Moscow"], Hours()) is allowed


def test_every_zone_that_a_number_may_lie_in_must_agree() -> None:
    """A Russian mobile may be in Kaliningrad or on Kamchatka: one hour of the day is decent in both."""
    zones = zones_of("+79161234567")
    assert len(zones) > 10
    found = next_allowed(at("2026-11-23T08:30:00"), zones, Hours())
    assert found == at("2026-11-24T07:00:00")
    assert is_allowed(found, zones, Hours())
    assert not is_allowed(found + timedelta(hours=1), zones, Hours())


def test_friday_evening_waits_for_monday() -> None:
    """Days that are not allowed are passed over whole."""
    found = next_allowed(at("2026-11-20T20:00:00", "Europe/Moscow"), ["Europe/Moscow"], Hours())
    assert found == at("2026-11-23T09:00:00", "Europe/Moscow")


def test_zones_that_never_agree_have_no_moment() -> None:
    """Six hours in Berlin and six in Auckland do not meet."""
    hours = Hours.parse("09:00", "15:00", EVERY_DAY)
    assert next_allowed(at("2026-01-05T00:00:00"), ["Europe/Berlin", "Pacific/Auckland"], hours) is None


def test_no_zone_and_no_day_are_never() -> None:
    """What is not known is not allowed."""
    now = at("2026-11-23T10:00:00")
    assert not is_allowed(now, [], Hours())
    assert next_allowed(now, [], Hours()) is None
    assert next_allowed(now, ["UTC"], Hours(days=frozenset())) is None


def test_an_hour_that_the_clock_skips_begins_where_it_goes_on() -> None:
    """New York, 8 March 2026: 02:30 never comes, 03:00 does."""
    hours = Hours.parse("02:30", "12:00", EVERY_DAY)
    found = next_allowed(at("2026-03-08T00:00:00", "America/New_York"), ["America/New_York"], hours)
    assert found == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_an_hour_that_comes_twice_begins_at_once() -> None:
    """New York, 1 November 2026: 01:30 comes at 05:30 and 06:30 UTC; who waits already gets the first."""
    hours = Hours.parse("01:30", "12:00", EVERY_DAY)
    zone = ["America/New_York"]
    assert next_allowed(at("2026-11-01T04:00:00"), zone, hours) == at("2026-11-01T05:30:00")
    assert next_allowed(at("2026-11-01T06:10:00"), zone, hours) == at("2026-11-01T06:30:00")


@pytest.mark.parametrize(("start", "end"), [("20:00", "09:00"), ("09:00", "09:00")])
def test_hours_that_end_before_they_begin_are_no_hours(start: str, end: str) -> None:
    """A window lies within one day."""
    with pytest.raises(ValueError, match="begin before"):
        Hours.parse(start, end, EVERY_DAY)


def test_midnight_is_the_end_of_a_day() -> None:
    """24:00 leaves the last minute in."""
    assert is_allowed(at("2026-11-23T23:59:59"), ["UTC"], Hours.parse("09:00", "24:00", EVERY_DAY))


@given(instants, st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True), windows)
@settings(max_examples=150)
def test_the_next_moment_is_allowed_and_none_before_it_is(
    now: datetime, zones: list[str], hours: Hours
) -> None:
    """By every clock it is within the window, and a minute-by-minute look finds nothing earlier."""
    found = next_allowed(now, zones, hours)
    if found is None:
        step = now + timedelta(minutes=7)
        assert not any(is_allowed(step + n * timedelta(minutes=15), zones, hours) for n in range(96 * 7))
        return
    assert is_allowed(found, zones, hours)
    assert found >= now
    gap = (found - now) / 40
    assert not any(is_allowed(now + n * gap, zones, hours) for n in range(40) if gap)
    if found > now:
        assert not is_allowed(found - timedelta(seconds=1), zones, hours)


@given(instants, st.sampled_from(ZONES), windows)
def test_what_is_allowed_is_what_the_clock_on_the_wall_shows(now: datetime, zone: str, hours: Hours) -> None:
    """The definition, whatever the clock does that day."""
    wall = now.astimezone(ZoneInfo(zone))
    shows = wall.weekday() in hours.days and hours.start <= wall.hour * 60 + wall.minute < hours.end
    assert is_allowed(now, [zone], hours) is shows


def test_a_number_of_no_place_has_no_zone() -> None:
    """Satellite telephones and what is no number: nobody knows what time it is there."""
    assert zones_of("+870773111234") == ()
    assert zones_of("nonsense") == ()


def test_the_operator_may_know_better_where_numbers_lie() -> None:
    """The longest beginning that fits decides."""
    known = {"+79": "Europe/Moscow", "+7914": "Asia/Vladivostok"}
    assert zones_of("+79141234567", known) == ("Asia/Vladivostok",)
    assert zones_of("+79161234567", known) == ("Europe/Moscow",)
    assert zones_of("+74951234567", known) == ("Europe/Moscow",)
