from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telephony.webhooks.pace import FAILURES_BEFORE_GENTLE, Pace

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_an_endpoint_that_keeps_failing_is_tried_one_at_a_time_with_growing_gaps() -> None:
    """Failures in a row take the places away and stretch the gaps, up to a bound."""
    pace, now, gaps = Pace(8), NOW, []
    for _ in range(20):
        pace.failed(now, None)
        gap = (pace.not_before - now).total_seconds() if pace.not_before else 0.0
        gaps.append(gap)
        now += timedelta(seconds=gap)
    assert gaps[: FAILURES_BEFORE_GENTLE - 1] == [0.0] * (FAILURES_BEFORE_GENTLE - 1)
    assert gaps[FAILURES_BEFORE_GENTLE - 1 :] == sorted(gaps[FAILURES_BEFORE_GENTLE - 1 :])
    assert max(gaps) == 2.0
    assert pace.room(now) == 1
    assert pace.failing_since == NOW


def test_the_first_success_opens_it_again_and_brings_back_what_waits() -> None:
    """After a success all places are free, and the backlog is hastened once, not again and again."""
    pace = Pace(8)
    for _ in range(6):
        pace.failed(NOW, None)
    assert pace.succeeded(NOW)
    assert pace.room(NOW) == 8
    assert pace.failing_since is None
    for _ in range(6):
        pace.failed(NOW, None)
    assert not pace.succeeded(NOW + timedelta(seconds=5))


def test_retry_after_holds_for_the_whole_endpoint() -> None:
    """While the receiver asked for quiet, nothing at all is sent to it."""
    pace = Pace(8)
    pace.failed(NOW, 60)
    assert pace.room(NOW + timedelta(seconds=59)) == 0
    assert pace.room(NOW + timedelta(seconds=60)) == 8


def test_places_are_filled_by_the_handful() -> None:
    """A claim is worth its commit when about half of the places are free."""
    assert [Pace(8, in_flight=busy).worthwhile(NOW) for busy in range(9)] == [8, 7, 6, 5, 4, 0, 0, 0, 0]
    assert Pace(1).worthwhile(NOW) == 1
    assert Pace(1, in_flight=1).worthwhile(NOW) == 0


def test_others_are_sent_while_results_wait_to_be_written() -> None:
    """A slow disk does not set the pace; but what a crash would repeat is bounded."""
    assert Pace(8, in_flight=8, unwritten=8).worthwhile(NOW) == 8
    assert Pace(8, in_flight=16, unwritten=8).worthwhile(NOW) == 0
    assert Pace(8, in_flight=12, unwritten=12).worthwhile(NOW) == 4
    assert Pace(8, in_flight=16, unwritten=16).worthwhile(NOW) == 0
