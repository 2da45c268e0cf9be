"""The geometry of the picture of a call."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.caller.timeline import ROW_S, Row, Spoken, place_bubbles, split_rows, wrap

pytestmark = pytest.mark.pure


@given(st.floats(0.5, 200.0), st.lists(st.tuples(st.floats(0, 200), st.floats(0.1, 20.0)), max_size=40))
def test_rows_cover_the_call_without_gap_or_overlap(
    duration_s: float, lengths: list[tuple[float, float]]
) -> None:
    """Whatever was said, every moment of the call lies in exactly one row that fits the page."""
    rows = split_rows(duration_s, [(start, start + length) for start, length in lengths])
    assert rows[0].start_s == 0.0
    assert rows[-1].end_s >= duration_s
    for earlier, later in itertools.pairwise(rows):
        assert earlier.end_s == later.start_s
    assert all(0 < row.end_s - row.start_s <= 1.15 * ROW_S + 1e-9 for row in rows)


def test_no_row_of_a_moment_is_left_over() -> None:
    """A call a little longer than its rows has a last row a little longer."""
    assert split_rows(ROW_S + 1.0, []) == [Row(0.0, ROW_S + 1.0)]


def test_rows_break_in_silence() -> None:
    """An utterance at the end of a row moves to the next one, unless it is too long for that."""
    assert split_rows(30.0, [(2.0, 4.0), (14.0, 17.0)])[0].end_s == 13.75
    assert split_rows(30.0, [(2.0, 20.0)])[0].end_s == ROW_S


@given(
    st.lists(
        st.tuples(st.floats(0, 15), st.floats(0.2, 3.0), st.text("abc ", min_size=1, max_size=80)),
        max_size=12,
    )
)
def test_bubbles_stay_on_the_page(spoken: list[tuple[float, float, str]]) -> None:
    """Each has some width and all of its lines."""
    row = Row(0.0, ROW_S)
    bubbles = place_bubbles(row, [Spoken(start, start + length, text) for start, length, text in spoken])
    assert len(bubbles) == sum(row.holds(start) for start, _, text in spoken if text)
    assert all(bubble.x >= 0 and bubble.width >= 90 and bubble.lines for bubble in bubbles)


def test_bubbles_of_a_conversation_do_not_overlap() -> None:
    """Each ends before the next one of its lane begins."""
    spoken = [
        Spoken(start, start + 1.0, "a line of some length, and more of it") for start in (1.0, 4.0, 9.0, 14.5)
    ]
    bubbles = place_bubbles(Row(0.0, ROW_S), spoken)
    assert len(bubbles) == len(spoken)
    for left, right in itertools.pairwise(bubbles):
        assert left.x + left.width <= right.x


def test_a_long_text_is_wrapped_and_cut() -> None:
    """No line is wider than its bubble, and a speech of many lines ends in an ellipsis."""
    lines = wrap("word " * 200, 200)
    assert len(lines) == 8
    assert lines[-1].endswith("…")
    assert max(len(line) for line in lines) * 7 <= 200
    assert wrap("", 100) == ("",)


def test_moments_outside_of_a_row_lie_on_its_edges() -> None:
    """A span that began in the row before is drawn from the edge."""
    row = Row(10.0, 20.0)
    assert row.x(5.0) == 0.0
    assert row.x(25.0) == row.width == 720.0
    assert row.holds(10.0)
    assert not row.holds(20.0)
