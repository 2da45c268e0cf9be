from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.options import BatchOptions, Weekday, Window
from telephony.dialer.batches.starting import AnyHour, Candidate, Later, Over, Start, decide
from telephony.dialer.batches.windows import hours_for

pytestmark = pytest.mark.pure

MOSCOW, NEW_YORK, SHARED = "+74951234567", "+12125550100", "+18005550100"
EVERY_DAY: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.parametrize(
    ("number", "utc", "opens"),
    [
        (MOSCOW, "2026-11-23T06:00", "2026-11-23T06:00"),
        (MOSCOW, "2026-11-23T05:59", "2026-11-23T06:00"),
        (MOSCOW, "2026-11-23T17:00", "2026-11-24T06:00"),
        (MOSCOW, "2026-11-20T17:00", "2026-11-23T06:00"),
        # New York's clocks go forward on 2026-03-08 and back on 2026-11-01.
        (NEW_YORK, "2026-03-06T14:00", "2026-03-06T14:00"),
        (NEW_YORK, "2026-03-07T01:00", "2026-03-09T13:00"),
        (NEW_YORK, "2026-10-31T01:00", "2026-11-02T14:00"),
    ],
)
def test_a_window_opens_by_the_called_persons_clock(number: str, utc: str, opens: str) -> None:
    """Nine in the morning is another instant in Moscow and New York, and there before and after a change."""
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert hours_for(Window()).next_allowed(number, at) == datetime.fromisoformat(opens).replace(tzinfo=UTC)


def test_a_number_of_no_known_place_needs_a_zone() -> None:
    """Where no zone is known nobody is called, unless the batch names one."""
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert hours_for(Window()).next_allowed("+88212345678", at) is None
    assert hours_for(Window(timezone="Europe/Moscow")).next_allowed("+88212345678", at) == at


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([MOSCOW, NEW_YORK]),
    st.integers(0, 700 * 24 * 60),
    st.integers(0, 22),
    st.integers(1, 10),
)
def test_nothing_starts_when_the_clock_there_shows_another_time(
    number: str, minute: int, start: int, length: int
) -> None:
    """Whenever it is: a call starts within the window only, and what is put off is put off to within it."""
    end = min(24, start + length)
    options = BatchOptions(window=Window(start=f"{start:02d}:00", end=f"{end:02d}:00", days=EVERY_DAY))
    hours, now = hours_for(options.window), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    place = ZoneInfo("Europe/Moscow" if number == MOSCOW else "America/New_York")
    decision = decide(Candidate(number), options, hours, now)
    if isinstance(decision, Later):
        assert decision.until - now <= timedelta(days=2)
        now = decision.until
        assert decide(Candidate(number), options, hours, now) == Start()
    assert start <= now.astimezone(place).hour < end


def test_without_a_window_the_guard_alone_decides() -> None:
    """A batch that names no hours leaves them to the line's own."""
    assert isinstance(hours_for(None), AnyHour)


def test_a_window_after_the_deadline_is_too_late() -> None:
    """Nobody waits for a morning that comes after the batch's end."""
    evening = datetime(2026, 11, 23, 20, tzinfo=UTC)
    options = BatchOptions(window=Window(), deadline=evening + timedelta(hours=5))
    decision = decide(Candidate(MOSCOW), options, hours_for(options.window), evening)
    assert isinstance(decision, Over)
    assert decision.outcome is Outcome.BLOCKED
