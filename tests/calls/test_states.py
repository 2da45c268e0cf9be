from __future__ import annotations

import itertools

import pytest

from telephony.calls.states import ORDER, State, further, may_become

pytestmark = pytest.mark.pure


def test_nothing_comes_after_the_end_and_nothing_goes_back() -> None:
    """A state may only be followed by one further on, and the end by none."""
    for left, right in itertools.product(ORDER, ORDER):
        assert may_become(left, right) == (left is not State.ENDED and ORDER.index(right) > ORDER.index(left))


def test_the_further_of_two_states_does_not_depend_on_their_order() -> None:
    """Two accounts give one state whichever is read first."""
    for left, right in itertools.product(ORDER, ORDER):
        assert further(left, right) is further(right, left)
