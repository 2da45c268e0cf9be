from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.seen import Ranges, add, missing

pytestmark = pytest.mark.pure


@given(st.lists(st.integers(1, 40)))
def test_ranges_are_the_set_of_numbers_read(numbers: list[int]) -> None:
    """Any order and repetition gives the same minimal ranges, and the gaps are what was never read."""
    ranges: Ranges = ()
    for number in numbers:
        ranges = add(ranges, number)
    covered = {number for low, high in ranges for number in range(low, high + 1)}
    gaps = {number for low, high in missing(ranges) for number in range(low, high + 1)}
    assert covered == set(numbers)
    assert gaps == set(range(1, max(numbers, default=0) + 1)) - covered
    assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))
