from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.webhooks.schedule import LONGEST_RETRY_AFTER_S, Schedule, retry_after

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_the_default_schedule_gives_up_after_eight_attempts_within_thirty_hours() -> None:
    """Attempts at 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h; the eighth failure is the last."""
    schedule, now = Schedule(jitter=0), NOW
    gaps = []
    for failed in range(1, 9):
        again = schedule.next_attempt(failed, now, retry_after_s=None, chance=0.5)
        if again is None:
            break
        gaps.append((again - now).total_seconds())
        now = again
    assert gaps == [5, 300, 1800, 7200, 18000, 36000, 36000]
    assert failed == 8


@given(st.integers(1, 7), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_retry_is_never_sooner_than_the_schedule_nor_later_than_a_day_more(
    failed: int, chance: float, wanted: float | None
) -> None:
    """Jitter only stretches, and Retry-After only postpones, within a bound."""
    schedule = Schedule()
    again = schedule.next_attempt(failed, NOW, retry_after_s=wanted, chance=chance)
    assert again is not None
    delay_s = (again - NOW).total_seconds()
    plain = schedule.delays_s[failed - 1]
    assert plain <= delay_s + 1e-6
    assert delay_s <= max(plain * 1.2, min(wanted or 0, LONGEST_RETRY_AFTER_S)) + 1e-3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("999999999999999", LONGEST_RETRY_AFTER_S),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_S),
        ("Sat, 21 Nov 2026 10:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; anything else is as if it were not there."""
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_breaks_the_sender(header: str) -> None:
    """Whatever a receiver writes is read or ignored."""
    wanted = retry_after(header, NOW)
    assert wanted is None or timedelta(seconds=min(wanted, 1e6)) >= timedelta(0)
