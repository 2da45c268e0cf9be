"""The sliding minimum against the obvious one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.minimum import SlidingMinimum

pytestmark = pytest.mark.pure


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-5, 5)), min_size=1, max_size=60))
def test_equals_the_minimum_of_the_window(steps: list[tuple[float, float]]) -> None:
    """At every time the value is the least of all values of the last second."""
    sliding = SlidingMinimum(1.0)
    now = 0.0
    seen: list[tuple[float, float]] = []
    for step, value in steps:
        now += step
        seen.append((now, value))
        sliding.add(now, value)
        assert sliding.value == min(value for at, value in seen if at >= now - 1.0)


def test_shift_moves_everything() -> None:
    """A shift moves the minimum and what will be the minimum later."""
    sliding = SlidingMinimum(1.0)
    sliding.add(0.0, 1.0)
    sliding.add(0.9, 2.0)
    sliding.shift(0.5)
    assert sliding.value == 1.5
    sliding.add(1.5, 9.0)
    assert sliding.value == 2.5


def test_empty_after_clear() -> None:
    """It is false before the first value and after clear."""
    sliding = SlidingMinimum(1.0)
    assert not sliding
    sliding.add(0.0, 1.0)
    assert sliding
    sliding.clear()
    assert not sliding
