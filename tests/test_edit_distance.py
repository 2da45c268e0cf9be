"""The distance of words and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.edit_distance import edit_distance

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("right", "night", 1), ("cat", "", 3), ("видите", "введите", 2), ("one two", "one too", 1)],
)
def test_letters_are_counted_that_differ(one: str, other: str, apart: int) -> None:
    """Changed, put in or left out, each counts once."""
    assert edit_distance(one, other) == apart


def test_words_are_counted_alike() -> None:
    """Of a text that is split into words, whole words count."""
    assert edit_distance(["at", "half", "past", "three"], ["half", "past", "three", "please"]) == 2


@given(st.text(max_size=12), st.text(max_size=12))
def test_it_is_a_distance(one: str, other: str) -> None:
    """Nothing apart only from itself, alike both ways, and no more than the longer text."""
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, other) == edit_distance(other, one) <= max(len(one), len(other))
