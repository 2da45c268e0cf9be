from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dialer.batches.pace import CATCH_UP_S, grant, parse_pace

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@given(
    st.floats(0.01, 50),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 100)), max_size=40),
)
def test_no_more_begin_than_the_pace_allows(per_s: float, rounds: list[tuple[float, int]]) -> None:
    """However irregularly it is asked, in no stretch of time more calls begin than pace and catch-up give."""
    next_at, now, begun = NOW, NOW, list[tuple[datetime, int]]()
    for wait_s, wanted in rounds:
        now += timedelta(seconds=wait_s)
        granted = grant(next_at, now, per_s, wanted)
        assert granted.count <= wanted
        next_at = granted.next_at
        begun.append((now, granted.count))
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            stretch = (begun[last][0] - begun[first][0]).total_seconds()
            most = per_s * (stretch + CATCH_UP_S) + 1
            assert sum(count for _, count in begun[first : last + 1]) <= most + 1e-3


def test_calls_follow_one_another_evenly() -> None:
    """At two in a second, asked twenty times a second, one begins every half second."""
    next_at, begun = NOW, []
    for tick in range(41):
        now = NOW + timedelta(seconds=tick / 20)
        granted = grant(next_at, now, 2, 10)
        next_at = granted.next_at
        begun += [tick] * granted.count
    assert begun == [0, 10, 20, 30, 40]


@pytest.mark.parametrize(
    ("text", "per_s"), [("1/s", 1), ("30/min", 0.5), ("36/h", 0.01), ("2", 2), (" 0.5/sec ", 0.5)]
)
def test_a_pace_is_written_as_people_say_it(text: str, per_s: float) -> None:
    """Calls in a second, a minute or an hour."""
    assert parse_pace(text) == pytest.approx(per_s)


@pytest.mark.parametrize("text", ["", "0/s", "fast", "-1/s", "1/day", "1 / s"])
def test_what_is_no_pace_is_refused(text: str) -> None:
    """Nothing, zero and other words are no pace."""
    with pytest.raises(ValueError, match="no pace"):
        parse_pace(text)
